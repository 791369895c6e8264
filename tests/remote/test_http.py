"""A backend over HTTP: what is sent, what comes of errors, and what is bounded."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import weakref
from typing import Any

import httpx2
import pytest

from flash.exceptions import ConfigurationError
from flash.remote import Remote, RemoteError, messages
from flash.remote.backend import Progress, Result, Task

from ..apps import run
from ..live.asgi import eventually
from .backends import HANG, SERVERS, Scripted, answering, called, echoing, response

OK = response("200 OK", b'{"n": 1}')


def failing(handler: Any, **options: Any) -> RemoteError:
    async def main() -> RemoteError:
        with pytest.raises(RemoteError) as raised:
            await called(answering(handler, **options))
        return raised.value

    return run(main)


# What is sent.


def test_a_call_is_a_post_of_json_with_its_id() -> None:
    async def main() -> None:
        async with Scripted(OK).served() as backend:
            remote = Remote(backend.address, token="secret", headers={"X-Team": "blue"})
            assert await called(remote, {"a": 1, "b": [None, "é"]}, "numbers/multiply/") == [Result({"n": 1})]
            assert backend.heads[0].startswith("post /numbers/multiply/ http/1.1\r\n")
            assert backend.bodies == ['{"a":1,"b":[null,"é"]}'.encode()]
            for name, value in {
                "content-type": "application/json",
                "authorization": "bearer secret",
                "x-team": "blue",
                "idempotency-key": "c" * 32,
                "x-request-id": "c" * 32,
                "accept-encoding": "identity",
            }.items():
                assert backend.header(name) == [value]

    run(main)


@pytest.mark.parametrize("value", ["../../admin", "?x=1", "#", "//evil.example/", "%2e%2e", "a/b", {"path": "/x"}])
def test_values_never_form_the_address(value: Any) -> None:
    async def main() -> None:
        fields = {"url": value, "../path": value, "?query": value}
        (result,) = await called(echoing(), fields, "multiply")
        assert result.value == {"path": "/base/multiply", **fields}

    run(main)


def test_the_address_of_a_single_task_is_used_as_it_is() -> None:
    for url in ("/receive-data/", "/receive-data", "/numbers?version=2", ""):

        async def main(url: str = url) -> None:
            async with Scripted(OK).served() as backend:
                await called(Remote(backend.address + url))
                assert backend.heads[0].startswith(f"post {url or '/'} http")

        run(main)


def test_a_token_of_the_environment_is_read_when_it_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALC_TOKEN", "from-outside")

    async def main() -> None:
        async with Scripted(OK).served() as backend:
            await called(Remote(backend.address, token="env:CALC_TOKEN"))
            assert backend.header("authorization") == ["bearer from-outside"]

    run(main)
    monkeypatch.delenv("CALC_TOKEN")
    with pytest.raises(ConfigurationError, match="environment variable CALC_TOKEN, which is not set"):
        Remote("http://calc", token="env:CALC_TOKEN")


def test_a_redirect_is_not_followed_and_gets_no_token() -> None:
    async def main() -> None:
        async with Scripted(OK).served() as other:
            moved = response("307 Temporary Redirect", location=f"{other.address}/work")
            async with Scripted(moved).served() as backend:
                with pytest.raises(RemoteError) as raised:
                    await called(Remote(backend.address, token="secret", idempotent=True))
                assert (raised.value.reason, raised.value.status) == ("garbled", 307)
                assert other.heads == [] and len(backend.heads) == 1

    run(main)


def test_no_cookie_of_one_call_comes_with_another() -> None:
    async def main() -> None:
        async with Scripted(response("200 OK", set_cookie="user=ann; path=/"), OK).served() as backend:
            remote = Remote(backend.address)
            await called(remote)
            await called(remote)
            assert backend.header("cookie") == ["", ""]

    run(main)


# What comes.


@pytest.mark.parametrize(
    ("status", "body", "reason", "fields"),
    [
        (422, {"detail": [{"loc": ["body", "a"], "msg": "too small", "type": "x"}]}, "invalid", {"a": "too small"}),
        (422, {"detail": [{"loc": ["body", "rows", 0, "n"], "msg": "missing"}]}, "invalid", {"rows.0.n": "missing"}),
        (400, {"title": "Bad", "errors": {"a": ["low", "odd"], "b": "no"}}, "invalid", {"a": "low odd", "b": "no"}),
        (422, {"errors": [{"detail": "must be positive", "pointer": "#/age"}]}, "invalid", {"age": "must be positive"}),
        (400, {"invalid-params": [{"name": "age", "reason": "too low"}]}, "invalid", {"age": "too low"}),
        (422, {"detail": "no"}, "refused", {}),
        (400, ["errors"], "refused", {}),
        (401, {"detail": "sign in"}, "refused", {}),
        (404, None, "refused", {}),
        (500, {"errors": {"a": "secret"}}, "failed", {"a": "secret"}),
    ],
)  # fmt: skip
def test_what_an_error_says(status: int, body: Any, reason: str, fields: dict[str, str]) -> None:
    error = failing(lambda request: httpx2.Response(status, json=body))
    assert (error.status, error.reason, error.fields, error.id) == (status, reason, fields, "c" * 32)


def test_nothing_that_a_backend_writes_is_in_an_error_but_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "flash")
    error = failing(lambda request: httpx2.Response(500, text="Traceback: /srv/calc.py\npassword=1"))
    assert "Traceback" not in f"{error} {error.summary} {error!r}"
    assert "500" in str(error) and error.id in str(error)
    (record,) = [each for each in caplog.records if each.name == "flash"]
    told = record.getMessage()
    assert error.id in told and "status 500" in told and "Traceback: /srv/calc.py\\npassword=1" in told


def test_the_messages_of_fields_are_bounded() -> None:
    errors = {f"field{number}": "x" * 10_000 for number in range(200)}
    error = failing(lambda request: httpx2.Response(400, content=b'{"errors": {"a": "%s"}}' % (b"x" * 10_000)))
    assert error.fields == {"a": "x" * 500}
    error = failing(lambda request: httpx2.Response(422, json={"errors": dict.fromkeys(errors, "no")}))
    assert len(error.fields) == 100
    # An answer that is longer is not read.
    error = failing(lambda request: httpx2.Response(422, json={"errors": errors}))
    assert (error.reason, error.fields) == ("refused", {})


def test_an_answer_that_is_too_long_or_compressed_is_garbled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MOST_BYTES", 1000)
    assert failing(lambda request: httpx2.Response(200, json="x" * 1000)).reason == "garbled"
    error = failing(lambda request: httpx2.Response(200, headers={"content-encoding": "gzip"}, content=b""))
    assert error.reason == "garbled"


@pytest.mark.parametrize("body", ['{"detail": {"a": %s}}', '{"detail": [{"loc": %s, "msg": "no"}]}'])
def test_what_is_nested_too_deep_to_be_told_is_left_out(body: str) -> None:
    error = failing(lambda request: httpx2.Response(422, text=body % ("[" * 1000 + "]" * 1000)))
    assert error.reason in ("invalid", "refused") and set(error.fields.values()) <= {""}


def test_the_log_has_the_beginning_of_a_long_refusal(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "flash")
    failing(lambda request: httpx2.Response(500, text="Traceback" + "x" * 1_000_000))
    assert "'Tracebackxxx" in caplog.text and len(caplog.text) < 2000


def test_an_answer_that_never_lets_the_loop_turn_ends_with_its_time() -> None:
    class Endless(httpx2.AsyncByteStream):
        async def __aiter__(self) -> Any:
            while True:
                yield b'{"progress": 1}\n'

    def handler(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "application/jsonl"}, stream=Endless())

    async def main() -> None:
        with pytest.raises(RemoteError) as raised:
            await called(answering(handler), timeout=0.2)
        assert raised.value.reason == "timeout"

    run(main)


def test_a_result_that_is_garbled_behind_its_progress_is_not_asked_for_again() -> None:
    asked = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, headers={"content-type": "application/jsonl"}, content=b'{"progress": 1}\n{')

    async def main() -> None:
        said = []
        with pytest.raises(RemoteError) as raised:
            async for each in answering(handler, idempotent=True).call("", {}, call_id="c" * 32):
                said.append(each)
        assert said == [Progress(1)] and raised.value.reason == "garbled" and len(asked) == 1

    run(main)


def lines(*messages: bytes, length: int = 0) -> list[bytes]:
    """An answer of lines, whose connection is closed before it has its length."""
    head = response("200 OK", b"", content_type="application/x-ndjson", content_length=length or None)
    return [head, *(message + b"\n" for message in messages)]


def test_a_call_that_is_lost_behind_its_progress_is_not_sent_again() -> None:
    async def main() -> None:
        async with Scripted(lines(b'{"progress": 1}', length=100), OK).served() as backend:
            with pytest.raises(RemoteError) as raised:
                await called(Remote(backend.address, idempotent=True))
            assert raised.value.reason == "unreachable" and backend.script == [OK]

    run(main)


def test_a_server_that_does_not_end_its_answer_is_left_with_the_result() -> None:
    async def main() -> None:
        left = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
            writer.writelines(lines(b'{"result": 1}', length=1000))
            await reader.read()
            writer.close()
            left.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        remote = Remote(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", limit=1)
        for _ in range(2):
            left.clear()
            assert await called(remote) == [Result(1)]
            await left.wait()
        server.close()
        await server.wait_closed()

    run(main)


def test_an_answer_that_is_not_read_gives_its_connection_back() -> None:
    packed = response("200 OK", content_encoding="gzip", content_length=1000)

    async def main() -> None:
        async with Scripted(packed, packed).served() as backend:
            remote = Remote(backend.address, limit=1, timeout=5)
            for _ in range(2):
                with pytest.raises(RemoteError) as raised:
                    await called(remote)
                assert raised.value.reason == "garbled"

    run(main)


# How many.


def test_calls_beyond_the_limit_wait_and_beyond_that_they_fail() -> None:
    async def main() -> None:
        running, most, gate = 0, 0, asyncio.Event()

        async def handler(request: httpx2.Request) -> httpx2.Response:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await gate.wait()
            running -= 1
            return httpx2.Response(200, json=1)

        remote = Remote("http://backend", limit=2, transport=httpx2.MockTransport(handler))
        calls = [asyncio.create_task(called(remote)) for _ in range(2 + 20)]
        await eventually(lambda: running == 2)
        with pytest.raises(RemoteError) as raised:
            await called(remote)
        assert raised.value.reason == "busy"
        with pytest.raises(RemoteError) as raised:
            calls.pop().cancel()
            await asyncio.sleep(0)
            await called(remote, timeout=0.05)
        assert raised.value.reason == "busy"
        gate.set()
        assert await asyncio.gather(*calls) == [[Result(1)]] * 21
        assert most == 2

    run(main)


def test_a_call_that_is_given_up_makes_room() -> None:
    async def main() -> None:
        async with Scripted(HANG, OK).served() as backend:
            remote = Remote(backend.address, limit=1)
            task = asyncio.create_task(called(remote))
            await eventually(lambda: backend.heads)
            task.cancel()
            assert await called(remote) == [Result({"n": 1})]

    run(main)


@pytest.mark.parametrize("server", SERVERS)
def test_a_backend_sees_that_nobody_waits_for_it_any_more(server: str) -> None:
    told: list[str] = []

    async def backend(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        while (await receive()).get("more_body"):
            pass
        told.append("began")
        assert (await receive())["type"] == "http.disconnect"
        told.append("left")

    async def main() -> None:
        async with SERVERS[server](backend) as address:
            task = asyncio.create_task(called(Remote(address)))
            await eventually(lambda: told == ["began"])
            task.cancel()
            await eventually(lambda: told == ["began", "left"])

    run(main)


# Connections.


def test_connections_are_shared_and_closed_with_the_loop(recwarn: pytest.WarningsRecorder) -> None:
    peers: set[Any] = set()
    open_now: set[Any] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        peers.add(peer)
        open_now.add(peer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]))
                writer.write(response("200 OK", connection="keep-alive"))
        except asyncio.IncompleteReadError:
            open_now.discard(peer)
        finally:
            writer.close()

    async def main(remote: Remote, port: int) -> None:
        for _ in range(3):
            assert await called(remote) == [Result({})]
        assert len(peers) == 1 and len(open_now) == 1

    async def around() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        remote = Remote(f"http://127.0.0.1:{port}")
        for _ in range(2):
            # Each has a loop of its own, as test clients do.
            await asyncio.to_thread(asyncio.run, main(remote, port))
            await eventually(lambda: not open_now)
            peers.clear()
        server.close()
        await server.wait_closed()

    run(around)
    gc.collect()
    assert [str(each.message) for each in recwarn if issubclass(each.category, ResourceWarning)] == []


def test_connections_can_be_closed_earlier_and_are_made_anew() -> None:
    async def main() -> None:
        keeping = response("200 OK", connection="keep-alive")
        async with Scripted(keeping, keeping).served() as backend:
            remote = Remote(backend.address)
            await remote.aclose()
            await called(remote)
            await remote.aclose()
            await called(remote)

    run(main)


def test_a_backend_that_is_forgotten_closes_its_connections() -> None:
    async def main() -> None:
        left = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
            writer.write(response("200 OK", connection="keep-alive"))
            await reader.read()
            writer.close()
            left.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        await called(Remote(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        gc.collect()
        await left.wait()
        server.close()
        await server.wait_closed()

    run(main)


def test_a_loop_that_was_closed_without_a_word_is_forgotten() -> None:
    remote = echoing()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(called(remote))
    loop.close()
    closed = weakref.ref(loop)
    del loop
    run(lambda: called(remote))
    gc.collect()
    assert closed() is None


# Declaring.


def test_a_task_is_a_path_below_the_address() -> None:
    remote = Remote("http://calc:8000/")
    assert remote / "numbers/multiply/" == Task(remote, "numbers/multiply/")
    assert repr(remote) == "<Remote http://calc:8000/>"


@pytest.mark.parametrize(
    "name", ["", "/x", "../x", "a/../b", "x?y=1", "x#y", "http://other/x", "a\\b", "é", "a b", "%2e", "u@h", 7]
)
def test_what_is_no_path_is_refused_as_a_task(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="Write remote / 'multiply'"):
        Remote("http://calc") / name


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"url": "calc:8000"}, "address is like"),
        ({"url": "ftp://calc"}, "address is like"),
        ({"url": "http://"}, "address is like"),
        ({"url": "http://calc:99999999"}, "address is like"),
        ({"url": "http://calc/a b"}, "address is like"),
        ({"url": None}, "address is like"),
        ({"url": "http://user:pass@calc"}, "token='env:NAME'"),
        ({"url": "http://calc/#part"}, "Leave #part out"),
        ({"timeout": 0}, "seconds above 0"),
        ({"timeout": None}, "seconds above 0"),
        ({"timeout": float("inf")}, "seconds above 0"),
        ({"retries": -1}, "0 or more"),
        ({"retries": True}, "0 or more"),
        ({"limit": 0}, "1 or more"),
        ({"idempotent": "yes"}, "True or False"),
        ({"token": ""}, "printable ASCII"),
        ({"token": "a\r\nX-Other: b"}, "printable ASCII"),
        ({"token": "a", "headers": {"authorization": "b"}}, "Leave one out"),
        ({"headers": {"X-Team": "é"}}, "printable ASCII"),
        ({"headers": {"X-Team": "blue "}}, "printable ASCII"),
        ({"headers": {"X-Team": ""}}, "printable ASCII"),
        ({"token": "a\n"}, "printable ASCII"),
        ({"headers": {"X-Team\r\nX": "a"}}, "name such as 'X-Team'"),
        ({"headers": {"X Team": "a"}}, "name such as 'X-Team'"),
        ({"headers": {"": "a"}}, "name such as 'X-Team'"),
        ({"headers": {7: "a"}}, "name such as 'X-Team'"),
        ({"headers": {"Idempotency-Key": "1"}}, "Leave it out of headers="),
        ({"headers": {"x-request-id": "1"}}, "Leave it out of headers="),
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        Remote(**{"url": "http://calc", **arguments})


def test_a_query_and_tasks_do_not_go_together() -> None:
    with pytest.raises(ConfigurationError, match="Leave the query out"):
        Remote("http://calc?version=2") / "multiply"


def test_without_httpx2_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(ImportError, match=r'pip install "dash-flash\[remote\]"'):
        Remote("http://calc")
