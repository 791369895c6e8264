"""``hypercorn module:app``, ``uvicorn module:app`` and ``granian module:app``: the app itself is what they serve."""

from __future__ import annotations

import http.client
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .run_programs import PATIENCE, PREAMBLE, Program, answers, call, free_port, get, started

APP = (
    PREAMBLE
    + """
@app.callback(Output("plain", "children"), Input("button", "n_clicks"))
def plain(clicks):
    return f"plain {clicks}"

@app.callback(Output("async", "children"), Input("button", "n_clicks"))
async def asynchronous(clicks):
    await asyncio.sleep(0)
    return f"async {clicks}"
"""
)

SERVERS = {
    "hypercorn": lambda port: ["-m", "hypercorn", "program:app", "--bind", f"127.0.0.1:{port}"],
    "uvicorn": lambda port: ["-m", "uvicorn", "program:app", "--port", str(port)],
    "granian": lambda port: ["-m", "granian", "--interface", "asgi", "program:app", "--port", str(port)],
    "hypercorn, the server": lambda port: ["-m", "hypercorn", "program:app.server", "--bind", f"127.0.0.1:{port}"],
}


@contextmanager
def served(name: str, folder: Path, source: str = APP) -> Iterator[tuple[Program, tuple[str, int]]]:
    (folder / "program.py").write_text(source)
    port = free_port()
    with started(SERVERS[name](port), folder) as running:
        try:
            yield running, answers(port)
        finally:
            if running.process.poll() is None:
                running.ends_after(signal.SIGTERM)  # Killed, Hypercorn would leave its worker behind.


@pytest.mark.parametrize("name", SERVERS)
def test_the_app_is_served_and_ends_cleanly(name: str, tmp_path: Path) -> None:
    with served(name, tmp_path) as (running, address):
        status, index = get(address, "/")
        assert status == 200 and "_dash-config" in index
        assert get(address, "/_dash-layout")[0] == 200
        assert json.loads(call(address, "plain.children")[1])["response"]["plain"]["children"] == "plain 1"
        assert json.loads(call(address, "async.children")[1])["response"]["async"]["children"] == "async 1"
        assert call(address, "no.such")[0] == 404
        assert running.ends_after(signal.SIGTERM) in (0, -signal.SIGTERM)
        assert "Traceback" not in running.output


@pytest.mark.parametrize("name", ["hypercorn", "uvicorn"])
def test_a_client_that_sends_65_mib_reads_the_refusal(name: str, tmp_path: Path) -> None:
    with served(name, tmp_path) as (running, address):
        connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
        connection.request("POST", "/_dash-update-component", b" " * (65 << 20), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 413 and "67108864 bytes" in answer.read().decode()
        connection.close()
        assert call(address, "plain.children")[0] == 200
        assert "Traceback" not in running.output


@pytest.mark.parametrize("name", ["hypercorn", "uvicorn"])
def test_an_error_in_a_declaration_ends_the_start(name: str, tmp_path: Path) -> None:
    source: Any = APP + "\napp.layout = html.Div([html.Div(id='twice'), html.Div(id='twice')])\n"
    (tmp_path / "program.py").write_text(source)
    with started(SERVERS[name](free_port()), tmp_path) as running:
        running.ends()  # With status 0 under Hypercorn, which does not tell.
        assert "Duplicate component id" in running.output
