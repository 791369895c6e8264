"""The shared values: what the log of changes has come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

import orjson

from ..patches import is_patch, is_patch_json, joined
from .places import Place

#: A group of tabs that share; None: all of them.
Channel = str | None

#: Tabs may not make more shared values than so many: patterns match ids without end.
MOST_PLACES = 100_000

#: More operations of Patches than this are not kept for one property whose value is not known.
_MOST_OPERATIONS = 10_000


class Held:
    """What is held of one place.

    Attributes:
        json: The JSON of its value; of a ``Patch`` while the value that it changes is not known.
        version: The version in which it was set.
        absent: Whether it was reset: then the value is the one that pages begin with, and counts as none.
    """

    def __init__(self, json: bytes, version: int, absent: bool = False) -> None:
        self.json = json
        self.version = version
        self.absent = absent

    @cached_property
    def value(self) -> Any:
        """The value."""
        return orjson.loads(self.json)

    @cached_property
    def is_patch(self) -> bool:
        """Whether only changes of the value are known, and not the value itself."""
        return is_patch_json(self.json)

    @cached_property
    def holds_components(self) -> bool:
        """Whether the value may hold components, into which shared values must be laid."""
        return b'"namespace"' in self.json


class State:
    """The shared values of an app, by channel, component and property.

    It is read in every thread and changed on the loop. A :class:`Held` is replaced and never changed.

    Attributes:
        version: How many changes there have been; the version of the last.
        begun: The callbacks whose initial run has begun, by channel.
        open: Those of them whose initial run has not ended.
    """

    def __init__(self) -> None:
        self.version = 0
        self.begun: set[tuple[str, Channel]] = set()
        self.open: set[tuple[str, Channel]] = set()
        self._channels: dict[Channel, dict[str, dict[str, Held]]] = {}
        self._places = 0
        #: Where only changes of the value are known.
        self._patches: set[tuple[Channel, Place]] = set()

    @property
    def is_full(self) -> bool:
        """Whether tabs may bring no more places."""
        return self._places >= MOST_PLACES

    def get(self, channel: Channel, place: Place) -> Held | None:
        """What is held of a place; None when it has no shared value."""
        component, prop = place
        held = self._channels.get(channel, {}).get(component, {}).get(prop)
        return None if held is None or held.absent else held

    def seen(self, channel: Channel, place: Place) -> Held | None:
        """What the tabs of a channel see of a place: what it holds itself, else what all tabs share."""
        return self.get(channel, place) or self.get(None, place)

    def reset(self, channel: Channel, place: Place) -> Held | None:
        """What a place that was reset has begun with again; None when nothing was."""
        component, prop = place
        held = self._channels.get(channel, {}).get(component, {}).get(prop)
        return held if held is not None and held.absent else None

    def put(self, channel: Channel, place: Place, held: Held) -> None:
        """Hold a new value, unless a newer one is held."""
        component, prop = place
        props = self._channels.setdefault(channel, {}).setdefault(component, {})
        old = props.get(prop)
        if old is None or old.version <= held.version:
            self._places += old is None
            props[prop] = held
            if held.is_patch:
                self._patches.add((channel, place))

    def complete(self, base_of: Callable[[Place], bytes | None]) -> None:
        """Make values of the Patches of which it is known by now what they change.

        Args:
            base_of: The JSON of the value that a tree has given to a place.
        """
        for channel, place in list(self._patches):
            held, base = self.get(channel, place), base_of(place)
            if held is None or not held.is_patch:
                self._patches.discard((channel, place))
            elif base is not None:
                whole = orjson.dumps(_bounded(joined(orjson.loads(base), held.value)))
                self.put(channel, place, Held(whole, held.version))
                self._patches.discard((channel, place))

    def replace(self, held: Iterable[tuple[Channel, Place, Held]], version: int) -> None:
        """Hold other values, in place of all.

        Args:
            held: The values.
            version: What they are the state of.
        """
        channels: dict[Channel, dict[str, dict[str, Held]]] = {}
        places, patches = 0, set()
        for channel, (component, prop), each in held:
            channels.setdefault(channel, {}).setdefault(component, {})[prop] = each
            places += 1
            if each.is_patch:
                patches.add((channel, (component, prop)))
        self._channels, self._places, self._patches, self.version = channels, places, patches, version
        self.begun, self.open = set(), set()

    def changed(self, channel: Channel, place: Place, json: bytes, version: int, base: bytes | None = None) -> Held:
        """Set a value, or change it by a ``Patch``.

        Args:
            channel: Whose value.
            place: Which one.
            json: The JSON of the value or of the Patch.
            version: That of the change.
            base: What a Patch changes when no shared value is there.

        Returns:
            What is held now.
        """
        newest = self._channels.get(channel, {}).get(place[0], {}).get(place[1])
        if newest is not None and newest.version >= version:
            return newest  # A snapshot was newer than the entry that is read after it.
        held = Held(json, version)
        if held.is_patch:
            before = self.get(channel, place)
            earlier = orjson.loads(base) if before is None and base is not None else before.value if before else None
            if before is not None or base is not None:
                held = Held(orjson.dumps(_bounded(joined(earlier, held.value))), version)
        self.put(channel, place, held)
        return held

    def of_component(self, channels: tuple[Channel, ...], component: str) -> dict[str, Held]:
        """What is held of a component, by property, as the tabs of these channels see it."""
        found: dict[str, Held] = {}
        for channel in channels:
            if of_channel := self._channels.get(channel):
                found |= {prop: held for prop, held in list(of_channel.get(component, {}).items()) if not held.absent}
        return found

    def since(self, channels: tuple[Channel, ...], version: int) -> Iterator[tuple[str, dict[str, Held]]]:
        """What has changed after a version for the tabs of some channels, by component."""
        for channel in channels:
            for component, props in self._channels.get(channel, {}).items():
                newer = {prop: held for prop, held in props.items() if held.version > version}
                if newer:
                    yield component, newer

    def items(self) -> Iterator[tuple[Channel, Place, Held]]:
        """All that is held, what was reset included. In threads too, while it changes: hence the copies."""
        for channel, components in list(self._channels.items()):
            for component, props in list(components.items()):
                for prop, held in list(props.items()):
                    yield channel, (component, prop), held

    def channels(self) -> list[Channel]:
        """The channels of which something is held."""
        return list(self._channels)

    def components(self) -> set[str]:
        """The components of which something is held, in any channel."""
        return {component for of_channel in self._channels.values() for component in of_channel}


def _bounded(update: Any) -> Any:
    if is_patch(update):
        update["operations"] = update["operations"][-_MOST_OPERATIONS:]
    return update
