"""``app.run()``: serving an app by Hypercorn, with restarts on changes, TLS, several processes, and a clean end."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from ..exceptions import ConfigurationError
from ..storage import SeveralProcesses
from .lifespan import EXIT_CONFIGURATION
from .reload import Reloader, can_reload, inherit
from .serving import Backend, Server, server_for
from .settings import Settings, read_settings
from .signals import ending_on_signals
from .workers import Workers

logger = logging.getLogger("flash")


class Application(Protocol):
    """What serving needs of an app."""

    server: Any

    @property
    def backend(self) -> Backend:
        """Serving and the backend tell each other how to end, and why the app did not start."""

    @property
    def routes_silenced(self) -> bool:
        """Whether the dev tools keep requests out of the log."""

    def refuse_workers(self, count: int) -> None:
        """Object to being served by so many processes.

        Raises:
            SeveralProcesses: What they should share is in the memory of each.
        """


def serve(dash_app: Application, host: str, port: int, debug: bool, **options: Any) -> None:
    """Serve an app until Ctrl+C, SIGTERM, or its stop event.

    With ``debug`` (or ``use_reloader=True``) the app runs in a process of its own that is restarted when its code
    changes; not in a notebook, nor outside the main thread. The process that watches ends with :class:`SystemExit`,
    as Flask's does.

    Called where an event loop runs, it serves in a thread and blocks that loop: ``run()`` means the same everywhere.

    Args:
        dash_app: The app.
        host: An address, a name, or ``unix:/path/to/socket``.
        port: The port; without meaning for a unix socket.
        debug: Whether code changes restart the app.
        **options: See :func:`flash.server.settings.read_settings`.

    Raises:
        ConfigurationError: A setting cannot work, or the port is taken.
        SystemExit: Several processes would serve an app that keeps in memory what they must share. The log says so.
        Exception: The app could not be set up; the error is the original one.

    Example:
        >>> app.run(debug=True, port=8060, keep_alive_timeout=30)
    """
    log_requests = debug and not dash_app.routes_silenced
    settings = read_settings(host, port, debug, options, log_requests=log_requests)
    if settings.use_reloader and can_reload():
        sys.exit(Reloader(settings).run())
    make_server = functools.partial(server_for, dash_app.server, settings.config, dash_app.backend)
    try:
        dash_app.refuse_workers(settings.workers)
        with _pid_file(settings):
            if settings.workers > 1:
                _serve_by_workers(make_server, settings, dash_app.backend)
            else:
                _serve_here(make_server, settings)
    except SeveralProcesses as refused:
        logger.error("%s", refused)
        raise SystemExit(EXIT_CONFIGURATION) from None


def serve_asgi(app: Any, backend: Backend, host: str, port: int, **options: Any) -> None:
    """Serve any ASGI app in this process until Ctrl+C or SIGTERM.

    Args:
        app: The app.
        backend: Is told how to end the server, and tells why the app did not start.
        host: An address, a name, or ``unix:/path/to/socket``.
        port: The port; without meaning for a unix socket.
        **options: See :func:`flash.server.settings.read_settings`; one process serves, and nothing restarts it.

    Raises:
        ConfigurationError: A setting cannot work, or the port is taken.
        Exception: The app could not be started; the error is the original one.
    """
    for name in ("workers", "use_reloader"):
        if options.get(name) not in (None, False, 1):
            raise ConfigurationError(f"{name}={options[name]!r} cannot work here: one process serves. Leave it out.")
    settings = read_settings(host, port, False, options)
    with _pid_file(settings):
        _serve_here(functools.partial(server_for, app, settings.config, backend), settings)


def _serve_by_workers(make_server: Callable[..., Server], settings: Settings, backend: Backend) -> None:
    if threading.current_thread() is not threading.main_thread() or _loop_is_running():
        raise ConfigurationError(
            f"workers={settings.workers} starts processes, which needs the main thread and no running event loop. "
            "Call run() at the end of your script, or leave workers out."
        )
    workers = Workers(make_server, settings.config, settings.workers)
    try:
        workers.run()
    except Exception as error:
        backend.startup_error = error
        raise


def _serve_here(make_server: Callable[..., Server], settings: Settings) -> None:
    lifeline = inherit(settings) if settings.use_reloader else None
    settings.config.create_sockets()
    server = make_server(lifeline=lifeline)
    with ending_on_signals(server.stop):
        if _loop_is_running():
            _run_aside(server)
        else:
            server.run()


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run_aside(server: Server) -> None:
    """Serve in a thread, because a thread runs one loop only, and wait for its end."""
    warnings.warn(
        "run() is called where an event loop runs, and blocks it until the server ends. To serve on this loop, write "
        "`await hypercorn.asyncio.serve(app, hypercorn.Config())` instead.",
        stacklevel=6,
    )
    failures: list[BaseException] = []

    def run() -> None:
        try:
            server.run()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, name="flash-server", daemon=True)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


@contextmanager
def _pid_file(settings: Settings) -> Iterator[None]:
    path = settings.config.pid_path
    if path is None:
        yield
        return
    Path(path).write_text(str(os.getpid()), encoding="ascii")
    try:
        yield
    finally:
        Path(path).unlink(missing_ok=True)
