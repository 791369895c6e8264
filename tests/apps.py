"""Building apps and talking to them in one process, for tests that compare Flash with Dash's own Quart backend."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import dash

from flash import Flash, _dash, html

#: Without what apps of one process share, so that tests cannot meet.
SEPARATE = {"assets_folder": "no-assets", "pages_folder": "", "use_pages": False}


def flash_app(**options: Any) -> Flash:
    """A Flash app with nothing of its own."""
    return Flash(f"app_{uuid.uuid4().hex}", **{**SEPARATE, **options})


def quart_dash(**options: Any) -> Any:
    """Plain Dash on its own Quart backend."""
    if "server" not in options:
        options["backend"] = "quart"
    return _dash.OriginalDash(f"app_{uuid.uuid4().hex}", **{**SEPARATE, **options})


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[Any]:
    """The test client of an app whose server has started."""
    async with app.server.test_app() as started:
        yield started.test_client()


def body(output: str, inputs: dict[str, Any] | None = None, state: dict[str, Any] | None = None) -> dict[str, Any]:
    """The body that Dash's renderer sends for a callback.

    Args:
        output: ``"id.property"``, or ``"..a.x...b.y.."`` for several.
        inputs: Values by ``"id.property"``; all of them count as changed.
        state: The same for states.
    """
    names = output[2:-2].split("...") if output.startswith("..") else [output]
    outputs = [dict(zip(("id", "property"), name.rsplit(".", 1), strict=True)) for name in names if "." in name]
    return {
        "output": output,
        "outputs": outputs if output.startswith("..") or not outputs else outputs[0],
        "inputs": _properties(inputs or {}),
        "state": _properties(state or {}),
        "changedPropIds": list(inputs or {}),
    }


def _properties(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"id": name.rsplit(".", 1)[0], "property": name.rsplit(".", 1)[1], "value": value}
        for name, value in values.items()
    ]


async def post(client: Any, *args: Any, prefix: str = "/", **kwargs: Any) -> Any:
    """Send a callback request and return the response."""
    return await client.post(f"{prefix}_dash-update-component", json=body(*args, **kwargs))


async def value_of(client: Any, output: str, inputs: dict[str, Any] | None = None, prefix: str = "/") -> Any:
    """The value that a callback gives to its one output."""
    response = await post(client, output, inputs, prefix=prefix)
    assert response.status_code == 200, (response.status_code, await response.get_data())
    component, prop = output.rsplit(".", 1)
    return (await response.get_json(force=True))["response"][component][prop]


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    """Run an asynchronous test."""
    return asyncio.run(asyncio.wait_for(main(), 30))


async def together(client: Any, count: int, *args: Any, **kwargs: Any) -> list[Any]:
    """Send the same callback request ``count`` times at once."""
    return await asyncio.gather(*(post(client, *args, **kwargs) for _ in range(count)))


__all__ = [
    "SEPARATE",
    "body",
    "dash",
    "flash_app",
    "html",
    "post",
    "quart_dash",
    "run",
    "serving",
    "together",
    "value_of",
]
