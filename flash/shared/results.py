"""What a shared callback gives: values for all tabs, when it returns and while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from .. import _dash
from ..answers import Answer, encode_part
from .entries import Outcome, Value

if TYPE_CHECKING:
    from ..requests import Call
    from .runs import Run
    from .shared import Shared

Encode = Callable[[Any], bytes]


def values_in(encode: Encode) -> Callable[[Call, Answer], list[Value]]:
    """What turns an answer into values: those of the outputs, and those that it sets besides.

    Args:
        encode: Encodes one value.
    """

    def values(call: Call, answer: Answer) -> list[Value]:
        answer.merge_pushed()
        parts = {**answer.response.get("sideUpdate", {})}
        for component, props in answer.response["response"].items():
            parts[component] = {**parts.get(component, {}), **props}
        return [
            Value(component, prop, encode_part(call, answer, encode, value))
            for component, props in parts.items()
            for prop, value in props.items()
        ]

    return values


def response_of(values: list[Value]) -> bytes:
    """Dash's answer with the values of an outcome, for a page that has no live connection."""
    components: dict[str, dict[str, Any]] = {}
    for value in values:
        components.setdefault(value.component, {})[value.prop] = orjson.Fragment(value.json)
    return orjson.dumps({"multi": True, "response": components})


class SharedCaller(_dash.DashWebsocketCallback):
    """``ctx.websocket`` of a shared callback: what it sets is set in all tabs, what it asks is asked of the tab.

    Args:
        shared: The room.
        run: The run.
        asker: The page that has caused it; None when it is not connected to this process.
    """

    def __init__(self, shared: Shared, run: Run, asker: Any) -> None:
        self._shared = shared
        self._run = run
        self._asker = asker

    @property
    def is_shutdown(self) -> bool:
        """Whether nobody is left to be told. The state is."""
        return False

    def set_prop_sync(self, component_id: str, prop_name: str, value: Any) -> None:
        """Set a property in all tabs. From any thread; it never waits."""
        value = Value(_dash.stringify_id(component_id), prop_name, self._shared.encode(value))
        outcome = Outcome(self._run.id, self._run.cascade.channel, [value], False)
        self._shared.on_loop(self._shared.append, outcome)

    async def set_prop(self, component_id: str, prop_name: str, value: Any) -> None:
        """Set a property in all tabs."""
        self.set_prop_sync(component_id, prop_name, value)

    async def get_prop(self, component_id: str, prop_name: str, timeout: float = 30.0) -> Any:  # noqa: ASYNC109
        """The current value of a property in the page that has caused the run.

        Raises:
            TimeoutError: The page did not answer in time.
            WebsocketDisconnected: No page has, or it is gone, or it is connected to another process.
        """
        if self._asker is None:
            raise _dash.disconnected()
        return await self._asker.get_prop(component_id, prop_name, timeout)
