"""The tabs' side of what is shared: new values go to all of them, newest first when there are many."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..patches import is_patch_json
from ..shared.entries import Asker, Moved, Pushed
from ..shared.places import Place
from ..shared.shared import Shared
from ..shared.state import Channel, Held
from . import protocol
from .clients import Client
from .outbox import Message, Update
from .strangers import Stranger

if TYPE_CHECKING:
    from .live import Live

#: Seconds, for each tab, in which further values of a property are gathered, of which the newest is sent.
_GATHERING_OF_TAB = 0.0006
#: They are never gathered for longer.
_LONGEST_GATHERING = 0.05

#: Seconds in which a tab is told the version of its change at the latest.
_PLACED_SECONDS = 0.01

#: Of so many properties it is remembered when they were sent.
_MOST_REMEMBERED = 1000


class SharedTabs:
    """Sends shared values to the tabs of an app.

    A change goes at once. What comes for the same property right after it is gathered, for 30 ms when there are 50
    tabs, and only the newest value is sent: many tabs that drag would drown each other otherwise.

    Args:
        live: The app's live room.
        shared: What is shared.
    """

    def __init__(self, live: Live, shared: Shared) -> None:
        self._live = live
        self._shared = shared
        shared.tabs = self
        self._values: dict[tuple[Channel, Place], tuple[Held, bytes, str | None]] = {}
        #: What tabs are to be told of their changes: number and version, by tab and place.
        self._placed: dict[str, dict[Place, tuple[int, int]]] = {}
        self._placed_due = 0.0
        self._sent_at: dict[tuple[Channel, Place], float] = {}
        self._timer: asyncio.TimerHandle | None = None
        #: The channels of each tab when it was last looked.
        self._channels: dict[str, tuple[Channel, ...]] = {}
        #: Those of tabs that have moved and were not sent the values of the new ones yet.
        self._left: dict[str, tuple[Channel, ...]] = {}

    def clear(self) -> None:
        """Forget what is to be sent: its loop has ended, and its tabs with it."""
        self._values.clear()
        self._placed.clear()
        self._channels.clear()
        self._left.clear()
        self._sent_at.clear()
        self._timer = None

    # What the state tells.

    def set(self, channel: Channel, place: Place, held: Held, update: bytes, origin: str | None) -> None:
        """Send a new value to the tabs of a channel, but not to the one that has made it."""
        if not self._live.has_loop:
            return  # There is no tab.
        if is_patch_json(update):
            self._flush()  # What it changes must have arrived.
            self._values[channel, place] = held, update, origin
            self._flush()
            return
        self._values[channel, place] = held, update, origin
        self._flush_at(self._due_at((channel, place)))

    def placed(self, client_id: str, place: Place, number: int, version: int) -> None:
        """Tell a tab which version its change has got; 0: none, it was refused."""
        if not self._placed:
            # Soon; but most functions are quick, and then it goes with their answer.
            self._placed_due = self._live.loop.time() + _PLACED_SECONDS
        self._placed.setdefault(client_id, {})[place] = number, version
        self._flush_at(self._placed_due)

    def refresh(self, client: Client, values: dict[Place, Held]) -> None:
        """Send values to one tab, behind what was to be sent before."""
        self._flush()
        for component, props in _by_component((place, held) for place, held in values.items()).items():
            self._send(client, self._update(component, props))

    def clients(self) -> Iterable[Client]:
        """The tabs that are connected to this process."""
        return self._live.clients

    def refresh_all(self) -> None:
        """Send all values to all tabs, as new: versions that they have seen may not have survived."""
        self._flush()
        version = self._shared.state.version
        for client in self._live.clients:
            self._catch_up(client, self._channels_of(client), -1, version)

    def push(self, pushed: Pushed) -> None:
        """Set properties that are not shared, in all tabs or in one. The values are those of one component."""
        client = self._live.clients.get(pushed.client) if pushed.client is not None else None
        if not self._live.has_loop or not pushed.values or (client is None and pushed.client is not None):
            return
        values = {value.prop: value.json for value in pushed.values}
        patches = frozenset(prop for prop, json in values.items() if is_patch_json(json))
        update = Update(pushed.values[0].component, values, patches, state=pushed.state)
        self._live.sending.send(client._connection if client is not None else None, [update])

    def stranger(self, asker: Asker | None) -> Client:
        """What stands for a tab that is not connected to this process, or for nobody."""
        if asker is None:
            return Client(secrets.token_urlsafe(16))
        return self._live.clients.get(asker.client) or Stranger(self._shared, asker)

    async def settled(self) -> None:
        """Wait until what threads have pushed is on its way."""
        if self._live.has_loop:
            await self._live.sending.settled()

    # Sending.

    def _flush_at(self, due: float) -> None:
        """Have what is due then be sent: in the loop's next turn, or when the time has come."""
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._live.loop.call_at(due, self._flush_due)

    def _due_at(self, key: tuple[Channel, Place]) -> float:
        """When a value may be sent: a while after the one before it, the longer the more tabs there are."""
        gathering = min(_GATHERING_OF_TAB * len(self._live.clients), _LONGEST_GATHERING)
        return self._sent_at.get(key, float("-inf")) + gathering

    def _flush_due(self) -> None:
        self._timer = None
        now = self._live.loop.time()
        if self._placed and self._placed_due <= now:
            self._flush_placed()
        self._flush_values([key for key in self._values if self._due_at(key) <= now])
        if self._placed:
            self._flush_at(self._placed_due)
        if self._values:
            self._flush_at(min(map(self._due_at, self._values)))

    def _flush(self) -> None:
        """Send all that has been gathered."""
        self._flush_placed()
        self._flush_values(list(self._values))

    def _flush_placed(self) -> None:
        placed, self._placed = self._placed, {}
        for client_id, changes in placed.items():
            self._send_placed(client_id, changes)

    def _flush_values(self, due: Iterable[tuple[Channel, Place]]) -> None:
        values = {key: self._values.pop(key) for key in due}
        if not self._live.has_loop:
            return  # There is no tab, and never was.
        now = self._live.loop.time()
        if len(self._sent_at) > _MOST_REMEMBERED:
            self._sent_at = {key: at for key, at in self._sent_at.items() if at > now - _LONGEST_GATHERING}
        self._sent_at.update(dict.fromkeys(values, now))
        groups: dict[tuple[Channel, str], dict[str, tuple[Held, bytes, str | None]]] = {}
        for (channel, (component, prop)), value in values.items():
            groups.setdefault((channel, component), {})[prop] = value
        for (channel, component), props in groups.items():
            self._broadcast(channel, component, props)

    def _broadcast(self, channel: Channel, component: str, props: dict[str, tuple[Held, bytes, str | None]]) -> None:
        """Send values of one component to the tabs of a channel, encoded once; to who has made some, the others."""
        everything = self._update(component, {prop: (held, json) for prop, (held, json, _) in props.items()})
        origins = {origin for _, _, origin in props.values() if origin is not None}
        for client in self._live.clients:
            if channel is not None and channel not in self._channels_of(client):
                continue
            if client.id not in origins:
                self._send(client, everything)
            elif rest := {prop: (held, json) for prop, (held, json, origin) in props.items() if origin != client.id}:
                self._send(client, self._update(component, rest))

    def answered(self, client: Client) -> None:
        """A request of a tab is about to be answered: what it has changed is told before."""
        if (changes := self._placed.pop(client.id, None)) is not None:
            self._send_placed(client.id, changes)

    def _send_placed(self, client_id: str, changes: dict[Place, tuple[int, int]]) -> None:
        client = self._live.clients.get(client_id)
        if client is None or client._connection is None:
            return
        for (component, prop), (number, version) in changes.items():
            client._connection.push(Message(protocol.changed(component, prop, number, version)))

    def _update(self, component: str, props: dict[str, tuple[Held, bytes]]) -> Update:
        patches = frozenset(prop for prop, (_, json) in props.items() if is_patch_json(json))
        versions = {prop: held.version for prop, (held, _) in props.items()}
        return Update(component, {prop: json for prop, (_, json) in props.items()}, patches, versions)

    def _send(self, client: Client, update: Update) -> None:
        if client._connection is not None:
            client._connection.push(update)

    # Tabs that arrive, and tabs that move to another channel.

    def arrived(self, client: Client, state: str | None, anew: bool = False) -> None:
        """Send a new tab what has changed since its layout was made.

        Args:
            client: The tab.
            state: The header of its layout; None when nothing is known of what the page holds.
            anew: Whether the page has been here before, and holds values of a state that may be no more.
        """
        if not self._shared.graph:
            return
        channels = self._channels[client.id] = self._shared.channels.of_client(client)
        if len(channels) > 1:
            self._shared.first.note(channels)  # It may be the first of its channel.
        if anew:
            self._send_defaults(client, channels)
        self._catch_up(client, channels, self._version_in(state, channels))

    def _send_defaults(self, client: Client, channels: tuple[Channel, ...]) -> None:
        """Send a tab what the layouts say of the shared properties that nobody has changed."""
        shared = self._shared
        version = max(1, shared.state.version)  # A page takes none that is not above 0.
        for component, props in shared.defaults.by_component().items():
            held = shared.state.of_component(channels, component)
            values = {
                prop: (Held(json, version), json)
                for prop, json in props.items()
                if prop not in held and shared.graph.is_shared((component, prop))
            }
            if values:
                self._send(client, self._update(component, values))

    def look_again(self, client: Client) -> None:
        """Look whether a tab belongs to other channels now; it is sent what they share."""
        before = self._channels.get(client.id)
        if before is None or before == (None,) and not self._shared.graph.channel_functions:
            return
        channels = self._shared.channels.of_client(client)
        if channels != before:
            self._channels[client.id] = channels
            self._left.setdefault(client.id, before)
            self._shared.append(Moved(self._shared.process, client.id))

    def moved(self, client_id: str) -> None:
        """Send a tab what it is to show after a move: newer than all that it was sent before."""
        client, before = self._live.clients.get(client_id), self._left.pop(client_id, None)
        overlay = self._shared.overlay(client)
        if client is None or before is None or overlay is None:
            return
        self._flush()
        state, now = self._shared.state, self._channels_of(client)
        rooms = tuple(each for each in (*before, *now) if each is not None)
        for component, props in _united(state.since(rooms, -1)).items():
            shown = state.of_component(now, component)
            values = {}
            for prop in props:
                held = shown.get(prop) or Held(self._shared.defaults.get((component, prop)) or b"null", 0)
                values[prop] = Held(held.json, state.version), overlay.json(held)
            self._send(client, self._update(component, values))

    def departed(self, client: Client) -> None:
        """A tab is gone."""
        self._channels.pop(client.id, None)
        self._left.pop(client.id, None)

    def _catch_up(self, client: Client, channels: tuple[Channel, ...], since: int, version: int | None = None) -> None:
        """Send a tab the values that are newer than a version; under their own versions, or under another one."""
        overlay = self._shared.overlay(client)
        if overlay is None:
            return
        for component, props in self._shared.state.since(channels, since):
            values = {
                prop: (held if version is None else Held(held.json, version), overlay.json(held))
                for prop, held in props.items()
            }
            self._send(client, self._update(component, values))

    def _channels_of(self, client: Client) -> tuple[Channel, ...]:
        return self._channels.get(client.id, (None,))

    # What pages are told.

    def headers(self, client: Client | None) -> dict[str, str]:
        """The headers of an answer with trees, which say what shared values are in them; empty when nothing is."""
        if not self._shared.graph:
            return {}
        channels = self._digest(self._shared.channels.of_client(client))
        return {"Flash-State": f"{self._shared.epoch}.{self._shared.state.version}.{channels}"}

    def _version_in(self, state: str | None, channels: tuple[Channel, ...]) -> int:
        """The version that a header names; -1 when it is of another run of the app, or of other channels."""
        epoch, _, rest = (state or "").partition(".")
        version, _, digest = rest.partition(".")
        if epoch != self._shared.epoch or digest != self._digest(channels) or not version.isdecimal():
            return -1
        return int(version)

    def _digest(self, channels: tuple[Channel, ...]) -> str:
        return hashlib.sha256(repr(channels).encode()).hexdigest()[:8]


def _united(found: Iterable[tuple[str, dict[str, Held]]]) -> dict[str, dict[str, None]]:
    """The properties that were found, by component."""
    united: dict[str, dict[str, None]] = {}
    for component, props in found:
        united.setdefault(component, {}).update(dict.fromkeys(props))
    return united


def _by_component(values: Iterable[tuple[Place, Held]]) -> dict[str, dict[str, tuple[Held, bytes]]]:
    found: dict[str, dict[str, tuple[Held, bytes]]] = {}
    for (component, prop), held in values:
        found.setdefault(component, {})[prop] = held, held.json
    return found
