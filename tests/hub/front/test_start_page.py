"""The start page: who sees which apps, and how they are found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flash.hub.hub import Hub

from ..serving import serving
from .site import ADMINISTRATOR, NAVIGATION, ByCookie, client, hub_at, page


def titles(text: str) -> list[str]:
    """The headings of the cards that are shown, first to last."""
    cards = re.findall(r'<li class="card"([^>]*)>.*?<h2>(.*?)</h2>', text, re.DOTALL)
    return [title for attributes, title in cards if " hidden" not in attributes]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    hub = hub_at(tmp_path_factory.mktemp("hub"), ByCookie())
    hub.mount(
        page, "/sales", title="Sales", description="By <b>region</b>", tags=["finance", "r&d"], access=["finance"]
    )
    hub.mount(page, "/news", title="News", tags=["daily"], access="public")
    hub.mount(page, "/wiki", title="A wiki", order=1, on=False)
    hub.mount(page, "/secret", title="Secret", access="public", hidden=True)
    hub.mount(page, "/team", title="Team", access=["user:eve"], managers=["user:eve"])
    return hub


@pytest.fixture(scope="module")
def url(hub: Hub) -> Iterator[str]:
    with serving(hub) as url:
        yield url


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (None, ["News"]),
        ("ann:", ["A wiki", "News"]),
        ("ann:finance", ["A wiki", "News", "Sales"]),
        ("eve:", ["A wiki", "News", "Team"]),
        (ADMINISTRATOR, ["A wiki", "News", "Sales", "Team"]),
    ],
)
def test_visitors_see_the_apps_that_they_may_use(url: str, who: str | None, expected: list[str]) -> None:
    with client(url, who, **NAVIGATION) as visitor:
        for path in ("/", "/_hub/"):
            assert titles(visitor.get(path).text) == expected
        assert [each["title"] for each in visitor.get("/_hub/api/apps").json()["apps"]] == expected


def test_who_may_see_nothing_is_asked_to_sign_in(tmp_path: Path) -> None:
    hub = hub_at(tmp_path, ByCookie())
    hub.mount(page, "/sales")
    with serving(hub) as url, client(url) as visitor:
        answer = visitor.get("/", headers=NAVIGATION)
        assert (answer.status_code, answer.headers["location"]) == (303, "/_hub/login")
        assert visitor.get("/_hub/api/apps").status_code == 401


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=REGION", ["Sales"]),
        ("q=sal+fin", ["Sales"]),
        ("q=daily", ["News"]),
        ("tag=daily", ["News"]),
        ("tag=r%26d", ["Sales"]),
        ("tag=daily&q=sales", []),
        ("q=%3Cscript%3E", []),
    ],
)
def test_search_works_without_javascript(url: str, query: str, expected: list[str]) -> None:
    with client(url, "ann:finance", **NAVIGATION) as visitor:
        text = visitor.get(f"/_hub/?{query}").text
    assert titles(text) == expected
    assert "<script>" not in text
    assert ("No app is found by that." in text and 'id="nothing" hidden' not in text) == (not expected)


def test_texts_are_escaped(url: str) -> None:
    with client(url, "<i>eve</i>:finance", **NAVIGATION) as visitor:
        text = visitor.get("/").text
    assert "By &lt;b&gt;region&lt;/b&gt;" in text and "<b>region" not in text
    assert "<title>Analytics &amp; more</title>" in text
    assert "&lt;i&gt;eve&lt;/i&gt;" in text and "<i>eve" not in text


def test_only_who_may_switch_an_app_finds_its_buttons(url: str) -> None:
    with client(url, "eve:", **NAVIGATION) as eve, client(url, "ann:finance", **NAVIGATION) as ann:
        assert re.findall(r'action="/_hub/api/apps/(\w+)/off"', eve.get("/").text) == ["team"]
        assert "/_hub/api/" not in ann.get("/").text
        managed = {each["name"]: each["managed"] for each in eve.get("/_hub/api/apps").json()["apps"]}
    assert managed["news"] is None and managed["team"]["restarts"] == 0


def test_pages_let_nothing_else_in(url: str) -> None:
    with client(url, ADMINISTRATOR, **NAVIGATION) as visitor:
        for path in ("/", "/_hub/", "/_hub/apps/sales/log", "/_hub/nothing", "/wiki/", "/nowhere"):
            answer = visitor.get(path)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert not re.search(r"<script(?![^>]*src=)|<style| style=| on\w+=", answer.text)


def test_scripts_and_styles_are_kept_until_they_change(url: str) -> None:
    with client(url, **NAVIGATION) as visitor:
        found = re.findall(r'(?:src|href)="(/_hub/assets/[^"]+)"', visitor.get("/").text)
        assert len(found) == 5
        for address in found:
            answer = visitor.get(address)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]
            again = visitor.get(address.partition("?")[0], headers={"If-None-Match": answer.headers["etag"]})
            assert (again.status_code, again.headers["cache-control"]) == (304, "no-cache")


def test_an_app_at_the_root_leaves_the_start_page_where_it_always_is(tmp_path: Path) -> None:
    hub = hub_at(tmp_path)
    hub.mount(page, "/", name="home", title="Home")
    with serving(hub) as url, client(url, **NAVIGATION) as visitor:
        assert titles(visitor.get("/_hub/").text) == ["Home"]
