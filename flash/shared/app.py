"""What an app that shares state can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dash.exceptions import PreventUpdate

from .. import _dash
from ..calls import call
from ..encoding import dumps
from ..services import Service
from .declare import declare_shared
from .graph import ChannelFunction
from .public import SharedState

if TYPE_CHECKING:
    from ..live.clients import Client
    from ..pool import Pool
    from ..requests import Call
    from .shared import Shared


class SharedApp(_dash.DashSeam):
    """The part of :class:`flash.Flash` that is about shared callbacks."""

    flash_shared: Shared
    flash_pool: Pool

    # For users.

    def callback_shared(
        self, *args: Any, channel: ChannelFunction | None = None, service: Service | None = None, **kwargs: Any
    ) -> Callable[[Any], Any]:
        """Declare a shared callback of this app. See :func:`flash.callback_shared`."""
        return declare_shared(self.register, args, channel, service, kwargs)

    @property
    def shared_state(self) -> SharedState:
        """The values that all browsers share. See :class:`flash.shared.public.SharedState`."""
        return SharedState(self.flash_shared)

    def callback_authorize_output(self, func: Callable[[Client, str | None], Any]) -> Callable[..., Any]:
        """Have a function say which client may run which callback. From dash_devices.

        It is asked for each output of a callback, before anything is stored, run or sent. When it says no, nothing
        is updated, and what a tab has changed of shared properties is set back in it.

        Args:
            func: ``func(client, output_id)``, plain or asynchronous, returns whether the client may. ``output_id`` is
                ``"id.property"``, with a dict id as JSON; None for a callback without outputs.

        Example:
            >>> @app.callback_authorize_output
            ... def may(client, output_id):
            ...     return output_id != "heating.value" or client.user in ADMINS
        """
        self.flash_shared.authorizers.append(func)
        return func

    # For the other rooms.

    def shared_callback_ids(self) -> list[str]:
        """The ids of the shared callbacks."""
        return list(self.flash_shared.graph.callbacks)

    async def authorize(self, called: Call) -> None:
        """Ask whether the client may run a callback.

        Raises:
            PreventUpdate: It may not.
        """
        if self.flash_shared.authorizers:
            await self.identify_requester(called.context)
            if not await self.is_authorized(called):
                raise PreventUpdate

    async def identify_requester(self, context: Any) -> None:
        """Say in a callback's context who its client is."""
        raise NotImplementedError

    async def is_authorized(self, called: Call) -> bool:
        """Whether the client may run a callback."""
        for authorizer in self.flash_shared.authorizers:
            for output_id in _outputs(called):
                if not await call(self.flash_pool, authorizer, called.context.client, output_id):
                    return False
        return True

    def encode(self, value: Any, client: Client | None = None) -> bytes:
        """Encode what leaves the server, with the shared values in its components.

        Args:
            value: A tree or any other value.
            client: The tab that gets it; None when all do, or when no tab is known.
        """
        overlay = self.flash_shared.overlay(client)
        encoded = dumps(value, overlay)
        if overlay is not None:
            overlay.finish()
        return encoded


def _outputs(called: Call) -> list[str | None]:
    if not called.declaration.has_output:
        return [None]
    outputs = called.outputs if called.declaration.multi else [called.outputs]
    flat = [each for output in outputs for each in (output if isinstance(output, list) else [output])]
    return [f"{_dash.stringify_id(each['id'])}.{each['property'].split('@')[0]}" for each in flat]
