"""What a backend answers: JSON, lines of JSON, or server-sent events. All of it is bounded."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import orjson

from .backend import Progress, Result
from .errors import fields_of, reason_of
from .retries import Failure

MIB = 1024 * 1024

#: Of a JSON answer, of one line and of one event. A stream may have more in all.
MOST_BYTES = 16 * MIB
MOST_STREAM_BYTES = 256 * MIB

LINES = frozenset({"application/x-ndjson", "application/jsonl"})
EVENTS = "text/event-stream"
ACCEPT = ", ".join(["application/json", *sorted(LINES), EVENTS])

_MEMBERS = ("progress", "result", "error")
_EXCERPT_CHARACTERS = 500

Message = Progress | Result


async def messages(content_type: str, chunks: AsyncIterator[bytes]) -> AsyncGenerator[Message, None]:
    """What an answer says, as it comes: any number of ``Progress``, then one ``Result``.

    Args:
        content_type: Of the answer, as its header says.
        chunks: The bytes of its body.

    Raises:
        Failure: It says that the work has failed, or cannot be understood.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in LINES:
        said = _of_lines(chunks)
    elif kind == EVENTS:
        said = _of_events(chunks)
    else:
        yield Result(decoded(await whole(chunks, MOST_BYTES)))
        return
    last: Result | None = None
    async with aclosing(said):
        async for message, final in said:
            if final:
                yield message
                return
            if isinstance(message, Progress):
                yield message
            else:
                last = message
    if last is None:
        raise Failure("garbled", told="The stream has ended without a result.")
    yield last


async def whole(chunks: AsyncIterator[bytes], most: int) -> bytes:
    """All bytes of a body.

    Args:
        chunks: The body.
        most: How many it may have.

    Raises:
        Failure: There are more.
    """
    body = await beginning(chunks, most + 1)
    if len(body) > most:
        raise Failure("garbled", told=f"The answer has more than {most} bytes.")
    return body


async def beginning(chunks: AsyncIterator[bytes], most: int) -> bytes:
    """The first bytes of a body. What comes behind them is not waited for.

    Args:
        chunks: The body.
        most: How many.
    """
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) >= most:
            break
    return bytes(body[:most])


def decoded(text: bytes) -> Any:
    """The value of a JSON text; None for an empty one.

    Raises:
        Failure: It is no JSON.
    """
    try:
        return orjson.loads(text) if text.strip() else None
    except orjson.JSONDecodeError as error:
        raise Failure("garbled", told=f"{error}: {excerpt(text)}") from error


def excerpt(text: bytes) -> str:
    """The beginning of a text, for the log, in one line."""
    return repr(text[: 4 * _EXCERPT_CHARACTERS].decode(errors="replace")[:_EXCERPT_CHARACTERS])


async def _of_lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[tuple[Message, bool], None]:
    async with aclosing(_lines(chunks)) as lines:
        async for line in lines:
            if line.strip():
                yield _said(decoded(line), line)


async def _of_events(chunks: AsyncIterator[bytes]) -> AsyncGenerator[tuple[Message, bool], None]:
    async with aclosing(_lines(chunks, returns=True)) as lines, aclosing(_events(lines)) as events:
        async for name, data in events:
            if name in _MEMBERS:
                yield _said({name: decoded(data)}, data)
            elif name in ("", "message"):
                yield _said(decoded(data), data)


def _said(value: Any, text: bytes) -> tuple[Message, bool]:
    """What a line says, and whether it ends the answer. The last of all plain values is the result.

    Args:
        value: Of the line.
        text: The line as it came, for the log.

    Raises:
        Failure: It says that the work has failed.
    """
    if not isinstance(value, dict) or len(value) != 1 or (name := next(iter(value))) not in _MEMBERS:
        return Result(value), False
    if name == "error":
        raise _reported(value["error"], text)
    return (Progress(value["progress"]), False) if name == "progress" else (Result(value["result"]), True)


def _reported(error: Any, text: bytes) -> Failure:
    """What a stream says of its failure. Its HTTP status was sent long ago; it may name another."""
    status = error.get("status") if isinstance(error, dict) else None
    status = status if isinstance(status, int) and 400 <= status <= 599 else None
    fields = fields_of(error)
    return Failure(
        reason_of(status or (422 if fields else 500), fields),
        status=status,
        fields=fields,
        told=excerpt(text),
    )


async def _events(lines: AsyncIterator[bytes]) -> AsyncGenerator[tuple[str, bytes], None]:
    """The events of a stream: their names and data. What stands behind the last empty line is none."""
    name, data = "", bytearray()
    async for line in lines:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if data:
                yield name, bytes(data[:-1])
            name, data = "", bytearray()
        elif field == b"event":
            name = value.decode(errors="replace")
        elif field == b"data":
            data += value + b"\n"
            if len(data) > MOST_BYTES:
                raise _too_long()


async def _lines(chunks: AsyncIterator[bytes], returns: bool = False) -> AsyncGenerator[bytes, None]:
    """The lines of a body, without their ends.

    Args:
        chunks: The body, in any pieces.
        returns: Whether it is an event stream: a lone carriage return ends a line too, a byte order mark may stand
            before all, and what has no end is no line.

    Raises:
        Failure: A line, or all of them, are too long.
    """
    # One that grows: to join a long line anew with each of its pieces would hold the loop up for minutes.
    rest, total, first, after_return = bytearray(), 0, True, False
    async for chunk in chunks:
        total += len(chunk)
        if after_return and chunk:
            chunk, after_return = chunk.removeprefix(b"\n"), False
        after_return = returns and chunk.endswith(b"\r")
        if returns:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *ends, begun = chunk.split(b"\n")
        for end in ends:
            rest += end
            if len(rest) > MOST_BYTES:
                raise _too_long()
            yield bytes(rest.removeprefix(b"\xef\xbb\xbf") if first and returns else rest)
            rest, first = bytearray(), False
        rest += begun
        if total > MOST_STREAM_BYTES or len(rest) > MOST_BYTES:
            raise _too_long()
    if rest and not returns:
        yield bytes(rest)


def _too_long() -> Failure:
    return Failure("garbled", told=f"A line has more than {MOST_BYTES} bytes, or all more than {MOST_STREAM_BYTES}.")
