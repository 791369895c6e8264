"""A small HTTP client that keeps its connections and costs little, so that the server is what is measured."""

from __future__ import annotations

import asyncio
import json
from types import TracebackType
from typing import Any

#: What Chromium sends with a callback.
BROWSER_HEADERS = {
    "User-Agent": (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
    ),
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-US,en;q=0.9",
    "Cookie": "session=eyJ1c2VyIjoiYWRhIn0.Z1x2Yw.0123456789abcdef0123456789a",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
    "Connection": "keep-alive",
}


def callback_request(name: str, port: int, value: Any = 1) -> bytes:
    """The HTTP request by which Dash's renderer calls the callback with the output ``name.children``."""
    body = json.dumps(
        {
            "output": f"{name}.children",
            "outputs": {"id": name, "property": "children"},
            "inputs": [{"id": "in", "property": "value", "value": value}],
            "changedPropIds": ["in.value"],
            "parsedChangedPropsIds": ["in.value"],
        }
    ).encode()
    headers = {
        "Host": f"127.0.0.1:{port}",
        "Origin": f"http://127.0.0.1:{port}",
        "Referer": f"http://127.0.0.1:{port}/",
        **BROWSER_HEADERS,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return b"POST /_dash-update-component HTTP/1.1\r\n" + lines.encode() + b"\r\n" + body


def page_request(path: str, port: int) -> bytes:
    """The HTTP request by which a browser gets a page or a script."""
    headers = {"Host": f"127.0.0.1:{port}", **BROWSER_HEADERS, "Accept": "*/*"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode()


class Connection:
    """One kept connection, for one request at a time. Servers close it after a while; then it is opened anew."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def open(self) -> None:
        """Connect to the server on this machine."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def send(self, request: bytes) -> bytes:
        """Send a request and return the body of its answer.

        Raises:
            RuntimeError: The status is not 200.
        """
        head = await self._head_of_answer(request)
        status, _, fields = head.partition(b"\r\n")
        headers = fields.lower()
        if b"transfer-encoding: chunked" in headers:
            body = await self._read_chunks()
        else:
            length = int(headers.partition(b"content-length:")[2].partition(b"\r\n")[0])
            body = await self._reader.readexactly(length)
        if b" 200" not in status:
            raise RuntimeError(f"The server answered {status.decode()}: {body[:500].decode(errors='replace')}")
        return body

    async def _head_of_answer(self, request: bytes) -> bytes:
        try:
            self._writer.write(request)
            return await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            # Hypercorn closes a connection after 1000 requests, and every server one that was idle for long.
            self.close()
            await self.open()
            self._writer.write(request)
            return await self._reader.readuntil(b"\r\n\r\n")

    async def _read_chunks(self) -> bytes:
        body = bytearray()
        while size := int(await self._reader.readline(), 16):
            body += await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        await self._reader.readexactly(2)
        return bytes(body)

    def close(self) -> None:
        """Close it; a server that still answers sees the client go away."""
        self._writer.close()


class Connections:
    """Connections to one server, opened with the block and closed with it."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._count = count
        self._all: list[Connection] = []

    async def __aenter__(self) -> list[Connection]:
        self._all = [Connection(self._port) for _ in range(self._count)]
        for connection in self._all:
            await connection.open()
        return self._all

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for connection in self._all:
            connection.close()


async def send_many(connections: list[Connection], request: bytes, count: int) -> None:
    """Send a request ``count`` times, over all connections at once, each waiting for its answers."""
    left = iter(range(count))

    async def work(connection: Connection) -> None:
        for _ in left:
            await connection.send(request)

    async with asyncio.TaskGroup() as group:
        for connection in connections:
            group.create_task(work(connection))


async def answer_of(connection: Connection, port: int, name: str) -> Any:
    """What a callback returns."""
    answer = json.loads(await connection.send(callback_request(name, port)))
    return answer["response"][name]["children"]
