"""Tabs that are connected to another process than the one that runs a callback for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..live.clients import Client

#: What is told of a tab to the process that runs a callback for it. Cookies and headers stay where they are.
TOLD = ("address", "host", "origin", "user", "user_agent", "path", "connect_time")


def described_tab(client: Client) -> dict[str, Any]:
    """What another process is told of a tab."""
    return {name: getattr(client, name) for name in TOLD}
