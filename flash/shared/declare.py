"""Declaring shared callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _dash
from ..declare import declare
from ..exceptions import ConfigurationError
from ..functions import is_async
from ..services import Service
from .graph import ChannelFunction, graph_of, keep_channel


def callback_shared(
    *args: Any, channel: ChannelFunction | None = None, service: Service | None = None, **kwargs: Any
) -> Callable[[Any], Any]:
    """Declare a callback whose inputs and outputs are the same in all browsers. From dash_devices.

    It runs once for each change, whichever tab makes it, and calls run in the order of the changes. A changed input is
    sent to the other tabs at once, before the function has run; its outputs go to every tab. Tabs that open later show
    what is shared. The first run is the server's own, when the inputs' values are known from a layout.

    Args:
        *args: An Output, a list of them, or None; then Inputs and States, as :func:`flash.callback` takes them.
        channel: ``channel(client)`` names the group of tabs that share, a text; None is all of them. It is asked
            often, on the event loop: a plain and quick function. See :class:`flash.Client`.
        service: How it runs: ``Service.SHARED`` (also None), ``Service.SHARED_MOST_RECENT``, or one of your own with
            ``shared=True``.
        **kwargs: As :func:`flash.callback` takes them: ``on_error``, ``prevent_initial_call=True`` for no first run ...

    Raises:
        ConfigurationError: The declaration cannot work, or it closes a circle of shared callbacks.

    Example:
        >>> @callback_shared(Output("temperature", "children"), Input("thermostat", "value"))
        ... async def heat(degrees):
        ...     await device.set(degrees)
        ...     return f"{degrees} °C"
    """
    return declare_shared(_dash.global_register(), args, channel, service, kwargs)


def declare_shared(
    register: _dash.Register,
    args: tuple[Any, ...],
    channel: ChannelFunction | None,
    service: Service | None,
    kwargs: dict[str, Any],
) -> Callable[[Any], Any]:
    """Declare a shared callback, in an app or without one. See :func:`callback_shared`."""
    _refuse(channel, kwargs)
    if register.options.get("config_prevent_initial_callbacks") is True and not (args and isinstance(args[-1], bool)):
        kwargs = {"prevent_initial_call": True, **kwargs}
    before = dict(register.entries)
    decorate = declare(register, args, {**kwargs, "service": service}, shared=True)
    spec = register.specs[-1]
    callback_id = spec["output"]

    def declare_function(func: Any) -> Any:
        try:
            decorate(func)
            if not register.entries[callback_id]["raw_inputs"]:
                raise ConfigurationError(
                    f"The shared callback {func.__qualname__} has no Input, and nothing would ever run it. Give it one."
                )
            keep_channel(register.entries[callback_id]["callback"], channel)
            graph_of(register.entries)
        except ConfigurationError:
            # It is as if it had not been written: who catches the error may declare it anew.
            del register.entries[callback_id]
            if callback_id in before:
                register.entries[callback_id] = before[callback_id]
            register.specs[:] = [each for each in register.specs if each is not spec]
            raise
        return func

    return declare_function


def _refuse(channel: Any, kwargs: dict[str, Any]) -> None:
    if channel is not None and (not callable(channel) or is_async(channel) or not hasattr(channel, "__qualname__")):
        raise ConfigurationError(
            "channel must be a plain function, made with def, that gets the client and returns a text or None; not "
            f"{channel!r}."
        )
    if kwargs.get("api_endpoint"):
        raise ConfigurationError(
            "An api_endpoint answers who asks, and a shared callback changes what all tabs show. Leave api_endpoint "
            "out; to change a shared property from outside, add a route that calls app.push_mods."
        )
    for option in ("background", "running", "cancel", "progress"):
        if kwargs.get(option):
            raise ConfigurationError(
                f"{option}= belongs to one tab, and a shared callback to all of them. Leave it out: set_props in the "
                "callback shows all tabs how far it is."
            )
