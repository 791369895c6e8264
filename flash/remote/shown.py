"""Where a page shows how far the work of a remote callback is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dash import Output

from ..context import ctx
from ..exceptions import CallbackValueError, ConfigurationError

logger = logging.getLogger("flash")

#: Between two values. Each is work for the page, and a backend may say thousands in a second.
_PAUSE_SECONDS = 0.05

_NOTHING: Any = object()


@dataclass(frozen=True, slots=True)
class Shown:
    """Where a page shows the progress of a call.

    Attributes:
        outputs: The properties.
        several: Whether each gets a value of its own.
        default: What they show when the work has ended; None for what they showed last.
    """

    outputs: tuple[Any, ...] = ()
    several: bool = False
    default: Any = None

    @classmethod
    def of(cls, progress: Any, default: Any) -> Shown:
        """Read ``progress=`` and ``progress_default=``.

        Raises:
            ConfigurationError: They cannot work.
        """
        several = isinstance(progress, (list, tuple))
        outputs = () if progress is None else tuple(progress) if several else (progress,)
        for output in outputs:
            if not isinstance(output, Output) or output.has_wildcard():
                raise ConfigurationError(f"progress takes an Output of a component, or a list of them, not {output!r}.")
        if default is not None and not outputs:
            raise ConfigurationError("progress_default says what progress= shows in the end. Write progress= too.")
        shown = cls(outputs, several and len(outputs) > 1, default)
        if default is not None and not shown.fits(default):
            raise ConfigurationError(f"progress_default takes one value for each Output of progress, not {default!r}.")
        return shown

    def fits(self, value: Any) -> bool:
        """Whether there is a value for each Output."""
        return not self.several or (isinstance(value, (list, tuple)) and len(value) == len(self.outputs))

    @contextmanager
    def showing(self) -> Iterator[Callable[[Any], None]]:
        """Show the progress of one call; in the end what is to be shown then.

        Returns:
            What shows a value: at once, and of several within a twentieth of a second the last.
        """
        if not self.outputs:
            yield _show_nothing
            return
        pace = _Pace(self)
        try:
            yield pace.put
        finally:
            pace.end()

    def check(self, value: Any) -> None:
        """Refuse what does not fit.

        Raises:
            CallbackValueError: It does not.
        """
        if not self.fits(value):
            raise CallbackValueError(
                f"The backend reports its progress by {type(value).__name__}, and progress= has {len(self.outputs)} "
                "Outputs. It must send a list of one value for each."
            )

    def show(self, value: Any) -> None:
        """Show a value that fits in the tab that asks."""
        for output, each in zip(self.outputs, value if self.several else [value], strict=False):
            ctx.client.set_props(output.component_id, {output.component_property: each})


class _Pace:
    """What is shown of the progress of one call, and when.

    Args:
        shown: Where.
    """

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._newest = _NOTHING
        self._pause: asyncio.TimerHandle | None = None
        self._begun = False

    def put(self, value: Any) -> None:
        """The backend has said a value.

        Raises:
            CallbackValueError: It does not fit.
        """
        self._shown.check(value)
        self._newest, self._begun = value, True
        if self._pause is None:
            self._go_on()

    def end(self) -> None:
        """The call has ended."""
        if self._pause is not None:
            self._pause.cancel()
        if self._begun and self._shown.default is not None:
            self._newest = self._shown.default
        self._show()

    def _go_on(self) -> None:
        self._pause = None
        if self._newest is not _NOTHING:
            self._pause = asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self._go_on)
            self._show()

    def _show(self) -> None:
        value, self._newest = self._newest, _NOTHING
        if value is _NOTHING:
            return
        try:
            self._shown.show(value)
        except (TypeError, RecursionError) as error:
            # What JSON brings can be nested deeper than it can be written.
            logger.warning("Progress of a remote callback cannot be shown: %s", error)


def _show_nothing(value: Any) -> None:
    """Progress that nothing shows."""
