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
        self._idle: dict[str, list[Process]] = defaultdict(list)
        self._busy: set[Process] = set()
        self._closed = False

    def take(self, source: Source) -> Process:
        """A process for one run, to be given to :meth:`run`."""
        with self._lock:
            idle = self._idle[source.name]
            while idle and not idle[-1].is_alive:
                # Ended while nobody used it: that is no fault of this run's.
                idle.pop().end()
            process = idle.pop() if idle and not self._closed else Process(source)
            self._busy.add(process)
        return process

    async def run(self, process: Process, inputs: Sequence[Record]) -> Encoded:
        """Run its source in a process, which is kept for the next run then.

        Raises:
            SourceError: What the function raised.
            ChildFailed: It raised something else.
            RunFailed: The process has ended, or the result cannot be kept.
        """
        return await self._pool.run(self._run, process, inputs)

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self._closed = True
            idle = [each for processes in self._idle.values() for each in processes]
            busy = list(self._busy)
            self._idle.clear()
        for each in [*idle, *busy]:
            each.kill()
        for each in idle:
            each.end()

    def _run(self, process: Process, inputs: Sequence[Record]) -> Encoded:
        try:
            answer = process.ask(inputs)
        except (EOFError, OSError):
            with self._lock:
                self._busy.discard(process)
            raise RunFailed(f"The process of the run has ended ({process.end()}).") from None
        self._give_back(process)
        return _result(answer)

    def _give_back(self, process: Process) -> None:
        with self._lock:
            self._busy.discard(process)
            if not self._closed:
                self._idle[process.source].append(process)
                return
        process.kill()
        process.end()


class Process:
    """One process, and the pipe to it. It is started when it is first asked.

    Args:
        source: What runs in it.
    """

    def __init__(self, source: Source) -> None:
        self.source = source.name
        self._connection, self._other = _spawn.Pipe()
        place = source.func.__module__, source.func.__qualname__
        self._process = _spawn.Process(
            target=child.serve, args=(self._other, *place), name=f"flash-data-{source.name}", daemon=True
        )
        self._lock = threading.Lock()
        self._killed = False

    @property
    def is_alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process.is_alive()

    def ask(self, inputs: Sequence[Record]) -> tuple[dict[str, Any], bytes]:
        """Have it run once, and wait for the answer.

        Raises:
            EOFError: It has ended.
            OSError: The same.
        """
        self._start()
        self._connection.send_bytes(orjson.dumps([each.kind for each in inputs]))
        for each in inputs:
            self._connection.send_bytes(each.data)
        head: dict[str, Any] = orjson.loads(self._connection.recv_bytes())
        return head, self._connection.recv_bytes()

    def kill(self) -> None:
        """End it at once, from any thread."""
        with self._lock:
            self._killed = True
            if not self._connection.closed and self._process.pid is not None:
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
