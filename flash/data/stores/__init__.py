"""Where the snapshots of sources are kept. See docs/data-stores.md.

SnapshotStore      the interface
  · MemorySnapshots   in one process
  · SqliteSnapshots   in a file, for the processes of one machine
  · StorageSnapshots  in the app's shared storage: Redis, for several machines
"""

from .base import Record, SnapshotStore, SnapshotStoreError
from .memory import MemorySnapshots
from .named import store_of
from .sqlite import SqliteSnapshots
from .storage import StorageSnapshots

__all__ = [
    "MemorySnapshots",
    "Record",
    "SnapshotStore",
    "SnapshotStoreError",
    "SqliteSnapshots",
    "StorageSnapshots",
    "store_of",
]
