"""Serving from a notebook, whose own event loop is running: by a server in a thread, beside the cells."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from quart import Quart

from .serving import Backend, server_for
from .settings import read_settings

#: A cell that is run again waits this long for callbacks of the app that it replaces, in seconds.
_GRACE = 2.0


class NotebookServer:
    """Serves an ASGI app in a thread of its own, with the interface of Werkzeug's server that Dash uses in notebooks.

    The app is started at once, so that what is wrong is raised in the cell.

    Args:
        host: The address to listen on.
        port: The port.
        app: The ASGI app.
        backend: The backend of the Dash app that it serves, if it serves one: it is told how to end the server, and
            tells why it could not start.

    Raises:
        ConfigurationError: The port is taken.
        Exception: The app could not start.

    Example:
        >>> server = NotebookServer("127.0.0.1", 8050, app.server)
        >>> server.shutdown()
    """

    def __init__(self, host: str, port: int, app: Any, backend: Backend | None = None) -> None:
        config = read_settings(host, port, False, {"graceful_timeout": _GRACE, "loglevel": "WARNING"}).config
        config.create_sockets()
        self._known = threading.Event()
        self._failure: BaseException | None = None
        self._server = server_for(app, config, backend, on_listening=self._known.set)
        self._thread = threading.Thread(target=self._serve, name=f"flash-notebook-{port}", daemon=True)
        self._thread.start()
        self._known.wait()
        if self._failure is not None:
            raise self._failure

    def serve_forever(self) -> None:
        """Wait until the server ends."""
        self._thread.join()

    def shutdown(self) -> None:
        """End the server and give its port back."""
        self._server.stop()
        self._thread.join()

    def _serve(self) -> None:
        try:
            self._server.run()
        except BaseException as error:
            self._failure = error
        finally:
            self._known.set()


def notebook_servers(
    make_wsgi_server: Callable[..., Any], backend_of: Callable[[Quart], Backend | None]
) -> Callable[..., Any]:
    """What replaces Werkzeug's ``make_server`` where Dash calls it in notebooks: Quart apps get a server that fits.

    Args:
        make_wsgi_server: The original, which makes the servers of all other apps.
        backend_of: Gives the backend of the Dash app that a Quart app serves, or None.
    """

    def make_server(host: str, port: int, app: Any, *args: Any, **options: Any) -> Any:
        if isinstance(app, Quart):
            return NotebookServer(host, port, app, backend_of(app))
        return make_wsgi_server(host, port, app, *args, **options)

    return make_server
