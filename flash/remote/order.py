"""Answers that come in another order than they were asked for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from dash import Patch, no_update

from ..context import ctx

if TYPE_CHECKING:
    from ..live.clients import Client


class Order:
    """Tells answers of one callback that are late: a newer call of the same tab has come to its end before.

    Only calls that run beside each other can be late.

    Args:
        policy: Of the callback.
    """

    def __init__(self, policy: str) -> None:
        self._parallel = policy == "parallel"
        self._numbers = itertools.count(1)
        self._lines: WeakKeyDictionary[Client, dict[str, _Line]] = WeakKeyDictionary()

    def __len__(self) -> int:
        """How many outputs it remembers."""
        return sum(map(len, self._lines.values()))

    @contextmanager
    def ticket(self) -> Iterator[Ticket]:
        """A call begins; it ends where the ``with`` does."""
        number = next(self._numbers)
        if not self._parallel:
            yield Ticket(number, _Line())
            return
        lines, outputs = self._lines.setdefault(ctx.client, {}), repr(ctx.outputs_list)
        line = lines.setdefault(outputs, _Line())
        line.running += 1
        try:
            yield Ticket(number, line)
        finally:
            line.running -= 1
            if not line.running:
                # Nothing can be late any more. Pages name as many outputs as they like.
                del lines[outputs]


class _Line:
    """The calls of one tab for the same outputs, while any runs.

    Attributes:
        running: How many run.
        ended: The number of the newest that has come to its end.
    """

    __slots__ = ("ended", "running")

    def __init__(self) -> None:
        self.running = self.ended = 0


class Ticket:
    """The place of one call among the others for the same outputs.

    Args:
        number: The higher, the newer.
        line: All of them.
    """

    __slots__ = ("_line", "_number")

    def __init__(self, number: int, line: _Line) -> None:
        self._number = number
        self._line = line

    def late(self) -> bool:
        """The call has come to its end. Returns whether a newer one has before."""
        if self._number < self._line.ended:
            return True
        self._line.ended = self._number
        return False

    def checked(self, value: Any) -> Any:
        """What of the call's value may be shown: of a late one only ``Patch`` objects, which overwrite nothing."""
        if not self.late():
            return value
        return [_patch(each) for each in value] if isinstance(value, (list, tuple)) else _patch(value)


def _patch(value: Any) -> Any:
    return value if isinstance(value, Patch) else no_update
