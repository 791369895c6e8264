"""Managers for background callbacks that lose no update and no result. See docs/background.md."""

from .celery import CeleryManager as CeleryManager
from .diskcache import DiskcacheManager as DiskcacheManager

__all__ = ["CeleryManager", "DiskcacheManager"]
