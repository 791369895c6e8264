"""The processes of background jobs: finding them again, ending them, and keeping them apart from the server."""

from __future__ import annotations

import os
import signal
import socket
from typing import Any

#: Creation times of processes are measured from the boot time, which is known to the second and moves with the clock.
CLOCK_TOLERANCE = 5.0


def creation_time(pid: int) -> float:
    """When a process was created, in seconds; 0 when it is gone already."""
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0.0


def find_process(pid: int, created: float) -> Any | None:
    """The ``psutil.Process`` with this number, if it is still the one that was created then and not a zombie.

    Numbers of processes are used again, so the number alone is no proof.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - created) < CLOCK_TOLERANCE
        return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def kill(process: Any) -> None:
    """End a process and all that it has started, at once. Does not wait for their end."""
    import psutil

    try:
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        family = [process]
    for member in family:
        try:
            member.kill()
        except psutil.Error:
            pass


def leave_server() -> None:
    """Cut a forked job off from the server in whose process it began.

    Signals: the handlers of the server's event loop come along, and a signal to the job would be written to the
    server's wake-up pipe and end the server. Sockets: the port stays taken as long as any process holds it, and a
    connection that the server closes stays open for the client.
    """
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    descriptors = _server_sockets()
    if descriptors:
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in descriptors:
            # Replaced, not closed: objects of the server still hold the number and must not meet another file there.
            os.dup2(nothing, descriptor)
        os.close(nothing)


def _server_sockets() -> list[int]:
    """The listening sockets of this process, and the connections that were accepted from them."""
    try:
        descriptors = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        return []
    addresses: dict[int, Any] = {}
    listening: set[Any] = set()
    for descriptor in descriptors:
        try:
            address, listens = _socket_facts(descriptor)
        except OSError:
            continue
        addresses[descriptor] = address
        if listens:
            listening.add(address)
    return [descriptor for descriptor, address in addresses.items() if address in listening]


def _socket_facts(descriptor: int) -> tuple[Any, bool]:
    """The port or path of a socket on this side, and whether it listens. Raises OSError for what is no socket."""
    viewed = socket.socket(fileno=descriptor)
    try:
        name = viewed.getsockname()
        listens = bool(viewed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        return (name[1] if isinstance(name, tuple) and len(name) > 1 else name), listens
    finally:
        viewed.detach()
