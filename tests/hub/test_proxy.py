"""What the proxy passes on between browsers and an app, and what it does when either goes away."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from flash.hub.host import AppUnreachable
from flash.hub.proxy import Proxy

from ..apps import run
from ..live.asgi import eventually
from .upstreams import Asking, Reader, Script, Writer, answering, asking, child, on_server

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def asked(
    handler: Any, test: Callable[[Asking, Script], Awaitable[None]], *, tcp: bool = False, **options: Any
) -> None:
    """Run a test against a child."""

    async def main() -> None:
        async with child(handler, tcp=tcp) as script, asking(script, **options) as ask:
            await test(ask, script)

    run(main)


# The question. --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tcp", [False, True])
def test_a_request_arrives_as_it_was_sent(tcp: bool) -> None:
    async def test(ask: Asking, script: Script) -> None:
        headers = [(b"host", b"site.test"), (b"x-a", b"1"), (b"x-a", b"\xe9 2"), (b"cookie", b"a=1; b=2")]
        answer = await ask("GET", "/a%2Fb/%7Ec//d;e?x=%20&y=a+b&&", headers=headers)
        assert (answer.status, answer.body, answer.is_whole) == (200, b"ok", True)
        assert script.lines == [
            b"GET /a%2Fb/%7Ec//d;e?x=%20&y=a+b&& HTTP/1.1",
            b"host: site.test",
            b"x-a: 1",
            b"x-a: \xe9 2",
            b"cookie: a=1; b=2",
        ]

    asked(answering(OK), test, tcp=tcp)


def test_the_secret_is_the_hubs_and_what_belongs_to_a_connection_stays() -> None:
    async def test(ask: Asking, script: Script) -> None:
        forged = [(b"x-hub-secret", b"forged"), (b"te", b"trailers"), (b"upgrade", b"h2c"), (b"host", b"h")]
        await ask("GET", "/", headers=forged)
        assert script.lines[1:] == [b"host: h", b"x-hub-secret: s3cret"]

    asked(answering(OK), test, secret="s3cret")


def test_a_command_may_want_its_paths_whole() -> None:
    async def test(ask: Asking, script: Script) -> None:
        await ask("GET", "/x")
        assert script.lines[0] == b"GET /st/x HTTP/1.1"

    asked(answering(OK), test, prefix="/st")


@pytest.mark.parametrize(
    "path,header",
    [
        ("/a b", (b"x", b"1")),
        ("/a\r\nx-hub-user: admin\r\n\r\n", (b"x", b"1")),
        ("/", (b"x", b"1\r\nx-hub-user: admin")),
        ("/", (b"x", b"1\nx-hub-user: admin")),
        ("/", (b"x\rx-hub-user", b"1")),
        ("/", (b"x", b"\0")),
    ],
)
def test_what_would_be_two_requests_is_refused(path: str, header: tuple[bytes, bytes]) -> None:
    async def test(ask: Asking, script: Script) -> None:
        assert (await ask("GET", path, headers=[header])).status == 400
        assert script.connections == 0

    asked(answering(OK), test)


async def echo_body(script: Script, reader: Reader, writer: Writer) -> None:
    """Answers with the bytes that came after the head, framing included, until a mark."""
    await script.head(reader)
    body = await reader.readuntil(b"END")
    writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + body)
    await writer.drain()


@pytest.mark.parametrize("pieces", [[b"abcEND"], [b"abc", b"END"], [b"abcEND", b""], [b"", b"abc", b"END", b""]])
def test_a_body_of_known_length(pieces: list[bytes]) -> None:
    async def test(ask: Asking, script: Script) -> None:
        answer = await ask("POST", "/", headers=[(b"content-length", b"6")], body=pieces)
        assert answer.body == b"abcEND"
        assert script.lines[1:] == [b"content-length: 6"]

    asked(echo_body, test)


def test_a_body_of_unknown_length_goes_in_chunks() -> None:
    async def test(ask: Asking, script: Script) -> None:
        answer = await ask("POST", "/", headers=[], body=[b"abc", b"", b"x" * 17, b"END"])
        assert answer.body == b"3\r\nabc\r\n11\r\n" + b"x" * 17 + b"\r\n3\r\nEND"
        assert script.lines[1:] == [b"transfer-encoding: chunked"]

    asked(echo_body, test)


def test_an_upload_waits_for_the_app() -> None:
    piece, count, may_read = b"x" * 65536, 1600, asyncio.Event()

    async def slow(script: Script, reader: Reader, writer: Writer) -> None:
        await script.head(reader)
        await may_read.wait()
        size = 0
        while size < len(piece) * count:
            size += len(await reader.read(1 << 20))
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n%d" % size)
        await writer.drain()

    async def test(ask: Asking, script: Script) -> None:
        taken = 0

        async def receive() -> Any:
            nonlocal taken
            if taken == count:
                await asyncio.Event().wait()
            taken += 1
            return {"type": "http.request", "body": piece, "more_body": taken < count}

        headers = [(b"content-length", b"%d" % (len(piece) * count))]
        answer, task = ask.begin("POST", "/", headers=headers, body=receive)
        await eventually(lambda: script.heads)
        before = -1
        while before != taken:  # Until nothing moves any more.
            before = taken
            await asyncio.sleep(0.1)
        assert taken < 64  # 4 of 100 MB, with what the system holds.
        may_read.set()
        await task
        assert answer.body == b"%d" % (len(piece) * count)

    asked(slow, test)


def test_an_answer_may_come_before_the_end_of_the_question() -> None:
    async def hasty(script: Script, reader: Reader, writer: Writer) -> None:
        await script.head(reader)
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 5\r\n\r\nlarge")
        await writer.drain()
        await reader.read()

    async def test(ask: Asking, script: Script) -> None:
        async def receive() -> Any:
            receive.calls += 1  # type: ignore[attr-defined]
            if receive.calls == 1:  # type: ignore[attr-defined]
                return {"type": "http.request", "body": b"x", "more_body": True}
            await asyncio.Event().wait()

        receive.calls = 0  # type: ignore[attr-defined]
        answer, task = ask.begin("POST", "/", headers=[(b"content-length", b"100")], body=receive)
        await task
        assert (answer.status, answer.body) == (413, b"large")
        await ask("GET", "/", headers=[])
        assert script.connections == 2  # The first one still owes 99 bytes.

    asked(hasty, test)


@pytest.mark.parametrize("framing", [b"content-length: 5", b"connection: close"])
@pytest.mark.parametrize("tcp", [False, True])
def test_an_app_may_answer_and_close_before_it_has_read_all(tmp_path: Path, tcp: bool, framing: bytes) -> None:
    """The answer waits in the socket when the next piece of the upload cannot be written."""
    has_head, standing, closed = threading.Event(), threading.Event(), threading.Event()
    listening = socket.create_server(("127.0.0.1", 0)) if tcp else socket.socket(socket.AF_UNIX)
    if not tcp:
        listening.bind(f"{tmp_path}/s")
        listening.listen()
    pieces = [{"type": "http.request", "body": b"x" * 65536, "more_body": True} for _ in range(9)]

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(10)
            has_head.set()
            standing.wait()
            connection.sendall(b"HTTP/1.1 413 Too Large\r\n" + framing + b"\r\n\r\nlarge")
        closed.set()

    async def receive() -> Any:
        if len(pieces) == 8:
            await eventually(has_head.is_set)
            standing.set()
            closed.wait()  # The loop stands still meanwhile.
        if not pieces:
            await asyncio.Event().wait()
        return pieces.pop(0)

    async def main() -> None:
        bind = f"127.0.0.1:{listening.getsockname()[1]}" if tcp else f"unix:{tmp_path}/s"
        async with asking(Script(bind)) as ask:
            answer = await ask("POST", "/", headers=[(b"content-length", b"%d" % (9 * 65536))], body=receive)
            assert (answer.status, answer.body, answer.is_whole) == (413, b"large", True)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listening:
        run(main)
        thread.join()


# The answer. ----------------------------------------------------------------------------------------------------------


def test_an_answer_passes_as_it_is() -> None:
    packed = gzip.compress(b"content")

    async def test(ask: Asking, script: Script) -> None:
        answer = await ask("GET", "/")
        assert answer.status == 302
        assert answer.headers == [
            (b"location", b"http://elsewhere.test/"),
            (b"set-cookie", b"a=1"),
            (b"set-cookie", b"b=2"),
            (b"content-encoding", b"gzip"),
            (b"x-latin", b"\xe9"),
            (b"content-length", b"%d" % len(packed)),
        ]
        assert answer.body == packed

    head = (
        b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
        b"Content-Encoding: gzip\r\nX-Latin: \xe9\r\nDate: today\r\nServer: child\r\nX-Hop: 1\r\n"
        b"Connection: keep-alive, x-hop\r\nKeep-Alive: timeout=5\r\nContent-Length: %d\r\n\r\n" % len(packed)
    )
    asked(answering(head + packed), test)


@pytest.mark.parametrize(
    "method,answer,body",
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n", b""),
        ("HEAD", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 100\r\netag: x\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, b"ok"),
        ("GET", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-trailer: 1\r\n\r\n", b"abc"),
        ("GET", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 200 OK\r\nx-a:\r\nx-b: \t 1 \r\ncontent-length: 2\r\n\r\nok", b"ok"),
    ],
)
def test_every_way_to_end_an_answer_leaves_the_connection_for_the_next(method: str, answer: bytes, body: bytes) -> None:
    async def test(ask: Asking, script: Script) -> None:
        for _ in range(3):
            got = await ask(method, "/")
            assert got.status == int(answer.rpartition(b"HTTP/1.1 ")[2][:3])
            assert (got.body, got.is_whole) == (body, True)
            assert not {b"link", b"x-trailer", b"transfer-encoding"} & {name for name, _ in got.headers}
        assert script.connections == 1

    asked(answering(answer, then="keep"), test)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"])
def test_an_answer_that_ends_with_its_connection(head: bytes) -> None:
    async def test(ask: Asking, script: Script) -> None:
        answer = await ask("GET", "/")
        assert (answer.body, answer.is_whole) == (b"all of it", True)

    asked(answering(head + b"all of it"), test)


def test_a_stream_comes_piece_by_piece() -> None:
    more = asyncio.Event()

    async def stream(script: Script, reader: Reader, writer: Writer) -> None:
        await script.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for number in range(3):
            writer.write(b"8\r\ndata: %d\n\r\n" % number)
            await writer.drain()
            await more.wait()
            more.clear()
        writer.write(b"0\r\n\r\n")

    async def test(ask: Asking, script: Script) -> None:
        answer, task = ask.begin("GET", "/")
        for number in range(3):
            await answer.until(lambda number=number: answer.body.endswith(b"data: %d\n" % number))
            assert not answer.is_whole
            more.set()
        await task
        assert answer.is_whole

    asked(stream, test)


def test_an_answer_waits_for_the_client() -> None:
    sent = 0

    async def flood(script: Script, reader: Reader, writer: Writer) -> None:
        nonlocal sent
        await script.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n")
        for _ in range(1600):
            writer.write(bytes(65536))
            await writer.drain()
            sent += 65536

    async def test(ask: Asking, script: Script) -> None:
        may_send = asyncio.Event()
        answer, task = ask.begin("GET", "/", may_send=may_send)
        await eventually(lambda: sent)
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 4 << 20
        may_send.set()
        await task
        assert len(answer.body) == 104857600

    asked(flood, test)


# Ends. ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "begins", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"], ids=["before", "within the answer"]
)
def test_a_client_that_goes_away_ends_the_request(begins: bytes) -> None:
    ended = asyncio.Event()

    async def patient(script: Script, reader: Reader, writer: Writer) -> None:
        await script.head(reader)
        writer.write(begins)
        assert await reader.read() == b""
        ended.set()

    async def test(ask: Asking, script: Script) -> None:
        gone = asyncio.Event()
        answer, task = ask.begin("GET", "/", gone=gone)
        await eventually(lambda: script.heads and len(answer.messages) == (2 if begins else 0))
        gone.set()
        await task
        await asyncio.wait_for(ended.wait(), 5)
        assert not answer.is_whole

    asked(patient, test)


def test_a_client_that_goes_away_ends_its_upload() -> None:
    ended = asyncio.Event()

    async def patient(script: Script, reader: Reader, writer: Writer) -> None:
        await script.head(reader)
        assert await reader.read() == b"part"
        ended.set()

    async def test(ask: Asking, script: Script) -> None:
        messages = [{"type": "http.request", "body": b"part", "more_body": True}, {"type": "http.disconnect"}]

        async def receive() -> Any:
            await eventually(lambda: len(messages) == 2 or script.heads)
            return messages.pop(0)

        _, task = ask.begin("POST", "/", headers=[(b"content-length", b"100")], body=receive)
        await task
        await asyncio.wait_for(ended.wait(), 5)

    asked(patient, test)


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-le", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nx: " * 50000]
)
def test_an_app_that_does_not_answer(answer: bytes) -> None:
    async def test(ask: Asking, script: Script) -> None:
        with pytest.raises(AppUnreachable):
            await ask("POST", "/")

    asked(answering(answer), test)


def test_an_app_that_does_not_listen() -> None:
    async def main() -> None:
        for bind in ("unix:/nowhere/s", "127.0.0.1:1"):
            with pytest.raises(AppUnreachable, match="does not accept connections"):
                await Asking(Proxy(bind, None))("GET", "/")

    run(main)


@pytest.mark.parametrize("program", ["hypercorn", "uvicorn"])
@pytest.mark.parametrize("framing", [b"content-length: 9", b"transfer-encoding: chunked"])
def test_an_answer_that_is_cut_off_is_seen_to_be(
    program: str, framing: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        half = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + (b"4\r\nhalf\r\n" if b"chunked" in framing else b"half")
        async with child(answering(half)) as script:
            async with on_server(program, Proxy(script.bind, None)) as site:
                reader, writer = await asyncio.open_connection(*site.split(":"))
                writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
                writer.close()
        assert head.startswith(b"HTTP/1.1 200")
        assert b"half" in body and not body.endswith(b"0\r\n\r\n")

    run(main)
    assert "cut off" in caplog.text


def test_a_cancelled_request_ends_at_the_app() -> None:
    ended = asyncio.Event()

    async def patient(script: Script, reader: Reader, writer: Writer) -> None:
        await script.head(reader)
        await reader.read()
        ended.set()

    async def test(ask: Asking, script: Script) -> None:
        _, task = ask.begin("GET", "/")
        await eventually(lambda: script.heads)
        task.cancel()
        await asyncio.wait_for(ended.wait(), 5)
        assert task.cancelled()

    asked(patient, test)


# Kept connections. ----------------------------------------------------------------------------------------------------


async def close_at_the_second(script: Script, reader: Reader, writer: Writer) -> None:
    """Reads the second request on a connection, and closes it without an answer."""
    await script.head(reader)
    writer.write(OK)
    if script.connections == 1:
        await script.head(reader)
    else:
        await reader.read()


@pytest.mark.parametrize("method,served", [("GET", True), ("PUT", True), ("POST", False)])
def test_only_what_may_be_sent_twice_is_sent_again(method: str, served: bool) -> None:
    async def test(ask: Asking, script: Script) -> None:
        assert (await ask("GET", "/")).status == 200
        if served:
            assert (await ask(method, "/")).status == 200
            assert script.connections == 2
        else:
            with pytest.raises(AppUnreachable):
                await ask(method, "/")
            assert script.connections == 1

    asked(close_at_the_second, test)


def test_a_request_is_not_repeated_on_a_new_connection() -> None:
    async def test(ask: Asking, script: Script) -> None:
        with pytest.raises(AppUnreachable):
            await ask("GET", "/")
        assert script.connections == 1

    asked(answering(b""), test)


@pytest.mark.parametrize("last_words", [b"", b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"])
def test_a_request_that_never_reached_the_app_is_sent_again(tmp_path: Path, last_words: bytes) -> None:
    """The loop has not seen yet that the app closed the kept connection: the system says so when it is written to."""
    standing, closed = threading.Event(), threading.Event()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(f"{tmp_path}/s")
    listening.listen()

    def serve() -> None:
        for _ in range(2):
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(OK)
                standing.wait()
                connection.sendall(last_words)
            closed.set()

    async def main() -> None:
        async with asking(Script(f"unix:{tmp_path}/s")) as ask:
            assert (await ask("POST", "/")).status == 200
            standing.set()
            closed.wait()  # The loop stands still meanwhile.
            assert (await ask("POST", "/")).status == 200

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listening:
        run(main)
        thread.join()


def test_a_large_request_gets_a_new_connection() -> None:
    """Of a kept one, it could not be told whether the app has read a part of it."""

    async def test(ask: Asking, script: Script) -> None:
        for connections, size in ((1, 0), (1, 10), (2, 100_000)):
            await ask("POST", "/", body=b"x" * size)
            assert script.connections == connections

    async def reading(script: Script, reader: Reader, writer: Writer) -> None:
        while True:
            head = await script.head(reader)
            await reader.readexactly(int(head.partition(b"content-length: ")[2].strip() or 0))
            writer.write(OK)

    asked(reading, test)


def test_bytes_that_nobody_asked_for_end_a_connection() -> None:
    async def test(ask: Asking, script: Script) -> None:
        for _ in range(3):
            answer = await ask("GET", "/")
            assert (answer.status, answer.headers, answer.body) == (200, [(b"content-length", b"2")], b"ok")
        assert script.connections == 3

    asked(answering(OK + b"HTTP/1.1 201 OK\r\ncontent-length: 6\r\n\r\nforged", then="keep"), test)


def test_a_full_queue_is_waited_for(tmp_path: Path) -> None:
    """A blocked app takes no connections; a client that goes away meanwhile does not wait for it."""

    async def main() -> None:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(f"{tmp_path}/s")
        listening.listen(1)
        script = Script(f"unix:{tmp_path}/s")

        async def serve(reader: Reader, writer: Writer) -> None:
            await answering(OK)(script, reader, writer)
            writer.close()

        async with asking(script) as ask:
            gone = asyncio.Event()
            waiting = [ask.begin("GET", "/") for _ in range(8)]
            _, leaving = ask.begin("GET", "/", gone=gone)
            gone.set()
            await asyncio.wait_for(leaving, 5)
            assert not any(task.done() for _, task in waiting)
            server = await asyncio.start_unix_server(serve, sock=listening)
            await asyncio.gather(*(task for _, task in waiting))
            server.close()
        assert all(answer.status == 200 for answer, _ in waiting)

    run(main)
