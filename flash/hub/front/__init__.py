"""What the hub itself shows: the start page, logs, an interface for programs, health, notices in an app's place."""

from .front import Front

__all__ = ["Front"]
