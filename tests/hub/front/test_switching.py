"""Switching apps by the interface and by the buttons of pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from flash.hub.hub import Hub

from ..serving import on_loop, serving
from .site import ADMINISTRATOR, NAVIGATION, SCRIPT, ByCookie, Slow, client, hub_at, page


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    hub = hub_at(tmp_path, ByCookie())
    hub.mount(page, "/sales", managers=["lead"], access=["finance", "lead"])
    return hub


@pytest.fixture
def url(hub: Hub) -> Iterator[str]:
    with serving(hub) as url:
        yield url


def test_an_app_is_switched_off_on_and_restarted(hub: Hub, url: str) -> None:
    with client(url, "lou:lead", **SCRIPT) as lead:
        for action, desired, state, status in (
            ("off", "off", "off", 503),
            ("restart", "off", "off", 503),
            ("on", "on", "running", 200),
            ("restart", "on", "running", 200),
        ):
            answer = lead.post(f"/_hub/api/apps/sales/{action}")
            assert answer.status_code == 200
            assert (answer.json()["desired"], answer.json()["state"]) == (desired, state)
            assert lead.get("/sales/").status_code == status


def test_the_hubs_own_pages_take_no_large_body(url: str) -> None:
    """A page that listens would keep what a stranger sends for as long as it listens."""
    with client(url, ADMINISTRATOR, **NAVIGATION) as admin:
        for size, status in ((1000, 303), (100_000, 413)):
            sent = {"next": "/" + "a" * size}
            assert admin.post("/_hub/api/apps/sales/restart", data=sent).status_code == status


@pytest.mark.parametrize(
    ("who", "name", "status"),
    [
        (None, "sales", 401),
        (None, "none", 401),
        ("ann:finance", "sales", 403),
        ("bob:", "sales", 404),
        ("lou:lead", "none", 404),
    ],
)
def test_who_may_not_switch_it_is_refused(hub: Hub, url: str, who: str | None, name: str, status: int) -> None:
    with client(url, who, **SCRIPT) as visitor:
        for action in ("on", "off", "restart"):
            assert visitor.post(f"/_hub/api/apps/{name}/{action}").status_code == status
        assert visitor.get("/_hub/apps/" + name + "/log").status_code == status
    assert hub["sales"].status().state == "running"


def test_pages_of_other_sites_switch_nothing(hub: Hub, url: str) -> None:
    with client(url, ADMINISTRATOR) as admin:
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
            assert admin.post("/_hub/api/apps/sales/off", headers=headers).status_code == 403
    assert hub["sales"].status().desired == "on"


def test_only_a_post_switches(hub: Hub, url: str) -> None:
    with client(url, ADMINISTRATOR, **NAVIGATION) as admin:
        answer = admin.get("/_hub/api/apps/sales/off")
    assert answer.status_code == 405 and "POST" in answer.headers["allow"]
    assert hub["sales"].status().desired == "on"


@pytest.mark.parametrize(
    ("written", "location"),
    [
        ("/_hub/apps/sales/log", "/_hub/apps/sales/log"),
        ("/sales/", "/sales/"),
        (None, "/_hub/"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
    ],
)
def test_forms_lead_back_to_their_page(url: str, written: str | None, location: str) -> None:
    with client(url, ADMINISTRATOR, **NAVIGATION) as admin:
        answer = admin.post("/_hub/api/apps/sales/restart", data={"next": written} if written else None)
    assert (answer.status_code, answer.headers["location"]) == (303, location)


def test_nobody_waits_for_a_slow_start(tmp_path: Path) -> None:
    hub = hub_at(tmp_path, ByCookie())
    with Slow() as slow, serving(hub) as url, client(url, ADMINISTRATOR, **SCRIPT) as admin:
        on_loop(hub, hub.add(slow, "/slow", on=False))
        answer = admin.post("/_hub/api/apps/slow/on")
        assert (answer.status_code, answer.json()["state"]) == (202, "starting")
        slow.may_go_on.set()
        assert admin.get("/slow/").status_code == 200


def test_without_a_sign_in_only_this_machine_switches(tmp_path: Path) -> None:
    hub = hub_at(tmp_path)
    hub.mount(page, "/sales")
    with serving(hub) as url, client(url, **SCRIPT) as local:
        by_proxy = {"X-Forwarded-For": "203.0.113.9"}
        assert local.post("/_hub/api/apps/sales/off", headers=by_proxy).status_code == 403
        assert local.post("/_hub/api/apps/sales/off", headers={"Host": "evil.example"}).status_code == 403
        assert local.post("/_hub/api/apps/sales/off").json()["state"] == "off"
        assert httpx.get(f"{url}/_hub/api/apps", headers=by_proxy).json()["apps"][0]["managed"] is None
