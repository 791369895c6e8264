"""What a request may bring: the size of its body, its content type, its JSON."""

from __future__ import annotations

import asyncio
import gc
import json
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, cast

import orjson
from quart import Quart, Request, request
from werkzeug.exceptions import RequestEntityTooLarge

from ..exceptions import RequestRefused
from ..pool import Pool

QUART_MAX_CONTENT_LENGTH = 16 * 1024 * 1024
QUART_BODY_TIMEOUT = 60

#: Decoding a body that is larger makes so many objects that the collector would run over all of them several times.
LIGHT_BODY = 256 * 1024


class PatientBody:
    """The body of a request, which reads a body that is too large to its end before it refuses it.

    Quart refuses at once; the client, still writing, then sees a reset connection instead of the answer. The rest is
    thrown away as it comes, and no more of it than eight times the limit.

    Has the interface of :class:`quart.wrappers.request.Body`.
    """

    def __init__(self, expected_content_length: int | None, max_content_length: int | None) -> None:
        self._chunks = bytearray()
        self._limit = max_content_length
        self._received = 0
        self._too_large = bool(
            max_content_length is not None and expected_content_length and expected_content_length > max_content_length
        )
        self._changed = asyncio.Event()
        self._complete = asyncio.Event()

    @property
    def arrived(self) -> bool:
        """Whether all of it is here."""
        return self._complete.is_set()

    def append(self, data: bytes) -> None:
        """Take the next piece from the server."""
        if not data:
            return
        self._received += len(data)
        if self._limit is not None and self._received > self._limit:
            self._too_large = True
        if not self._too_large:
            self._chunks.extend(data)
            self._changed.set()
            return
        self._chunks.clear()
        if self._limit is not None and self._received > 8 * self._limit:
            self.set_complete()

    def set_complete(self) -> None:
        """Say that no more comes."""
        self._complete.set()
        self._changed.set()

    def set_result(self, data: bytes) -> None:
        """Take a whole body at once."""
        self.append(data)
        self.set_complete()

    def clear(self) -> None:
        """Forget the data, once it has been read."""
        self._chunks.clear()

    def __await__(self) -> Generator[Any, None, bytes]:
        yield from self._complete.wait().__await__()
        self._refuse()
        return bytes(self._chunks)

    def __aiter__(self) -> PatientBody:
        return self

    async def __anext__(self) -> bytes:
        await self._changed.wait()
        if self._too_large:
            await self._complete.wait()
            self._refuse()
        if not self._chunks and self._complete.is_set():
            raise StopAsyncIteration
        data = bytes(self._chunks)
        self._chunks.clear()
        if not self._complete.is_set():
            self._changed.clear()
        return data

    def _refuse(self) -> None:
        if self._too_large:
            raise RequestEntityTooLarge(f"The body is larger than the {self._limit} bytes that this app accepts.")


def limit_bodies(server: Quart, max_content_length: int) -> None:
    """Accept bodies up to ``max_content_length`` bytes, unless the server has a limit of its own already."""
    if server.config["MAX_CONTENT_LENGTH"] == QUART_MAX_CONTENT_LENGTH:
        server.config["MAX_CONTENT_LENGTH"] = max_content_length
        if server.config["BODY_TIMEOUT"] == QUART_BODY_TIMEOUT:
            # The same slowest line as before, with more to carry.
            server.config["BODY_TIMEOUT"] *= max(1, max_content_length / QUART_MAX_CONTENT_LENGTH)
    if not issubclass(server.request_class.body_class, PatientBody):
        server.request_class = cast(
            type[Request], type("Request", (server.request_class,), {"body_class": PatientBody})
        )


async def read_body() -> bytes:
    """The body of the current request.

    Raises:
        RequestRefused: 413, it is over the server's limit.
        RequestTimeout: It does not arrive in time.
    """
    body: Any = request.body
    try:
        if isinstance(body, PatientBody) and body.arrived:
            # The usual case. Quart's get_data makes a task and a timer, here to wait for nothing.
            return await body
        raw: Any = await request.get_data(as_text=False)
        return bytes(raw)
    except RequestEntityTooLarge as error:
        raise RequestRefused(413, error.description or "The body is too large.") from None


async def read_json(pool: Pool) -> Any:
    """The JSON of the current request's body, unpacked when it was sent with gzip.

    Args:
        pool: Where bodies are unpacked. They are decoded on the loop: orjson keeps the interpreter to itself, so that a
            thread would hold up the loop just as long.

    Raises:
        RequestRefused: 415 for another content type, 413 for a body over the server's limit, 400 for what is not JSON.
        RequestTimeout: It does not arrive in time.
    """
    if not request.is_json:
        raise RequestRefused(415, "The Content-Type must be application/json.")
    raw = await read_body()
    if "gzip" in request.headers.get("Content-Encoding", ""):
        raw = await pool.run(_unpack, raw, request.max_content_length)
    if len(raw) < LIGHT_BODY:
        return _decode(raw)
    with _no_collection():
        return _decode(raw)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector from running; on the loop's thread, so that no two of these overlap."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _decode(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        pass
    try:
        # A browser sends lone surrogates, which orjson refuses.
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise RequestRefused(400, "The body is not JSON.") from None


def _unpack(raw: bytes, limit: int | None) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(raw, 0 if limit is None else limit + 1)
    except zlib.error:
        raise RequestRefused(400, "The body is not valid gzip.") from None
    if limit is not None and len(unpacked) > limit:
        raise RequestRefused(413, f"The body is larger than the {limit} bytes that this app accepts.")
    return unpacked
