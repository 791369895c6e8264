"""Several processes that serve one app on the same sockets, and the one that watches over them."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from types import FrameType

from ..exceptions import ConfigurationError, FlashError
from ..storage import SeveralProcesses
from .listen import ServerConfig
from .serving import Server
from .signals import ending_on_signals

logger = logging.getLogger("flash")

#: A worker that lived this long has started well: its end does not count against the next one, in seconds.
_WELL_STARTED = 30.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0

#: A worker gets this long beyond the grace period and the app's shutdown before it is killed, in seconds.
_BEFORE_KILL = 5.0

_SERVING = b"serving"


@dataclass
class _Worker:
    pid: int
    started: float
    #: What it says: that it serves, or why it could not start.
    pipe: int
    said: bytes = b""


class Workers:
    """Forks the workers, replaces those that die, and ends them all.

    A worker that dies is replaced, after a pause that doubles from half a second to half a minute while they die soon.
    When the first workers cannot start, nothing is tried again: the error is raised here. So it is when one of them
    cannot work beside the others.

    Args:
        make_server: Makes the server of one worker, in that worker: ``make_server(on_listening=, lifeline=)``.
        config: What to listen on; the sockets are shared by all workers.
        count: How many workers there are.
    """

    def __init__(self, make_server: Callable[..., Server], config: ServerConfig, count: int) -> None:
        if not hasattr(os, "fork"):
            raise ConfigurationError(
                f"workers={count} needs a system that can fork. Here, run: hypercorn --workers {count} module:app"
            )
        self._make_server = make_server
        self._config = config
        self._count = count
        self._workers: list[_Worker] = []
        self._asked = False
        self._deaths = 0
        self._next_start = 0.0
        self._any_served = False

    def run(self) -> None:
        """Serve until asked to end.

        Raises:
            Exception: What kept the workers from starting.
        """
        self._config.create_sockets()
        self._lifeline, self._held = os.pipe()
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_writer, False)
        previous = signal.signal(signal.SIGCHLD, self._wake)
        try:
            with ending_on_signals(self._stop):
                self._watch()
        finally:
            signal.signal(signal.SIGCHLD, previous)
            for descriptor in (self._lifeline, self._held, self._wake_reader, self._wake_writer):
                os.close(descriptor)
            self._config.close_sockets()

    def _watch(self) -> None:
        try:
            while not self._asked:
                self._start_missing()
                self._wait()
                self._reap()
        finally:
            self._end_all()

    # Asked from outside.

    def _stop(self) -> None:
        self._asked = True
        self._signal_all(signal.SIGTERM)
        self._wake()

    def _wake(self, number: int = 0, frame: FrameType | None = None) -> None:
        with suppress(BlockingIOError):  # Full: it is awake for other reasons.
            os.write(self._wake_writer, b".")

    # One round.

    def _start_missing(self) -> None:
        while len(self._workers) < self._count and time.monotonic() >= self._next_start and not self._asked:
            self._workers.append(self._fork())

    def _wait(self) -> None:
        missing = len(self._workers) < self._count
        timeout = max(0.0, self._next_start - time.monotonic()) if missing else None
        pipes = [worker.pipe for worker in self._workers if worker.said != _SERVING]
        readable = wait([self._wake_reader, *pipes], timeout)
        if self._wake_reader in readable:
            os.read(self._wake_reader, 4096)
        for worker in self._workers:
            if worker.pipe in readable:
                worker.said += os.read(worker.pipe, 65536)
            self._any_served = self._any_served or worker.said == _SERVING

    def _reap(self) -> None:
        for worker in list(self._workers):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._workers.remove(worker)
                self._bury(worker, os.waitstatus_to_exitcode(status))

    def _bury(self, worker: _Worker, code: int) -> None:
        # A process that the worker has started may hold the pipe open: take what is there, and wait for no end.
        with suppress(BlockingIOError):
            while said := os.read(worker.pipe, 65536):
                worker.said += said
        os.close(worker.pipe)
        if self._asked or code == 0:
            return  # It was asked to end, or has served its number of requests.
        if not self._any_served or _is_refused(worker):
            raise _start_error(worker, code)
        lived = time.monotonic() - worker.started
        self._deaths = 1 if lived >= _WELL_STARTED else self._deaths + 1
        pause = min(_FIRST_PAUSE * 2 ** (self._deaths - 1), _LONGEST_PAUSE)
        self._next_start = time.monotonic() + pause
        reason = "" if worker.said == _SERVING else f" before it served ({_start_error(worker, code)})"
        logger.warning("Worker %s ended with code %s%s; another one starts in %g s.", worker.pid, code, reason, pause)

    # The end.

    def _end_all(self) -> None:
        self._asked = True
        self._signal_all(signal.SIGTERM)
        deadline = time.monotonic() + self._config.grace + self._config.shutdown_timeout + _BEFORE_KILL
        while self._workers:
            if time.monotonic() > deadline:
                self._signal_all(signal.SIGKILL)
            wait([self._wake_reader], 0.1)
            self._reap()

    def _signal_all(self, number: int) -> None:
        for worker in self._workers:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, number)

    # In the worker.

    def _fork(self) -> _Worker:
        reader, writer = os.pipe()
        # What waits in the buffers would be written by both.
        sys.stdout.flush()
        sys.stderr.flush()
        # Until it has handlers of its own, a signal would run this process's in the worker.
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        pid = os.fork()
        if pid == 0:
            _leave(lambda: self._serve(reader, writer, unblocked))
        signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
        os.close(writer)
        os.set_blocking(reader, False)
        return _Worker(pid, time.monotonic(), reader)

    def _serve(self, reader: int, writer: int, unblocked: set[int | signal.Signals]) -> int:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        for descriptor in (reader, self._held, self._wake_reader, self._wake_writer):
            os.close(descriptor)
        for sibling in self._workers:
            os.close(sibling.pipe)
        report = _Report(writer)
        server = self._make_server(on_listening=report.serving, lifeline=self._lifeline)
        try:
            with ending_on_signals(server.stop):
                signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
                server.run()
        except Exception as error:
            report.failed(error)
            return 1
        return 0


class _Report:
    """What a worker tells its parent, once."""

    def __init__(self, pipe: int) -> None:
        self._pipe: int | None = pipe

    def serving(self) -> None:
        self._send(_SERVING)

    def failed(self, error: Exception) -> None:
        if self._pipe is None:
            traceback.print_exception(error)
        else:
            self._send(_packed(error))

    def _send(self, message: bytes) -> None:
        if self._pipe is not None:
            os.write(self._pipe, message)
            os.close(self._pipe)
            self._pipe = None


def _leave(serve: Callable[[], int]) -> None:
    """Run a worker and end its process, past the code that called run() and what belongs to the parent's exit."""
    code = 1
    try:
        code = serve()
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def _packed(error: Exception) -> bytes:
    error.add_note("In a worker:\n" + "".join(traceback.format_exception(error)))
    try:
        packed = pickle.dumps(error)
        pickle.loads(packed)
        return packed
    except Exception:
        stand_in = FlashError(f"{type(error).__name__}: {error}")
        stand_in.add_note(error.__notes__[-1])
        return pickle.dumps(stand_in)


def _is_refused(worker: _Worker) -> bool:
    """Whether a worker ended because others serve the app, which the next one would do too."""
    return worker.said not in (b"", _SERVING) and isinstance(pickle.loads(worker.said), SeveralProcesses)


def _start_error(worker: _Worker, code: int) -> BaseException:
    """Why a worker ended before it served."""
    if not worker.said:
        return FlashError(f"A worker ended with code {code} before it served.")
    error: BaseException = pickle.loads(worker.said)
    return error
