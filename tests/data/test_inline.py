"""Apps that a hub hosts in its own process have sources of their own, also of the same name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..apps import run
from ..hub.hosted import both, hosted, source, write

SOURCES = """
import data
from flash.data import LiveInput, source

@source(every="1d", name="orders")
async def orders():
    return {"of": data.NAME}

@callback(Output("out", "children"), LiveInput(orders), Input("in", "value"))
def show(snapshot, value):
    return snapshot.value["of"]
"""


async def shown(app: Any) -> Any:
    return await app.value("out.children", {"_flash-source-orders.data": None, "in.value": 1})


def test_equal_names_do_not_meet(tmp_path: Path) -> None:
    targets = [write(tmp_path / name, app=source("flash", SOURCES), data=f"NAME = {name!r}") for name in ("one", "two")]

    async def main() -> None:
        async with both(*targets) as (one, two):
            assert (await shown(two), await shown(one)) == ("two", "one")
        # It can be hosted again: the sources of its first time have ended with it.
        async with hosted(targets[0], "/one") as one:
            assert await shown(one) == "one"

    run(main)
