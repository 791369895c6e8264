"""Data that are read when it is time, once for all processes, and reach open pages by themselves. See docs/data.md."""

from typing import TYPE_CHECKING, Any

from ..companions import join_apps
from .alone import start, stop
from .codec import SnapshotValueError
from .declare import source, use_store
from .failures import SourceError
from .join import DataOfApp
from .live_input import LiveInput
from .snapshot import Failure, Snapshot, Status
from .source import Source
from .stores import SnapshotStore, SnapshotStoreError

if TYPE_CHECKING:
    from .freshness import Freshness

join_apps(DataOfApp)

__all__ = [
    "Failure",
    "Freshness",
    "LiveInput",
    "Snapshot",
    "SnapshotStore",
    "SnapshotStoreError",
    "SnapshotValueError",
    "Source",
    "SourceError",
    "Status",
    "source",
    "start",
    "stop",
    "use_store",
]


def __getattr__(name: str) -> Any:
    # A component: importing it adds its scripts to the pages of the process.
    if name == "Freshness":
        from .freshness import Freshness

        return Freshness
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
