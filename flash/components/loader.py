"""Declaring the callback that gives a :class:`Lazy` its content."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Any

from dash import Input, Output
from dash.exceptions import PreventUpdate

from .. import callback
from ..functions import is_async, is_async_generator, is_generator


def lazy(component_id: Any, *dependencies: Any, **options: Any) -> Callable[[Any], Any]:
    """Declare the callback that gives a :class:`Lazy` its ``children``.

    It is not called before the component is in view, whatever its inputs do; afterwards it is called as any callback
    when an input changes. It may be plain, asynchronous or a generator.

    Args:
        component_id: The id of the component, a dict with ``MATCH`` for one callback that serves many.
        *dependencies: Inputs and States, whose values the function gets.
        **options: As :func:`flash.callback` takes them: ``running``, ``on_error`` ...

    Example:
        >>> @components.lazy("sales", Input("year", "value"))
        ... async def sales(year):
        ...     return dcc.Graph(figure=await sales_figure(year))
    """
    declare = callback(
        Output(component_id, "children"),
        Input(component_id, "visible"),
        *dependencies,
        prevent_initial_call=True,
        **options,
    )

    def decorate(func: Any) -> Any:
        declare(_when_visible(func))
        return func

    return decorate


def _when_visible(func: Any) -> Any:
    """The function with ``visible`` as its first argument, of the same kind: Flash runs each kind in its own way."""

    @functools.wraps(func)
    async def stream(visible: Any, *values: Any) -> AsyncIterator[Any]:
        _check(visible)
        async with aclosing(func(*values)) as items:
            async for item in items:
                yield item

    @functools.wraps(func)
    def generate(visible: Any, *values: Any) -> Iterator[Any]:
        _check(visible)
        yield from func(*values)

    @functools.wraps(func)
    async def await_(visible: Any, *values: Any) -> Any:
        _check(visible)
        return await func(*values)

    @functools.wraps(func)
    def call(visible: Any, *values: Any) -> Any:
        _check(visible)
        return func(*values)

    if is_async_generator(func):
        return stream
    if is_generator(func):
        return generate
    return await_ if is_async(func) else call


def _check(visible: Any) -> None:
    if not visible:
        raise PreventUpdate
