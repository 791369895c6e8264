"""Where a page shows how far the work of a remote callback is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dash import Output

from ..context import ctx
from ..exceptions import CallbackValueError, ConfigurationError


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

    def show(self, value: Any) -> None:
        """Show a value in the tab that asks.

        Raises:
            CallbackValueError: It does not fit.
        """
        if not self.fits(value):
            raise CallbackValueError(
                f"The backend reports its progress by {type(value).__name__}, and progress= has {len(self.outputs)} "
                "Outputs. It must send a list of one value for each."
            )
        for output, each in zip(self.outputs, value if self.several else [value], strict=False):
            ctx.client.set_props(output.component_id, {output.component_property: each})
