"""Commands as other frameworks' servers are: told their path whole, or served as if alone, by WebSocket too."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from flash.hub.hub import Hub

from .serving import serving

SERVER = str(Path(__file__).parent / "apps" / "framework_server.py")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    hub = Hub(home=str(tmp_path_factory.mktemp("hub")))
    # As ``streamlit run x.py --server.port={port} --server.baseUrlPath={prefix}``: it answers below its path alone.
    told = [sys.executable, SERVER, "--port={port}", "--address={host}", "--base={prefix}"]
    hub.mount(told, "/told", ready="{prefix}/health")
    # As ``panel serve x.py --port {port}``: it knows nothing of its path.
    hub.mount([sys.executable, SERVER, "--port", "{port}"], "/alone/below", name="alone", ready="/health")
    with serving(hub) as url:
        yield url


@pytest.mark.parametrize(("prefix", "base"), [("/told", "/told"), ("/alone/below", "")])
def test_it_is_asked_as_it_expects(site: str, prefix: str, base: str) -> None:
    answer = httpx.get(f"{site}{prefix}/page/one?x=%2F&x=2", timeout=60)
    assert answer.json()["target"] == f"{base}/page/one?x=%2F&x=2"
    said: dict[str, Any] = answer.json()["headers"]
    assert said["x-forwarded-prefix"] == prefix
    assert said["host"] == site.removeprefix("http://")
    # What it does not have is its own answer.
    assert httpx.get(f"{site}{prefix}/nowhere", timeout=60).text == f"nothing at {base}/nowhere"


@pytest.mark.parametrize(("prefix", "base"), [("/told", "/told"), ("/alone/below", "")])
def test_its_pages_talk_by_websocket(site: str, prefix: str, base: str) -> None:
    origin = site
    address = f"{site.replace('http', 'ws', 1)}{prefix}/_stream"
    with connect(address, origin=origin, subprotocols=["framework", "other"]) as socket:
        assert socket.subprotocol == "framework"
        assert json.loads(socket.recv(timeout=60))["target"] == f"{base}/_stream"
        for message in ("text", b"\x00bytes", "x" * 200_000):
            socket.send(message)
            assert socket.recv(timeout=60) == message
    with pytest.raises(InvalidStatus) as refused:
        connect(f"{site.replace('http', 'ws', 1)}{prefix}/nowhere", origin=origin)
    assert refused.value.response.status_code == 404
