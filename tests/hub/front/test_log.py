"""The page of a log, and its lines as they are written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flash.hub.front import events
from flash.hub.hub import Hub

from ..serving import on_loop, serving
from .site import ADMINISTRATOR, NAVIGATION, ByCookie, client, hub_at, listening, page


@pytest.fixture
def signin() -> ByCookie:
    return ByCookie()


@pytest.fixture
def hub(tmp_path: Path, signin: ByCookie) -> Hub:
    hub = hub_at(tmp_path, signin)
    hub.mount(page, "/sales", title="Sales", access="public")
    return hub


@pytest.fixture
def url(hub: Hub) -> Iterator[str]:
    with serving(hub) as url:
        yield url


@pytest.fixture
def log(hub: Hub, url: str) -> Path:
    """The log of the app, with two lines."""
    path = hub.folders.log("sales")
    path.write_text("\x1b[31mbad\x1b[0m <b>\nsecond\n")
    return path


def write(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def test_the_page_shows_the_end_of_the_log(url: str, log: Path) -> None:
    write(log, "".join(f"line {number}\n" for number in range(1000)))
    with client(url, ADMINISTRATOR, **NAVIGATION) as admin:
        text = admin.get("/_hub/apps/sales/log").text
    assert text.count('<span class="line">') == events.LINES
    assert "line 999\n" in text and "line 500\n" in text and "line 499\n" not in text


def test_texts_are_escaped_and_coloured(url: str, log: Path) -> None:
    with client(url, ADMINISTRATOR, **NAVIGATION) as admin:
        text = admin.get("/_hub/apps/sales/log").text
    assert '<span class="line"><span class="red">bad</span> &lt;b&gt;\n</span>' in text


def test_an_app_without_a_log_has_an_empty_one(url: str) -> None:
    with client(url, ADMINISTRATOR, **NAVIGATION) as admin:
        answer = admin.get("/_hub/apps/sales/log")
    assert answer.status_code == 200 and "Nothing has been written yet." in answer.text


def test_lines_come_as_they_are_written(url: str, log: Path) -> None:
    with client(url, ADMINISTRATOR) as admin, listening(admin, "/_hub/apps/sales/log/events") as told:
        assert next(told) == ("whole", {"lines": [[["bad", "red"], [" <b>", ""]], [["second", ""]]]})
        write(log, "third\nfour")
        assert next(told) == ("lines", {"lines": [[["third", ""]]]})
        write(log, "th\n")
        assert next(told) == ("lines", {"lines": [[["fourth", ""]]]})


def test_a_flood_of_lines_is_bounded(url: str, log: Path) -> None:
    with client(url, ADMINISTRATOR) as admin, listening(admin, "/_hub/apps/sales/log/events") as told:
        next(told)
        write(log, "".join(f"{number}\n" for number in range(20_000)))
        seen = []
        for _, data in told:
            assert len(data["lines"]) <= events.LINES
            seen += data["lines"]
            if seen[-1] == [["19999", ""]]:
                break


def test_only_managers_follow_a_log_and_not_after_they_have_signed_out(
    hub: Hub, url: str, log: Path, signin: ByCookie
) -> None:
    async def sign_out() -> None:
        signin.sign_out("root")

    with client(url, "ann:") as ann:
        assert ann.get("/_hub/apps/sales/log/events").status_code == 403
    with client(url, ADMINISTRATOR) as admin, listening(admin, "/_hub/apps/sales/log/events") as told:
        next(told)
        on_loop(hub, sign_out())
        assert list(told) == []
        assert admin.get("/_hub/apps/sales/log/events").status_code == 401
