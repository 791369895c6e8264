"""Hypercorn's configuration with what Flash adds to it: a ready SSL context, and sockets that are opened early.

Sockets are opened before anything else happens, so that a port in use is one sentence and not the end of a long
start; and by the process that supervises, so that the processes which serve share them and no connection is refused
while one of them is replaced.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ssl import SSLContext

from hypercorn.config import Config, Sockets

from ..exceptions import ConfigurationError


class ServerConfig(Config):
    """The settings of one server, as :func:`hypercorn.asyncio.serve` reads them."""

    #: A context to use as it is; without one, Hypercorn makes its own from ``certfile`` and ``keyfile``.
    ssl_context: SSLContext | None = None
    #: How long requests that run may take to finish once the server is asked to end, in seconds.
    grace: float = 10.0
    _opened: Sockets | None = None
    _opened_by: int | None = None

    @property
    def ssl_enabled(self) -> bool:
        return self.ssl_context is not None or super().ssl_enabled

    def create_ssl_context(self) -> SSLContext | None:
        return self.ssl_context or super().create_ssl_context()

    def create_sockets(self) -> Sockets:
        """The sockets to listen on; they are opened by the first call.

        Raises:
            ConfigurationError: One of them cannot be had.
        """
        if self._opened is None:
            self._opened, self._opened_by = _open_sockets(self), os.getpid()
        return self._opened

    def adopt_sockets(self, sockets: Sockets) -> None:
        """Listen on sockets that another process has opened."""
        self._opened = sockets

    def listen(self) -> None:
        """Let connections wait in the sockets' queues from now on.

        Raises:
            ConfigurationError: Another process came first.
        """
        for sock in all_sockets(self.create_sockets()):
            if sock.type == socket.SOCK_STREAM:
                with _explained(_address_of(sock)):
                    sock.listen(self.backlog)

    def close_sockets(self) -> None:
        """Close the sockets, and remove the files of the unix ones that this process has opened."""
        if self._opened is not None:
            for sock in all_sockets(self._opened):
                sock.close()
        if self._opened_by == os.getpid():
            for bind in self.bind + self.insecure_bind:
                if bind.startswith("unix:"):
                    _remove_dead_socket(bind[5:])
        self._opened = self._opened_by = None


def all_sockets(sockets: Sockets) -> list[socket.socket]:
    """Every socket of a server, whatever it is for."""
    return [*sockets.secure_sockets, *sockets.insecure_sockets, *sockets.quic_sockets]


def _open_sockets(config: ServerConfig) -> Sockets:
    opened: list[socket.socket] = []

    def open_all(binds: list[str], kind: int = socket.SOCK_STREAM) -> list[socket.socket]:
        group = []
        for bind in binds:
            sock = _open_socket(bind, kind, config)
            opened.append(sock)
            group.append(sock)
        return group

    try:
        if not config.ssl_enabled:
            return Sockets([], open_all(config.bind), [])
        sockets = Sockets(
            open_all(config.bind), open_all(config.insecure_bind), open_all(config.quic_bind, socket.SOCK_DGRAM)
        )
    except BaseException:
        for sock in opened:
            sock.close()
        raise
    config._set_quic_addresses(sockets.quic_sockets)
    return sockets


def _open_socket(bind: str, kind: int, config: ServerConfig) -> socket.socket:
    with _explained(bind):
        if bind.startswith("unix:"):
            return _open_unix_socket(bind[5:], kind, config)
        if bind.startswith("fd://"):
            return socket.socket(fileno=int(bind[5:]))
        return _open_internet_socket(bind, kind)


def _open_internet_socket(bind: str, kind: int) -> socket.socket:
    host, _, port = bind.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigurationError(
            f"bind={bind!r} names no host and port. Write 'host:port', '[::1]:port' or 'unix:/path/of/socket'."
        )
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=kind, flags=socket.AI_PASSIVE)
    # A name that has both kinds of address is served on the one that every client has.
    family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    sock = socket.socket(family, kind)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind(address)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _open_unix_socket(path: str, kind: int, config: ServerConfig) -> socket.socket:
    _remove_dead_socket(path)
    sock = socket.socket(socket.AF_UNIX, kind)
    previous_umask = None if config.umask is None else os.umask(config.umask)
    try:
        sock.bind(path)
        if config.user is not None and config.group is not None:
            os.chown(path, config.user, config.group)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    finally:
        if previous_umask is not None:
            os.umask(previous_umask)
    return sock


def _remove_dead_socket(path: str) -> None:
    """Remove a socket file that no process listens on. Any other file stays, and binding to it fails."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)


def _address_of(sock: socket.socket) -> str:
    name = sock.getsockname()
    if not isinstance(name, tuple):
        return f"unix:{name}"
    return f"[{name[0]}]:{name[1]}" if sock.family == socket.AF_INET6 else f"{name[0]}:{name[1]}"


@contextmanager
def _explained(bind: str) -> Iterator[None]:
    """Turn what the system says about an address into a sentence for whoever chose it."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(_sentence(bind, error)) from error


def _sentence(bind: str, error: OSError) -> str:
    explain: dict[int | None, Callable[[], str]] = {
        errno.EADDRINUSE: lambda: f"{bind} is already in use by another process. {_another(bind)}",
        errno.EACCES: lambda: f"This user may not listen on {bind}. {_another(bind)}",
        errno.EADDRNOTAVAIL: lambda: f"{bind} is no address of this machine. Use host='127.0.0.1' or '0.0.0.0'.",
    }
    if isinstance(error, socket.gaierror):
        return f"The host of {bind} cannot be resolved ({error.strerror}). Use host='127.0.0.1' or '0.0.0.0'."
    if error.errno in explain:
        return explain[error.errno]()
    return f"Cannot listen on {bind}: {error.strerror or error}."


def _another(bind: str) -> str:
    if bind.startswith("unix:"):
        return "Choose another path for the socket, or end the process that holds this one."
    port = int(bind.rpartition(":")[2])
    other = port + 1 if 1024 <= port < 65535 else 8050
    return f"Choose another port, app.run(port={other}) or flash run --port {other}, or end the process that holds it."
