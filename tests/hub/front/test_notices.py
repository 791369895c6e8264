"""What is said in an app's place, in the form that was asked for; and nothing that strangers must not see."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from flash.hub.front.answers import form_for
from flash.hub.hub import Hub

from ...live.conftest import wait_until
from ..serving import on_loop, serving
from .site import ADMINISTRATOR, NAVIGATION, SCRIPT, ByCookie, broken, client, hub_at, page


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    hub = hub_at(tmp_path_factory.mktemp("hub"), ByCookie())
    hub.mount(page, "/off", title="Sales <b>", access="public", on=False)
    hub.mount(broken, "/broken", title="Broken", access="public")
    hub.mount(page, "/team", title="Team", access=["team"])
    return hub


@pytest.fixture(scope="module")
def url(hub: Hub) -> Iterator[str]:
    with serving(hub) as url:
        yield url


@pytest.mark.parametrize(
    ("headers", "path", "expected"),
    [
        (NAVIGATION, "/", "html"),
        ({"Accept": "text/html"}, "/", "html"),
        ({**NAVIGATION, "Sec-Fetch-Dest": "iframe"}, "/", "html"),
        (SCRIPT, "/", "json"),
        ({"Accept": "*/*", "Sec-Fetch-Dest": "empty"}, "/", "json"),
        ({"Accept": "text/html", "X-Requested-With": "XMLHttpRequest"}, "/", "json"),
        ({"Content-Type": "application/json"}, "/", "json"),
        ({}, "/_dash-update-component", "json"),
        ({"Accept": "text/css", "Sec-Fetch-Dest": "style"}, "/", "text"),
        ({"Accept": "*/*"}, "/", "text"),
        ({}, "/", "text"),
    ],
)
def test_the_form_is_what_was_asked_for(headers: dict[str, str], path: str, expected: str) -> None:
    written = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    assert form_for({"type": "http", "path": path, "headers": written}) == expected


def test_an_app_that_is_off_says_so(url: str) -> None:
    with client(url) as visitor:
        as_page = visitor.get("/off/deep?x=1", headers=NAVIGATION)
        assert as_page.status_code == 503 and "retry-after" not in as_page.headers
        assert "<h1>Sales &lt;b&gt; is switched off</h1>" in as_page.text
        assert as_page.headers["cache-control"] == "no-store"
        as_json = visitor.get("/off/_dash-layout", headers=SCRIPT)
        assert (as_json.status_code, as_json.json()["error"]) == (503, "Sales <b> is switched off")
        as_text = visitor.get("/off/style.css", headers={"Accept": "text/css"})
        assert as_text.headers["content-type"] == "text/plain; charset=utf-8"
        assert as_text.text.startswith("Sales <b> is switched off\n")
        head = visitor.head("/off/", headers=NAVIGATION)
        assert head.content == b"" and head.headers["content-type"].startswith("text/html")


def test_who_manages_the_app_can_switch_it_on_there(url: str) -> None:
    with client(url, ADMINISTRATOR, **NAVIGATION) as admin, client(url, "ann:", **NAVIGATION) as ann:
        assert 'action="/_hub/api/apps/off/on"' in admin.get("/off/").text
        assert "/_hub/api/" not in ann.get("/off/").text


def test_strangers_learn_nothing_of_what_went_wrong(hub: Hub, url: str) -> None:
    wait_until(lambda: hub["broken"].status().state in ("backoff", "failed"))
    with client(url, ADMINISTRATOR) as admin, client(url, "ann:") as ann:
        for headers in (NAVIGATION, SCRIPT, {}):
            seen, hidden = admin.get("/broken/", headers=headers), ann.get("/broken/", headers=headers)
            assert (seen.status_code, hidden.status_code) == (503, 503)
            assert "hunter2" in seen.text
            assert "hunter2" not in hidden.text and "RuntimeError" not in hidden.text


def test_a_page_for_what_is_not_there_and_what_is_not_open(url: str) -> None:
    with client(url, "ann:", **NAVIGATION) as ann:
        nowhere, closed = ann.get("/nowhere"), ann.get("/team/")
        unknown = ann.get("/_hub/nothing")
    assert nowhere.status_code == unknown.status_code == 404
    assert "There is nothing here" in nowhere.text and "There is nothing here" in unknown.text
    assert closed.status_code == 403 and "Team" not in closed.text


def test_errors_of_the_hub_itself_leave_only_a_number(hub: Hub, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Any:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(hub["off"], "status", fail)
    with client(url, "ann:", **SCRIPT) as ann:
        answer = ann.get("/_hub/api/apps")
    assert answer.status_code == 500
    assert "The hub's log knows it as error" in answer.json()["text"] and "hunter2" not in answer.text


@pytest.mark.parametrize("answers", [True, False])
def test_handshakes_are_refused_before_they_are_accepted(hub: Hub, url: str, answers: bool) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/off/_dash-ws-callback",
        "raw_path": b"/off/_dash-ws-callback",
        "query_string": b"",
        "scheme": "ws",
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"127.0.0.1"), (b"origin", b"http://127.0.0.1")],
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}} if answers else {},
    }
    on_loop(hub, asyncio.wait_for(hub(scope, receive, send), 10))
    if answers:
        assert [each["type"] for each in sent] == ["websocket.http.response.start", "websocket.http.response.body"]
        assert sent[0]["status"] == 503 and b"is switched off" in sent[1]["body"]
    else:
        assert [(each["type"], each["code"]) for each in sent] == [("websocket.close", 1013)]
