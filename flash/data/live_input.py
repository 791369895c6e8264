"""``LiveInput``: a source as the input of a callback."""

from __future__ import annotations

from typing import Any

from dash import Input
from dash.exceptions import PreventUpdate

from ..exceptions import ConfigurationError
from ..pool import Pool
from .snapshot import Snapshot
from .source import Source

#: Seconds for which a callback waits for the first snapshot of its source, while its page shows that it loads.
FIRST_SECONDS = 30.0
#: Seconds for which it waits for a version that another process has told its page of.
BEHIND_SECONDS = 2.0
#: From so many bytes on a snapshot is decoded in a thread.
LARGE = 100_000


class LiveInput(Input):
    """A source as the input of a callback: it runs when the page loads, and for each new version of the source.

    The function gets a :class:`flash.data.Snapshot`. To the page goes the name of its version alone, in a hidden store
    that Flash adds to the layout. Calls with equal arguments run once for each version, and all that asked get the
    same bytes; a function that reads who asks (``ctx.client``, ``ctx.cookies``, the request ...) runs for each.

    A page that loads before the first snapshot waits for it: ``dcc.Loading`` shows that.

    Args:
        source: The source.

    Raises:
        ConfigurationError: It is none.

    Example:
        >>> @app.callback(Output("graph", "figure"), LiveInput(orders), Input("region", "value"))
        ... def draw(orders, region):
        ...     return px.line(orders.value.query("region == @region"), x="day", y="total")
    """

    def __init__(self, source: Source) -> None:
        if not isinstance(source, Source):
            raise ConfigurationError(
                f"LiveInput takes a source, not {source!r}: write LiveInput(orders) for the function orders that is "
                "decorated with @source(...)."
            )
        source.shown = True
        super().__init__(version_store(source), "data")
        self.source = source


def version_store(source: Source) -> str:
    """The id of the hidden store that holds the version of a source."""
    return f"_flash-source-{source.name}"


def status_store(source: Source) -> str:
    """The id of the hidden store that holds how a source fares."""
    return f"_flash-status-{source.name}"


class SourceFeed:
    """Gives callbacks the snapshots of a source, as :class:`flash.feeds.Feed` says.

    Args:
        source: The source.
        pool: Where large snapshots are decoded.
    """

    def __init__(self, source: Source, pool: Pool) -> None:
        self._source = source
        self._pool = pool

    async def at_least(self, held: Any) -> Snapshot:
        """The newest snapshot.

        Args:
            held: The tag of the snapshot that the page has been told of.

        Raises:
            PreventUpdate: There is none yet. Its number, when it comes, has the page ask again.
        """
        if not self._source.version:
            snapshot = await self._source.first(FIRST_SECONDS)
        else:
            snapshot = await self._source.at_least(_version_in(held), BEHIND_SECONDS)
        if not snapshot:
            raise PreventUpdate
        return snapshot

    async def make_ready(self, value: Any) -> None:
        """Decode a large snapshot in a thread."""
        if value.size >= LARGE:
            await self._pool.run(lambda: value.value)


def _version_in(held: Any) -> int:
    """The version that a tag names; 0 when it is none."""
    number = held.partition(".")[0] if isinstance(held, str) else ""
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 16 else 0
