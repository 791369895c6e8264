"""Managers to test: with processes and with a real Celery worker."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import diskcache
import pytest

from flash.background import CeleryManager, DiskcacheManager

from .polling import prepare, wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def celery_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The Celery app of :mod:`.worker`, with Redis and a worker of two processes behind it."""
    if shutil.which("redis-server") is None:
        pytest.skip("These tests need redis-server: scripts/test installs it.")
    folder = tmp_path_factory.mktemp("redis")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ["FLASH_TEST_REDIS"] = f"redis://127.0.0.1:{port}/0"
    options = ["--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder)]
    redis = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
    worker = None
    try:
        wait_until(lambda: _listens(port), "a connection to Redis")
        from .worker import app

        command = "-m celery -A tests.background.worker worker --pool=prefork --concurrency=2 --loglevel=ERROR"
        worker = subprocess.Popen(
            [sys.executable, *command.split(), "--without-gossip", "--without-mingle", "--without-heartbeat"],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        wait_until(lambda: _answers(app), "an answer of the Celery worker")
        yield app
        app.close()
    finally:
        for process in filter(None, (worker, redis)):
            _end(process)


def _answers(app: Any) -> Any:
    # Over a connection that is closed at once: one in a pool waits for replies for ever, and a process that is forked
    # later, by whatever test, would wait with it.
    with app.connection_for_write() as connection:
        return app.control.ping(timeout=0.2, connection=connection)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Any]:
    """A cache in a folder of its own."""
    with diskcache.Cache(str(tmp_path / "cache")) as opened:
        yield opened


@pytest.fixture(params=["diskcache", "celery"])
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Makes managers of one kind that share a store."""
    if request.param == "celery":
        app = request.getfixturevalue("celery_app")
        return lambda **options: prepare(CeleryManager(app, **options))
    cache = request.getfixturevalue("cache")
    return lambda **options: prepare(DiskcacheManager(cache, **options))


@pytest.fixture
def manager(make: Callable[..., Any]) -> Any:
    """A manager without a cache of results."""
    return make()


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of the managers' business."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()
