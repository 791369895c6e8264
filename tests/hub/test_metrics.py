"""What a hub measures, without a hub."""

from __future__ import annotations

import asyncio
import sys

import pytest

from flash.hub.metrics import Metrics, Prometheus, new_metrics


def lines(metrics: Metrics) -> list[str]:
    return asyncio.run(metrics.text({})).decode().splitlines()


def test_requests_are_counted_by_app_and_class() -> None:
    metrics = new_metrics()
    for status in (200, 204, 304, 404, 500, 599):
        metrics.observe("sales", status, 0.02)
    metrics.observe("sales", 0, 0.02)
    metrics.connected("sales")
    found = lines(metrics)
    for status, count in (("2xx", 2), ("3xx", 1), ("4xx", 1), ("5xx", 2), ("none", 1)):
        assert f'flash_hub_requests_total{{app="sales",status="{status}"}} {count}.0' in found
    assert 'flash_hub_request_seconds_bucket{app="sales",le="0.01"} 0.0' in found
    assert 'flash_hub_request_seconds_bucket{app="sales",le="0.025"} 7.0' in found
    assert 'flash_hub_websockets_total{app="sales"} 1.0' in found


def test_how_long_a_websocket_was_open_is_no_answer_time() -> None:
    metrics = new_metrics()
    metrics.connected("sales")
    metrics.observe("sales", 101, 3600.0)
    assert 'flash_hub_request_seconds_count{app="sales"} 0.0' in lines(metrics)


def test_what_was_counted_goes_with_its_app() -> None:
    metrics = new_metrics()
    metrics.observe("sales", 200, 0.1)
    metrics.forget("sales")
    metrics.forget("never there")
    assert not any("sales" in line for line in lines(metrics))
    metrics.observe("sales", 200, 0.1)
    assert 'flash_hub_requests_total{app="sales",status="2xx"} 1.0' in lines(metrics)


def test_hubs_of_one_process_do_not_mix() -> None:
    one, other = new_metrics(), new_metrics()
    one.observe("sales", 200, 0.1)
    assert isinstance(one, Prometheus)
    assert not any("sales" in line for line in lines(other))


def test_without_the_package_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    metrics = new_metrics()
    metrics.observe("sales", 200, 0.1)
    metrics.connected("sales")
    metrics.forget("sales")
    assert not metrics.available and lines(metrics) == []
