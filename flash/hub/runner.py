"""The process of one app: ``python -m flash.hub.runner``, started by a hub."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from typing import Any, NoReturn

import msgspec

from .._dash_scopes import name_process
from ..exceptions import ConfigurationError, FlashError
from ..server.serving import Server, server_for
from ..server.settings import read_settings
from ..server.signals import ending_on_signals
from .draining import Draining
from .from_hub import FromHub
from .kinds import application_of
from .loading import load_and_serve
from .prefixes import mounted_at

#: The environment variable that says what to run.
VARIABLE = "FLASH_HUB_CHILD"

#: How long the script's last lines, threads and exit handlers may take when the server has ended, in seconds.
_AFTERWARDS = 5.0

#: The hub keeps its connections, watches the start, and writes these headers itself.
_SETTINGS: dict[str, Any] = {
    "keep_alive_timeout": 3600.0,
    "keep_alive_max_requests": 2**31,
    "startup_timeout": 24 * 3600.0,
    "include_date_header": False,
    "include_server_header": False,
    "loglevel": "WARNING",
}


class Child(msgspec.Struct, frozen=True):
    """What a hub writes into ``FLASH_HUB_CHILD``, as JSON.

    Attributes:
        name: The app's name.
        target: As :func:`flash.hub.loading.load_and_serve` takes it.
        prefix: Where the hub serves the app.
        bind: Where to listen: ``"unix:/path"`` or ``"127.0.0.1:port"``.
        secret: What the hub sends with each request.
        spa: Whether a static folder answers unknown paths with its ``index.html``.
        drain_timeout: Seconds that running requests have at the end.
    """

    name: str
    target: str
    prefix: str
    bind: str
    secret: str
    spa: bool = False
    drain_timeout: float = 10.0


class Runner:
    """Serves the app of one process, once, however the app's code comes to it.

    Args:
        child: What to run.
    """

    def __init__(self, child: Child) -> None:
        self._child = child
        self._server: Server | None = None

    def run(self) -> None:
        """Load the app and serve it until the process is asked to end.

        Raises:
            FlashError: It cannot be loaded or cannot start.
        """
        with ending_on_signals(self._stop), mounted_at(self._child.prefix):
            load_and_serve(self._child.target, self, spa=self._child.spa)

    def serve(self, target: Any) -> None:
        """Serve an app until the process is asked to end."""
        with _last_act():
            self._prepare(target).run()

    async def serve_here(self, target: Any, until: Callable[..., Awaitable[Any]] | None = None) -> None:
        """Serve an app on the loop that runs, until the process is asked to end, or ``until`` has waited."""
        with _last_act():
            server = self._prepare(target)
            waiting = asyncio.create_task(_stop_after(until, server)) if until else None
            try:
                await server.serve()
            finally:
                if waiting is not None:
                    waiting.cancel()

    def _prepare(self, target: Any) -> Server:
        if self._server is not None:
            raise ConfigurationError("An app is served already: a process of a hub serves one.")
        child = self._child
        app = application_of(target, child.prefix)
        host, _, port = child.bind.rpartition(":") if not child.bind.startswith("unix:") else (child.bind, "", "0")
        options = {**_SETTINGS, "graceful_timeout": child.drain_timeout}
        config = read_settings(host, int(port), False, options).config
        config.umask = 0o077
        config.create_sockets()
        drained = Draining(app.asgi, lambda: server.stopping.wait())
        server = server_for(FromHub(drained, child.secret, name=child.name, prefix=child.prefix), config, app.backend)
        self._server = server
        return server

    def _stop(self) -> None:
        if self._server is None:
            _end(0)  # It is still being loaded.
        self._server.stop()


async def _stop_after(until: Callable[..., Awaitable[Any]], server: Server) -> None:
    await until()
    server.stop()


@contextmanager
def _last_act() -> Iterator[None]:
    """Serving is what the process is for: its failure ends the process at once, and its end soon."""
    try:
        yield
    except Exception as error:
        _fail(error)
    watchdog = threading.Timer(_AFTERWARDS, _end, [0])
    watchdog.daemon = True
    watchdog.start()


def main() -> None:
    """Run the app that the environment names. Ends with code 1 when that fails; the log's last line says why."""
    _write_lines_at_once()
    try:
        child = read_child()
        name_process(child.name)
        Runner(child).run()
    except KeyboardInterrupt:
        _end(1)
    except Exception as error:
        _fail(error)


def read_child() -> Child:
    """What to run; it is taken out of the environment, which processes of the app's own inherit.

    Raises:
        ConfigurationError: The process was not started by a hub.
    """
    written = os.environ.pop(VARIABLE, None)
    if written is None:
        raise ConfigurationError(f"{VARIABLE} is not set: a hub starts this program, and nobody else.")
    return msgspec.json.decode(written, type=Child)


def _write_lines_at_once() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True)


def _fail(error: Exception) -> NoReturn:
    sentence = str(error)
    if not isinstance(error, FlashError):
        traceback.print_exception(error)
        sentence = f"The app could not start: {type(error).__name__}: {error}"
    print(sentence, file=sys.stderr)
    _end(1)


def _end(code: int) -> NoReturn:
    """End at once: threads of the app's would be waited for otherwise."""
    with ExitStack() as stack:
        stack.callback(os._exit, code)
        sys.stdout.flush()
        sys.stderr.flush()
    raise AssertionError("The process has ended.")


if __name__ == "__main__":
    main()
