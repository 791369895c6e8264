"""``Freshness``: how old a source's data is, shown in a page, and the button that runs the source."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from dash import MATCH, Input, Output
from dash.exceptions import PreventUpdate

from .._dash_scopes import per_app
from ..calls import call
from ..components.freshness import Freshness as FreshnessBadge
from ..components.freshness import RefreshButton
from ..context import ctx
from ..exceptions import ConfigurationError
from .failures import SourceError
from .live_input import status_store
from .source import Source

if TYPE_CHECKING:
    from ..app import Flash
    from ..live.clients import Client

logger = logging.getLogger("flash")

Rule = Literal[True] | Callable[[Any], Any]

#: The texts of the component: ``age.js`` has the English ones.
LABELS = ("updated", "now", "stale", "showing", "empty", "running", "next", "error_id", "refresh")
_BUTTON = "_flash-refresh"


@dataclass(frozen=True, slots=True)
class _Refreshable:
    source: Source
    rule: Rule


#: Who may run a source, by its name. Pages name the source alone, and are not believed to be allowed it.
_refreshable: dict[str, _Refreshable] = per_app({})


def Freshness(  # A component, for those who write it in a layout.
    source: Source,
    id: str | dict[str, Any] | None = None,
    refresh: Rule | None = None,
    labels: dict[str, str] | None = None,
    className: str | None = None,
    style: dict[str, Any] | None = None,
) -> FreshnessBadge:
    """A component that says how old a source's data is, that it is stale, or why the last run failed.

    The age grows in the browser, without a request, and by the server's clock where the page has a live connection.

    Args:
        source: The source.
        id: Of the component, for callbacks and styles.
        refresh: Who gets a button that runs the source now. None: nobody. True: all who see the page. A function: those
            for whom ``fn(client)``, plain or asynchronous, gives something true. The server asks it when the component
            appears and again at each click. A source has one rule, the same wherever it is shown.
        labels: Texts in place of the English ones: ``updated`` ("Updated {age}"), ``now``, ``stale``, ``showing``
            ("Showing the data of {time}."), ``empty``, ``running``, ``next``, ``error_id``, ``refresh``.
        className: Further CSS classes, beside ``flash-freshness`` and ``flash-freshness--<kind>``: ``fresh``,
            ``stale``, ``failed``, ``empty`` or ``running``.
        style: Inline styles.

    Raises:
        ConfigurationError: An argument cannot work, or the source has another rule already.

    Example:
        >>> def may_refresh(client):
        ...     return client.user in ADMINS
        >>> app.layout = html.Div([Freshness(orders, refresh=may_refresh), dcc.Graph(id="graph")])
    """
    if not isinstance(source, Source):
        raise ConfigurationError(
            f"Freshness takes a source, not {source!r}: write Freshness(orders) for the function orders that is "
            "decorated with @source(...)."
        )
    _refuse_unknown(labels)
    if refresh is not None:
        _allow(source, refresh)
    source.shown = True
    texts = {**(labels or {})}
    button_label = texts.pop("refresh", None)
    given: dict[str, Any] = {"id": id, "labels": texts or None, "className": className, "style": style}
    return FreshnessBadge(
        None if refresh is None else _button(source, button_label),
        store=status_store(source),
        state=state_of(source),
        **{name: value for name, value in given.items() if value is not None},
    )


def state_of(source: Source) -> dict[str, Any]:
    """How a source fares, as its pages show it: times in milliseconds since 1970, ``staleAfter`` in seconds."""
    status = source.status
    return {
        "version": status.version,
        "at": _milliseconds(status.at),
        "staleAfter": status.stale_after,
        "error": status.error and status.error.reason,
        "errorId": status.error and status.error.id,
        "running": status.running,
        "next": _milliseconds(status.next),
    }


def declare(app: Flash) -> None:
    """Declare the callback that answers the refresh buttons of an app's pages. Once for each app, at its set-up.

    It holds for buttons that are made later too, in the layouts of pages and by callbacks.
    """
    button = {"type": _BUTTON, "source": MATCH, "number": MATCH}

    # Over the live connection: proxies end long HTTP requests, and a run may take minutes.
    @app.callback(Output(button, "allowed"), Input(button, "clicks"), websocket=True, hidden=True)
    async def answer(clicks: int | None) -> bool:
        # The same id that callback_authorize_output was asked about.
        known = _named(ctx.outputs_list)
        if known is None:
            raise PreventUpdate
        is_click = bool(ctx.triggered)
        if not await _may(app, known, ctx.client):
            if is_click:
                logger.warning("%r may not refresh the source %r.", ctx.client, known.source.name)
            return False
        if is_click and not known.source.status.running:
            await _run(known.source)
        return True


def _named(output: Any) -> _Refreshable | None:
    """The source that a page names, if there is one."""
    button = output.get("id") if isinstance(output, dict) else None
    name = button.get("source") if isinstance(button, dict) else None
    return _refreshable.get(name) if isinstance(name, str) else None


async def _may(app: Flash, known: _Refreshable, client: Client) -> bool:
    return known.rule is True or bool(await call(app.flash_pool, known.rule, client))


async def _run(source: Source) -> None:
    """Read the data of a source anew: for one that follows others, where they come from."""
    for root in _roots(source):
        try:
            await root.refresh()
        except SourceError:
            pass  # It is in the state that all pages show, and in the log.


def _roots(source: Source) -> list[Source]:
    """The sources, each once, that a source goes back to and that follow no other."""
    if not source.after:
        return [source]
    return list(dict.fromkeys(root for upstream in source.after for root in _roots(upstream)))


def _button(source: Source, label: str | None) -> RefreshButton:
    # Several of one source may be on a page, from several processes: a number would come twice.
    name = {"type": _BUTTON, "source": source.name, "number": secrets.token_hex(8)}
    given: dict[str, Any] = {} if label is None else {"label": label}
    return RefreshButton(id=name, store=status_store(source), **given)


def _allow(source: Source, rule: Any) -> None:
    if rule is not True and not callable(rule):
        raise ConfigurationError(
            f"refresh of Freshness must be None, True or a function that gets the client, not {rule!r}."
        )
    known = _refreshable.get(source.name)
    if known is not None and known.source is source and not _same(known.rule, rule):
        raise ConfigurationError(
            f"The source {source.name!r} has another rule for its refresh button already: {known.rule!r}, and now "
            f"{rule!r}. Pages cannot be told apart when they ask, so a source has one rule. Give the same function "
            "everywhere, one that decides by the client it gets, and by nothing of the layout that it stands in."
        )
    _refreshable[source.name] = _Refreshable(source, rule)


def _same(one: Any, other: Any) -> bool:
    """Whether two rules decide alike: a function within a layout function is made anew by each call."""
    return bool(one == other) or (_made_of(one) is not None and _made_of(one) == _made_of(other))


def _made_of(rule: Any) -> tuple[Any, ...] | None:
    if not hasattr(rule, "__code__"):
        return None
    cells = [cell.cell_contents for cell in rule.__closure__ or ()]
    return rule.__code__, rule.__defaults__, rule.__kwdefaults__, cells


def _refuse_unknown(labels: dict[str, str] | None) -> None:
    for name in labels or {}:
        if name not in LABELS:
            raise ConfigurationError(f"labels of Freshness takes {', '.join(LABELS)}; it knows no {name!r}.")


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
