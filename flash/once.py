"""Callbacks on feeds: equal arguments run once for each version, and the bytes go to all that asked.

Such a callback depends on its arguments alone, as far as its function shows it: what it reads of ``ctx`` is watched.
One that reads ``ctx.client``, the cookies and their like, or sets properties in the page that asks, runs for each that
asks. The run that others share has no request around it: nothing of one visitor gets into the answer of another.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import inspect
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
from dash.exceptions import PreventUpdate

from .answers import Answer
from .callbacks import Declaration
from .exceptions import CallbackFailed
from .failures import described
from .feeds import feed_of
from .pool import serving_loop
from .requests import Call
from .watched import NoRequest, Personal, Watched

if TYPE_CHECKING:
    from .app import Flash

#: Answers that are kept, and their bytes together. The one that was asked for longest ago goes first.
_MOST_KEPT = 1000
_MOST_BYTES = 64 * 1024 * 1024

Run = Callable[[Call], Awaitable[bytes]]


class _Shared:
    """One run, and those that wait for it.

    Args:
        called: The call that has come first.
        key: What those calls have in common.
        by_trigger: Whether that is also what has changed.
    """

    task: asyncio.Task[bytes]

    def __init__(self, called: Call, key: bytes, by_trigger: bool) -> None:
        self.called = called
        self.key = key
        self.by_trigger = by_trigger
        self.waiting = 0
        #: Whether the function has failed, so that an error handler has given the answer.
        self.failed = False
        #: What all but one of those that wait are told of its error.
        self.text: str | None = None


class Once:
    """The answers of an app's callbacks on feeds.

    Args:
        app: The app.
        context: In which shared runs begin while no server has said it: that of no request.
    """

    def __init__(self, app: Flash, context: Context) -> None:
        self._app = app
        self._context = context
        self._runs: dict[bytes, _Shared] = {}
        self._tasks: set[asyncio.Task[bytes]] = set()
        self._kept: OrderedDict[bytes, bytes | None] = OrderedDict()
        self._bytes = 0
        #: Callbacks whose runs have read who asks, and those that have read what has changed.
        self._personal: set[str] = set()
        self._triggered: set[str] = set()

    def takes(self, called: Call) -> bool:
        """Whether a call may be answered with what another one has come to."""
        declaration = called.declaration
        return (
            bool(called.fed)
            and declaration.callback_id not in self._personal
            and declaration.lane is None
            and not declaration.runs_in_manager
            and not self._app.flash_shared.graph.channel_functions
        )

    async def answer(self, called: Call, run: Run) -> bytes:
        """Answer a call, by a run of its own or by that of an equal one.

        Args:
            called: Whom :meth:`takes` has taken; its client may run the callback.
            run: Runs it.

        Raises:
            PreventUpdate: Nothing is to be updated.
            CallbackFailed: The run has failed that this call has shared.
            Exception: What the function raised.
        """
        await self._app.identify_requester(called.context)
        await called.fill()
        key = self._key(called)
        if key in self._kept:
            self._kept.move_to_end(key)
            return _given(self._kept[key])
        shared = self._runs.get(key)
        if shared is not None:
            return await self._share(called, run, shared)
        return await self._share(called, run, self._begin(called, key), is_first=True)

    def begin_in(self, context: Context) -> None:
        """Say in which context shared runs begin: that of the server, which knows the app's place in it."""
        self._context = context

    def _begin(self, called: Call, key: bytes) -> _Shared:
        shared = self._runs[key] = _Shared(called, key, called.declaration.callback_id in self._triggered)
        shared.task = asyncio.get_running_loop().create_task(self._run(shared), context=self._context.copy())
        self._tasks.add(shared.task)
        shared.task.add_done_callback(functools.partial(self._ended, shared))
        return shared

    async def _share(self, called: Call, run: Run, shared: _Shared, is_first: bool = False) -> bytes:
        """Wait for a run. The last that waits no more ends it."""
        shared.waiting += 1
        try:
            await asyncio.wait({shared.task})
        finally:
            shared.waiting -= 1
            if not shared.waiting:
                # It may take a while to end: who asks from now on has a run that goes on.
                self._leave(shared)
                shared.task.cancel()
        try:
            return shared.task.result()
        except Personal as personal:
            if not is_first:
                return await run(called)
            if personal.args:
                return _given(personal.args[0])
            called.fill_anew()
            return await run(called)
        except PreventUpdate:
            raise
        except asyncio.CancelledError:
            # Not this task: the shared one, as the app is closed.
            raise CallbackFailed("The callback was cancelled.") from None
        except Exception as error:
            if is_first:
                raise
            if shared.text is None:
                shared.text = described(self._app, f"The callback {called.declaration.callback_id!r}", error)
            raise CallbackFailed(shared.text) from None

    async def _run(self, shared: _Shared) -> bytes:
        """Run the function with nothing of the request of the one who has asked first but ``ctx``, which is watched."""
        serving_loop.set(asyncio.get_running_loop())
        called = shared.called
        callback_id = called.declaration.callback_id
        watched, request = Watched(called.context), NoRequest()
        call = replace(called, declaration=_seen(called.declaration, shared), shown_context=watched)
        pushed = False

        def finish(call: Call, answer: Answer) -> Any:
            nonlocal pushed
            pushed = bool(answer.pushed)
            return self._app.flash_dispatcher.to_bytes(call, answer)

        answer: bytes | None = None
        try:
            async with request.around(self._app.server):
                answer = await self._app.flash_dispatcher.run(call, finish)
        except PreventUpdate:
            pass
        except Personal:
            self._personal.add(callback_id)
            raise
        except LookupError as error:
            if not _is_missing_variable(error):
                raise
            self._personal.add(callback_id)
            raise Personal from None
        if request.was_read:
            self._personal.add(callback_id)
            raise Personal
        if watched.is_personal or pushed:
            self._personal.add(callback_id)
            raise Personal(answer)
        if watched.knows_trigger and not shared.by_trigger:
            self._triggered.add(callback_id)
            raise Personal(answer)
        return _given(answer)

    def _leave(self, shared: _Shared) -> None:
        """Have nobody wait for a run any more who does not wait already."""
        if self._runs.get(shared.key) is shared:
            del self._runs[shared.key]

    def _ended(self, shared: _Shared, task: asyncio.Task[bytes]) -> None:
        self._leave(shared)
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if shared.failed:
            return
        if error is None:
            self._keep(shared.key, task.result())
        elif isinstance(error, PreventUpdate):
            self._keep(shared.key, None)

    def _keep(self, key: bytes, answer: bytes | None) -> None:
        self._bytes += len(answer or b"") - len(self._kept.pop(key, None) or b"")
        self._kept[key] = answer
        while len(self._kept) > _MOST_KEPT or self._bytes > _MOST_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest or b"")

    def _key(self, called: Call) -> bytes:
        """What calls have in common that get the same answer."""
        body = called.body
        versions = iter(called.fed)

        def named(entry: Any) -> Any:
            if feed_of(self._app.flash_feeds, entry) is not None:
                return entry["id"], next(versions).value.version
            return _sent(entry)

        parts = [
            body["output"],
            body["outputs"],
            [named(each) for each in body["inputs"]],
            [named(each) for each in body["state"]],
            # Trees in the answer hold the shared values of now.
            self._app.flash_shared.version,
            body["changedPropIds"] if called.declaration.callback_id in self._triggered else None,
        ]
        return hashlib.blake2b(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).digest()

    async def close(self) -> None:
        """End the runs, and forget the answers."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._kept.clear()
        self._bytes = 0


def _given(answer: bytes | None) -> bytes:
    if answer is None:
        raise PreventUpdate
    return answer


def _sent(entry: Any) -> Any:
    """What a page has sent of a property, or of those that a pattern matches."""
    if isinstance(entry, list):
        return [_sent(each) for each in entry]
    return entry["id"], entry["property"], entry.get("value")


def _seen(declaration: Declaration, shared: _Shared) -> Declaration:
    """A declaration whose function tells of its failure, and by :class:`Personal` of a context variable it lacks."""
    func = declaration.func

    @contextmanager
    def seen() -> Iterator[None]:
        try:
            yield
        except (PreventUpdate, Personal):
            raise
        except BaseException as error:
            if _is_missing_variable(error):
                raise Personal from None
            shared.failed = True
            raise

    async def awaited(value: Awaitable[Any]) -> Any:
        with seen():
            return await value

    @functools.wraps(func)
    async def await_(*args: Any, **kwargs: Any) -> Any:
        with seen():
            return await func(*args, **kwargs)

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        with seen():
            value = func(*args, **kwargs)
        # A plain decorator around an async function.
        return awaited(value) if inspect.isawaitable(value) else value

    return replace(declaration, func=await_ if declaration.is_async else call)


def _is_missing_variable(error: BaseException) -> bool:
    """Whether code has asked for a context variable, of a guard's perhaps: a shared run has none."""
    return isinstance(error, LookupError) and bool(error.args) and isinstance(error.args[0], ContextVar)
