"""What is sent again, and what is not: held against a server on a real socket."""

from __future__ import annotations

import asyncio
import logging
import time
from email.utils import formatdate
from typing import Any

import pytest

from flash.remote import Remote, RemoteError
from flash.remote.backend import Result
from flash.remote.retries import retry_after

from ..apps import run
from ..server.run_programs import free_port
from .backends import DROP, DROP_UNREAD, HANG, Scripted, called, response

OK = response("200 OK", b'{"n": 1}')
BUSY = response("503 Service Unavailable", Retry_After=0)
PLAIN_503 = response("503 Service Unavailable")
MANY = response("429 Too Many Requests", Retry_After="0")
PLAIN_429 = response("429 Too Many Requests")
BAD_GATEWAY = response("502 Bad Gateway")
LATE_GATEWAY = response("504 Gateway Timeout")
ERROR = response("500 Internal Server Error")
HALF = response("200 OK", b'{"n": ', content_length=8)

#: What comes first, whether it is sent again: by itself, and when that is declared safe; and what it ends in if not.
TABLE: dict[str, tuple[Any, bool, bool, str, int | None]] = {
    "dropped before the request was read": (DROP_UNREAD, False, True, "unreachable", None),
    "dropped after it": (DROP, False, True, "unreachable", None),
    "dropped within the answer": (HALF, False, True, "unreachable", None),
    "429 with Retry-After": (MANY, True, True, "", None),
    "429 without": (PLAIN_429, False, False, "refused", 429),
    "503 with Retry-After": (BUSY, True, True, "", None),
    "503 without": (PLAIN_503, False, True, "failed", 503),
    "502": (BAD_GATEWAY, False, True, "failed", 502),
    "504": (LATE_GATEWAY, False, True, "failed", 504),
    "500": (ERROR, False, False, "failed", 500),
    "garbled": (response("200 OK", b"<html>"), False, False, "garbled", None),
}


@pytest.mark.parametrize("idempotent", [False, True])
@pytest.mark.parametrize("case", TABLE)
def test_a_call_is_sent_again_only_where_that_is_safe(case: str, idempotent: bool) -> None:
    first, always, if_idempotent, reason, status = TABLE[case]

    async def main() -> None:
        async with Scripted(first, OK).served() as backend:
            remote = Remote(f"{backend.address}/work", idempotent=idempotent)
            if if_idempotent if idempotent else always:
                assert await called(remote, {"a": 1}) == [Result({"n": 1})]
                assert backend.script == []
                assert set(backend.bodies) == {b'{"a":1}'} and set(backend.header("idempotency-key")) == {"c" * 32}
            else:
                with pytest.raises(RemoteError) as raised:
                    await called(remote, {"a": 1})
                assert (raised.value.reason, raised.value.status) == (reason, status)
                assert backend.script == [OK], "It was sent twice."
                assert len(backend.bodies) + backend.unread == 1

    run(main)


def test_a_backend_that_is_not_there_yet_is_asked_again() -> None:
    async def main() -> None:
        port = free_port()
        remote = Remote(f"http://127.0.0.1:{port}", retries=20)
        asking = asyncio.create_task(called(remote))
        await asyncio.sleep(0.05)
        assert not asking.done()
        backend = Scripted(OK)
        server = await asyncio.start_server(backend._serve, "127.0.0.1", port)
        assert await asking == [Result({"n": 1})]
        server.close()
        await server.wait_closed()

    run(main)


@pytest.mark.parametrize("retries", [0, 2])
def test_a_call_is_sent_again_as_often_as_was_declared(retries: int) -> None:
    async def main() -> None:
        async with Scripted(*[BUSY] * (retries + 1)).served() as backend:
            with pytest.raises(RemoteError) as raised:
                await called(Remote(backend.address, retries=retries))
            assert (raised.value.reason, raised.value.status) == ("failed", 503)
            assert backend.script == [] and len(backend.bodies) == retries + 1

    run(main)


def test_a_backend_that_is_not_reached_fails_with_a_reason(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "flash")

    async def main() -> None:
        with pytest.raises(RemoteError) as raised:
            await called(Remote(f"http://127.0.0.1:{free_port()}/work?key=secret", retries=1))
        assert (raised.value.reason, raised.value.status, raised.value.id) == ("unreachable", None, "c" * 32)

    run(main)
    assert "c" * 32 in caplog.text and "unreachable" in caplog.text and "secret" not in caplog.text


def test_a_call_ends_with_its_time_also_where_it_would_be_sent_again() -> None:
    async def main() -> None:
        async with Scripted(HANG, response("503 Busy", Retry_After=3600), OK).served() as backend:
            with pytest.raises(RemoteError) as raised:
                await called(Remote(backend.address, timeout=0.2))
            assert raised.value.reason == "timeout"
            with pytest.raises(RemoteError) as raised:
                await called(Remote(backend.address))
            assert raised.value.status == 503 and backend.script == [OK]

    run(main)


def test_the_time_of_one_call_may_be_shorter() -> None:
    async def main() -> None:
        async with Scripted(HANG).served() as backend:
            with pytest.raises(RemoteError) as raised:
                await called(Remote(backend.address), timeout=0.2)
            assert raised.value.reason == "timeout"

    run(main)


def test_what_retry_after_says() -> None:
    assert retry_after("7") == 7 and retry_after("0") == 0
    assert retry_after(formatdate(time.time() + 60, usegmt=True)) == pytest.approx(60, abs=5)
    assert retry_after(formatdate(time.time() - 60, usegmt=True)) == 0
    assert [retry_after(text) for text in ("", "soon", "-1", "1.5", "٣")] == [None] * 5
