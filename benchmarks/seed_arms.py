"""What is measured: which server, over which transport, with which kind of callback."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec

from seed_clients import Client, HttpClient, LiveClient, SharedClient, SharedPair, SocketClient


@dataclass(frozen=True)
class Arm:
    """One arm of the benchmark.

    Attributes:
        label: What the tables call it.
        kind: What is served, one of the ``KINDS`` of ``seed_apps``.
        program: What serves it.
        client: The browser's end.
        callback: The name of the callback: ``plain``, ``async``, ``shared`` or ``newest``.
        timed: Whether its round trips are timed.
        in_browser: Whether a browser runs it too.
        dragged: Whether it takes part in the test of order.
    """

    label: str
    kind: str
    program: str
    client: type[Client]
    callback: str
    timed: bool = True
    in_browser: bool = True
    dragged: bool = True

    def echo(self, port: int) -> Client:
        """A client that moves the slider whose value is shown."""
        return self.client(port, f"slider-{self.callback}.value", f"text-{self.callback}.children")

    def drag(self, port: int) -> Client:
        """A client that moves the slider of the device."""
        return self.client(port, f"drag-{self.callback}.value", f"device-{self.callback}.children")


def regular(label: str, kind: str, program: str, client: type[Client], **options: bool) -> list[Arm]:
    """The arms of one server: with a plain callback, and with an asynchronous one."""
    return [Arm(f"{label}, {name}", kind, program, client, name, **options) for name in ("plain", "async")]


#: HTTP with Dash on Flask is what all others are held against.
BASE = Arm("Dash/Flask, HTTP, plain", "dash-flask", "gunicorn", HttpClient, "plain")

ARMS = [
    BASE,
    Arm("Dash/Flask, HTTP, async", "dash-flask-async", "gunicorn", HttpClient, "async", in_browser=False),
    *regular("Dash/Quart, HTTP", "dash-quart", "hypercorn", HttpClient),
    *regular("Dash/Quart, WebSocket", "dash-quart-ws", "hypercorn", SocketClient),
    *regular(
        "Dash/Quart, WebSocket, no batch delay",
        "dash-quart-ws-0",
        "hypercorn",
        SocketClient,
        in_browser=False,
        dragged=False,
    ),
    *regular("Flash, HTTP", "flash-http", "hypercorn", HttpClient),
    *regular("Flash, live", "flash-live", "hypercorn", LiveClient),
]

SHARED_ARMS = [
    Arm("Flash, shared", "flash-live", "hypercorn", SharedClient, "shared"),
    Arm(
        "Flash, shared, to another tab",
        "flash-live",
        "hypercorn",
        SharedPair,
        "shared",
        in_browser=False,
        dragged=False,
    ),
    Arm("Flash, shared, most recent", "flash-live", "hypercorn", SharedClient, "newest", timed=False, in_browser=False),
]


def installed(arms: Iterable[Arm]) -> tuple[list[Arm], list[str]]:
    """The arms that can run, and the programs that are missing for the others."""
    arms = list(arms)
    missing = sorted({arm.program for arm in arms if not find_spec(arm.program)})
    return [arm for arm in arms if arm.program not in missing], missing
