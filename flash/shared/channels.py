"""Channels: the groups of tabs that share, a device, a room or a document each."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..exceptions import CallbackValueError
from .graph import ChannelFunction, Graph, title_of
from .state import Channel, State

if TYPE_CHECKING:
    from ..live.clients import Client

logger = logging.getLogger("flash")


class Channels:
    """Which channels tabs belong to, as the functions of ``callback_shared(channel=...)`` say.

    The functions are asked again and again, on the event loop: they must be plain and quick.
    """

    def __init__(self) -> None:
        self._functions: list[ChannelFunction] = []

    def follow(self, graph: Graph) -> None:
        """Learn the functions."""
        self._functions = graph.channel_functions

    def of(self, function: ChannelFunction | None, client: Client) -> Channel:
        """The channel that a function names for a tab.

        Raises:
            CallbackValueError: It returned something else than a text or None.
        """
        if function is None:
            return None
        name = function(client)
        if name is not None and not isinstance(name, str):
            raise CallbackValueError(
                f"channel={title_of(function)} must return a text, or None for a tab of no group; it returned {name!r}."
            )
        return self.named(function, name)

    def named(self, function: ChannelFunction | None, name: str | None) -> Channel:
        """The channel of a function's with a name. Two functions may give the same name to different groups.

        Tabs for which a function returns None are a group of their own, whose channel has no name.
        """
        return None if function is None else f"{title_of(function)}:{name or ''}"

    def of_client(self, client: Client | None) -> tuple[Channel, ...]:
        """The channels of a tab, that of all tabs first."""
        if client is None or not self._functions:
            return (None,)
        return tuple(dict.fromkeys([None, *(self._seen_by(function, client) for function in self._functions)]))

    def _seen_by(self, function: ChannelFunction, client: Client) -> Channel:
        """The channel whose values a tab sees. A function that fails for one tab fails for that tab only."""
        try:
            return self.of(function, client)
        except Exception:
            logger.exception("channel=%s failed for %r, which sees what all tabs share.", title_of(function), client)
            return None

    def belongs(self, function: ChannelFunction | None, channel: Channel) -> bool:
        """Whether a function may have named a channel."""
        if function is None:
            return channel is None
        return channel is not None and channel.startswith(f"{title_of(function)}:")

    def all_of(self, function: ChannelFunction | None, state: State, clients: Iterable[Client]) -> list[Channel]:
        """Every channel that a function has named for a tab that is here, or of which values are held."""
        if function is None:
            return [None]
        present = [self._seen_by(function, client) for client in clients]
        held = [channel for channel in state.channels() if self.belongs(function, channel)]
        return list(dict.fromkeys([*present, *held]))
