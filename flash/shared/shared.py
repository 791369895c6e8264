"""The room of what all browsers share: it takes changes in, keeps their order, and says what they have come to."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, assert_never

from dash.exceptions import PreventUpdate

from .. import _dash
from ..context import Requester
from ..encoding import dumps
from ..exceptions import CallbackFailed, ConfigurationError, RequestRefused, new_error_id
from ..failures import described
from ..lanes import Lanes
from ..storage import MemoryStorage, ProcessLock, SeveralProcesses, Storage, refuse_several, served_as
from .bodies import Values, inputs_in
from .channels import Channels
from .cluster import StoredLog
from .defaults import Defaults
from .entries import AnyEntry, Asker, Change, Initial, Leads, Moved, Outcome, Pushed, Reset, Value
from .first import FirstRuns, run_name
from .graph import Graph, SharedCallback, graph_of
from .log import LocalLog, Log
from .overlay import Overlay
from .places import Place, place_in
from .results import SharedCaller, response_of, values_in
from .runs import Run, Runs
from .state import MOST_PLACES, Channel, Held, State
from .strangers import described_tab

if TYPE_CHECKING:
    from ..app import Flash
    from ..live.clients import Client
    from ..requests import Call

logger = logging.getLogger("flash")

#: Seconds for which a process waits for the one that it replaces.
_GRACE_SECONDS = 10.0

#: So many of the last changes of code wait until the app is set up.
_MOST_EARLY = 10_000

NO_UPDATE = b'{"multi":true,"response":{}}'


class Tabs(Protocol):
    """What the room knows of the browser tabs."""

    def set(self, channel: Channel, place: Place, held: Held, update: bytes, origin: str | None) -> None:
        """Send a new value to the tabs of a channel, but not to the one that has made it."""

    def placed(self, client_id: str, place: Place, number: int, version: int) -> None:
        """Tell a tab which version its change has got; 0: none, it was refused."""

    def refresh(self, client: Client, values: dict[Place, Held]) -> None:
        """Send values to one tab."""

    def refresh_all(self) -> None:
        """Send all values to all tabs."""

    def push(self, pushed: Pushed) -> None:
        """Set properties that are not shared."""

    def moved(self, client_id: str) -> None:
        """Send a tab the values of the channels that it belongs to now."""

    def clients(self) -> Iterable[Client]:
        """The tabs that are connected to this process."""

    def stranger(self, asker: Asker | None) -> Client:
        """What stands for a tab of another process, or for nobody."""

    async def settled(self) -> None:
        """Wait until what threads have pushed is on its way."""


@dataclass(slots=True)
class Asked:
    """A request of a tab of this process that waits for its outcome.

    ``placed`` is whether its change has got its place in the log.
    """

    call: Call
    context: contextvars.Context
    outcome: asyncio.Future[Outcome]
    placed: bool = False


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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._early: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque(maxlen=_MOST_EARLY)
        self._gates = Lanes()
        self._asked: dict[int, Asked] = {}
        self._requests = itertools.count(1)
        #: The last change of each tab that has been taken in, by place.
        self._taken: dict[str, dict[Place, int]] = {}

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
            self._loop, self._gates = loop, Lanes()
        self.storage.start()
        if self.graph or not isinstance(self.storage, MemoryStorage):
            await self._join_others()
            self._joined = True
        early = list(self._early)
        self._early.clear()
        for func, args in early:
            func(*args)
        if self.graph:
            for layout in layouts:
                await self.app.flash_chores.run(self.encode, layout)

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
            await self.runs.close()
            await self.log.close()
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

    # Changes of tabs.

    async def answer(self, call: Call) -> bytes:
        """Take in what a tab has changed, have the callback run, and answer the tab.

        Raises:
            PreventUpdate: The tab may not change this.
            CallbackFailed: The callback has failed.
        """
        callback = self.graph.callbacks[call.declaration.callback_id]
        client: Client = call.context.client
        if self.authorizers:
            # One after the other for each tab: who is asked may take time, and the order of the changes must hold.
            asked = await self._gates.run(client.id, lambda: self._authorized(call, callback, client))
        else:
            asked = self._take(call, callback, client)
        if asked is None:
            return NO_UPDATE
        outcome = await asked
        if outcome.error is not None:
            raise CallbackFailed(outcome.error)
        # A live tab gets the outputs as all others do.
        return NO_UPDATE if client.live else response_of(outcome.values)

    async def _authorized(self, call: Call, callback: SharedCallback, client: Client) -> asyncio.Future[Outcome] | None:
        may = False
        try:
            may = await self.app.is_authorized(call)
        finally:
            if not may:
                self._refuse(call, self.channels.of(callback.channel, client), client)
        if not may:
            raise PreventUpdate
        return self._take(call, callback, client)

    def _refuse(self, call: Call, channel: Channel, client: Client) -> None:
        """Give a tab back what is shared."""
        places = {place_in(prop_id): number for prop_id, number in (call.changes or {}).items()}
        for place, number in places.items():
            self.tabs.placed(client.id, place, number, 0)
        held = {place: self.state.seen(channel, place) or self._default(place) for place in places or _changed(call)}
        self.tabs.refresh(client, {place: each for place, each in held.items() if each is not None})

    def _default(self, place: Place) -> Held | None:
        json = self.defaults.get(place)
        return None if json is None else Held(json, 0)

    def _take(self, call: Call, callback: SharedCallback, client: Client) -> asyncio.Future[Outcome] | None:
        """Put a tab's change into the log. None when it has changed nothing."""
        channel = self.channels.of(callback.channel, client)
        numbers = self._numbers(call, callback)
        values = [*self._numbered(call, client, numbers), *self._unnumbered(call, callback, channel, numbers)]
        if not numbers and not values:
            return None
        if self.state.is_full and any(self.state.get(channel, value.place) is None for value in values):
            logger.error("There are %d shared values, and no more are taken from tabs.", MOST_PLACES)
            raise RequestRefused(429, "There are too many shared values.")
        if not self.log.available:
            self._refuse(call, channel, client)
            raise CallbackFailed("Shared values cannot be changed at the moment. Try again later.")
        request = next(self._requests)
        asker = Asker(self.process, request, client.id, numbers, None if self.log.leads else described_tab(client))
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._asked[request] = Asked(call, contextvars.copy_context(), outcome)
        outcome.add_done_callback(lambda _: self._asked.pop(request, None))
        self.log.append(Change(channel, values, asker, call.body))
        return outcome

    def _numbers(self, call: Call, callback: SharedCallback) -> dict[str, int]:
        """The numbers of a tab's changes, of the inputs that have changed."""
        changed, sent = set(call.body["changedPropIds"]), inputs_in(call.body)
        return {
            prop_id: number
            for prop_id, number in (call.changes or {}).items()
            if prop_id in changed and (place := place_in(prop_id)) in sent and callback.listens_to(place) is not None
        }

    def _numbered(self, call: Call, client: Client, numbers: dict[str, int]) -> Iterable[Value]:
        """The values of changes that have not come with another request already."""
        taken = self._taken.setdefault(client.id, {}) if numbers else {}
        sent = inputs_in(call.body)
        for prop_id, number in numbers.items():
            place = place_in(prop_id)
            if taken.get(place, 0) < number:
                taken[place] = number
                yield Value(*place, dumps(sent[place]))

    def _unnumbered(
        self, call: Call, callback: SharedCallback, channel: Channel, numbers: dict[str, int]
    ) -> Iterable[Value]:
        """Values without a number, of who is not Flash's client or knows nothing of the place: new if they differ."""
        if numbers:
            return  # Flash's client: the others are echoes, and may be older than the state.
        sent = inputs_in(call.body)
        for prop_id in call.body["changedPropIds"]:
            place = place_in(prop_id)
            if place not in sent or callback.listens_to(place) is None:
                continue
            held = self.state.seen(channel, place)
            if held is None or held.value != sent[place]:
                yield Value(*place, dumps(sent[place]))

    def forget(self, client_id: str) -> None:
        """A tab is gone."""
        self._taken.pop(client_id, None)

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
        self.log.append(entry)

    # What the log comes to.

    def _fold(self, entry: AnyEntry) -> None:
        """Take in the next entry of the log. Whatever is wrong with one must not keep the others out."""
        self.state.version += 1
        try:
            self._take_in(entry)
        except Exception:
            logger.exception("An entry of the log of shared changes could not be taken in.")

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
        asker = change.asker
        self._put(change.channel, change.values, asker.client if asker else None)
        if asker is not None and asker.process == self.process:
            if (asked := self._asked.get(asker.request)) is not None:
                asked.placed = True
            brought = {value.place for value in change.values}
            for prop_id, number in asker.numbers.items():
                # What another request has brought already has its version, and that may not be the newest.
                if (place := place_in(prop_id)) in brought:
                    self.tabs.placed(asker.client, place, number, self.state.version)
        if self.log.leads:
            self.runs.begin(change)

    def _put(self, channel: Channel, values: Iterable[Value], origin: str | None = None) -> None:
        for value in values:
            base = self.defaults.get(value.place)
            held = self.state.changed(channel, value.place, value.json, self.state.version, base)
            self.tabs.set(channel, value.place, held, value.json, origin)

    def _ended(self, outcome: Outcome) -> None:
        self._put(outcome.channel, outcome.values)
        self.runs.ended(outcome)
        if outcome.done and outcome.asker is not None and outcome.asker.process == self.process:
            asked = self._asked.get(outcome.asker.request)
            if asked is not None and not asked.outcome.done():
                asked.outcome.set_result(outcome)

    def _begun(self, initial: Initial) -> None:
        for value in initial.defaults:
            self.defaults.put(value.place, value.json)
        runs = [each for each in initial.runs if (run_name(*each), initial.channel) not in self.state.begun]
        self.state.begun |= {(run_name(*each), initial.channel) for each in runs}
        if runs and self.log.leads:
            self.runs.begin_initial(Initial(initial.channel, runs, []))

    def _reset(self) -> None:
        for channel, place, _ in list(self.state.items()):
            held = Held(self.defaults.get(place) or b"null", self.state.version, absent=True)
            self.state.put(channel, place, held)
            self.tabs.set(channel, place, held, held.json, None)
        self.state.begun.clear()
        clients = (None, *self.tabs.clients())
        self.first.look(dict.fromkeys(channel for client in clients for channel in self.channels.of_client(client)))

    # What the log of several processes asks.

    def run_late(self, entry: AnyEntry) -> None:
        """Run what nobody could run when it was folded."""
        if isinstance(entry, Change):
            self.runs.begin(entry)
        elif isinstance(entry, Initial):
            self.runs.begin_initial(entry)

    def lose_runs(self) -> None:
        """The process that led has ended without a word: what it was to run may have run, or not."""
        for asked in list(self._asked.values()):
            if asked.placed and not asked.outcome.done():
                error_id = new_error_id()
                logger.error("The process that ran a shared callback has ended. Error id: %s", error_id)
                lost = Outcome("", None, [], error=f"The callback may have been lost. Error id: {error_id}")
                asked.outcome.set_result(lost)

    def refresh_all(self) -> None:
        """Send every shared value to every tab: nobody knows what they have missed."""
        self.tabs.refresh_all()

    # Running.

    def prepared(self, run: Run, body: dict[str, Any], filled: bool) -> tuple[contextvars.Context, Callable[[], Any]]:
        """What is needed to run a callback: the context for its task, and the job.

        Args:
            run: The run.
            body: The request.
            filled: Whether it is another than the tab has sent.
        """
        asked = self._asked.get(run.asker.request) if run.asker and run.asker.process == self.process else None
        caller = SharedCaller(self, run, asked.call.context.get("dash_websocket") if asked else None)
        if asked is not None:
            requester = asked.call.requester or Requester(client=asked.call.context.client)
        else:
            requester = Requester(client=self.tabs.stranger(run.cascade.cause))
        call = None if asked is None or filled else asked.call

        async def job() -> list[Value]:
            ready = call or self.app.flash_dispatcher.read(body, requester)
            ready.context.dash_websocket = caller
            values: list[Value] = await self.app.flash_dispatcher.run(ready, values_in(self.encode))
            return values

        return (asked.context if asked else contextvars.copy_context()), job

    def set_while_running(self, run: Run, component: str, values: dict[str, bytes]) -> None:
        """A callback sets properties while it runs: for all tabs. From any thread."""
        changes = [Value(component, prop, json) for prop, json in values.items()]
        self.on_loop(self.append, Outcome(run.id, run.cascade.channel, changes, False))

    def failed(self, run: Run, error: Exception) -> str:
        """Log the failure of a callback, and return what the tab is told."""
        return described(self.app, f"The shared callback {run.callback.id!r}", error)

    def places_of(self, asker: Asker) -> list[Place]:
        """The places that a tab has changed."""
        return [place_in(prop_id) for prop_id in asker.numbers]

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


def _changed(call: Call) -> list[Place]:
    return [place_in(prop_id) for prop_id in call.body["changedPropIds"]]
