"""The room of what all browsers share: it takes changes in, keeps their order, and says what they have come to."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, assert_never

from .. import _dash
from ..exceptions import ConfigurationError
from ..failures import described
from ..patches import is_patch_json
from ..storage import MemoryStorage, ProcessLock, SeveralProcesses, Storage, refuse_several, served_as
from .asks import Asks
from .bodies import Values
from .channels import Channels
from .cluster import StoredLog
from .defaults import Defaults
from .entries import AnyEntry, Change, Initial, Leads, Moved, Outcome, Pushed, Reset, Value
from .first import FirstRuns, run_name
from .graph import Graph, graph_of
from .log import LocalLog, Log
from .overlay import Overlay
from .runs import Runs
from .state import Channel, Held, State
from .tabs import Tabs

if TYPE_CHECKING:
    from ..app import Flash
    from ..live.clients import Client

logger = logging.getLogger("flash")

#: Seconds for which a process waits for the one that it replaces.
_GRACE_SECONDS = 10.0

#: So many of the last changes of code wait until the app is set up.
_MOST_EARLY = 10_000


class Shared:
    """The shared state of an app.

    Args:
        app: The app.
        storage: Where it meets the other processes of the app.
    """

    tabs: Tabs

    def __init__(self, app: Flash, storage: Storage) -> None:
        self.app = app
        #: Names this process.
        self.process = secrets.token_hex(8)
        #: Names this history of the state: versions of another one mean nothing here.
        self.epoch = secrets.token_hex(8)
        self.state = State()
        self.graph = Graph()
        self.defaults = Defaults(lambda channels: self.first.note(channels))
        self.values = Values(self.state, self.defaults)
        self.runs = Runs(self, self.state, self.values)
        self.first = FirstRuns(self)
        self.channels = Channels()
        #: Says whether a client may change an output: ``app.callback_authorize_output``.
        self.authorizers: list[Callable[..., Any]] = []
        self.storage = storage
        self.log: Log = LocalLog(self._fold)
        self._lock: ProcessLock | None = None
        self._joined = False
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._early: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque(maxlen=_MOST_EARLY)
        self.asks = Asks(self)

    # Life.

    def declare(self) -> None:
        """Learn the shared callbacks that are declared.

        Raises:
            ConfigurationError: They cannot work together.
        """
        self.graph = self.runs.graph = graph_of(self.app.callback_map)
        if self.graph and not self.app.opens_connection():
            raise ConfigurationError(
                "The app has shared callbacks, which need the live connection, and live=False takes it from all pages. "
                "Leave live=False out."
            )
        self.defaults.follow(self.graph)
        self.channels.follow(self.graph)

    async def start(self, layouts: Iterable[Any] = ()) -> None:
        """Begin to work, on the loop that serves the app.

        Args:
            layouts: The trees that are known already: those callbacks run first whose inputs are in them.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            self.asks.begin()
        self.storage.start()
        if self.graph or not isinstance(self.storage, MemoryStorage):
            await self._join_others()
            self._joined = True
        self._closed = False
        early = list(self._early)
        self._early.clear()
        for func, args in early:
            func(*args)
        if self.graph:
            for layout in layouts:
                await self.app.flash_chores.run(self.encode, layout)

    async def start_again(self) -> None:
        """Begin to work after :meth:`close`; nothing happens when the room is not closed."""
        if self._closed:
            await self.start()
            self._look()

    def refuse_workers(self, count: int) -> None:
        """Ask before several processes are started, and before set-up, whether they can share.

        Args:
            count: How many there would be.

        Raises:
            SeveralProcesses: The app has shared callbacks, and nothing but the memory of each to keep their state in.
        """
        declared = {**_dash.global_register().entries, **self.app.callback_map}
        if count > 1 and isinstance(self.storage, MemoryStorage) and graph_of(declared):
            raise SeveralProcesses(
                f"workers={count} serve the app by several processes, and what its shared callbacks share is in the "
                "memory of each. Set FLASH_REDIS_URL (redis://host:6379/0) so that they share it, or leave workers out."
            )

    async def _join_others(self) -> None:
        """Meet the other processes that serve the app, in the storage; or make sure that there are none.

        Raises:
            SeveralProcesses: There are others, and nothing but this process's memory to keep the state in.
            SharedStorageError: The storage does not answer.
        """
        self.process = secrets.token_hex(8)
        name = self.app.name_in_storage
        if isinstance(self.storage, MemoryStorage):
            served = served_as(name, self.app.config.name)
            self._lock = self._lock or await refuse_several(served, _GRACE_SECONDS)
        else:
            self.log = StoredLog(self, self.storage, name, self._fold)
        await self.log.start()

    async def close(self) -> None:
        """Let what runs come to its end."""
        if self._loop is asyncio.get_running_loop():
            await self.log.resign()
            await self.asks.close()
            await self.runs.close()
            await self.log.close()
        self._closed, self._joined = True, False
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def on_loop(self, func: Callable[..., None], *args: Any) -> None:
        """Call a function on the loop: now when this is its thread, soon when it is another."""
        try:
            at_home = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            at_home = False
        if at_home:
            func(*args)
        elif self._loop is None:
            self._early.append((func, args))
        else:
            try:
                self._loop.call_soon_threadsafe(func, *args)
            except RuntimeError:
                pass  # The loop is closed.

    # Changes of code.

    def places_pushed(self, component: str, props: Iterable[str]) -> set[str]:
        """Those of some properties that are shared, so that to push them is to change them for all.

        Before the app is set up that is not known: then they are all those that may be.
        """
        return {prop for prop in props if self._loop is None or self.graph.is_shared((component, prop))}

    @property
    def reaches_others(self) -> bool:
        """Whether what is pushed goes to the tabs of other processes too."""
        return self._joined and not isinstance(self.storage, MemoryStorage) and self.log.available

    def push(self, component: str, values: dict[str, bytes]) -> None:
        """Change shared properties; what listens to them runs. On the loop."""
        changed: dict[Channel, list[Value]] = {}
        for prop, json in values.items():
            place = component, prop
            if self.graph.is_shared(place):
                for channel in self.channels.all_of(self.graph.channel_of(place), self.state, self.tabs.clients()):
                    changed.setdefault(channel, []).append(Value(*place, json))
        for channel, of_channel in changed.items():
            self.append(Change(channel, of_channel))

    def reset(self) -> None:
        """Forget all shared values; the initial runs happen anew. From any thread."""
        self.on_loop(self.append, Reset())

    def append(self, entry: AnyEntry) -> None:
        """Add an entry to the log. On the loop."""
        if isinstance(entry, Change | Outcome):
            for value in entry.values:
                # Every process must change the same: trees may have given other values in others.
                if is_patch_json(value.json) and self.state.get(entry.channel, value.place) is None:
                    value.base = self.defaults.get(value.place)
        self.log.append(entry)

    # What the log comes to.

    def _fold(self, entry: AnyEntry | None) -> None:
        """Take in the next entry of the log, if this release knows it. None that is wrong keeps the others out."""
        self.state.version += 1
        try:
            if entry is not None:
                self._take_in(entry)
        except Exception as error:
            text = described(self.app, "An entry of the log of shared changes", error)
            if isinstance(entry, Change):
                self.asks.settle(Outcome("", entry.channel, [], asker=entry.asker, error=text))

    def _take_in(self, entry: AnyEntry) -> None:
        match entry:
            case Change():
                self._changed(entry)
            case Outcome():
                self._ended(entry)
            case Initial():
                self._begun(entry)
            case Reset():
                self._reset()
            case Pushed():
                self.tabs.push(entry)
            case Moved():
                if entry.process == self.process:
                    self.tabs.moved(entry.client)
            case Leads():
                pass
            case _:
                assert_never(entry)

    def _changed(self, change: Change) -> None:
        self._put(change.channel, change.values, change.asker.client if change.asker else None)
        self.asks.placed(change)
        if self.log.leads:
            self.runs.begin(change)

    def _put(self, channel: Channel, values: Iterable[Value], origin: str | None = None) -> None:
        for value in values:
            held = self.state.changed(channel, value.place, value.json, self.state.version, value.base)
            self.tabs.set(channel, value.place, held, value.json, origin)

    def _ended(self, outcome: Outcome) -> None:
        self._put(outcome.channel, outcome.values)
        if outcome.first is not None:
            self.state.open.discard((outcome.first, outcome.channel))
        self.runs.ended(outcome)
        self.asks.settle(outcome)

    def _begun(self, initial: Initial) -> None:
        for value in initial.defaults:
            self.defaults.put(value.place, value.json)
        runs = [each for each in initial.runs if (run_name(*each), initial.channel) not in self.state.begun]
        begun = {(run_name(*each), initial.channel) for each in runs}
        self.state.begun |= begun
        self.state.open |= begun
        if runs and self.log.leads:
            self.runs.begin_initial(Initial(initial.channel, runs, []))

    def _reset(self) -> None:
        for channel, place, _ in list(self.state.items()):
            held = Held(self.defaults.get(place) or b"null", self.state.version, absent=True)
            self.state.put(channel, place, held)
            self.tabs.set(channel, place, held, held.json, None)
        self.state.begun.clear()
        self.state.open.clear()
        self.runs.reset()
        self._look()

    def _look(self) -> None:
        """Have the callbacks run for the first time that can."""
        clients = (None, *self.tabs.clients())
        self.first.look(dict.fromkeys(channel for client in clients for channel in self.channels.of_client(client)))

    # What the log of several processes asks.

    def run_late(self, change: Change) -> None:
        """Run what nobody could run when it was folded."""
        self.runs.begin(change)

    def lose_runs(self, coming: set[int | str], leads: bool) -> None:
        """Another process leads, or the log has lost something: what was to run may have run, or not.

        Args:
            coming: The requests of this process's tabs and the ends of its runs that the log will bring nevertheless.
            leads: Whether what runs here still counts.
        """
        self.asks.lose(coming | self.runs.lose(coming, leads))

    def reopen(self) -> None:
        """Another process leads: what has begun for the first time and has not ended begins again."""
        self.state.begun -= self.state.open
        self.state.open.clear()
        if self.log.leads:
            self._look()

    def refresh_all(self) -> None:
        """Send every shared value to every tab: nobody knows what they have missed."""
        self.tabs.refresh_all()

    # Trees.

    @property
    def version(self) -> int | None:
        """The version of the state; None when nothing is shared."""
        return self.state.version if self.graph else None

    def overlay(self, client: Client | None = None) -> Overlay | None:
        """What lays the shared values over the trees for a tab, or for all; None when nothing is shared."""
        if not self.graph:
            return None
        return Overlay(self.state, self.defaults, self.channels.of_client(client))

    def encode(self, value: Any) -> bytes:
        """Encode a value for all tabs."""
        return self.app.encode(value)
