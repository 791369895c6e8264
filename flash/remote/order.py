"""Answers that come in another order than they were asked for."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from dash import Patch, no_update

from ..context import ctx

if TYPE_CHECKING:
    from ..live.clients import Client

#: Which call it is, and what its outputs are.
Ticket = tuple[int, str]


class Order:
    """Tells answers of one callback that are late: a newer call of the same tab has been answered before.

    Only calls that run beside each other can be late.

    Args:
        policy: Of the callback.
    """

    def __init__(self, policy: str) -> None:
        self._parallel = policy == "parallel"
        self._numbers = itertools.count(1)
        self._shown: WeakKeyDictionary[Client, dict[str, int]] = WeakKeyDictionary()

    def ticket(self) -> Ticket:
        """The number of a call that begins, and its outputs."""
        return next(self._numbers), repr(ctx.outputs_list) if self._parallel else ""

    def checked(self, ticket: Ticket, value: Any) -> Any:
        """What of a value may be shown: of a late one nothing but ``Patch`` objects, which overwrite nothing."""
        if not self._parallel:
            return value
        number, outputs = ticket
        shown = self._shown.setdefault(ctx.client, {})
        if number < shown.get(outputs, 0):
            return [_late(each) for each in value] if isinstance(value, (list, tuple)) else _late(value)
        shown[outputs] = number
        return value


def _late(value: Any) -> Any:
    return value if isinstance(value, Patch) else no_update
