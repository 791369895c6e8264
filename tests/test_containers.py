"""Parallel routes: several page containers in one layout."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dash
import pytest
from dash.testing.wait import until

import flash
from flash import Flash, Input, Output, PageContainer, callback, dcc, html, page_container
from flash.containers import container_registry, page_of
from flash.exceptions import ConfigurationError

from .apps import run, serving


@pytest.fixture(autouse=True)
def no_pages() -> Iterator[None]:
    """Pages are those of a process: each test has its own."""
    yield
    dash.page_registry.clear()
    container_registry.clear()


@pytest.fixture
def clean_duo(flash_duo: Any) -> Iterator[Any]:
    yield flash_duo
    assert flash_duo.get_logs() == []


def paged_app(*containers: str, **options: Any) -> Flash:
    """An app with links, the main container and others."""
    app = Flash("paged", use_pages=True, pages_folder="", **options)
    links = [dcc.Link(name, href=path, id=name) for name, path in {"home": "/", "sales": "/sales", "b": "/b"}.items()]
    app.layout = html.Div([*links, *(PageContainer(name, id=f"at-{name}") for name in containers), page_container])
    return app


def page(path: str, text: Any, container: str | None = None, **options: Any) -> None:
    module = f"{container or 'main'}{path.replace('/', '_')}"
    flash.register_page(module, path=path, layout=text, container=container, **options)


def text_of(duo: Any, container: str, text: str) -> None:
    duo.wait_for_text_to_equal(f"#at-{container}", text)


@pytest.mark.parametrize("live", [False, True])
def test_each_container_shows_its_page_and_the_main_one_works_as_before(clean_duo: Any, live: bool) -> None:
    app = paged_app("side", "foot", websocket_callbacks=live)
    page("/", html.Div("Home", id="main"), title="At home")
    page("/sales", html.Div("Sales", id="main"), title="Our sales")

    async def side() -> Any:
        return "side of home"

    page("/", side, "side")
    page("/sales", lambda: "side of sales", "side")
    page("/", "foot of home", "foot")

    clean_duo.start_server(app)
    clean_duo.wait_for_text_to_equal("#main", "Home")
    text_of(clean_duo, "side", "side of home")
    text_of(clean_duo, "foot", "foot of home")
    clean_duo.find_element("#sales").click()
    clean_duo.wait_for_text_to_equal("#main", "Sales")
    text_of(clean_duo, "side", "side of sales")
    text_of(clean_duo, "foot", "")
    until(lambda: clean_duo.driver.title == "Our sales", 5)
    clean_duo.find_element("#b").click()
    clean_duo.wait_for_text_to_equal("h1", "404 - Page not found")
    text_of(clean_duo, "side", "")
    assert set(dash.page_registry) == {"main_", "main_sales"}


def test_each_shows_when_it_is_ready(clean_duo: Any) -> None:
    app = paged_app("slow", "quick")
    go = asyncio.Event()
    page("/", html.Div("Home", id="main"))

    async def slow() -> str:
        if not flash._dash.running_setup.get():
            await go.wait()
        return "slow"

    page("/", slow, "slow")
    page("/", lambda: "quick", "quick")

    @app.server.get("/go")
    async def let_go() -> str:
        go.set()
        return ""

    clean_duo.start_server(app)
    text_of(clean_duo, "quick", "quick")
    clean_duo.wait_for_text_to_equal("#main", "Home")
    text_of(clean_duo, "slow", "")
    clean_duo.driver.execute_script("fetch('/go')")
    text_of(clean_duo, "slow", "slow")


def test_one_that_fails_shows_its_error_alone(clean_duo: Any, caplog: pytest.LogCaptureFixture) -> None:
    told = []
    app = paged_app("bad", "good", on_error=lambda error: told.append(str(error)))
    page("/", html.Div("Home", id="main"))

    def bad() -> str:
        raise ValueError("a secret")

    page("/", bad, "bad")
    page("/", lambda: "good", "good")
    clean_duo.start_server(app)
    clean_duo.wait_for_contains_text("#at-bad [role=alert]", "could not be loaded")
    text_of(clean_duo, "good", "good")
    clean_duo.wait_for_text_to_equal("#main", "Home")
    shown = clean_duo.find_element("#at-bad").text
    assert "secret" not in shown
    logged = [record for record in caplog.records if clean_duo.find_element("#at-bad code").text in record.getMessage()]
    assert [str(record.exc_info[1]) for record in logged if record.exc_info] == ["a secret"]
    assert told == ["a secret"]


def test_the_dev_tools_show_what_fails(flash_duo: Any) -> None:
    app = paged_app("bad", "good")
    page("/", html.Div("Home", id="main"))
    page("/", lambda: 1 / 0, "bad")
    page("/", lambda: "good", "good")
    flash_duo.start_server(app, debug=True, use_reloader=False, dev_tools_hot_reload=False)
    text_of(flash_duo, "good", "good")
    flash_duo.wait_for_text_to_equal(flash_duo.devtools_error_count_locator, "1")


def test_a_page_that_stays_the_same_is_not_loaded_again(clean_duo: Any) -> None:
    app = paged_app("side")
    page("/", html.Div("Home", id="main"))
    page("/sales", html.Div("Sales", id="main"))
    calls = []

    def menu(**arguments: str) -> Any:
        if not flash._dash.running_setup.get():
            calls.append(arguments)
        return dcc.Input(id="typed")

    flash.register_page("menu", layout=menu, container="side", default=True)
    clean_duo.start_server(app)
    clean_duo.wait_for_element("#typed").send_keys("kept")
    clean_duo.find_element("#sales").click()
    clean_duo.wait_for_text_to_equal("#main", "Sales")
    clean_duo.find_element("#home").click()
    clean_duo.wait_for_text_to_equal("#main", "Home")
    assert clean_duo.find_element("#typed").get_attribute("value") == "kept"
    clean_duo.wait_for_page(f"{clean_duo.server.url}/?year=2024", timeout=10)
    until(lambda: calls[-1] == {"year": "2024"}, 10)
    assert calls[:-1] == [{}]


def test_path_variables_query_and_callbacks_inside(clean_duo: Any) -> None:
    app = paged_app("detail")
    flash.register_page("main", path_template="/item/<name>", layout=lambda name="", **rest: html.Div(name, id="main"))

    async def detail(name: str = "", colour: str = "") -> Any:
        return html.Div([html.Button(f"{name} {colour}", id="press"), html.Output(id="pressed")])

    flash.register_page("detail", path_template="/item/<name>", layout=detail, container="detail")

    @callback(Output("pressed", "children"), Input("press", "n_clicks"), prevent_initial_call=True)
    async def press(clicks: int) -> str:
        return "pressed"

    clean_duo.start_server(app)
    clean_duo.wait_for_page(f"{clean_duo.server.url}/item/lamp?colour=red", timeout=10)
    clean_duo.wait_for_text_to_equal("#press", "lamp red")
    clean_duo.wait_for_text_to_equal("#main", "lamp")
    clean_duo.find_element("#press").click()
    clean_duo.wait_for_text_to_equal("#pressed", "pressed")


def test_a_container_inside_a_page_and_one_without(clean_duo: Any) -> None:
    app = paged_app()
    page("/", html.Div(["Home", PageContainer("inner", loading="...", id="at-inner")]))
    page("/sales", html.Div("Sales", id="main"))
    page("/", lambda: html.Output(id="inside"), "inner")

    @callback(Output("inside", "children"), Input("at-inner", "id"))
    async def fill(name: str) -> str:
        return "inside"

    # The dev tools would show what is missing, of the callbacks too.
    clean_duo.start_server(app, debug=True, use_reloader=False, dev_tools_hot_reload=False)
    text_of(clean_duo, "inner", "inside")
    clean_duo.find_element("#sales").click()
    clean_duo.wait_for_text_to_equal("#main", "Sales")
    clean_duo.find_element("#home").click()
    text_of(clean_duo, "inner", "inside")
    assert clean_duo.find_elements(clean_duo.devtools_error_count_locator) == []


def test_modules_of_the_pages_folder(tmp_path: Path, clean_duo: Any) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "home.py").write_text(
        "import flash\nflash.register_page(__name__, path='/')\nlayout = flash.html.Div('Home', id='main')\n"
    )
    (tmp_path / "pages" / "menu.py").write_text(
        "import flash\nflash.register_page(__name__, container='side', path='/')\n"
        "async def layout():\n    return 'menu'\n"
    )
    app = Flash("foldered", use_pages=True, pages_folder=str(tmp_path / "pages"))
    app.layout = html.Div([PageContainer("side", id="at-side"), page_container])
    clean_duo.start_server(app)
    clean_duo.wait_for_text_to_equal("#main", "Home")
    text_of(clean_duo, "side", "menu")


def test_a_container_that_no_page_is_for_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        app = paged_app("sidebar", "other")
        page("/", "Home")
        page("/", "there", "other")
        async with serving(app):
            pass

    with caplog.at_level(logging.WARNING, "flash"):
        run(main)
    (warning,) = [record.getMessage() for record in caplog.records if "page container" in record.getMessage()]
    assert "'sidebar'" in warning and "there are pages for 'other'" in warning


def test_which_page_a_path_has() -> None:
    paged_app()
    page("/a", "a", "side")
    flash.register_page("one", path_template="/x/<id>", layout="x", container="side")
    flash.register_page("rest", layout="rest", container="side", default=True)
    found = {path: page_of("side", path) for path in ("a", "/a/", "x/1", "b", "")}
    assert {path: (each and each["module"], variables) for path, (each, variables) in found.items()} == {
        "a": ("side_a", {}),
        "/a/": ("side_a", {}),
        "x/1": ("one", {"id": "1"}),
        "b": ("rest", {}),
        "": ("rest", {}),
    }


def test_the_main_pages_keep_their_order() -> None:
    paged_app()
    page("/", "home")
    page("/b", "b", order=2)
    page("/a", "a", order=1)
    before = {name: entry["order"] for name, entry in dash.page_registry.items()}
    page("/", "side", "side", order=5)
    flash.register_page("main_b", path="/b", layout="another", container="side")
    assert {name: entry["order"] for name, entry in dash.page_registry.items()} == before
    assert list(dash.page_registry) == list(before)


def test_what_cannot_work_is_refused_with_a_sentence() -> None:
    paged_app()
    page("/", "one", "side")
    with pytest.raises(ConfigurationError, match="two pages for the path '/'"):
        flash.register_page("again", path="/", layout="two", container="side")
    flash.register_page("first", layout="", container="side", default=True)
    with pytest.raises(ConfigurationError, match="two default pages"):
        flash.register_page("second", layout="", container="side", default=True)
    with pytest.raises(ConfigurationError, match="default=True is for named containers"):
        flash.register_page("third", layout="", default=True)
    for name in ("", "a.b", 3):
        with pytest.raises(ConfigurationError, match="name of a page container"):
            PageContainer(name)  # type: ignore[arg-type]
