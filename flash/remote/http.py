"""A backend that is asked over HTTP: it takes JSON by POST and answers with JSON, at once or bit by bit."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from ..exceptions import ConfigurationError
from .backend import Backend, Progress, Result, Task
from .connections import Connections, ConnectionsByLoop
from .errors import RemoteError, fields_of, reason_of
from .messages import ACCEPT, beginning, decoded, excerpt, messages
from .retries import Again, Failure, again_after

if TYPE_CHECKING:
    import httpx2

    from .celery import CeleryRemote

logger = logging.getLogger("flash")

#: Of the answer that says why a call was refused. More is not read.
_MOST_REFUSAL_BYTES = 64 * 1024

_OWN_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "host",
        "idempotency-key",
        "transfer-encoding",
        "x-request-id",
    }
)


class Remote(Backend):
    """A server that does the work of callbacks. One serves any number of them.

    Its connections are made when they are first needed, and are shared by all calls of an event loop, with which they
    are closed.

    Args:
        url: Its address. What values are sent to it never changes it.
        token: Sent as ``Authorization: Bearer``, to this address only. ``"env:NAME"`` reads it from the environment.
        timeout: Seconds after which a call is given up, tries and waiting included.
        retries: How often a call is sent again, where that is safe: when the backend was not reached, and when it
            answers 429 or 503 with ``Retry-After``.
        limit: How many calls run at once, in each process. Ten times as many wait; one more fails as ``"busy"``.
        idempotent: Whether a call may run twice. It is then sent again also after 502, 503, 504 and a connection
            that was lost, with the same ``Idempotency-Key``.
        headers: Further headers.
        transport: Of httpx2, in place of the network: ``httpx2.ASGITransport(app)``,
            ``httpx2.AsyncHTTPTransport(uds="calc.sock")``.

    Raises:
        ConfigurationError: An argument cannot work, or the variable that ``token`` names is not set.
        ImportError: The extra ``remote`` is not installed.

    Example:
        >>> calc = Remote("http://calc:8000", token="env:CALC_TOKEN", timeout=60)
        >>> @api_callback(calc / "multiply", Output("out", "children"), inputs=dict(number=Input("number", "value")))
        ... def show(data, number):
        ...     return data["product"]
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = 300,
        retries: int = 2,
        limit: int = 16,
        idempotent: bool = False,
        headers: Mapping[str, str] | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        _require_httpx2()
        self.url = _checked_url(url)
        self.timeout = checked_timeout(timeout)
        self.retries = _checked_number("retries", retries, 0)
        self.idempotent = _checked_switch("idempotent", idempotent)
        self._headers = _headers_of(headers or {}, token)
        self._connections = ConnectionsByLoop(transport, _checked_number("limit", limit, 1))

    def __repr__(self) -> str:
        return f"<Remote {self.url}>"

    def __truediv__(self, name: str) -> Task:
        """The task at a path below the address.

        Args:
            name: The path, such as ``"multiply"`` or ``"numbers/multiply/"``.

        Raises:
            ConfigurationError: It is no path below the address.
        """
        if not isinstance(name, str) or not name or name.startswith("/") or _leaves(name):
            raise ConfigurationError(
                f"A task's name is a path below {self.url}, not {name!r}. Write remote / 'multiply'."
            )
        if urlsplit(self.url).query:
            raise ConfigurationError(f"{self.url} has a query, and no path can stand behind it. Leave the query out.")
        return Task(self, name)

    @classmethod
    def celery(cls, app: Any, **options: Any) -> CeleryRemote:
        """A backend that is asked through Celery: its tasks run on workers that do not know the dashboard.

        Args:
            app: The Celery app, which knows the broker and where results are kept.
            **options: As :class:`flash.remote.celery.CeleryRemote` takes them.

        Example:
            >>> jobs = Remote.celery(Celery(broker="redis://localhost", backend="redis://localhost"))
            >>> @api_callback(jobs / "reports.build", Output("out", "children"), inputs=dict(day=Input("day", "date")))
            ... def show(data, day):
            ...     return data["summary"]
        """
        from .celery import CeleryRemote

        return CeleryRemote(app, **options)

    async def aclose(self) -> None:
        """Close the connections of the running event loop now. They are closed with the loop in any case."""
        await self._connections.aclose()

    async def call(
        self,
        name: str,
        fields: dict[str, Any],
        *,
        call_id: str,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> AsyncGenerator[Progress | Result, None]:
        """Ask for a task, as :meth:`flash.remote.backend.Backend.call` says. Closing the generator hangs up."""
        url = f"{self.url.rstrip('/')}/{name}" if name else self.url
        deadline = asyncio.get_running_loop().time() + (timeout or self.timeout)
        ask = _Ask(url, {**self._headers, **_headers_of_call(call_id)}, orjson.dumps(fields), deadline)
        try:
            async with aclosing(self._tries(ask)) as said:
                async for message in said:
                    yield message
        except Failure as failure:
            logger.warning(
                "The remote call %s to %s has failed: %s, status %s. %s",
                call_id,
                urlsplit(url)._replace(query="").geturl(),
                failure.reason,
                failure.status,
                failure.told,
            )
            raise RemoteError(failure.reason, call_id, failure.status, failure.fields) from failure

    async def _tries(self, ask: _Ask) -> AsyncGenerator[Progress | Result, None]:
        """Send a call until it has an answer, as often as is allowed and safe."""
        connections: Connections = await self._connections.here()
        async with connections.turn(ask.deadline) as client:
            for tries in range(1, self.retries + 2):
                began = False
                try:
                    async with aclosing(ask.answer(client)) as said:
                        async for message in said:
                            began = True
                            yield message
                    return
                except Failure as failure:
                    seconds = failure.seconds(tries)
                    last = began or tries > self.retries or ask.left() < seconds
                    if last or not failure.may_repeat(self.idempotent):
                        raise
                await asyncio.sleep(seconds)


class _Ask:
    """One call, as it is sent in each try."""

    __slots__ = ("_body", "_headers", "_url", "deadline")

    def __init__(self, url: str, headers: dict[str, str], body: bytes, deadline: float) -> None:
        self._url = url
        self._headers = headers
        self._body = body
        self.deadline = deadline

    def left(self) -> float:
        """The seconds that are left."""
        return self.deadline - asyncio.get_running_loop().time()

    async def answer(self, client: httpx2.AsyncClient) -> AsyncGenerator[Progress | Result, None]:
        """Send it once.

        Raises:
            Failure: There is no result.
        """
        import httpx2

        response: httpx2.Response | None = None
        try:
            async with asyncio.timeout_at(self.deadline):
                request = client.build_request("POST", self._url, content=self._body, headers=self._headers)
                response = await client.send(request, stream=True)
            async with aclosing(self._chunks(response)) as chunks:
                if not response.is_success:
                    raise await _refusal(response, chunks)
                async with aclosing(messages(response.headers.get("content-type", ""), chunks)) as said:
                    async for message in said:
                        yield message
        except TimeoutError as error:
            raise Failure("timeout", status=None if response is None else response.status_code) from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise Failure("unreachable", Again.ALWAYS, told=repr(error)) from error
        except httpx2.TransportError as error:
            raise Failure("unreachable", Again.IF_IDEMPOTENT, told=repr(error)) from error
        finally:
            if response is not None:
                await response.aclose()

    async def _chunks(self, response: httpx2.Response) -> AsyncGenerator[bytes, None]:
        """The bytes of an answer as they come, until the call's time is over."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise Failure("garbled", status=response.status_code, told="The answer is compressed, and was not to be.")
        async with aclosing(response.aiter_bytes()) as chunks:
            while True:
                try:
                    async with asyncio.timeout_at(self.deadline):
                        # A turn for all else: what has been read from the socket already can be thousands of chunks.
                        await asyncio.sleep(0)
                        chunk = await anext(chunks)
                except StopAsyncIteration:
                    return
                yield chunk


async def _refusal(response: httpx2.Response, chunks: AsyncIterator[bytes]) -> Failure:
    """What an answer with an error says."""
    status = response.status_code
    fields = dict[str, str]()
    body = await beginning(chunks, _MOST_REFUSAL_BYTES)
    with suppress(Failure):  # It need not be JSON, nor short.
        fields = fields_of(decoded(body))
    again, after = again_after(status, response.headers)
    return Failure(reason_of(status, fields), again, status=status, fields=fields, told=excerpt(body), after=after)


def checked_timeout(timeout: Any) -> float:
    """A number of seconds, above 0.

    Raises:
        ConfigurationError: It is none.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout < float("inf"):
        raise ConfigurationError(f"timeout is a number of seconds above 0, such as timeout=300, not {timeout!r}.")
    return float(timeout)


def _require_httpx2() -> None:
    try:
        import httpx2  # noqa: F401
    except ImportError as error:
        raise ImportError('flash.remote needs an extra: pip install "dash-flash[remote]"') from error


def _checked_url(url: Any) -> str:
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        works = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        works = False
    if not works or any(not " " < each < "\x7f" for each in url):
        raise ConfigurationError(f"A backend's address is like 'http://calc:8000/multiply', not {url!r}.")
    if "@" in parts.netloc:
        raise ConfigurationError("A backend's address holds no password: logs would show it. Write token='env:NAME'.")
    if parts.fragment:
        raise ConfigurationError(f"{url} has a fragment, which is never sent. Leave #{parts.fragment} out.")
    return str(url)


def _leaves(name: str) -> bool:
    """Whether a name could be more than a path below the address."""
    return any(each in name for each in "?#\\:%@") or any(not " " < each < "\x7f" for each in name) or ".." in name


def _checked_number(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{name} is a number, {least} or more, not {value!r}.")
    return value


def _checked_switch(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be True or False, not {value!r}.")
    return value


def _headers_of(headers: Mapping[str, str], token: str | None) -> dict[str, str]:
    checked = {_checked_name(name): _checked_header(name, value) for name, value in headers.items()}
    if token is not None:
        if any(name.lower() == "authorization" for name in checked):
            raise ConfigurationError("token= is sent as Authorization, and headers= names that too. Leave one out.")
        checked["Authorization"] = f"Bearer {_checked_header('token', _read(token))}"
    return checked


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
        raise ConfigurationError(f"A header has a name such as 'X-Team', not {name!r}.")
    if name.lower() in _OWN_HEADERS:
        raise ConfigurationError(f"The header {name} is set for each call. Leave it out of headers=.")
    return name


def _checked_header(name: str, value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value):
        raise ConfigurationError(
            f"{name} is sent in a header: a text of printable ASCII characters, in one line, without spaces around it."
        )
    return value


def _read(token: Any) -> Any:
    if not isinstance(token, str) or not token.startswith("env:"):
        return token
    name = token.removeprefix("env:")
    if not os.environ.get(name):
        raise ConfigurationError(f"token={token!r} names the environment variable {name}, which is not set. Set it.")
    return os.environ[name]


def _headers_of_call(call_id: str) -> dict[str, str]:
    return {
        "Accept": ACCEPT,
        # What is compressed would have to be unpacked before its size is known.
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "Idempotency-Key": call_id,
        "X-Request-ID": call_id,
    }
