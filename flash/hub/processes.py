"""Processes of a hub's apps: begun in sessions of their own, watched, ended with all that they have begun.

They need not be children of this process: a hub that was restarted takes over what an earlier one has begun.

On Windows there are no sessions and no signals: a process is asked to end by Ctrl+Break, and ended with the processes
below it. That part cannot be tested on other systems; nothing else here depends on the system.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from .logs import open_log
from .usage import is_running, is_waiting, session_of, started_at

#: Seconds between two looks at a process where the system does not tell of its end.
_PAUSE = 0.1

#: Seconds in which the system ends a process that was killed.
_KILLED = 5.0


class Process:
    """A process that leads a session of its own.

    Attributes:
        pid: Its number.
        created: When it began, in seconds since 1970; with the number, that tells it from all others.
    """

    def __init__(self, pid: int, created: float, popen: subprocess.Popen[bytes] | None = None) -> None:
        self.pid = pid
        self.created = created
        self._popen = popen
        self._ending: str | None = None
        self._reaping: asyncio.Future[str] | None = None

    @classmethod
    async def spawn(cls, command: Sequence[str], *, env: Mapping[str, str], cwd: str | None, log: Path) -> Process:
        """Begin a process that outlives this one. What it writes goes to the end of a log.

        Raises:
            OSError: It cannot be begun.
        """
        return await asyncio.to_thread(cls._spawn, command, env, cwd, log)

    @classmethod
    def find(cls, pid: int, created: float) -> Process | None:
        """A process that was begun earlier, if it still runs."""
        return cls(pid, created) if is_running(pid, created) else None

    @classmethod
    def _spawn(cls, command: Sequence[str], env: Mapping[str, str], cwd: str | None, log: Path) -> Process:
        handle = open_log(log)
        try:
            popen = subprocess.Popen(
                command,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=handle,
                # No signal to this process reaches it.
                start_new_session=sys.platform != "win32",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        finally:
            os.close(handle)
        process = cls(popen.pid, started_at(popen.pid) or 0.0, popen)
        if sys.platform != "win32":
            popen.returncode = 0  # It is waited for here; and it may be left running.
        return process

    async def ended(self) -> str:
        """Wait for its end, and say how it came."""
        if self._ending is None:
            if (handle := _watched(self.pid)) is not None:
                await _readable(handle)
            else:
                await self._look_on()
            self._reap()
        assert self._ending is not None
        return self._ending

    async def end(self, grace: float, *, together: bool = False) -> None:
        """Ask it to end, wait, and end it by force with all that it has begun.

        Args:
            grace: Seconds that it has.
            together: Whether all of its session is asked: for a command that does not ask its own children.
        """
        ended = asyncio.ensure_future(self.ended())
        try:
            if grace > 0:
                self._ask(together)
                await asyncio.wait({ended}, timeout=grace)
            if not ended.done():
                self._kill()
                self._reaping = ended  # It goes on, however long the system takes.
                await asyncio.wait({ended}, timeout=_KILLED)
        finally:
            if self._reaping is not ended:
                ended.cancel()
        await asyncio.to_thread(kill_session, self.pid, self.created)

    async def _look_on(self) -> None:
        while True:
            if self._ending is not None or not is_running(self.pid, self.created):
                return
            await asyncio.sleep(_PAUSE)

    def _reap(self) -> None:
        """Take note of the end; whatever else is in its session ends too, as long as nobody else has its number."""
        if self._ending is not None:
            return
        code: int | None = None
        if sys.platform == "win32":
            code = self._popen.poll() if self._popen else None
        elif is_waiting(self.pid):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._ending = _said(code)

    def _ask(self, together: bool) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if self._ending is not None:
                return
            if sys.platform == "win32":
                os.kill(self.pid, signal.CTRL_BREAK_EVENT)
            elif together:
                os.killpg(self.pid, signal.SIGTERM)
            else:
                os.kill(self.pid, signal.SIGTERM)

    def _kill(self) -> None:
        if self._ending is not None:
            return
        with suppress(psutil.Error, ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                below = psutil.Process(self.pid)
                for each in [*below.children(recursive=True), below]:
                    each.kill()
            else:
                os.killpg(self.pid, signal.SIGKILL)


def kill_session(leader: int, created: float, variable: tuple[str, str] | None = None) -> None:
    """End by force what is left of a session, as ``session_of`` finds it. Not for an event loop."""
    for pid in session_of(leader, created, variable):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)


def _watched(pid: int) -> int | None:
    """A file descriptor that becomes readable when a process ends; None where there is no such thing."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


async def _readable(handle: int) -> None:
    loop = asyncio.get_running_loop()
    news: asyncio.Future[None] = loop.create_future()
    loop.add_reader(handle, _tell, news)
    try:
        await news
    finally:
        loop.remove_reader(handle)
        os.close(handle)


def _tell(news: asyncio.Future[None]) -> None:
    if not news.done():
        news.set_result(None)


def _said(code: int | None) -> str:
    if code is None:
        return "It has ended."
    if code >= 0:
        return f"It ended with exit code {code}."
    try:
        return f"It was ended by {signal.Signals(-code).name}."
    except ValueError:
        return f"It was ended by signal {-code}."
