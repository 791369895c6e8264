"""Health, readiness and metrics, for what watches over a server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flash.hub.hub import Hub

from ...live.conftest import wait_until
from ..serving import on_loop, serving
from .site import ADMINISTRATOR, ByCookie, Slow, broken, client, hub_at, page


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    hub = hub_at(tmp_path, ByCookie(), metrics_token="a long token")
    hub.mount(page, "/sales", access="public")
    hub.mount(page, "/off", on=False)
    hub.mount(page, "/sleepy", on_demand=True)
    return hub


@pytest.fixture
def url(hub: Hub) -> Iterator[str]:
    with serving(hub) as url:
        yield url


def test_ready_is_when_all_that_is_on_can_be_used(hub: Hub, url: str) -> None:
    with Slow() as slow, client(url) as watcher:
        wait_until(lambda: hub["sales"].status().state == "running")
        for name, access in (("slow", "public"), ("secret", ["nobody"])):
            on_loop(hub, hub.add(slow, f"/{name}", access=access))
        assert watcher.get("/_hub/health").json() == {"status": "ok"}
        answer = watcher.get("/_hub/ready")
        assert answer.status_code == 503
        assert answer.json() == {"ready": False, "apps": {"slow": "starting"}, "others": 1}
        assert watcher.get("/_hub/ready/slow").status_code == 503
        assert watcher.get("/_hub/ready/sales").json() == {"ready": True, "state": "running"}
        token = {"Authorization": "Bearer a long token"}
        for name, status in (("sleepy", 200), ("off", 503), ("secret", 503), ("none", 404)):
            # Strangers do not learn what is not open to them; what watches over the server has the token.
            assert watcher.get(f"/_hub/ready/{name}").status_code == 404
            assert watcher.get(f"/_hub/ready/{name}", headers=token).status_code == status
        assert watcher.get("/_hub/ready/off", headers=token).json() == {"ready": False, "state": "off"}
        slow.may_go_on.set()
        wait_until(lambda: watcher.get("/_hub/ready").status_code == 200)


def test_a_failed_app_is_not_ready_and_says_no_more(tmp_path: Path) -> None:
    hub = hub_at(tmp_path, ByCookie())
    hub.mount(broken, "/broken", access="public")
    with serving(hub) as url, client(url) as watcher:
        wait_until(lambda: hub["broken"].status().state == "backoff")
        answer = watcher.get("/_hub/ready")
        assert answer.status_code == 503 and "hunter2" not in answer.text


def test_metrics_are_for_administrators_and_who_has_the_token(url: str) -> None:
    def status(who: str | None = None, **headers: str) -> int:
        with client(url, who) as visitor:
            return visitor.get("/_hub/metrics", headers=headers).status_code

    assert status() == 403
    assert status("ann:finance") == 403
    assert status(Authorization="Bearer another token") == 403
    assert status(Authorization="Bearer a long token") == 200
    assert status(ADMINISTRATOR) == 200


def test_without_a_sign_in_this_machine_reads_the_metrics(tmp_path: Path) -> None:
    with serving(hub_at(tmp_path)) as url, client(url) as local:
        assert local.get("/_hub/metrics").status_code == 200
        assert local.get("/_hub/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 403


def test_metrics_count_what_apps_answer(hub: Hub, url: str) -> None:
    with client(url, ADMINISTRATOR) as admin:
        for _ in range(3):
            admin.get("/sales/")
        admin.get("/off/")
        text = admin.get("/_hub/metrics").text
    for line in (
        'flash_hub_requests_total{app="sales",status="2xx"} 3.0',
        'flash_hub_requests_total{app="off",status="5xx"} 1.0',
        'flash_hub_request_seconds_count{app="sales"} 3.0',
        'flash_hub_app_state{app="sales",state="running"} 1.0',
        'flash_hub_app_state{app="sales",state="off"} 0.0',
        'flash_hub_app_on{app="off"} 0.0',
        'flash_hub_requests_in_flight{app="sales"} 0.0',
        'flash_hub_app_restarts_total{app="sales"} 0.0',
    ):
        assert line in text.splitlines()
    assert "process_resident_memory_bytes" in text


def test_metrics_name_what_is_to_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    hub = hub_at(tmp_path)
    hub.mount(page, "/sales")
    with serving(hub) as url, client(url) as local:
        assert local.get("/sales/").status_code == 200
        answer = local.get("/_hub/metrics")
    assert answer.status_code == 501 and "dash-flash[hub]" in answer.text
