"""Apps with shared callbacks for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flash import Flash, Input, Output, dcc, html

from ..live.asgi import live_app


def app_with(*components: Any, **options: Any) -> Flash:
    """An app whose layout has these components.

    Args:
        components: Components, or ids of ``html.Div`` components.
        options: Of the app.
    """
    app = live_app(options)
    app.layout = html.Div([html.Div(id=each) if isinstance(each, str) else each for each in components])
    return app


def slider(component_id: Any = "slider", value: Any = 5, **props: Any) -> dcc.Slider:
    """A slider from 0 to 10."""
    return dcc.Slider(0, 10, value=value, id=component_id, **props)


def slider_app(**options: Any) -> tuple[Flash, list[Any]]:
    """A slider whose value all pages share, ``text.children`` that says it, and what the callback has seen.

    Args:
        options: Of the callback.
    """
    app, seen = app_with(slider(), "text"), []
    listen(app, "slider.value", "text.children", seen, **options)
    return app, seen


def listen(app: Flash, wanted: str, output: str | None, seen: list[Any] | None = None, **options: Any) -> None:
    """Declare a shared callback that says what an input is, and notes it."""

    async def say(value: Any) -> str:
        if seen is not None:
            seen.append(value)
        return f"at {value}"

    app.callback_shared(output_of(output), Input(*wanted.rsplit(".", 1)), **options)(say)


def output_of(name: str | None) -> Output | None:
    """The Output that ``id.property`` names."""
    return None if name is None else Output(*name.rsplit(".", 1))


def answers(calls: list[Any], value: Callable[..., Any]) -> Callable[..., Any]:
    """A function that notes its arguments and returns what another makes of them."""

    async def function(*args: Any) -> Any:
        calls.append(args if len(args) != 1 else args[0])
        return value(*args)

    return function
