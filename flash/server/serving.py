"""Serving one ASGI app by Hypercorn on an event loop of its own, from its start to an end in good time."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Protocol

from hypercorn.asyncio import serve as serve_hypercorn

from .lifespan import Lifespan
from .listen import ServerConfig

logger = logging.getLogger("flash")

#: The longest wait for what was cancelled to give in, in seconds.
_AFTER_CANCEL = 1.0

#: A body whose length in bytes has no more digits than this comes in few pieces.
_DIGITS = 5

#: Threads for what user code sends to asyncio's executor, by ``asyncio.to_thread`` for example.
_EXECUTOR_THREADS = 32


class Server:
    """One server for one ASGI app.

    It ends in stages. Asked to end, it accepts nothing more, closes idle connections and lets requests finish for
    ``config.grace`` seconds. Then they are cancelled, and a second later connections are dropped whose client does not
    read. At last the app's own shutdown runs, which may take ``config.shutdown_timeout`` seconds. Threads that still
    run are left behind: all of them are daemons.

    Args:
        app: The ASGI app.
        config: What to listen on, and how.
        startup_error: Tells why the app could not start, when it knows; the app itself can only say that.
        on_listening: Called on the loop once the app has started and connections are accepted.
        lifeline: A file descriptor whose end (of file) asks the server to end: the process that watches over this one
            holds the other side, so it cannot die and leave this one behind.

    Example:
        >>> server = Server(app.server, config)
        >>> server.run()
    """

    def __init__(
        self,
        app: Any,
        config: ServerConfig,
        *,
        startup_error: Callable[[], BaseException | None] = lambda: None,
        on_listening: Callable[[], None] = lambda: None,
        lifeline: int | None = None,
    ) -> None:
        self.app = app
        self.config = config
        #: Set on the loop, it ends the server.
        self.stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._startup_error = startup_error
        self._on_listening = on_listening
        self._lifeline = lifeline
        self._asked = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self) -> None:
        """Serve until the server is stopped. Must be called where no event loop runs.

        Raises:
            Exception: The app could not start; the error is the app's own where it is known.
        """
        loop = self._loop = _new_loop(self.config)
        loop.set_exception_handler(_ignore_broken_connections)
        loop.set_default_executor(DaemonExecutor(_EXECUTOR_THREADS))
        if self._lifeline is not None:
            loop.add_reader(self._lifeline, self._lifeline_ended, self._lifeline)
        try:
            loop.run_until_complete(self._serve())
        finally:
            try:
                loop.run_until_complete(_end_tasks())
            finally:
                loop.close()
                self.config.close_sockets()

    async def serve(self) -> None:
        """Serve on the loop that runs, which is the caller's, until the server is stopped."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._serve()
        finally:
            self.config.close_sockets()

    def stop(self) -> None:
        """Ask the server to end, from any thread. Asked again, it does not wait for running requests any more."""
        event = self._hurry if self._asked else self.stopping
        self._asked = True
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(event.set)
                return
        except RuntimeError:
            pass  # The loop is closed: the server has ended.
        event.set()

    def _lifeline_ended(self, lifeline: int) -> None:
        if not os.read(lifeline, 1):
            asyncio.get_running_loop().remove_reader(lifeline)
            self.stop()

    async def _serve(self) -> None:
        stopped = asyncio.create_task(self.stopping.wait())
        lifespan = Lifespan(self.app)
        starting = asyncio.create_task(self._start(lifespan))
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            return
        starting.result()
        requests = Requests(self.app, lifespan.state)
        try:
            self.config.listen()
            serving = asyncio.create_task(
                serve_hypercorn(requests, self.config, shutdown_trigger=self.stopping.wait, mode="asgi")
            )
            self._on_listening()
            await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
            await self._drain(serving, requests)
        finally:
            await lifespan.stop(self.config.shutdown_timeout)

    async def _start(self, lifespan: Lifespan) -> None:
        try:
            await lifespan.start(self.config.startup_timeout)
        except Exception:
            if original := self._startup_error():
                raise original from None
            raise

    async def _drain(self, serving: asyncio.Task[None], requests: Requests) -> None:
        hurry = asyncio.create_task(self._hurry.wait())
        await asyncio.wait({serving, hurry}, timeout=self.config.grace, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not serving.done():
            requests.cancel()
            await asyncio.wait({serving}, timeout=_AFTER_CANCEL)
        if not serving.done():
            serving.cancel()
            await asyncio.wait({serving}, timeout=_AFTER_CANCEL)
        if serving.done() and not serving.cancelled() and (error := serving.exception()):
            if not self.stopping.is_set():
                raise error
            logger.error("A connection failed while the server ended.", exc_info=error)


class Backend(Protocol):
    """What a server and the backend of the Dash app that it serves tell each other."""

    #: Why the app could not be set up, when that ended its start.
    startup_error: BaseException | None
    #: Ends the server when it is set on the server's loop; made anew for each server.
    stop_event: asyncio.Event | None


def server_for(app: Any, config: ServerConfig, backend: Backend | None, **options: Any) -> Server:
    """A server for an app, made known to the app's backend.

    Args:
        app: The ASGI app.
        config: What to listen on, and how.
        backend: The backend of the Dash app behind it, or None for any other app.
        **options: Further arguments of :class:`Server`.
    """
    if backend is None:
        return Server(app, config, **options)
    backend.startup_error = None
    server = Server(app, config, startup_error=lambda: backend.startup_error, **options)
    backend.stop_event = server.stopping
    return server


class Requests:
    """The app as Hypercorn calls it: counts what runs, and keeps the app's lifespan out of Hypercorn's hands.

    Args:
        app: The ASGI app.
        state: What the app put into its lifespan's state; every request gets it.
    """

    def __init__(self, app: Any, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state
        self._running: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._answer_lifespan(scope, receive, send)
            return
        task = asyncio.current_task()
        assert task is not None
        if scope["type"] == "http" and _may_be_large(scope["headers"]):
            send = _reading_meanwhile(receive, send)
        self._running.add(task)
        try:
            await self._app(scope, receive, send)
        finally:
            self._running.discard(task)

    def cancel(self) -> None:
        """Cancel all that runs, once: code that cleans up after its cancellation is left in peace."""
        for task in self._running:
            if not task.cancelling():
                task.cancel()

    async def _answer_lifespan(self, scope: Any, receive: Any, send: Any) -> None:
        # Hypercorn hides why a start failed, and skips the app's shutdown when it is cancelled itself.
        await receive()
        scope["state"].update(self._state)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


def _may_be_large(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a request's body may come in more pieces than Hypercorn keeps."""
    for name, value in headers:
        if name == b"content-length":
            return len(value) > _DIGITS
        if name == b"transfer-encoding":
            return True
    return False


def _reading_meanwhile(receive: Any, send: Any) -> Any:
    """A ``send`` that reads what is left of a body while it sends the end of the answer.

    An app may answer without reading all of it. Hypercorn's last message to the app would then wait for room in its
    queue, and the connection for that message, for ever.
    """

    async def send_reading(message: Any) -> None:
        if message["type"] != "http.response.body" or message.get("more_body"):
            await send(message)
            return
        reading = asyncio.ensure_future(_read_to_the_end(receive))
        try:
            await send(message)
        finally:
            reading.cancel()

    return send_reading


async def _read_to_the_end(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class DaemonExecutor(ThreadPoolExecutor):
    """An executor whose threads are daemons, so that a call that never returns does not keep the process alive.

    The standard one's threads are joined when the interpreter exits.
    """

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self._waiting: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._free = threading.Semaphore(0)
        self._limit = threads
        self._count = 0
        self._lock = threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a call in a thread. See :meth:`concurrent.futures.Executor.submit`."""
        future: Future[Any] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        with self._lock:
            self._waiting.put(run)
            if not self._free.acquire(blocking=False) and self._count < self._limit:
                self._count += 1
                threading.Thread(target=self._work, name=f"flash-executor-{self._count}", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads after their calls, and wait for none of them."""
        with self._lock:
            for _ in range(self._count):
                self._waiting.put(None)
            self._count = 0

    def _work(self) -> None:
        while (run := self._waiting.get()) is not None:
            run()
            del run
            self._free.release()


def _new_loop(config: ServerConfig) -> asyncio.AbstractEventLoop:
    if config.worker_class == "uvloop":
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop
    return asyncio.new_event_loop()


def _ignore_broken_connections(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A client that breaks off a handshake or a transfer is no error of the server's, nor is a connection cut off."""
    if not isinstance(context.get("exception"), (ssl.SSLError, ConnectionError, asyncio.CancelledError)):
        loop.default_exception_handler(context)


async def _end_tasks() -> None:
    """Cancel what is left on the loop: connections that hang, tasks that nobody ended."""
    # Twice: Hypercorn's connections take the first cancellation for the end of a wait.
    for _ in range(2):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_AFTER_CANCEL)
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.get_running_loop().shutdown_asyncgens(), _AFTER_CANCEL)
