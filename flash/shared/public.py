"""``app.shared_state``: the shared values, for code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .places import Place, place_of

if TYPE_CHECKING:
    from .shared import Shared
    from .state import Held


class SharedState:
    """The values that all browsers share, as the last change has left them. From any thread.

    To set one, push it (:meth:`flash.Flash.push_mods`), or return it from a shared callback.

    Args:
        shared: The app's room.

    Example:
        >>> app.shared_state["thermostat", "value"]
        21
        >>> app.shared_state.get("thermostat", "value", channel="kitchen")
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    @property
    def version(self) -> int:
        """How many changes there have been."""
        return self._shared.state.version

    def get(
        self, component_id: str | dict[str, Any], prop: str, default: Any = None, channel: str | None = None
    ) -> Any:
        """A shared value.

        Args:
            component_id: The component's id.
            prop: Its property.
            default: What is returned when nothing has set the value yet: pages show what the layout says.
            channel: The name of the group of tabs, where the property belongs to channels.
        """
        held = self._held(place_of(component_id, prop), channel)
        return default if held is None else held.value

    def __getitem__(self, key: tuple[str | dict[str, Any], str]) -> Any:
        held = self._held(place_of(*key), None)
        if held is None:
            raise KeyError(key)
        return held.value

    def __contains__(self, key: tuple[str | dict[str, Any], str]) -> bool:
        return self._held(place_of(*key), None) is not None

    def items(self, channel: str | None = None) -> Iterator[tuple[Place, Any]]:
        """The shared values of a channel: pairs of (component id, property) and value. Dict ids are JSON."""
        for of_channel, place, held in self._shared.state.items():
            if not held.absent and not held.is_patch and of_channel == self._channel(place, channel):
                yield place, held.value

    def reset(self) -> None:
        """Forget all shared values: tabs show again what the layouts say, and the initial runs happen anew."""
        self._shared.reset()

    def _held(self, place: Place, channel: str | None) -> Held | None:
        held = self._shared.state.get(self._channel(place, channel), place)
        return None if held is None or held.is_patch else held

    def _channel(self, place: Place, name: str | None) -> str | None:
        return self._shared.channels.named(self._shared.graph.channel_of(place), name)
