"""Data that are read when it is time, once for all processes, and reach open pages by themselves. See docs/data.md."""

from .alone import start, stop
from .declare import source, use_store
from .failures import SourceError
from .snapshot import Failure, Snapshot, Status
from .source import Source

__all__ = [
    "Failure",
    "Snapshot",
    "Source",
    "SourceError",
    "Status",
    "source",
    "start",
    "stop",
    "use_store",
]
