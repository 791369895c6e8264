"""A hub that nobody signs in to."""

from __future__ import annotations

from typing import ClassVar

from ..host import Scope
from ..visitor import NOBODY, Visitor
from .base import SignIn


class NoSignIn(SignIn):
    """Everybody may come in, and nobody is known."""

    open: ClassVar[bool] = True

    async def identify(self, scope: Scope) -> Visitor:
        """See :meth:`SignIn.identify`."""
        return NOBODY
