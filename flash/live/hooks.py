"""Dash's hooks that ask whether a connection, or a message of it, is to be taken."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from ..calls import call
from ..exceptions import new_error_id
from .protocol import ClientMessage, CloseCode

if TYPE_CHECKING:
    from .live import Live

logger = logging.getLogger("flash")

Rejection = tuple[int, str]


async def ask_hooks(live: Live, kind: str, *args: Any) -> Rejection | None:
    """Run Dash's hooks of a kind.

    Returns:
        The close code and reason of the first that refuses; None when all agree.
    """
    for hook in live.app.hook_view.get_hooks(kind):
        try:
            result = await call(live.app.flash_pool, hook, *args)
        except Exception:
            logger.exception("A %s hook failed, which refuses. Error id: %s", kind, new_error_id())
            return CloseCode.REJECTED, "Authentication error"
        if result is False:
            return CloseCode.REJECTED, "Rejected"
        if isinstance(result, tuple) and len(result) == 2:
            return result
    return None


async def ask_message_hooks(live: Live, request: Any, messages: Iterable[ClientMessage]) -> Rejection | None:
    """Show messages, which have the form of the protocol, to the ``websocket_message`` hooks.

    Args:
        live: The app's live room.
        request: What brings them: Quart's WebSocket, or its request.
        messages: The messages.
    """
    if not live.app.hook_view.get_hooks("websocket_message"):
        return None
    for message in messages:
        rejection = await ask_hooks(live, "websocket_message", request, msgspec.to_builtins(message))
        if rejection is not None:
            return rejection
    return None
