"""Two apps of equal source as children of one hub: their callbacks, pages and background jobs are each one's own.

What :mod:`test_inline` shows for apps in one process, with the same sources.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx

from flash.hub import Hub

from ..apps import body, run
from .hosted import source
from .serving import serving
from .test_hub import PATIENCE
from .test_inline import BACKGROUND, CALLBACK, PAGE, PAGES, every_kind, twins

OPTIONS = "use_pages=True, suppress_callback_exceptions=True"
LAYOUT = """
ids = ("in", "cancel", "out", "told", "job", "other")
app.layout = html.Div([page_container, *(html.Div(id=each) for each in ids)])
"""


def sources(kind: str, caches: Path) -> dict[str, str]:
    """The files of an app that has all of it. Each part of it shows in an output of its own."""
    module = "flash" if kind == "flash" else "dash"
    told = CALLBACK.replace('"out"', '"told"')
    job = BACKGROUND.format(module=module, cache=str(caches))
    job = job.replace('"out"', '"job"')
    return {
        "app": source(kind, PAGES + told + job, OPTIONS, LAYOUT),
        "pages__home": PAGE,
        "pages__more": PAGE.replace('"/"', '"/more"'),
    }


@every_kind
def test_children_of_equal_source_share_nothing(tmp_path: Path, kind: str) -> None:
    hub = Hub(home=str(tmp_path / "hub"))
    for target, prefix in zip(
        twins(tmp_path, kind, "", **sources(kind, tmp_path / "caches")), ("/a", "/b"), strict=True
    ):
        hub.mount(target, prefix, isolation="process")

    async def main(url: str) -> None:
        async with (
            httpx.AsyncClient(base_url=f"{url}/a", timeout=PATIENCE) as a,
            httpx.AsyncClient(base_url=f"{url}/b", timeout=PATIENCE) as b,
        ):
            for client, name in ((b, "b"), (a, "a")):
                told = await value(client, "told.children", {"in.value": 1})
                assert told == [name, name, True, f"/{name}/x", f"/{name}/assets/x.css"]
                pages = [["pages.home", "/"], ["pages.more", "/more"]]
                assert await value(client, "out.children", {"in.value": 1}) == [
                    [module, f"/{name}{path}", f"home of {name}"] for module, path in pages
                ]
                assert f"this is home of {name}" in await content(client, name)
                assert f'content="home of {name}"' in (await client.get("/more")).text
                assert f"script of {name}" in (await client.get("/")).text
            # At once, while both run.
            assert await asyncio.gather(result_of_job(a), result_of_job(b)) == [["a", 1], ["b", 1]]

    with serving(hub) as url:
        run(lambda: main(url))


async def post(app: httpx.AsyncClient, output: str, inputs: dict[str, Any], query: str = "") -> Any:
    answer = await app.post(f"/_dash-update-component{query}", json=body(output, inputs))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def value(app: httpx.AsyncClient, output: str, inputs: dict[str, Any]) -> Any:
    component, prop = output.rsplit(".", 1)
    return (await post(app, output, inputs))["response"][component][prop]


async def content(app: httpx.AsyncClient, name: str) -> str:
    """The page that an app shows at its root."""
    known = (await app.get("/_dash-dependencies")).json()
    output = next(each["output"] for each in known if "_pages_content.children" in each["output"])
    return str(await post(app, output, {"_pages_location.pathname": f"/{name}/", "_pages_location.search": ""}))


async def result_of_job(app: httpx.AsyncClient) -> Any:
    """Start the background job of an app, and poll until its result is there."""
    inputs = {"in.value": 1, "cancel.n_clicks": None}
    started = await post(app, "job.children", inputs)
    query = f"?cacheKey={started['cacheKey']}&job={started['job']}"
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await post(app, "job.children", inputs, query)
            if "response" in answer:
                return answer["response"]["job"]["children"]
            await asyncio.sleep(0.05)
