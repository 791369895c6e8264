"""Who asks, as the hub knows it, and how apps are told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..live.guard import HUB_EXTENSION

#: The key in the extensions of an ASGI scope under which an app finds who asks.
EXTENSION = HUB_EXTENSION

#: The role that may do everything on the hub.
ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks.

    Attributes:
        name: The user's name; None when unknown.
        roles: The user's roles.
    """

    name: str | None = None
    roles: frozenset[str] = field(default_factory=frozenset)

    @property
    def known(self) -> bool:
        """Whether somebody has signed in."""
        return self.name is not None

    @property
    def is_admin(self) -> bool:
        """Whether this one may do everything on the hub."""
        return ADMIN in self.roles

    def is_one_of(self, allowed: Iterable[str]) -> bool:
        """Whether roles, or users written as ``user:ann``, name this visitor. Administrators always are."""
        return self.is_admin or any(
            self.name is not None and each[5:] == self.name if each.startswith("user:") else each in self.roles
            for each in allowed
        )


#: Somebody who has not signed in.
NOBODY = Visitor()


def cookie_name(scheme: str) -> str:
    """The name of the hub's own cookie, which no app gets or sets.

    Args:
        scheme: The browser's: http, https, ws or wss.
    """
    return "__Host-flash-hub" if scheme in ("https", "wss") else "flash-hub"
