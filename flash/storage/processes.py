"""Several processes that serve one app tell each other of themselves, by a lock on a file.

A worker is not told how many others there are. All workers of a server have the same parent, and so they meet at a file
in the temporary folder that is named by the app, the parent and the user.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

from ..exceptions import FlashError

if sys.platform == "win32":  # pragma: no cover
    import msvcrt
else:
    import fcntl

logger = logging.getLogger(__name__)

#: How often a process that waits for another's end looks again, in seconds.
INTERVAL = 0.1


class SeveralProcesses(FlashError):
    """Several processes serve an app that keeps its state in the memory of each of them."""


def served_as(name: str, module: str) -> str:
    """How the processes that serve an app name it: two apps in two files called ``app.py`` are not the same.

    Args:
        name: The app's own name.
        module: The module that it is made in; ``__main__`` is one of many.
    """
    file = getattr(sys.modules.get(module), "__file__", None)
    served = name if file is None else f"{name} of {os.path.abspath(file)}"
    # The workers of pytest-xdist are children of one process too, and each serves the app for itself.
    tests = os.environ.get("PYTEST_XDIST_WORKER")
    return f"{served} in {tests}" if tests else served


async def refuse_several(name: str, grace: float) -> ProcessLock:
    """Make sure that this process is the only one of its parent's that serves an app.

    Args:
        name: The app, as :func:`served_as` names it.
        grace: How many seconds to wait for another process, which may be the one that this one replaces.

    Returns:
        The lock, taken. Keep it, and release it at the end.

    Raises:
        SeveralProcesses: Another process serves the app.
    """
    lock = ProcessLock(name)
    if not await lock.wait(grace):
        raise SeveralProcesses(
            f"Another process serves {name} too, and what they should share is in the memory of each. Set "
            "FLASH_REDIS_URL (redis://host:6379/0) so that they share it, or serve with one process."
        )
    return lock


class FileLock:
    """Held by one process at a time. It ends with its process.

    A record lock (``msvcrt.locking`` on Windows): a child that this process forks does not hold it, so that a job that
    outlives its server keeps no other from starting. A process that takes it several times holds it until it has
    released it as often.

    Args:
        path: The file, which is made if it is missing and stays.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken = False

    def take(self) -> bool:
        """Take the lock if it is free, without waiting. True: this process holds it."""
        self._taken = self._taken or _hold(self._path)
        return self._taken

    async def wait(self, seconds: float) -> bool:
        """As :meth:`take`, and wait for at most so many seconds until it is free, without blocking the loop."""
        end = time.monotonic() + seconds
        while not await asyncio.to_thread(self.take):
            if time.monotonic() >= end:
                return False
            await asyncio.sleep(INTERVAL)
        return True

    def release(self) -> None:
        """Give the lock back. It may be called again."""
        if self._taken:
            self._taken = False
            _let_go(self._path)


class ProcessLock(FileLock):
    """Held by one process at a time among those with the same parent and user.

    Args:
        name: What the lock is for: the app.
    """

    def __init__(self, name: str) -> None:
        user = os.getuid() if hasattr(os, "getuid") else 0
        digest = hashlib.sha256(f"{name}|{os.getppid()}|{user}".encode()).hexdigest()
        super().__init__(Path(tempfile.gettempdir(), f"flash-{digest[:24]}.lock"))


# A record lock belongs to the process and ends when *any* of its descriptors of the file is closed: so there is one for
# each file, and its users are counted. After a fork the lock is the parent's: the process id tells.
_held: dict[tuple[int, Path], tuple[int, int]] = {}
_guard = threading.Lock()


def _hold(path: Path) -> bool:
    key = os.getpid(), path
    with _guard:
        if key in _held:
            descriptor, users = _held[key]
            _held[key] = descriptor, users + 1
            return True
        try:
            locked = _locked(path)
        except OSError as error:
            logger.warning(
                "Whether other processes serve this app too cannot be told: %s is not usable (%s).",
                path,
                error.strerror,
            )
            return True
        if locked is not None:
            _held[key] = locked, 1
        return locked is not None


def _let_go(path: Path) -> None:
    key = os.getpid(), path
    with _guard:
        if key not in _held:
            return
        descriptor, users = _held.pop(key)
        if users > 1:
            _held[key] = descriptor, users - 1
            return
        # Removed while it is still locked: who waits for it sees that it is no longer the file of that name.
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)


def _locked(path: Path) -> int | None:
    """The descriptor of the file at a path, locked; ``None`` when another process has it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            _lock_now(descriptor)
        except (BlockingIOError, PermissionError):
            os.close(descriptor)
            return None
        if _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _lock_now(descriptor: int) -> None:
    if sys.platform == "win32":  # pragma: no cover
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
