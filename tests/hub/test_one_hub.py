"""One hub, and everything that it can serve, at once: each kind of app in each way to host it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from flash.hub.hub import Hub
from flash.hub.keeper import AppState

from .serving import on_loop, serving

APPS = Path(__file__).parent / "apps"
SEED = Path(__file__).parents[2] / "examples" / "dash-hub"

WAYS = ("process", "inline")
DASH = ("flash", "dash-flask", "dash-quart", "dash-fastapi")
OTHERS = ("quart", "flask", "fastapi")
WITH_SOCKETS = ("flash", "dash-quart", "dash-fastapi", "quart", "fastapi")

SIZE = 200_000


def in_both_ways(*names: str) -> list[str]:
    return [f"/{way}/{name}" for name in names for way in WAYS]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The hub, once all of its apps run."""
    hub = Hub(home=str(tmp_path_factory.mktemp("hub")))
    for way in WAYS:
        for name in (*DASH, *OTHERS):
            file = name.replace("-", "_") if name in DASH and name != "flash" else f"{name}_app"
            hub.mount(str(APPS / f"{file}.py"), f"/{way}/{name}", isolation=way)
        hub.mount(str(APPS / "static"), f"/{way}/static", isolation=way)
        hub.mount(str(SEED / "backend.py"), f"/{way}/backend", isolation=way)
        hub.mount(
            str(SEED / "frontend.py"),
            f"/{way}/backend/page",
            isolation="process",
            env={"BACKEND_URL": f"/{way}/backend/"},
        )
    for script in ("script", "script_guarded"):
        hub.mount(str(APPS / f"{script}.py"), f"/process/{script}")
    with serving(hub) as url:
        for name, mount in hub.mounts.items():
            on_loop(hub, mount.keeper.until(AppState.RUNNING, AppState.FAILED))
            assert mount.keeper.state is AppState.RUNNING, (name, mount.keeper.error)
        with httpx.Client(base_url=url, timeout=30) as client:
            yield client


@pytest.mark.parametrize("prefix", in_both_ways(*DASH, *OTHERS, "static"))
def test_the_index_is_found_with_its_slash_and_without(site: httpx.Client, prefix: str) -> None:
    found = site.get(f"{prefix}?a=1", follow_redirects=True)
    assert [answer.status_code for answer in found.history] == [307]
    assert found.url.raw_path.decode() == f"{prefix}/?a=1"
    index = site.get(f"{prefix}/")
    assert index.status_code == 200, index.text


@pytest.mark.parametrize("prefix", in_both_ways(*DASH))
def test_a_page_loads_all_that_it_names_below_its_prefix(site: httpx.Client, prefix: str) -> None:
    files = re.findall(r'(?:src|href)="(/[^"]*)"', site.get(f"{prefix}/").text)
    assert any("/assets/sample.css" in file for file in files)
    assert any("dash_renderer" in file for file in files)
    for file in files:
        assert file.startswith(f"{prefix}/"), file
        assert site.get(file).status_code == 200, file


@pytest.mark.parametrize("prefix", in_both_ways("static"))
def test_static_pages_have_their_files(site: httpx.Client, prefix: str) -> None:
    style = site.get(f"{prefix}/style.css")
    assert (style.text, style.headers["content-type"]) == (
        (APPS / "static/style.css").read_text(),
        "text/css; charset=utf-8",
    )
    assert site.get(f"{prefix}/part/").text == (APPS / "static/part/index.html").read_text()
    assert site.get(f"{prefix}/none.css").status_code == 404


@pytest.mark.parametrize("prefix", in_both_ways(*DASH))
def test_a_deep_link_is_a_page_of_the_app(site: httpx.Client, prefix: str) -> None:
    page = site.get(f"{prefix}/deep/link")
    assert page.status_code == 200
    assert f'content="Deep in {prefix.rpartition("/")[2]}"' in page.text


@pytest.mark.parametrize("prefix", in_both_ways(*DASH, *OTHERS))
def test_an_app_knows_where_it_is(site: httpx.Client, prefix: str) -> None:
    where = site.get(f"{prefix}/where")
    assert where.status_code == 200
    if not prefix.endswith("dash-fastapi"):  # Dash hides its prefix from FastAPI.
        assert where.json()["url"] == f"{prefix}/where"


@pytest.mark.parametrize("prefix", in_both_ways(*DASH))
def test_a_callback_is_the_app_s_own(site: httpx.Client, prefix: str) -> None:
    assert called(site, prefix, "out", "in", "seven") == f"{prefix.rpartition('/')[2]}: seven"


@pytest.mark.parametrize("prefix", in_both_ways(*DASH))
def test_a_callback_may_be_large(site: httpx.Client, prefix: str) -> None:
    text = "0123456789" * (SIZE // 10)
    assert called(site, prefix, "big", "text", text) == text


@pytest.mark.parametrize("prefix", in_both_ways(*DASH, *OTHERS))
def test_an_upload_arrives_whole(site: httpx.Client, prefix: str) -> None:
    pieces = (b"x" * 1000 for _ in range(SIZE // 1000))
    assert site.post(f"{prefix}/upload", content=b"x" * SIZE).text == str(SIZE)
    assert site.post(f"{prefix}/upload", content=pieces).text == str(SIZE)


@pytest.mark.parametrize("prefix", in_both_ways(*WITH_SOCKETS))
def test_a_websocket_talks(site: httpx.Client, prefix: str) -> None:
    address = str(site.base_url).rstrip("/").replace("http", "ws", 1)
    with connect(f"{address}{prefix}/ws", origin=str(site.base_url).rstrip("/")) as socket:
        for text in ("first", "x" * SIZE, "last"):
            socket.send(text)
            assert socket.recv(timeout=30) == text


@pytest.mark.parametrize("prefix", in_both_ways(*DASH, *OTHERS))
def test_a_stream_comes_while_it_goes_on(site: httpx.Client, prefix: str) -> None:
    with site.stream("GET", f"{prefix}/stream") as answer:  # It has no end.
        lines = (line for line in answer.iter_lines() if line)
        assert list(islice(lines, 3)) == ["data: 1", "data: 2", "data: 3"]
    assert site.get(f"{prefix}/stream?count=2").text == "data: 1\n\ndata: 2\n\n"


@pytest.mark.parametrize("way", WAYS)
def test_the_page_of_the_seed_is_answered_by_its_backend(site: httpx.Client, way: str) -> None:
    page = f"/{way}/backend/page"
    states = {"num_1": 6, "num_2": 7}
    assert called(site, page, "response-output", "button", 1, states, prop="n_clicks") == "6 * 7 = 42.0"
    refused = site.post(f"/{way}/backend/receive-data/", json={"button": 1, "num_1": "six", "num_2": 7})
    assert refused.status_code == 422


@pytest.mark.parametrize(("script", "answer"), [("script", "script in __main__: 7"), ("script_guarded", "guarded: 7")])
def test_a_script_is_served_as_it_is(site: httpx.Client, script: str, answer: str) -> None:
    prefix = f"/process/{script}"
    assert f'src="{prefix}/_dash-component-suites/' in site.get(f"{prefix}/").text
    assert called(site, prefix, "out", "in", "7") == answer


def called(
    site: httpx.Client,
    prefix: str,
    output: str,
    id_: str,
    value: Any,
    states: dict[str, Any] | None = None,
    *,
    prop: str = "value",
) -> Any:
    """Call a callback as the renderer does, and return the new ``children`` of its output."""
    body = {
        "output": f"{output}.children",
        "outputs": {"id": output, "property": "children"},
        "inputs": [{"id": id_, "property": prop, "value": value}],
        "state": [{"id": name, "property": "value", "value": each} for name, each in (states or {}).items()],
        "changedPropIds": [f"{id_}.{prop}"],
    }
    answer = site.post(f"{prefix}/_dash-update-component", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["response"][output]["children"]
