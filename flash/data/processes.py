"""Processes of sources with ``process=True``: each is for one source, and may be killed without harm to others."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import orjson

from ..pool import Pool
from . import child
from .codec import Encoded
from .failures import RunFailed, SourceError
from .source import Source
from .stores.base import Record

_spawn = multiprocessing.get_context("spawn")
#: How long a killed process may take to be gone, in seconds.
_ENDING_SECONDS = 5.0


class ChildFailed(Exception):
    """What a function in another process has raised, with its traceback as text."""


class Processes:
    """The processes of all sources. One that is done is kept for the source's next run.

    Args:
        pool: Its threads wait for the processes.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        # Taken for moments only, in threads and on the loop.
        self._lock = threading.Lock()
        self._idle: dict[str, list[_Process]] = defaultdict(list)
        self._busy: dict[str, list[_Process]] = defaultdict(list)
        self._closed = False

    async def run(self, source: Source, inputs: Sequence[Record]) -> Encoded:
        """Run a source in a process.

        Raises:
            SourceError: What the function raised.
            ChildFailed: It raised something else.
            RunFailed: The process has ended, or the result cannot be kept.
        """
        return await self._pool.run(self._run, source, inputs)

    def kill(self, source: str) -> None:
        """End the runs of a source at once."""
        with self._lock:
            processes = list(self._busy[source])
        for each in processes:
            each.kill()

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self._closed = True
            idle = [each for processes in self._idle.values() for each in processes]
            busy = [each for processes in self._busy.values() for each in processes]
            self._idle.clear()
        for each in [*idle, *busy]:
            each.kill()
        for each in idle:
            each.end()

    def _run(self, source: Source, inputs: Sequence[Record]) -> Encoded:
        process = self._take(source)
        try:
            answer = process.ask(inputs)
        except (EOFError, OSError):
            with self._lock:
                self._busy[source.name].remove(process)
            raise RunFailed(f"The process of the run has ended ({process.end()}).") from None
        self._give_back(source, process)
        return _result(answer)

    def _take(self, source: Source) -> _Process:
        with self._lock:
            if self._closed:
                raise RunFailed("The run was cancelled.")
            idle = self._idle[source.name]
            process = idle.pop() if idle else _Process(source)
            self._busy[source.name].append(process)
        return process

    def _give_back(self, source: Source, process: _Process) -> None:
        with self._lock:
            self._busy[source.name].remove(process)
            if not self._closed:
                self._idle[source.name].append(process)
                return
        process.kill()
        process.end()


class _Process:
    """One process, and the pipe to it. It is started when it is first asked."""

    def __init__(self, source: Source) -> None:
        self._connection, self._other = _spawn.Pipe()
        place = source.func.__module__, source.func.__qualname__
        self._process = _spawn.Process(
            target=child.serve, args=(self._other, *place), name=f"flash-data-{source.name}", daemon=True
        )
        self._lock = threading.Lock()
        self._killed = False

    def ask(self, inputs: Sequence[Record]) -> tuple[dict[str, Any], bytes]:
        self._start()
        self._connection.send_bytes(orjson.dumps([each.kind for each in inputs]))
        for each in inputs:
            self._connection.send_bytes(each.data)
        head: dict[str, Any] = orjson.loads(self._connection.recv_bytes())
        return head, self._connection.recv_bytes()

    def kill(self) -> None:
        with self._lock:
            self._killed = True
            if self._process.pid is not None and not self._connection.closed:
                self._process.kill()

    def end(self) -> str:
        """Wait until it is gone, and say how it ended."""
        with self._lock:
            if self._process.pid is None:
                how = "it was not started"
            else:
                self._process.join(_ENDING_SECONDS)
                if self._process.exitcode is None:
                    self._process.kill()
                    self._process.join()
                how = _how(self._process.exitcode)
                self._process.close()
            self._connection.close()
            self._other.close()
        return how

    def _start(self) -> None:
        with self._lock:
            if self._process.pid is None:
                if self._killed:
                    raise EOFError
                self._process.start()
                # Only the child has this end now: when it is gone, reading ends.
                self._other.close()


def _how(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def _result(answer: tuple[dict[str, Any], bytes]) -> Encoded:
    head, data = answer
    if "kind" in head:
        return Encoded(head["kind"], data, head["digest"])
    failed = ChildFailed(f"In its process:\n{head['traceback']}")
    if head["told"] is None:
        raise failed
    kind = SourceError if head["error"] == "SourceError" else RunFailed
    raise kind(head["told"]) from failed
