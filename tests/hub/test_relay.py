"""WebSockets between browsers and an app in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from flash.hub import relay
from flash.hub.host import AppUnreachable
from flash.hub.proxy import Proxy

from ..apps import run
from ..live.asgi import eventually
from ..server.run_programs import free_port
from .upstreams import Reader, Script, Writer, child, on_server

#: Servers in front of the hub. Hypercorn tells apps of no close code but 1006, whatever the browser says.
FRONTS = ["hypercorn", "uvicorn"]


@asynccontextmanager
async def relayed(
    front: str, handler: Callable[[ServerConnection], Awaitable[Any]], **options: Any
) -> AsyncIterator[str]:
    """The url of an app whose WebSockets are served by a function, behind a proxy and a server."""
    port = free_port()
    async with serve(handler, "127.0.0.1", port, **options):
        proxy = Proxy(f"127.0.0.1:{port}", "s3cret")
        async with on_server(front, proxy) as site:
            yield f"ws://{site}"
        await proxy.close()


def checked(front: str, handler: Any, test: Callable[[str], Awaitable[None]], **options: Any) -> None:
    """Run a test with the url of an app."""

    async def main() -> None:
        async with relayed(front, handler, **options) as url:
            await test(url)

    run(main)


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("message", ["text", "Zoë ☃", "", b"\x00\xff", b"", "x" * 1_000_000, bytes(1_000_000)])
def test_messages_arrive_as_they_are(front: str, message: str | bytes) -> None:
    async def test(url: str) -> None:
        async with connect(url) as connection:
            for _ in range(2):
                await connection.send(message)
                assert await connection.recv() == message

    checked(front, echo, test)


def test_a_message_in_pieces_arrives_whole() -> None:
    async def in_pieces(connection: ServerConnection) -> None:
        await connection.send(["a", "b", "", "c"])
        await connection.send([b"d", b"e"])

    async def test(url: str) -> None:
        async with connect(url) as connection:
            assert [await connection.recv(), await connection.recv()] == ["abc", b"de"]

    checked("uvicorn", in_pieces, test)


@pytest.mark.parametrize("front", FRONTS)
def test_the_handshake_arrives_as_it_was_sent(front: str) -> None:
    seen: list[Any] = []

    async def look(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append((connection.request.path, connection.request.headers))
        await connection.send(connection.subprotocol or "")

    async def test(url: str) -> None:
        headers = {"x-hub-secret": "forged", "X-Other": "1", "Cookie": "a=1"}
        options = {"additional_headers": headers, "origin": "http://site.test", "compression": "deflate"}
        async with connect(f"{url}/a%2Fb?x=%20", subprotocols=["one", "two"], **options) as connection:
            assert connection.subprotocol == await connection.recv() == "two"
            assert "sec-websocket-extensions" not in seen[0][1]

    checked(front, look, test, subprotocols=["two"])
    path, headers = seen[0]
    assert path == "/a%2Fb?x=%20"
    assert headers.get_all("x-hub-secret") == ["s3cret"]
    assert (headers["x-other"], headers["cookie"], headers["origin"]) == ("1", "a=1", "http://site.test")


def test_headers_of_an_accepted_handshake_arrive() -> None:
    async def test(url: str) -> None:
        async with connect(url) as connection:
            assert connection.response is not None
            assert connection.response.headers.get_all("set-cookie") == ["a=1", "b=2"]
            assert len(connection.response.headers.get_all("date")) <= 1

    def answer(connection: ServerConnection, request: Any, response: Any) -> None:
        response.headers["Set-Cookie"] = "a=1"
        response.headers["Set-Cookie"] = "b=2"

    checked("uvicorn", echo, test, process_response=answer)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("status,text", [(401, "Sign in."), (403, ""), (503, "x" * 100_000)])
def test_a_refusal_arrives_with_its_status_headers_and_body(front: str, status: int, text: str) -> None:
    def refuse(connection: ServerConnection, request: Any) -> Any:
        response = connection.respond(status, text)
        response.headers["X-Why"] = "because"
        return response

    async def test(url: str) -> None:
        with pytest.raises(InvalidStatus) as refused:
            await connect(url)
        response = refused.value.response
        assert (response.status_code, response.headers["x-why"]) == (status, "because")
        assert response.body == text.encode()

    checked(front, echo, test, process_request=refuse)


def test_a_server_that_cannot_refuse_with_an_answer_closes() -> None:
    async def main() -> None:
        messages: list[Any] = []

        async def refuse(script: Script, reader: Reader, writer: Writer) -> None:
            await script.head(reader)
            writer.write(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n")

        async def send(message: Any) -> None:
            messages.append(message)

        async with child(refuse) as script:
            await Proxy(script.bind, None)(scope(), receiving({"type": "websocket.connect"}), send)
        assert [message["type"] for message in messages] == ["websocket.close"]

    run(main)


def scope() -> dict[str, Any]:
    return {"type": "websocket", "path": "/", "raw_path": b"/", "query_string": b"", "headers": [], "extensions": {}}


def receiving(*messages: Any) -> Callable[[], Awaitable[Any]]:
    left = list(messages)

    async def receive() -> Any:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    return receive


# Ends. ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("code,reason", [(1000, ""), (1001, "going"), (1008, "policy"), (4401, "Zoë"), (3000, "")])
def test_the_apps_close_arrives(front: str, code: int, reason: str) -> None:
    async def close(connection: ServerConnection) -> None:
        await connection.close(code, reason)

    async def test(url: str) -> None:
        async with connect(url) as connection:
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            assert (connection.close_code, connection.close_reason) == (code, reason)

    checked(front, close, test)


@pytest.mark.parametrize(
    "front,code,reason,arrives",
    [
        ("uvicorn", 1000, "", (1000, "")),
        ("uvicorn", 4400, "why", (4400, "why")),
        ("hypercorn", 4400, "why", (1001, "")),
    ],
)
def test_the_browsers_close_arrives(front: str, code: int, reason: str, arrives: tuple[int, str]) -> None:
    seen: list[Any] = []

    async def watch(connection: ServerConnection) -> None:
        await connection.wait_closed()
        seen.append((connection.close_code, connection.close_reason))

    async def test(url: str) -> None:
        async with connect(url) as connection:
            await connection.close(code, reason)
        await eventually(lambda: seen)
        assert seen == [arrives]

    checked(front, watch, test)


@pytest.mark.parametrize("front", FRONTS)
def test_a_browser_that_breaks_off_ends_it_at_the_app(front: str) -> None:
    ended = asyncio.Event()

    async def watch(connection: ServerConnection) -> None:
        await connection.wait_closed()
        ended.set()

    async def test(url: str) -> None:
        connection = await connect(url)
        connection.transport.abort()
        await asyncio.wait_for(ended.wait(), 5)

    checked(front, watch, test)


@pytest.mark.parametrize("front", FRONTS)
def test_an_app_that_breaks_off_asks_to_come_back(front: str) -> None:
    async def crash(connection: ServerConnection) -> None:
        await connection.send("first")
        connection.transport.abort()

    async def test(url: str) -> None:
        async with connect(url) as connection:
            assert await connection.recv() == "first"
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            assert connection.close_code == 1012

    checked(front, crash, test)


def test_an_app_that_sends_too_much_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "_LARGEST", 1000)
    codes: list[Any] = []

    async def flood(connection: ServerConnection) -> None:
        await connection.send("x" * 1000)
        await connection.send(["x" * 600, "x" * 600])
        await connection.wait_closed()
        codes.append(connection.close_code)

    async def test(url: str) -> None:
        async with connect(url) as connection:
            assert await connection.recv() == "x" * 1000
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            assert connection.close_code == 1009
        await eventually(lambda: codes)
        assert codes == [1009]

    checked("uvicorn", flood, test)


def test_pings_of_the_app_are_answered() -> None:
    async def ping(connection: ServerConnection) -> None:
        await asyncio.wait_for(await connection.ping(b"payload"), 5)
        await connection.send("answered")

    async def test(url: str) -> None:
        async with connect(url) as connection:
            assert await connection.recv() == "answered"

    checked("hypercorn", ping, test)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: forged\r\n\r\n",
    ],
)
def test_an_app_that_does_not_answer_the_handshake(answer: bytes) -> None:
    async def main() -> None:
        async def handler(script: Script, reader: Reader, writer: Writer) -> None:
            await script.head(reader)
            writer.write(answer)

        async def send(message: Any) -> None:
            raise AssertionError(message)

        async with child(handler) as script:
            with pytest.raises(AppUnreachable, match="handshake"):
                await Proxy(script.bind, None)(scope(), receiving({"type": "websocket.connect"}), send)

    run(main)


def test_a_browser_that_leaves_within_the_handshake() -> None:
    ended = asyncio.Event()

    async def main() -> None:
        async def patient(script: Script, reader: Reader, writer: Writer) -> None:
            await script.head(reader)
            await reader.read()
            ended.set()

        async def send(message: Any) -> None:
            raise AssertionError(message)

        async with child(patient) as script:
            connected = [{"type": "websocket.connect"}]

            async def receive() -> Any:
                if connected:
                    return connected.pop()
                await eventually(lambda: script.heads)
                return {"type": "websocket.disconnect", "code": 1006}

            await Proxy(script.bind, None)(scope(), receive, send)
            await asyncio.wait_for(ended.wait(), 5)

    run(main)


def test_a_browser_that_does_not_read_makes_the_app_wait() -> None:
    sent = 0

    async def flood(connection: ServerConnection) -> None:
        nonlocal sent
        for _ in range(1000):
            await connection.send(bytes(65536))
            sent += 1

    async def test(url: str) -> None:
        async with connect(url, max_queue=1, compression=None) as connection:
            before = -1
            while before != sent or not sent:
                before = sent
                await asyncio.sleep(0.2)
            assert sent < 200
            for _ in range(1000):
                await connection.recv()

    checked("uvicorn", flood, test)


def test_browsers_and_the_app_talk_at_the_same_time() -> None:
    async def test(url: str) -> None:
        connections: list[ClientConnection] = [await connect(url) for _ in range(20)]
        for number in range(50):
            await asyncio.gather(*(each.send(f"{number}") for each in connections))
        for each in connections:
            assert [await each.recv() for _ in range(50)] == [f"{number}" for number in range(50)]
            await each.close()

    checked("uvicorn", echo, test)
