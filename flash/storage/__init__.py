"""What all processes of an app share: values with expiry, ordered topics, leases. See docs/storage.md.

Storage           the interface; names as in Dash 4.5's shared storage
  · MemoryStorage   for one process
  · RedisStorage    for several processes and machines
  · DashStorage     a storage of Dash 4.5's
"""

from .base import SharedStorageError, SharedStorageGap, Storage, Subscription
from .dash import DashStorage
from .environment import storage_of
from .memory import MemoryStorage
from .processes import FileLock, ProcessLock, SeveralProcesses, refuse_several, served_as
from .redis import RedisStorage

__all__ = [
    "DashStorage",
    "FileLock",
    "MemoryStorage",
    "ProcessLock",
    "RedisStorage",
    "SeveralProcesses",
    "SharedStorageError",
    "SharedStorageGap",
    "Storage",
    "Subscription",
    "refuse_several",
    "served_as",
    "storage_of",
]
