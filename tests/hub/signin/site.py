"""A hub with one app that tells who asks, the browsers that visit it, and their WebSockets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher

from flash.hub.hub import Hub
from flash.hub.signin import SignIn
from flash.hub.signin.users import UserFile

from ..apps.teller import app as teller

#: Hashes by this are made fast, so that tests are.
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

#: What a browser sends with a form of the site's own page, and for a page that somebody waits for.
OWN_FORM = {"origin": "https://hub.example", "sec-fetch-site": "same-origin"}
PAGE = {"accept": "text/html", "sec-fetch-mode": "navigate"}

PASSWORD = "correct horse"


def users_in(folder: Path, **users: str) -> Path:
    """A file of users, all with the same password: ``users_in(folder, ann="admin", bob="")``."""
    path = folder / "users.txt"
    path.touch(mode=0o600)
    for name, roles in users.items():
        UserFile(path).put(name, QUICK.hash(PASSWORD), roles.split(","))
    return path


@asynccontextmanager
async def hub_with(signin: SignIn | None, folder: Path, **options: Any) -> AsyncIterator[Hub]:
    """A hub that runs, with the teller at ``/app`` for whoever signs in, and at ``/finance`` and ``/open``."""
    hub = Hub(home=str(folder / "hub"), signin=signin, **options)
    hub.mount(teller, "/app")
    hub.mount(teller, "/open", access="public")
    if signin is not None:
        hub.mount(teller, "/finance", access=["finance"])
    await hub.begin()
    try:
        yield hub
    finally:
        await hub.end()


def browser(hub: Hub, address: str = "203.0.113.9", scheme: str = "https", **headers: str) -> httpx.AsyncClient:
    """A browser at an address."""
    transport = httpx.ASGITransport(app=hub, client=(address, 4711))
    return httpx.AsyncClient(transport=transport, base_url=f"{scheme}://hub.example", headers=headers)


async def sign_in(
    client: httpx.AsyncClient, name: str, password: str = PASSWORD, goal: str | None = None
) -> httpx.Response:
    """Open the login page, and send its form."""
    page = await client.get("/_hub/login", params={} if goal is None else {"next": goal}, headers=PAGE)
    assert page.status_code == 200, page.text
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
    return await client.post("/_hub/login", data={**fields, "name": name, "password": password}, headers=OWN_FORM)


async def who(client: httpx.AsyncClient, path: str = "/app/") -> str | None:
    """As whom the app knows the browser; ``"refused"`` when it does not get there."""
    answer = await client.get(path)
    if answer.status_code != 200:
        assert answer.status_code == 401, answer.text
        return "refused"
    user: str | None = answer.json()["user"]
    return user


class Handshake:
    """One WebSocket of a browser, without a network.

    Attributes:
        status: Of the answer to the handshake: 101 when it was accepted.
        closed: The close code, once it is closed.
    """

    def __init__(self, hub: Hub, path: str, headers: dict[str, str], address: str = "203.0.113.9") -> None:
        self.status: int | None = None
        self.closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._answered = asyncio.Event()
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._incoming.put_nowait({"type": "websocket.connect"})
        self._scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "wss",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in {"host": "hub.example", **headers}.items()],
            "client": (address, 4711),
            "server": ("hub.example", 443),
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }
        self._task = asyncio.create_task(self._run(hub))

    async def answered(self) -> int:
        """The status of the answer."""
        await asyncio.wait_for(self._answered.wait(), 20)
        assert self.status is not None
        return self.status

    async def leave(self) -> None:
        """Go away, and wait until the hub has taken notice."""
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait_for(self._task, 20)

    async def _run(self, hub: Hub) -> None:
        await hub(self._scope, self._incoming.get, self._send)

    async def _send(self, message: Any) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            self.status = 101
        elif kind == "websocket.http.response.start":
            self.status = message["status"]
        elif kind == "websocket.close":
            self.status = self.status or 403
            if not self.closed.done():
                self.closed.set_result(message["code"])
        self._answered.set()


def cookie_of(client: httpx.AsyncClient) -> str:
    """The browser's cookies, as it sends them with a handshake."""
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in client.cookies.jar)
