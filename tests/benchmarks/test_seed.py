"""The benchmark of dash_devices in its short form, and what its figures stand on: the delay, and the counting."""

from __future__ import annotations

import asyncio
import importlib
import json
import statistics
import time
from pathlib import Path
from typing import Any

import pytest

from .test_short import BENCHMARKS, rows_of

Json = dict[str, Any]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of the benchmarks."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def run_quick(file: Path, *options: str) -> Json:
    """Run the short form; what it has measured."""
    rows_of("seed.py", "--quick", "--json", str(file), *options)
    found: Json = json.loads(file.read_text())
    return found


def check_times(row: Json) -> None:
    """A row of round trips can be true."""
    assert row["delay"] <= row["p50"] <= row["p95"] <= row["p99"]
    assert row["low"] <= row["p50"] <= row["high"] or row["samples"] < 10
    assert row["opened"] == 0


def test_short_form(tmp_path: Path) -> None:
    found = run_quick(
        tmp_path / "seed.json", "--kinds", "flash-http", "flash-live", "--parts", "network", "raw", "order"
    )
    labels = ["Flash, HTTP, plain", "Flash, HTTP, async", "Flash, live, plain", "Flash, live, async"]
    assert [row["delay"] for row in found["network"]] == [None, 0, 5, 50]
    assert [(row["arm"], row["delay"]) for row in found["raw"]] == [(a, delay) for delay in (0, 5, 50) for a in labels]
    for row in found["raw"]:
        check_times(row)
    assert sorted((row["arm"], row["delay"]) for row in found["order"]) == sorted(
        (a, delay) for delay in (0, 50) for a in labels
    )
    for row in found["order"]:
        assert (row["drags"], row["sent"], row["set"]) == (2, 120, 120)
        assert row["wrong"] <= row["drags"] and row["late"] < row["sent"] and row["overtaken"] < row["set"]
        if row["arm"] == "Flash, live, async":
            assert row["late"] == 0, "One connection keeps the order."


def test_dash_is_measured_over_its_own_websocket(tmp_path: Path) -> None:
    found = run_quick(tmp_path / "seed.json", "--kinds", "dash-quart-ws", "dash-quart-ws-0", "--parts", "raw")
    assert len(found["raw"]) == 3 * 4
    for row in found["raw"]:
        check_times(row)


@pytest.mark.browser
def test_short_form_in_a_browser(tmp_path: Path) -> None:
    found = run_quick(tmp_path / "seed.json", "--kinds", "flash-live", "flash-http", "--parts", "browser")
    assert len(found["browser"]) == 2 * 4
    for row in found["browser"]:
        check_times(row)


def test_the_proxy_delays_both_ways_and_keeps_every_byte_in_order(module: Any) -> None:
    delayed = module("delay").delayed
    sent = [bytes([number % 251]) * 997 for number in range(2000)]

    async def run() -> tuple[list[float], bytes]:
        server = await asyncio.get_running_loop().create_server(module("seed_network").Echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with delayed([port], 0.02, jitter=0.01) as proxies:
            began, times = time.perf_counter(), []
            reader, writer = await asyncio.open_connection("127.0.0.1", proxies[port])
            for _ in range(10):
                writer.write(b"x")
                await reader.readexactly(1)
                times.append(time.perf_counter() - began)
                began = time.perf_counter()
            writer.writelines(sent)
            came = await reader.readexactly(sum(map(len, sent)))
            writer.close()
            await writer.wait_closed()
        server.close()
        return times, came

    times, came = asyncio.run(run())
    assert min(times) >= 0.02
    assert times[0] >= 0.04, "The first byte waits until the connection could have been made."
    assert came == b"".join(sent)


def test_the_proxy_ends_both_ends(module: Any) -> None:
    async def run() -> bytes:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readexactly(5))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with module("delay").delayed([port], 0.01) as proxies:
            reader, writer = await asyncio.open_connection("127.0.0.1", proxies[port])
            writer.write(b"hello")
            came = await reader.read()
            writer.close()
            await writer.wait_closed()
        server.close()
        return came

    assert asyncio.run(run()) == b"hello"


@pytest.mark.parametrize(
    ("values", "late", "overtaken"),
    [([], 0, 0), ([1, 2, 3], 0, 0), ([2, 1, 3], 1, 1), ([3, 1, 2], 2, 1), ([1, 3, 4, 2], 1, 2)],
)
def test_counting_what_was_turned_round(module: Any, values: list[int], late: int, overtaken: int) -> None:
    figures = module("seed_figures")
    assert (figures.late(values), figures.overtaken(values)) == (late, overtaken)


def test_percentiles_and_the_interval_of_the_median(module: Any) -> None:
    figures = module("seed_figures")
    assert [figures.percentile([4, 1, 3, 2, 5], percent) for percent in (0, 50, 75, 100)] == [1, 3, 4, 5]
    assert figures.percentile([1, 2], 50) == 1.5
    blocks = [[0.001, 0.002, 0.003], [0.002, 0.003, 0.004], [0.004, 0.005, 0.006]]
    found = figures.spread(blocks)
    medians = [1e3 * statistics.median(block) for block in blocks]
    assert found.samples == 9 and found.p50 == pytest.approx(3)
    assert min(medians) <= found.low < found.p50 < found.high <= max(medians)
    assert figures.spread([[0.001] * 5] * 3).low == figures.spread([[0.001] * 5] * 3).high
