"""The process of one app as a hub starts it, and a client that speaks to it as the hub's proxy does.

Example:
    >>> with running("flask_app.py", tmp_path) as app:
    ...     assert app.client.get("/").text == "flask index"
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import aiohttp
import httpx

from ..apps import body

APPS = Path(__file__).parent / "apps"
ROOT = Path(__file__).parents[2]

#: No wait of these tests is longer, in seconds.
PATIENCE = 60.0

SECRET = "a-secret-of-the-tests"


@dataclass
class Running:
    """A process that runs, its log and a client with the hub's secret."""

    process: subprocess.Popen[bytes]
    socket: str
    prefix: str
    log_file: Path
    _clients: list[httpx.Client] = field(default_factory=list)

    @property
    def log(self) -> str:
        """All that the process has written."""
        return self.log_file.read_text()

    @cached_property
    def client(self) -> httpx.Client:
        """Asks as the hub does, for a visitor at a browser."""
        return self.client_with(headers_of_hub(self.prefix))

    def client_with(self, headers: dict[str, str]) -> httpx.Client:
        """Asks with other headers."""
        transport = httpx.HTTPTransport(uds=self.socket)
        client = httpx.Client(transport=transport, base_url="http://site.test", headers=headers, timeout=PATIENCE)
        self._clients.append(client)
        return client

    def value(self, output: str, inputs: dict[str, Any], at: str = "/") -> Any:
        """What a callback gives to its one output."""
        answer = self.client.post(f"{at}_dash-update-component", json=body(output, inputs))
        assert answer.status_code == 200, (answer.status_code, answer.text)
        component, prop = output.rsplit(".", 1)
        return answer.json()["response"][component][prop]

    def session(self) -> aiohttp.ClientSession:
        """A client for WebSockets and streams; made and used on a loop."""
        return aiohttp.ClientSession(
            "http://site.test",
            connector=aiohttp.UnixConnector(self.socket),
            headers=headers_of_hub(self.prefix),
        )

    def ask_to_end(self) -> None:
        """What the hub does to stop it."""
        self.process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """End the process if it runs, and the clients."""
        for client in self._clients:
            client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)

    def exit_code(self) -> int:
        """Wait for its end."""
        return self.process.wait(PATIENCE)


def headers_of_hub(prefix: str) -> dict[str, str]:
    """What the hub adds to a request of Zoë's, who sits behind 203.0.113.9."""
    return {
        "x-hub-secret": SECRET,
        "x-hub-user": "zo%C3%AB",
        "x-hub-roles": "finance,a%2Cb",
        "x-forwarded-for": "203.0.113.9",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "site.test",
        "x-forwarded-prefix": prefix,
        "host": "site.test",
        "origin": "https://site.test",
    }


def start(
    target: str, folder: Path, prefix: str = "/sales", env: dict[str, str] | None = None, **fields: Any
) -> Running:
    """Start the process of an app, and return at once."""
    path, log_file = folder / "app.sock", folder / "app.log"
    child = {"name": "sales", "target": target, "prefix": prefix, "bind": f"unix:{path}", "secret": SECRET, **fields}
    environment = {
        **os.environ,
        "FLASH_HUB_CHILD": json.dumps(child),
        "FLASH_INSTANCE_PATH": str(folder / "instance"),
        "PYTHONPATH": str(ROOT),
        **(env or {}),
    }
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flash.hub.runner"],
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    return Running(process, str(path), prefix, log_file)


@contextmanager
def running(target: str | Path, folder: Path, **options: Any) -> Iterator[Running]:
    """An app that is ready; its process is gone afterwards.

    Args:
        target: The name of a sample app, or any target.
        folder: Where its socket, log and working directory are.
        **options: Of :func:`start`.
    """
    sample = (APPS / str(target).partition(":")[0]).exists() and not Path(target).is_absolute()
    path = f"{APPS}/{target}" if sample else str(target)
    app = start(path, folder, **options)
    try:
        wait_until_ready(app)
        yield app
    finally:
        app.close()


def wait_until_ready(app: Running) -> None:
    """Wait as the hub does."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert app.process.poll() is None, app.log
        if _accepts(app.socket):
            assert app.client.get("/_hub-ready").status_code == 204
            return
        time.sleep(0.02)
    raise AssertionError(f"The app did not become ready.\n{app.log}")


def _accepts(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
        return True
