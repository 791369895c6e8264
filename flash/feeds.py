"""Feeds: inputs whose value never travels. A page holds a version, and the function gets what that names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Feed(Protocol):
    """What the functions get in place of the version that a hidden store of the page holds."""

    async def at_least(self, held: Any) -> Any:
        """The newest that there is, and not older than what a page holds unless that cannot be had in time.

        Args:
            held: What the page says that its hidden store holds. It may be anything.

        Returns:
            Something with a ``version``.

        Raises:
            PreventUpdate: There is nothing yet.
        """

    async def make_ready(self, value: Any) -> None:
        """Do what a function that runs on the loop is not to wait for: decode a large value.

        Args:
            value: What :meth:`at_least` has returned.
        """


@dataclass(eq=False, slots=True)
class Fed:
    """Stands among the arguments of a call until it begins.

    Attributes:
        feed: What it is taken from.
        held: What the page's hidden store holds.
        value: What the function gets; None before :meth:`fill`.
    """

    feed: Feed
    held: Any
    value: Any = None

    async def fill(self) -> None:
        """Get the value, once."""
        if self.value is None:
            self.value = await self.feed.at_least(self.held)


def with_feeds(feeds: Mapping[str, Feed], entries: Iterable[Any], values: list[Any]) -> tuple[list[Any], list[Fed]]:
    """The values of a request, with a :class:`Fed` in the place of each version.

    Args:
        feeds: By the id of their hidden store.
        entries: The inputs and states of the request, in their order.
        values: Theirs.
    """
    found: list[Fed] = []
    filled = []
    for entry, value in zip(entries, values, strict=True):
        if (feed := feed_of(feeds, entry)) is not None:
            value = Fed(feed, value)
            found.append(value)
        filled.append(value)
    return filled, found


def feed_of(feeds: Mapping[str, Feed], entry: Any) -> Feed | None:
    """The feed that an input or state of a request names, if it is one."""
    if isinstance(entry, dict) and isinstance(entry.get("id"), str) and entry.get("property") == "data":
        return feeds.get(entry["id"])
    return None


def filled(arguments: Any) -> Any:
    """Arguments in any nesting of lists, tuples and dicts, with the values of the feeds in them."""
    if isinstance(arguments, Fed):
        return arguments.value
    if isinstance(arguments, dict):
        return {name: filled(each) for name, each in arguments.items()}
    if type(arguments) in (list, tuple):
        return type(arguments)(map(filled, arguments))
    return arguments
