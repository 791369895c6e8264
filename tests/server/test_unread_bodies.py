"""An app may answer without reading what it was sent, and nothing is left behind."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from flash.server.serving import Server
from flash.server.settings import read_settings

PATIENCE = 30.0
LENGTH = 20_000_000


class Unread:
    """An app that answers at once, and knows when its last request was over."""

    def __init__(self) -> None:
        self.over = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        try:
            await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"3")]})
            await send({"type": "http.response.body", "body": b"no\n"})
        finally:
            self.over.set()


@pytest.fixture
def app() -> Unread:
    return Unread()


@pytest.fixture
def port(app: Unread) -> Iterator[int]:
    config = read_settings("127.0.0.1", 0, False, {}).config
    number = config.create_sockets().insecure_sockets[0].getsockname()[1]
    listening = threading.Event()
    server = Server(app, config, on_listening=listening.set)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert listening.wait(PATIENCE)
    yield number
    server.stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.mark.parametrize("framing", [f"Content-Length: {LENGTH}", "Transfer-Encoding: chunked"])
def test_an_upload_that_nobody_reads_ends_with_its_answer(app: Unread, port: int, framing: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        client.sendall(f"POST / HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode())
        piece = b"x" * 65_536
        chunk = b"10000\r\n" + piece + b"\r\n" if "chunked" in framing else piece
        try:
            for _ in range(LENGTH // len(piece)):
                client.sendall(chunk)
        except OSError:
            pass  # The server has closed: it need not read what the app does not want.
        assert app.over.wait(PATIENCE), "The app's last message was never taken."
