"""Apps in this process, each by an :class:`flash.hub.inline.InlineHost`, and what tests ask them.

Example:
    >>> async with hosted(write_app(tmp_path, "a"), "/a") as app:
    ...     assert await app.value("out.children", {"in.value": 1}) == "a"
"""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from flash.hub.inline import InlineHost
from flash.hub.spec import spec_of

from ..apps import body
from ..live.sites import SOCKET, InProcessSocket

#: How each kind of app is made; the rest of its source is the same.
KINDS = {
    "dash-flask": "from dash import *\napp = Dash(__name__, {options})",
    "dash-quart": "from dash import *\napp = Dash(__name__, backend='quart', {options})",
    "dash-fastapi": "from dash import *\napp = Dash(__name__, backend='fastapi', {options})",
    "flash": "from flash import *\nfrom flash import Flash as Dash\napp = Dash(__name__, {options})",
}

LAYOUT = """
app.layout = html.Div([html.Div(id=each) for each in ("in", "out", "other")])
"""


def source(kind: str, rest: str, options: str = "", layout: str = LAYOUT) -> str:
    """The source of an app.

    Args:
        kind: A key of :data:`KINDS`.
        rest: What follows its layout.
        options: Of the app.
        layout: The lines with its layout.
    """
    head = "import dash\n" + KINDS[kind].replace("{options}", options)
    return "\n".join([head, layout, textwrap.dedent(rest)])


def write(folder: Path, **files: str) -> str:
    """Write the files of an app; ``pages__home`` stands for ``pages/home.py``. Returns ``"<folder>/app.py:app"``."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return f"{folder}/app.py:app"


class Hosted:
    """An app that runs, seen by its clients."""

    def __init__(self, host: InlineHost, prefix: str) -> None:
        self.host = host
        self.prefix = prefix
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(host.serve, raise_app_exceptions=False),  # type: ignore[arg-type]
            base_url="http://localhost",
        )

    async def post(self, output: str, inputs: dict[str, Any] | None = None, query: str = "") -> httpx.Response:
        """Send a callback request."""
        return await self.client.post(f"/_dash-update-component{query}", json=body(output, inputs))

    async def value(self, output: str = "out.children", inputs: dict[str, Any] | None = None) -> Any:
        """What a callback gives to its one output."""
        response = await self.post(output, inputs or {"in.value": 1})
        assert response.status_code == 200, response.text
        component, prop = output.rsplit(".", 1)
        return response.json()["response"][component][prop]

    async def text(self, path: str = "/") -> str:
        """A page."""
        response = await self.client.get(path)
        assert response.status_code == 200, (response.status_code, response.text)
        return response.text

    async def outputs(self) -> list[str]:
        """The outputs of the callbacks that its pages know of, without those of pages and of Flash."""
        known = (await self.client.get("/_dash-dependencies")).json()
        return [each["output"] for each in known if "_pages" not in each["output"] and "flash" not in each["output"]]

    # As a site of the tests of the live connection.

    async def socket(self) -> InProcessSocket:
        """Open a WebSocket."""
        headers = {"Host": "localhost", "Origin": "http://localhost"}
        socket = InProcessSocket(self.host.serve, f"/{SOCKET}", headers)
        await socket.open()
        return socket

    async def get(self, path: str) -> tuple[int, bytes]:
        """Get a page, for a tab."""
        response = await self.client.get(f"/{path}", headers={"Origin": "http://localhost"})
        return response.status_code, response.content


def host_of(target: Any, prefix: str, **options: Any) -> InlineHost:
    """A host that has not started."""
    files = {name: options.pop(name) for name in ("log", "folder") if name in options}
    return InlineHost(spec_of(target, prefix, {"isolation": "inline", **options}), target, **files)


@asynccontextmanager
async def hosted(target: Any, prefix: str, **options: Any) -> AsyncIterator[Hosted]:
    """An app that runs while the block does."""
    host = host_of(target, prefix, **options)
    await host.start()
    try:
        yield Hosted(host, prefix)
    finally:
        await host.stop(5)


@asynccontextmanager
async def both(first: Any, second: Any, **options: Any) -> AsyncIterator[tuple[Hosted, Hosted]]:
    """Two apps, at ``/a`` and ``/b``."""
    async with hosted(first, "/a", **options) as a, hosted(second, "/b", **options) as b:
        yield a, b
