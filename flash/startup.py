"""Setting an app up: once, under a lock, at the start of the server or else at the first request."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import logging
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dash import html
from quart import has_request_context

from . import _dash
from ._dash_scopes import per_app
from .callbacks import adopt_generators
from .calls import call
from .exceptions import SetupPending, new_error_id
from .layout import resolve_layout
from .pool import serving_loop

if TYPE_CHECKING:
    from .app import Flash

logger = logging.getLogger("flash")

_NO_REQUEST = (
    "Not within a request",
    "Working outside of request context",
    "Unable to build URLs outside an active request",
)


class LayoutFailed(Exception):
    """The app's layout function raised: a matter of time, so set-up is tried again."""


class Setup:
    """The set-up of one app.

    The first caller does the work, in a task of its own; whoever comes meanwhile waits for the same outcome. A failure
    leaves nothing half done, and the next caller tries again:

    - a *layout* that fails (a database that is not up yet) is logged and raises :class:`SetupPending`;
    - the layout of a *page* that fails is logged, and the other pages are served: it is called again whenever the page
      is opened, and only the ids in it are unknown to the dev tools;
    - an error in a *declaration* (two pages on one path, a duplicate output) is raised as it is, and ends a start.
    """

    def __init__(self, app: Flash) -> None:
        self.app = app
        self.done = False
        self._lock = threading.Lock()
        # Not asyncio's: test clients bring a loop each, and the loops of several threads may ask at once.
        self._running: concurrent.futures.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        #: The ids of the callbacks declared without an app that became this app's.
        self.claimed: list[str] = []
        self._last_failure = ""
        #: The app's name and place, for messages.
        self.described = ""

    async def at_start(self) -> None:
        """Set the app up when its server starts. A layout that fails does not end the start, any other error does."""
        try:
            await self.ensure()
            # It may have been served and closed before.
            await self.app.flash_shared.start_again()
            await self.app.flash_companions.start()
            _serving.add(self.app)
        except SetupPending as pending:
            if pending.waits_for_request:
                logger.info("The layout of %r needs a request; the first one sets the app up.", self.app.config.name)
        except Exception:
            await self.app.close()  # No server that has not started says that it ends.
            raise

    async def ensure(self) -> None:
        """Set the app up if that has not happened yet.

        Raises:
            SetupPending: The layout fails.
            Exception: A declaration is wrong.
        """
        if self.done:
            return
        with self._lock:
            running = self._running
            if running is None:
                running = self._running = concurrent.futures.Future()
                # A task, so that a client that goes away cancels its request and not the set-up of the app.
                self._task = asyncio.get_running_loop().create_task(
                    self._finish(running), context=contextvars.copy_context()
                )
        await asyncio.shield(asyncio.wrap_future(running))

    async def _finish(self, running: concurrent.futures.Future[None]) -> None:
        try:
            await self._run()
        except BaseException as error:
            with self._lock:
                self._running = None
            if isinstance(error, LayoutFailed):
                error = self._pending(error)
            running.set_exception(error)
            running.exception()
        else:
            self.done = True
            running.set_result(None)
        finally:
            self._task = None

    async def _run(self) -> None:
        app = self.app
        serving_loop.set(asyncio.get_running_loop())
        _dash.current_app.set(app)
        _dash.running_setup.set(True)
        _dash.context_value.set({})
        for hook in app.hook_view.waiting_setups:
            await hook(app)
        app.hook_view.waiting_setups = []
        for register in (app.register, _dash.global_register()):
            adopt_generators(register.entries, register.specs)
        app.flash_companions.declare()
        app.declare_carrier()
        if callable(app.declared_layout):
            try:
                tree = await resolve_layout(app)
            except Exception as error:
                raise LayoutFailed() from error
            _dash.resolved_layout.set((app, tree))
        self.described = f"{app.config.name!r} at {app.config.routes_pathname_prefix}"
        self.claimed = _dash.global_callbacks()
        with app.undone_on_failure():
            await app.flash_chores.run(app.run_server_setup)
            adopt_generators(app.callback_map, app.callback_list)
            if callable(app.declared_layout) and not app.validation_layout:
                app.validation_layout = None if app.config.suppress_callback_exceptions else tree
            if app.backend.page_setup is not None:
                await app.backend.page_setup()
            app.flash_shared.declare()
        await app.flash_shared.start(
            [app.validation_layout or (tree if callable(app.declared_layout) else app.declared_layout)]
        )
        await app.flash_companions.start()
        _warn_of_other_apps(app)
        _serving.add(app)

    def end(self) -> None:
        """Say that the app is served no more."""
        _serving.discard(self.app)

    def _pending(self, failed: LayoutFailed) -> SetupPending:
        cause = failed.__cause__
        error_id = new_error_id()
        if _needs_request(cause):
            return SetupPending(error_id, waits_for_request=True)
        # With its traceback once; the requests that come meanwhile try as often as they come.
        again, self._last_failure = repr(cause) == self._last_failure, repr(cause)
        logger.error(
            "The layout of %r failed%s; the next request tries again. Error id: %s",
            self.app.config.name,
            f" again with {type(cause).__name__}" if again else "",
            error_id,
            exc_info=None if again else cause,
        )
        return SetupPending(error_id)


async def call_page_function(app: Flash, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a page's layout or title for Dash's router. What fails while the app is set up stands empty."""
    try:
        return await call(app.flash_pool, func, *args, **kwargs)
    except Exception as error:
        if not _dash.running_setup.get() or app.flash_setup.done:
            raise
        if not _needs_request(error):
            name = f"{func.__module__}.{getattr(func, '__qualname__', func)}"
            logger.error("The page layout %s failed; it is called again when its page is opened.", name, exc_info=error)
        return html.Div()


def _needs_request(error: BaseException | None) -> bool:
    """Whether a layout failed only because no request is being served."""
    return str(error).startswith(_NO_REQUEST) and not has_request_context()


#: The apps of this process that are set up and not closed.
_serving: weakref.WeakSet[Flash] = per_app(weakref.WeakSet())


def _warn_of_other_apps(app: Flash) -> None:
    """Say whose the global callbacks and pages are when a second app of the process is set up."""
    for first in [each for each in _serving if each is not app]:
        names = first.flash_setup.described, app.flash_setup.described
        if claimed := first.flash_setup.claimed:
            logger.warning(
                "The %d callbacks declared with flash.callback (%s ...) are those of %s, which was set up first; "
                "%s does not serve them. Declare callbacks with app.callback when several apps share a process.",
                len(claimed),
                ", ".join(sorted(claimed)[:3]),
                *names,
            )
        if first.use_pages and app.use_pages:
            logger.warning(
                "The pages declared with register_page are those of %s and of %s: Dash keeps one registry for a "
                "process. Give one of the apps use_pages=False, or run them in processes of their own.",
                *names,
            )
