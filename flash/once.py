"""Callbacks on feeds: equal arguments run once for each version, and the bytes go to all that asked.

Such a callback depends on its arguments alone, as far as its function shows it: what it reads of ``ctx`` is watched.
One that reads ``ctx.client``, the cookies and their like, or sets properties in the page that asks, runs for each that
asks. The run that others share has no request around it: nothing of one visitor gets into the answer of another.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextvars import Context, ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
from dash.exceptions import PreventUpdate

from .answers import Answer
from .callbacks import Declaration
from .exceptions import CallbackFailed
from .failures import described
from .pool import serving_loop
from .requests import Call

if TYPE_CHECKING:
    from .app import Flash

#: Answers that are kept, and their bytes together. The one that was asked for longest ago goes first.
_MOST_KEPT = 1000
_MOST_BYTES = 64 * 1024 * 1024

#: What equal arguments make equal, of what ``ctx`` shows.
_EQUAL = frozenset(
    {
        "background_callback_manager",
        "input_values",
        "inputs_list",
        "outputs_grouping",
        "outputs_list",
        "state_values",
        "states_list",
        "timing_information",
        "updated_props",
        "using_args_grouping",
        "using_outputs_grouping",
    }
)
#: What depends on which input has changed.
_TRIGGERS = frozenset({"args_grouping", "triggered_inputs"})

Run = Callable[[Call], Awaitable[bytes]]


class Watched:
    """A callback's context that notes what is read of it.

    Args:
        context: What is read.
    """

    def __init__(self, context: Any) -> None:
        self.__dict__["_context"] = context
        self.__dict__["_read"] = set()

    @property
    def is_personal(self) -> bool:
        """Whether something was read that tells who asks."""
        return bool(self._read - _EQUAL - _TRIGGERS)

    @property
    def knows_trigger(self) -> bool:
        """Whether it was read what has changed."""
        return bool(self._read & _TRIGGERS)

    def get(self, name: str, default: Any = None) -> Any:
        """As that of a dict."""
        self._read.add(name)
        return self._context.get(name, default)

    def __getattr__(self, name: str) -> Any:
        self._read.add(name)
        return getattr(self._context, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._context, name, value)

    def __getitem__(self, name: str) -> Any:
        self._read.add(name)
        return self._context[name]

    def __bool__(self) -> bool:
        return True


class _Personal(BaseException):
    """The answer is for the one who has asked first, or is none: each runs for itself.

    No ``Exception``: the app's error handlers are not to take it.
    """


class _Run:
    """One run, and those that wait for it."""

    def __init__(self, task: asyncio.Task[bytes]) -> None:
        self.task = task
        self.waiting = 0
        #: What all but one of those that wait are told of its error.
        self.text: str | None = None


class Once:
    """The answers of an app's callbacks on feeds.

    Args:
        app: The app.
        context: In which shared runs begin: that of no request.
    """

    def __init__(self, app: Flash, context: Context) -> None:
        self._app = app
        self._context = context
        self._runs: dict[bytes, _Run] = {}
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
        shared = self._runs[key] = _Run(
            asyncio.get_running_loop().create_task(self._run(called), context=self._context.copy())
        )
        shared.task.add_done_callback(functools.partial(self._ended, key))
        return await self._share(called, run, shared, is_first=True)

    async def _share(self, called: Call, run: Run, shared: _Run, is_first: bool = False) -> bytes:
        """Wait for a run. The last that waits no more ends it."""
        shared.waiting += 1
        try:
            await asyncio.wait({shared.task})
        finally:
            shared.waiting -= 1
            if not shared.waiting:
                shared.task.cancel()
        try:
            return shared.task.result()
        except _Personal as personal:
            if is_first and personal.args:
                return _given(personal.args[0])
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

    async def _run(self, called: Call) -> bytes:
        """Run the function with nothing of the request of the one who has asked first but ``ctx``, which is watched."""
        serving_loop.set(asyncio.get_running_loop())
        watched = Watched(called.context)
        call = replace(called, declaration=_without_request(called.declaration), shown_context=watched)
        pushed = False

        def finish(call: Call, answer: Answer) -> Any:
            nonlocal pushed
            pushed = bool(answer.pushed)
            return self._app.flash_dispatcher.to_bytes(call, answer)

        answer: bytes | None = None
        try:
            async with self._app.server.app_context():
                answer = await self._app.flash_dispatcher.run(call, finish)
        except PreventUpdate:
            pass
        except _Personal:
            self._personal.add(called.declaration.callback_id)
            raise
        if watched.is_personal or pushed:
            self._personal.add(called.declaration.callback_id)
            raise _Personal(answer)
        if watched.knows_trigger and called.declaration.callback_id not in self._triggered:
            self._triggered.add(called.declaration.callback_id)
            raise _Personal(answer)
        return _given(answer)

    def _ended(self, key: bytes, task: asyncio.Task[bytes]) -> None:
        self._runs.pop(key, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._keep(key, task.result())
        elif isinstance(error, PreventUpdate):
            self._keep(key, None)

    def _keep(self, key: bytes, answer: bytes | None) -> None:
        self._kept[key] = answer
        self._bytes += len(answer or b"")
        while len(self._kept) > _MOST_KEPT or self._bytes > _MOST_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest or b"")

    def _key(self, called: Call) -> bytes:
        """What calls have in common that get the same answer."""
        body, feeds = called.body, self._app.flash_feeds
        versions = iter(called.fed)

        def value(entry: Any) -> Any:
            if isinstance(entry, list):
                return [value(each) for each in entry]
            if isinstance(entry["id"], str) and entry["id"] in feeds and entry["property"] == "data":
                return entry["id"], next(versions).value.version
            return entry["id"], entry["property"], entry.get("value")

        parts = [
            body["output"],
            body["outputs"],
            [value(each) for each in [*body["inputs"], *body["state"]]],
            # Trees in the answer hold the shared values of now.
            self._app.flash_shared.version,
            body["changedPropIds"] if body["output"] in self._triggered else None,
        ]
        return hashlib.blake2b(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).digest()

    async def close(self) -> None:
        """End the runs, and forget the answers."""
        tasks = [each.task for each in self._runs.values()]
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


def _without_request(declaration: Declaration) -> Declaration:
    """A declaration whose function says by :class:`_Personal` that it needs the request."""
    func = declaration.func

    @functools.wraps(func)
    async def await_(*args: Any, **kwargs: Any) -> Any:
        try:
            return await func(*args, **kwargs)
        except (RuntimeError, LookupError) as error:
            raise (_Personal() if _needs_request(error) else error) from error.__cause__

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return func(*args, **kwargs)
        except (RuntimeError, LookupError) as error:
            raise (_Personal() if _needs_request(error) else error) from error.__cause__

    return replace(declaration, func=await_ if declaration.is_async else call)


def _needs_request(error: RuntimeError | LookupError) -> bool:
    """Whether code has asked for the request, or for a context variable of a guard's: a shared run has neither."""
    if isinstance(error, LookupError):
        return bool(error.args) and isinstance(error.args[0], ContextVar)
    text = str(error)
    return "Not within a request context" in text or "outside of request context" in text
