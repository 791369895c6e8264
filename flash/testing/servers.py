"""Serving an app for the time of a test, on a free port: in a thread, or in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import traceback
import warnings
from concurrent.futures import Future
from multiprocessing.connection import Connection
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ..exceptions import ConfigurationError, FlashError
from ..server.listen import ServerConfig
from ..server.serving import Server, server_for
from ..server.settings import read_settings
from ..server.signals import ending_on_signals

if TYPE_CHECKING:
    from ..app import Flash

#: Requests that still run when a test is over get this long, in seconds.
_GRACE = 1.0

#: A server that has not ended this long after its grace period and the app's shutdown hangs, in seconds.
_BEFORE_HANGING = 3.0

_SERVING = "serving"


class AppServer:
    """An app that is served for the time of a test, in a way that its subclasses know.

    Args:
        app: The app.
        start_timeout: How long the app may take to start, in seconds.
        **options: What ``app.run()`` takes: ``debug`` and ``dev_tools_...``, ``host``, ``port``, Hypercorn's settings.
            Without a port the server gets a free one.
    """

    def __init__(self, app: Flash, *, start_timeout: float = 30.0, **options: Any) -> None:
        self.app = app
        self._start_timeout = start_timeout
        self._config = _configure(app, options)
        self._port: int | None = None

    @property
    def port(self) -> int:
        """The port that is served."""
        if self._port is None:
            raise RuntimeError("The server has not been started. Write `with` before it, or call start().")
        return self._port

    @property
    def url(self) -> str:
        """The address of the server, without a slash at its end."""
        return f"http://{self._config.bind[0].rpartition(':')[0]}:{self.port}"

    def start(self) -> None:
        """Start the app and wait until it serves.

        Raises:
            Exception: What keeps the app from starting.
        """
        self._port = self._config.create_sockets().insecure_sockets[0].getsockname()[1]
        try:
            self._start()
        except BaseException:
            self._config.close_sockets()
            raise

    def stop(self) -> None:
        """Stop the server and wait for its end. One that has stopped already is left as it is.

        Raises:
            FlashError: The server hangs, or has ended with an error before.
        """
        raise NotImplementedError

    def _start(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _stop_timeout(self) -> float:
        return self._config.grace + self._config.shutdown_timeout + _BEFORE_HANGING


class ThreadServer(AppServer):
    """An app that is served in a thread: the test sees what callbacks do to objects of this process.

    Example:
        >>> with ThreadServer(app, debug=True) as server:
        ...     urllib.request.urlopen(server.url)
    """

    def __init__(self, app: Flash, **options: Any) -> None:
        super().__init__(app, **options)
        self._server: Server | None = None
        self._thread = threading.Thread(target=self._run, name="flash-test-server", daemon=True)
        self._serving: Future[None] = Future()
        self._error: BaseException | None = None

    def _start(self) -> None:
        self._server = server_for(
            self.app.server, self._config, self.app.backend, on_listening=lambda: self._serving.set_result(None)
        )
        self._thread.start()
        try:
            self._serving.result(self._start_timeout)
        except TimeoutError:
            self._server.stop()
            raise FlashError(f"The app did not start within {self._start_timeout:g} seconds.") from None

    def _run(self) -> None:
        assert self._server is not None
        try:
            self._server.run()
        except BaseException as error:
            if self._serving.done():
                self._error = error
            else:
                self._serving.set_exception(error)

    def stop(self) -> None:
        """Stop the server and wait for its end. See :meth:`AppServer.stop`."""
        if self._server is None:
            return
        self._server.stop()
        self._thread.join(self._stop_timeout)
        if self._thread.is_alive():
            frame = sys._current_frames().get(self._thread.ident or 0)
            where = "".join(traceback.format_stack(frame))
            raise FlashError(f"The server hangs; something blocks its event loop, here:\n{where}")
        error, self._error = self._error, None
        if error is not None:
            raise FlashError("The server has ended with an error during the test.") from error


class ProcessServer(AppServer):
    """An app that is served in a process of its own, forked from this one: the app needs not be importable.

    Its end takes along every process that the app has started. If this process dies, the server ends too.

    Example:
        >>> with ProcessServer(app) as server:
        ...     urllib.request.urlopen(server.url)
    """

    def __init__(self, app: Flash, **options: Any) -> None:
        if not hasattr(os, "fork"):
            raise ConfigurationError("A server in a process of its own needs a system that can fork. Use a thread.")
        super().__init__(app, **options)
        self._process: Any = None
        self._held: int | None = None

    def _start(self) -> None:
        lifeline, self._held = os.pipe()
        messages, of_child = multiprocessing.Pipe(duplex=False)
        self._process = multiprocessing.get_context("fork").Process(
            target=_serve_in_child, args=(self.app, self._config, of_child, lifeline, self._held)
        )
        with warnings.catch_warnings():
            # Python warns of threads, which a fork loses. Those of an app are started when they are needed.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        os.close(lifeline)
        of_child.close()
        self._config.close_sockets()
        with messages:
            try:
                self._await_start(messages)
            except BaseException:
                self.stop()
                raise

    def _await_start(self, messages: Any) -> None:
        if not messages.poll(self._start_timeout):
            raise FlashError(f"The app did not start within {self._start_timeout:g} seconds.")
        try:
            message = messages.recv()
        except EOFError:
            message = "its process has died."
        if message != _SERVING:
            raise FlashError(f"The app could not start: {message}")

    def stop(self) -> None:
        """Stop the server and wait for its end. See :meth:`AppServer.stop`."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        process.join(self._stop_timeout)
        hangs = process.is_alive()
        _kill_group(process.pid)
        process.kill()
        process.join()
        process.close()
        if self._held is not None:
            os.close(self._held)
        if hangs:
            raise FlashError("The server did not end when it was asked to, and was killed.")


def _configure(app: Flash, options: dict[str, Any]) -> ServerConfig:
    """Turn on the dev tools as ``app.run()`` does, and read what is left as settings of the server."""
    tools = {"dev_tools_hot_reload": False, "dev_tools_disable_version_check": True}
    tools |= {name: options.pop(name) for name in list(options) if name.startswith("dev_tools_")}
    app.enable_dev_tools(bool(options.pop("debug", False)), **tools)
    options.pop("use_reloader", None)  # The test decides when the app is started.
    host, port = options.pop("host", "127.0.0.1"), options.pop("port", 0)
    settings = read_settings(host, port, False, {"graceful_timeout": _GRACE, **options})
    if settings.workers > 1:
        raise ConfigurationError(f"workers={settings.workers}: a server for tests is one process. Leave workers out.")
    return settings.config


def _serve_in_child(app: Flash, config: ServerConfig, messages: Connection, lifeline: int, held: int) -> None:
    os.setsid()
    os.close(held)
    try:
        server = server_for(
            app.server, config, app.backend, on_listening=lambda: messages.send(_SERVING), lifeline=lifeline
        )
        with ending_on_signals(server.stop):
            server.run()
    except BaseException:
        messages.send(traceback.format_exc())
        raise


def _kill_group(leader: int) -> None:
    """Kill what a process has left behind."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass
