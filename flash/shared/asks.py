"""Requests of tabs: what is new in them goes into the log, and they wait for what comes of it."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dash.exceptions import PreventUpdate

from ..encoding import dumps
from ..exceptions import CallbackFailed, RequestRefused, new_error_id
from ..lanes import Lanes
from .bodies import inputs_in
from .entries import Asker, Change, Outcome, Value
from .graph import SharedCallback
from .places import Place, place_in
from .results import response_of
from .state import MOST_PLACES, Channel, Held
from .strangers import described_tab

if TYPE_CHECKING:
    from ..live.clients import Client
    from ..requests import Call
    from .shared import Shared

logger = logging.getLogger("flash")

NO_UPDATE = b'{"multi":true,"response":{}}'


@dataclass(slots=True)
class Asked:
    """A request of a tab of this process that waits for its outcome."""

    call: Call
    context: contextvars.Context
    outcome: asyncio.Future[Outcome]


class Asks:
    """What the tabs of this process have asked of shared callbacks.

    Args:
        shared: The room.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._gates = Lanes()
        self._asked: dict[int, Asked] = {}
        self._requests = itertools.count(1)
        #: The last change of each tab that has been taken in, by place.
        self._taken: dict[str, dict[Place, int]] = {}
        #: What is being asked whether it may be, by tab.
        self._asking: dict[str, set[asyncio.Task[asyncio.Future[Outcome] | None]]] = {}

    def begin(self) -> None:
        """Serve on a new loop."""
        self._gates = Lanes()
        self._asked.clear()
        self._asking.clear()

    async def answer(self, call: Call) -> bytes:
        """Take in what a tab has changed, have the callback run, and answer the tab.

        Raises:
            PreventUpdate: The tab may not change this.
            CallbackFailed: The callback has failed.
        """
        callback = self._shared.graph.callbacks[call.declaration.callback_id]
        client: Client = call.context.client
        if self._shared.authorizers:
            asked = await self._surely(client, self._gated(call, callback, client))
        else:
            asked = self._take(call, callback, client)
        if asked is None:
            return NO_UPDATE
        outcome = await asked
        if outcome.error is not None:
            raise CallbackFailed(outcome.error)
        # A live tab gets the outputs as all others do.
        return NO_UPDATE if client.live else response_of(outcome.values)

    async def _gated(self, call: Call, callback: SharedCallback, client: Client) -> asyncio.Future[Outcome] | None:
        """Take in a change if the tab may. One after the other for each tab: their order must hold."""
        return await self._gates.run(client.id, lambda: self._authorized(call, callback, client))

    async def _surely(
        self, client: Client, work: Coroutine[Any, Any, asyncio.Future[Outcome] | None]
    ) -> asyncio.Future[Outcome] | None:
        """Do what is to be done for a tab also when it leaves meanwhile: some callbacks have its change already."""
        task = asyncio.get_running_loop().create_task(work)
        self._asking.setdefault(client.id, set()).add(task)
        task.add_done_callback(lambda done: self._has_asked(client, done))
        await asyncio.wait({task})
        return task.result()

    def _has_asked(self, client: Client, task: asyncio.Task[asyncio.Future[Outcome] | None]) -> None:
        if not task.cancelled():
            task.exception()  # Nobody may be left who looks at it.
        asking = self._asking.get(client.id, set())
        asking.discard(task)
        if not asking:
            self._asking.pop(client.id, None)
            if client.gone:
                self.forget(client.id)

    async def _authorized(self, call: Call, callback: SharedCallback, client: Client) -> asyncio.Future[Outcome] | None:
        may = False
        try:
            may = await self._shared.app.is_authorized(call)
        finally:
            if not may:
                self._refuse(call, self._shared.channels.of(callback.channel, client), client)
        if not may:
            raise PreventUpdate
        return self._take(call, callback, client)

    def _refuse(self, call: Call, channel: Channel, client: Client) -> None:
        """Give a tab back what is shared."""
        places = {place_in(prop_id): number for prop_id, number in (call.changes or {}).items()}
        for place, number in places.items():
            self._shared.tabs.placed(client.id, place, number, 0)
        seen = self._shared.state.seen
        held = {place: seen(channel, place) or self._default(place) for place in places or _changed(call)}
        self._shared.tabs.refresh(client, {place: each for place, each in held.items() if each is not None})

    def _default(self, place: Place) -> Held | None:
        json = self._shared.defaults.get(place)
        return None if json is None else Held(json, 0)

    def _take(self, call: Call, callback: SharedCallback, client: Client) -> asyncio.Future[Outcome] | None:
        """Put a tab's change into the log. None when it has changed nothing."""
        channel = self._shared.channels.of(callback.channel, client)
        sent = inputs_in(call.body)
        numbers = _numbers(call, callback, sent)
        values = [*self._numbered(client, numbers, sent), *self._unnumbered(call, callback, channel, numbers, sent)]
        if not numbers and not values:
            return None
        if self._shared.state.is_full and any(self._shared.state.get(channel, value.place) is None for value in values):
            logger.error("There are %d shared values, and no more are taken from tabs.", MOST_PLACES)
            raise RequestRefused(429, "There are too many shared values.")
        if not self._shared.log.available:
            self._refuse(call, channel, client)
            raise CallbackFailed("Shared values cannot be changed at the moment. Try again later.")
        request = next(self._requests)
        asker = Asker(self._shared.process, request, client.id, numbers, described_tab(client))
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._asked[request] = Asked(call, contextvars.copy_context(), outcome)
        outcome.add_done_callback(lambda _: self._asked.pop(request, None))
        self._shared.append(Change(channel, values, asker, call.body, call.elsewhere))
        return outcome

    def _numbered(self, client: Client, numbers: dict[str, int], sent: dict[Place, Any]) -> Iterable[Value]:
        """The values of changes that have not come with another request already."""
        taken = self._taken.setdefault(client.id, {}) if numbers else {}
        for prop_id, number in numbers.items():
            place = place_in(prop_id)
            if taken.get(place, 0) < number:
                taken[place] = number
                yield Value(*place, dumps(sent[place]))

    def _unnumbered(
        self, call: Call, callback: SharedCallback, channel: Channel, numbers: dict[str, int], sent: dict[Place, Any]
    ) -> Iterable[Value]:
        """Values without a number, of who is not Flash's client or knows nothing of the place: new if they differ."""
        for prop_id in call.body["changedPropIds"]:
            place = place_in(prop_id)
            if prop_id in numbers or place not in sent or callback.listens_to(place) is None:
                continue
            held = self._shared.state.seen(channel, place)
            if numbers and (held is not None or self._shared.defaults.get(place) is not None):
                continue  # Flash's client knows the place: it is an echo, and may be older than the state.
            if held is None or held.value != sent[place]:
                yield Value(*place, dumps(sent[place]))

    def forget(self, client_id: str) -> None:
        """A tab is gone. What it has asked before is still taken in."""
        if client_id not in self._asking:
            self._taken.pop(client_id, None)

    async def close(self) -> None:
        """Ask no more whether tabs may do what they have asked for."""
        tasks = [task for asking in self._asking.values() for task in asking]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # What the log says of them.

    def of(self, asker: Asker | None) -> Asked | None:
        """The request that waits, if its tab is one of this process."""
        mine = asker is not None and asker.process == self._shared.process
        return self._asked.get(asker.request) if asker is not None and mine else None

    def placed(self, change: Change) -> None:
        """A change has got its place in the log: its tab is told the version."""
        asker = change.asker
        if asker is None or asker.process != self._shared.process:
            return
        brought = {value.place for value in change.values}
        for prop_id, number in asker.numbers.items():
            # What another request has brought already has its version, and that may not be the newest.
            if (place := place_in(prop_id)) in brought:
                self._shared.tabs.placed(asker.client, place, number, self._shared.state.version)

    def settle(self, outcome: Outcome) -> None:
        """A run has given what it gives: whoever waits for it is answered."""
        asked = self.of(outcome.asker)
        if outcome.done and asked is not None and not asked.outcome.done():
            asked.outcome.set_result(outcome)

    def lose(self, coming: set[int | str]) -> None:
        """What was to run may have run, or not: who waits for it is told.

        Args:
            coming: The numbers of the requests that are still to be answered.
        """
        for request, asked in list(self._asked.items()):
            if request not in coming and not asked.outcome.done():
                error_id = new_error_id()
                logger.error(
                    "What a shared callback gives may be lost, with the process that ran it. Error id: %s", error_id
                )
                lost = Outcome("", None, [], error=f"The callback may have been lost. Error id: {error_id}")
                asked.outcome.set_result(lost)


def _numbers(call: Call, callback: SharedCallback, sent: dict[Place, Any]) -> dict[str, int]:
    """The numbers of a tab's changes, of the inputs that have changed."""
    changed = set(call.body["changedPropIds"])
    return {
        prop_id: number
        for prop_id, number in (call.changes or {}).items()
        if prop_id in changed and (place := place_in(prop_id)) in sent and callback.listens_to(place) is not None
    }


def _changed(call: Call) -> list[Place]:
    return [place_in(prop_id) for prop_id in call.body["changedPropIds"]]
