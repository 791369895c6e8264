"""docs/remote.md: what it lists is all that there is, and its snippets do what it says."""

from __future__ import annotations

import asyncio
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import get_args

import httpx2
import pytest

from flash.remote import Remote, RemoteError, api_callback
from flash.remote.backend import Result
from flash.remote.errors import Reason

from ..apps import run
from ..live.asgi import eventually, in_process
from ..live.tab import tab_of
from .backends import backend_of, called, module_of

PAGE = (Path(__file__).parents[2] / "docs" / "remote.md").read_text()


def snippet(mark: str) -> ModuleType:
    """The program of the page that has this text in it."""
    (code,) = [each for each in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if mark in each]
    return module_of(code, "snippet")


def rows(after: str) -> dict[str, list[str]]:
    """The cells of the first table behind a text, by their first."""
    table = re.search(r"(^\|.*\n)+", PAGE[PAGE.index(after) :], re.MULTILINE)
    assert table
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table[0].splitlines()[2:]]
    return {first.strip("`"): rest for first, *rest in lines}


def test_every_argument_is_described_with_its_default() -> None:
    described = rows("`Remote(url)` may serve")
    for name, parameter in inspect.signature(Remote).parameters.items():
        default = {inspect.Parameter.empty: "", None: ""}.get(parameter.default, str(parameter.default))
        assert described.pop(name)[0] == default, name
    assert described == {}


def test_every_argument_of_the_declaration_is_described() -> None:
    own = set(inspect.signature(api_callback).parameters) - {"target", "args", "options"}
    assert own <= set(rows("## The declaration"))


def test_every_attribute_and_reason_of_an_error_is_described() -> None:
    assert set(rows("## Errors")) == set(vars(RemoteError("failed", "id")))
    reasons = rows("The reasons are:")
    assert {each.strip('"') for each in reasons} == set(get_args(Reason))


def test_the_page_and_the_backend_of_the_beginning_fit_each_other() -> None:
    page, backend = snippet("calc = Remote("), snippet("class Numbers")

    async def main() -> None:
        async with backend_of(backend.app) as address:
            page.calc.url = address
            async with in_process(page.app) as site, tab_of(site) as tab:
                await tab.request("out.children", {"go.n_clicks": 1}, {"a.value": 6, "b.value": 7})
                await tab.until(lambda: tab.value("out.children") == "6 * 7 = 42.0")

    run(main)


@pytest.mark.parametrize("listens", [False, True])
def test_a_view_that_listens_is_told_that_its_client_has_gone(listens: bool) -> None:
    backend = snippet("async def left")
    happened: list[str] = []

    async def long_work(numbers: list[float]) -> float:
        happened.append("began")
        try:
            await asyncio.sleep(0.3)
            happened.append("done")
        except asyncio.CancelledError:
            happened.append("told")
            raise
        return sum(numbers)

    backend.long_work = long_work  # type: ignore[attr-defined]
    if not listens:
        backend.app.router.routes.clear()

        @backend.app.post("/work")
        async def work(numbers: list[float]) -> dict[str, float]:
            return {"sum": await backend.long_work(numbers)}

    async def main() -> None:
        async with backend_of(backend.app) as address:
            remote = Remote(address)
            assert await called(remote, [1, 2], "work") == [Result({"sum": 3})]
            happened.clear()
            task = asyncio.create_task(called(remote, [1, 2], "work"))
            await eventually(lambda: happened == ["began"])
            task.cancel()
            await eventually(lambda: len(happened) == 2)
            assert happened == ["began", "told" if listens else "done"]

    run(main)


def test_a_backend_can_stand_in_the_same_process() -> None:
    backend = snippet("class Numbers")

    async def main() -> None:
        remote = Remote("http://calc", transport=httpx2.ASGITransport(backend.app))
        assert await called(remote, {"a": 6, "b": 7}, "multiply") == [Result({"product": 42.0})]

    run(main)
