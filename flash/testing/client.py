"""A client that opens pages and calls callbacks of an app in this process, with no browser and no network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dash.dependencies import DashDependency

from ..callbacks import declaration_of
from .calls import CallRun
from .declarations import Declaration, Given, find
from .loop import LoopThread
from .page import Page, PageFailed
from .properties import Name, Property, Target
from .results import Answer, CallbackFailed, Failure, Result
from .transport import Transport

if TYPE_CHECKING:
    from ..app import Flash

#: Values by property, as a test writes them.
Values = Mapping[Any, Any]
Headers = Mapping[str, str]

_PAGE_CONTENT = Property("_pages_content", "children")
_PAGE_PATH = Property("_pages_location", "pathname")


class Client:
    """One visitor of an app: opens its pages and calls its callbacks in this process.

    Entering it starts the app as a server does, leaving it stops the app. Requests take the way of a browser's, through
    guards, sessions and error handlers; cookies are kept from one to the next. What is called is found in the list of
    callbacks that the app tells the browser.

    In plain code enter it with ``with``: that gives a :class:`SyncClient`, whose methods are the same but not awaited.

    Args:
        app: The app.
        headers: Headers to send with every request.
        timeout: How long the start, the end and every call may take, in seconds.

    Example:
        >>> async with Client(app) as client:
        ...     page = await client.open("/")
        ...     result = await client.call("out.children", inputs={"in.value": 3})
        ...     assert result["out.children"] == "3 items"
    """

    def __init__(self, app: Flash, *, headers: Headers | None = None, timeout: float = 30.0) -> None:
        self.app = app
        self.timeout = timeout
        #: The page that was opened last; calls take from it what the test does not give.
        self.page: Page | None = None
        self._transport = Transport(app, headers or {}, timeout)
        self._declarations: list[Declaration] = []
        self._sync: SyncClient | None = None

    async def __aenter__(self) -> Client:
        await self._transport.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.stop()

    def __enter__(self) -> SyncClient:
        self._sync = SyncClient(self)
        return self._sync

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sync is not None:
            self._sync.close()

    @property
    def headers(self) -> dict[str, str]:
        """Headers that are sent with every request. They can be changed."""
        return self._transport.headers

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that are sent, by name; :meth:`set_cookie` sets one."""
        return self._transport.cookies

    def set_cookie(self, name: str, value: str) -> None:
        """Send a cookie with every request from now on."""
        self._transport.set_cookie(name, value)

    async def request(
        self, path: str, method: str = "GET", *, headers: Headers | None = None, **options: Any
    ) -> Answer:
        """Send any other request: to a sign-in form, a route of the server, an ``api_endpoint``.

        Args:
            path: The path below the app's prefix.
            method: The HTTP method.
            headers: Headers for this request.
            **options: As :meth:`quart.testing.QuartClient.open` takes them: ``json``, ``form``, ``data``, ``files``,
                ``query_string``, ``follow_redirects``.

        Example:
            >>> answer = await client.request("/login", "POST", form={"name": "ann", "password": "secret"})
            >>> answer.status, client.cookies
            (302, {'session': '...'})
        """
        async with self._limit(f"The request to {path!r}"):
            return await self._transport.send(method, path, headers, **options)

    # Pages.

    async def open(self, path: str = "/", *, headers: Headers | None = None, check: bool = True) -> Page:
        """Open a page: the index, the layout, and the page of the path when the app uses pages.

        No callback runs but Dash's own that finds the page. A redirect is not followed.

        Args:
            path: The path below the app's prefix, with its query: ``"/reports?year=2007"``.
            headers: Headers for these requests.
            check: Raise when the page fails; otherwise the page tells in ``error``.

        Raises:
            PageFailed: The status is 400 or above; its cause is what was raised.
            TimeoutError: It takes longer than the client's ``timeout``.
        """
        __tracebackhide__ = True
        self.page = None
        path = "/" + path.lstrip("/")
        async with self._limit(f"The page {path!r}"):
            answer = await self._transport.send("GET", path, headers)
            page = Page(path, answer.status, answer.headers, answer.text)
            if answer.status >= 400:
                page.error = Failure.of(answer)
            elif page.config:
                await self._lay_out(page, headers)
        self.page = page
        if check and page.error is not None:
            raise PageFailed(page)
        return page

    async def _lay_out(self, page: Page, headers: Headers | None) -> None:
        answer = await self._transport.send("GET", "_dash-layout", headers)
        if answer.status != 200:
            page.error = Failure.of(answer)
            return
        page.layout = answer.json()
        page.set_location(self.app.config.requests_pathname_prefix)
        if _PAGE_CONTENT.id not in page:
            return
        given = Given(outputs=[_PAGE_CONTENT], triggered=[_PAGE_PATH])
        result = await self._run(given, None, page, headers)
        page.error = result.error
        page.title = result.outputs.get("_pages_store.data", {}).get("title", page.title)

    # Callbacks.

    async def call(
        self,
        output: Target | None = None,
        inputs: Values | None = None,
        state: Values | None = None,
        *,
        triggered: Name | Sequence[Name] | None = None,
        headers: Headers | None = None,
        check: bool = True,
    ) -> Result:
        """Call a callback as the browser does; a background callback until its job is done.

        Inputs and states that are not given have the value that they have on the open page, else None.

        Args:
            output: Its output, or several: ``"out.children"``, ``Output({"type": "row", "index": 1}, "children")``. One
                is enough. None for the callback without outputs. Where that does not tell callbacks apart, the inputs
                do; or pass the function that was decorated.
            inputs: Values by ``"id.property"`` or ``Input(id, property)``.
            state: The same for states.
            triggered: The inputs that count as changed; those in ``inputs`` when it is left out.
            headers: Headers for this request.
            check: Raise when the callback fails; otherwise the result tells in ``error``.

        Raises:
            CallbackFailed: It failed; the cause is what was raised.
            ConfigurationError: There is no such callback, or it has no such input.
            TimeoutError: It takes longer than the client's ``timeout``.

        Example:
            >>> result = await client.call("out.children", inputs={"in.value": 3}, state={"store.data": None})
            >>> result["out.children"]
            '3 items'
        """
        __tracebackhide__ = True
        function = output if callable(output) else None
        values = {Property.of(name): value for name, value in (inputs or {}).items()}
        given = Given(
            outputs=[] if callable(output) else _properties(output),
            inputs=values,
            state={Property.of(name): value for name, value in (state or {}).items()},
            triggered=list(values) if triggered is None else _properties(triggered),
        )
        called = (
            getattr(function, "__qualname__", repr(function))
            if function
            else ", ".join(map(str, given.outputs)) or "without outputs"
        )
        async with self._limit(f"The callback {called}"):
            result = await self._run(given, function, self.page, headers)
        if check and result.error is not None:
            raise CallbackFailed(called, result)
        return result

    async def _run(
        self, given: Given, function: Callable[..., Any] | None, page: Page | None, headers: Headers | None
    ) -> Result:
        if not self._declarations:
            answer = await self._transport.send("GET", "_dash-dependencies", headers)
            if answer.status != 200:
                # A guard refuses: neither would a browser get any further.
                return Result(answer, error=Failure.of(answer))
            self._declarations = [Declaration(each) for each in answer.json()]
        is_meant = None if function is None else lambda declaration: self._function_of(declaration) is function
        declaration = find(self._declarations, given, is_meant)
        return await CallRun(self._transport, declaration, given, page, headers).run()

    def _function_of(self, declaration: Declaration) -> Any:
        stored = self.app.callback_map[declaration.id].get("callback")
        return declaration_of(stored).func if stored is not None else None

    @asynccontextmanager
    async def _limit(self, what: str) -> AsyncIterator[None]:
        __tracebackhide__ = True
        limit = asyncio.timeout(self.timeout)
        try:
            async with limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise TimeoutError(f"{what} took longer than the client's timeout of {self.timeout:g} seconds.") from None


class SyncClient:
    """A :class:`Client` for plain code; its app runs on an event loop in a thread.

    Made by ``with Client(app) as client:`` and by the fixture ``flash_client``.

    Example:
        >>> with Client(app) as client:
        ...     page = client.open("/")
        ...     assert client.call("out.children", inputs={"in.value": 3})["out.children"] == "3 items"
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._loop = LoopThread("flash-test-client")
        try:
            self._loop.run(client.__aenter__())
        except BaseException:
            self._loop.close()
            raise

    def close(self) -> None:
        """Stop the app and the loop."""
        try:
            self._loop.run(self._client.__aexit__(None, None, None))
        finally:
            self._loop.close()

    @property
    def app(self) -> Flash:
        """The app."""
        return self._client.app

    @property
    def page(self) -> Page | None:
        """The page that was opened last; calls take from it what the test does not give."""
        return self._client.page

    @property
    def headers(self) -> dict[str, str]:
        """Headers that are sent with every request. They can be changed."""
        return self._client.headers

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that are sent, by name; :meth:`set_cookie` sets one."""
        return self._client.cookies

    def set_cookie(self, name: str, value: str) -> None:
        """Send a cookie with every request from now on."""
        self._client.set_cookie(name, value)

    def request(self, path: str, method: str = "GET", *, headers: Headers | None = None, **options: Any) -> Answer:
        """Send any other request. See :meth:`Client.request`."""
        __tracebackhide__ = True
        return self._loop.run(self._client.request(path, method, headers=headers, **options))

    def open(self, path: str = "/", *, headers: Headers | None = None, check: bool = True) -> Page:
        """Open a page. See :meth:`Client.open`."""
        __tracebackhide__ = True
        return self._loop.run(self._client.open(path, headers=headers, check=check))

    def call(
        self,
        output: Target | None = None,
        inputs: Values | None = None,
        state: Values | None = None,
        *,
        triggered: Name | Sequence[Name] | None = None,
        headers: Headers | None = None,
        check: bool = True,
    ) -> Result:
        """Call a callback. See :meth:`Client.call`."""
        __tracebackhide__ = True
        return self._loop.run(
            self._client.call(output, inputs, state, triggered=triggered, headers=headers, check=check)
        )


def _properties(names: Name | Sequence[Name] | None) -> list[Property]:
    if names is None:
        return []
    return [Property.of(name) for name in ([names] if isinstance(names, (str, DashDependency)) else names)]
