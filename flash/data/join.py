"""Sources and Flash apps: an app that is served runs the declared sources, and its pages show them."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from .. import _dash
from .._dash_scopes import per_app
from ..callbacks import declaration_of
from ..exceptions import ConfigurationError
from ..storage import MemoryStorage, SeveralProcesses, served_as
from .declare import chosen_store, declared_sources
from .engine import Engine
from .live_input import LiveInput, SourceFeed, status_store, version_store
from .source import Source
from .stores import store_of

if TYPE_CHECKING:
    from ..app import Flash

logger = logging.getLogger("flash")


class _Shared:
    """The engine that runs the declared sources, for all apps of a process that declare them together.

    Attributes:
        apps: Those that are served. The engine is that of the first.
        engine: What runs the sources; None while no app is served.
    """

    def __init__(self) -> None:
        self.apps: list[DataOfApp] = []
        self.engine: Engine | None = None

    async def begin(self, joined: DataOfApp) -> None:
        """An app is served from now on."""
        self.apps.append(joined)
        if self.apps[0] is joined:
            try:
                await self._run_for(joined)
            except BaseException:
                self.apps.remove(joined)
                await self._hand_over()
                raise

    async def end(self, joined: DataOfApp) -> None:
        """An app is served no more. The engine used its storage and its loop: the next app has one of its own."""
        if joined not in self.apps:
            return
        ran = self.apps[0] is joined
        self.apps.remove(joined)
        if ran and self.engine is not None:
            engine, self.engine = self.engine, None
            try:
                await engine.close()
            finally:
                await self._hand_over()

    async def _hand_over(self) -> None:
        """Have the next app run the sources."""
        if self.apps:
            try:
                await self.apps[0].on_its_loop(self._run_for(self.apps[0]))
            except Exception:
                logger.exception("%r cannot run the sources now.", self.apps[0].app.config.name)

    async def _run_for(self, joined: DataOfApp) -> None:
        engine = self.engine = _engine_for(joined.app)
        engine.on_news.append(self._tell)
        try:
            await engine.start()
        except BaseException:
            if self.engine is engine:
                self.engine = None
            raise
        if self.engine is not engine:
            await engine.close()  # The app was closed while it began.

    def forget_lost(self) -> None:
        """Forget apps whose loop has ended without them, as those of a test client without a start."""
        lost = [each for each in self.apps if each.has_lost_its_loop]
        if lost and self.apps[0] in lost and self.engine is not None:
            engine, self.engine = self.engine, None
            engine.abandon()
        self.apps = [each for each in self.apps if each not in lost]

    def _tell(self, source: Source) -> None:
        for each in self.apps:
            each.publish(source)


_shared: dict[str, _Shared] = per_app({})


def _engine_for(app: Flash) -> Engine:
    return Engine(
        declared_sources(),
        storage=app.flash_storage,
        store=store_of(chosen_store(), app.flash_storage),
        name=app.name_in_storage,
        served=served_as(app.name_in_storage, app.config.name),
    )


def _freshness() -> Any:
    """The module of the component, if a page may have it. Importing it adds scripts to the pages of the process."""
    return sys.modules.get(f"{__package__}.freshness")


class DataOfApp:
    """What an app has to do with sources, as :class:`flash.companions.Companion` says.

    Args:
        app: The app.
    """

    def __init__(self, app: Flash) -> None:
        self.app = app
        self._running: _Shared | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._declared = False
        self._number = 0

    def refuse_workers(self, count: int) -> None:
        """Object to several processes when each would run all sources.

        Raises:
            SeveralProcesses: There are sources, and the app's storage is the memory of each process.
        """
        if count > 1 and declared_sources() and isinstance(self.app.flash_storage, MemoryStorage):
            raise SeveralProcesses(
                f"workers={count} serve the app by several processes, and each would run its sources for itself. Set "
                "FLASH_REDIS_URL (redis://host:6379/0) so that one runs them for all, or leave workers out."
            )

    def declare(self) -> None:
        """Give callbacks what their LiveInputs stand for, and pages the stores.

        Raises:
            ConfigurationError: A LiveInput cannot work as it is declared.
        """
        if not declared_sources():
            return
        self._refuse_background()
        shown = any(each.shown for each in declared_sources())
        self.app.flash_live.used |= shown
        if shown and not self.app.opens_connection():
            raise ConfigurationError(
                "LiveInput and Freshness need the live connection, and live=False takes it from all pages. Leave "
                "live=False out, or read the sources with get()."
            )
        if (freshness := _freshness()) is not None and not self._declared:
            self._declared = True
            freshness.declare(self.app)
        for each in declared_sources():
            self.publish(each)

    async def start(self) -> None:
        """Have the sources run, with those of the other apps of this process."""
        if (self._running is None or self.has_lost_its_loop) and declared_sources():
            running = _shared.setdefault("shared", _Shared())
            running.forget_lost()
            self._running, self._loop = running, asyncio.get_running_loop()
            try:
                await running.begin(self)
            except BaseException:
                self._running = None
                raise
            for each in declared_sources():
                self.publish(each)

    async def close(self) -> None:
        """Be served no more; the last app ends the engine."""
        if self._running is not None:
            running, self._running = self._running, None
            await running.end(self)

    @property
    def has_lost_its_loop(self) -> bool:
        """Whether the loop that has served the app was closed before the app was."""
        return self._loop is not None and self._loop.is_closed()

    async def on_its_loop(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Await something on the loop that serves the app."""
        if self._loop is None or self._loop is asyncio.get_running_loop():
            await coroutine
        else:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))

    def publish(self, source: Source) -> None:
        """Tell the pages the version of a source, by its tag, and how it fares."""
        if not source.shown:
            return
        self.app.flash_live.used = True
        self.app.flash_feeds.setdefault(version_store(source), SourceFeed(source, self.app.flash_chores))
        self._publish_version(source)
        if (freshness := _freshness()) is not None:
            self._put(status_store(source), freshness.state_of(source))

    def _publish_version(self, source: Source) -> None:
        store, tag = version_store(source), source.get().tag
        if not self.app.flash_shared.graph.is_shared((store, "data")):
            self._put(store, tag)
            return
        # A shared callback listens: the version is a change of the state, which one process makes.
        self.app.flash_live.published.keep(store, tag)
        running = self._running
        if running is not None and running.engine is not None and running.engine.leads and tag:
            if self.app.shared_state.get(store, "data") != tag:
                self.app.push_mods({store: {"data": tag}})

    def _put(self, store: str, value: Any) -> None:
        # Grows, also after a restart that begins to count versions anew.
        self._number = max(self._number + 1, time.time_ns() // 1_000_000)
        self.app.flash_live.published.put(store, value, self._number)

    def _refuse_background(self) -> None:
        """Refuse what would run where there are no snapshots."""
        declared = {**_dash.global_register().entries, **self.app.callback_map}
        for callback_id, entry in declared.items():
            own = [each for each in entry.get("raw_inputs", ()) if isinstance(each, LiveInput)]
            stored = entry.get("callback")
            if own and stored is not None and declaration_of(stored).background is not None:
                raise ConfigurationError(
                    f"The background callback {callback_id!r} has a LiveInput, and runs in another process, which has "
                    "no snapshots. Leave background=True out, or make the heavy part a source of its own: "
                    f"@source(after={own[0].source.name}, process=True)."
                )
