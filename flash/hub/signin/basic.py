"""Signing in with the browser's own window: HTTP Basic."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import math
import os
import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING

from ..host import Receive, Scope, Send
from ..visitor import NOBODY, Visitor
from .base import Headers, SignIn, refuse
from .checking import Checking, Wrong
from .users import UserFile

if TYPE_CHECKING:
    from ..hub import Hub

#: So many passwords that were right are remembered, by a keyed hash.
REMEMBERED = 1000

#: Seconds between looks at the file.
LOOK = 1.0


class Basic(SignIn):
    """Users with passwords from a file, as ``Authorization: Basic`` brings them. For programs, and where TLS is.

    One cannot sign out: browsers keep the password until they are closed.

    Args:
        users: The file of users; see :mod:`flash.hub.signin.users`.
        realm: What browsers call it.

    Example:
        >>> hub = Hub(signin=Basic("users.txt"))
    """

    def __init__(self, users: str | os.PathLike[str], *, realm: str = "Apps") -> None:
        super().__init__()
        self._checking = Checking(UserFile(users))
        self._realm = "".join(each for each in realm if each.isascii() and each.isprintable() and each not in '"\\')
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, tuple[str, str]] = OrderedDict()
        #: Checks under way, by what is checked: a page asks for many things at once.
        self._checks: dict[bytes, asyncio.Future[None]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def prepare(self, hub: Hub) -> None:
        """See :meth:`SignIn.prepare`."""
        await self._checking.prepare()

    async def start(self) -> None:
        """See :meth:`SignIn.start`."""
        self._looking = asyncio.create_task(self._checking.watch(LOOK, self._changed), name="flash-hub-users")

    async def close(self) -> None:
        """See :meth:`SignIn.close`."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await asyncio.gather(*self._checks.values(), return_exceptions=True)
        self._checking.close()

    async def identify(self, scope: Scope) -> Visitor:
        """See :meth:`SignIn.identify`. Only a password that was not seen before takes a moment."""
        sent = _authorization(scope)
        if sent is None:
            return NOBODY
        digest = self._digest(sent)
        if (known := self._known(digest)) is not None:
            return known
        if digest not in self._checks:
            check = self._checks[digest] = asyncio.ensure_future(self._check(digest, sent, _address(scope)))
            check.add_done_callback(lambda _: self._checks.pop(digest, None))
        await asyncio.shield(self._checks[digest])
        return self._known(digest) or NOBODY

    def session_key(self, scope: Scope) -> str | None:
        """See :meth:`SignIn.session_key`: what one user does ends when the user is changed."""
        sent = _authorization(scope)
        found = None if sent is None else self._right.get(self._digest(sent))
        return None if found is None else f"basic:{found[0]}"

    def headers_for_apps(self, headers: Headers) -> Headers:
        """See :meth:`SignIn.headers_for_apps`."""
        return [(name, value) for name, value in headers if name != b"authorization" or not _is_basic(value)]

    async def challenge(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See :meth:`SignIn.challenge`: the browser asks for name and password."""
        sent = _authorization(scope)
        wait = 0.0 if sent is None else self._checking.wait(_address(scope), _decoded(sent)[0])
        if wait:
            after: Headers = [(b"retry-after", b"%d" % math.ceil(wait))]
            await refuse(scope, send, 429, "Too many attempts.", after)
            return
        realm = f'Basic realm="{self._realm}", charset="UTF-8"'.encode()
        await refuse(scope, send, 401, "Sign in first.", [(b"www-authenticate", realm)])

    async def _check(self, digest: bytes, sent: bytes, address: str) -> None:
        name, password = _decoded(sent)
        if not name:
            return
        try:
            user = await self._checking.check(address, name, password)
        except Wrong:
            return
        self._right[digest] = user.name, user.fingerprint
        if len(self._right) > REMEMBERED:
            self._right.popitem(last=False)

    def _known(self, digest: bytes) -> Visitor | None:
        found = self._right.get(digest)
        return None if found is None else self._checking.visitor(*found)

    def _digest(self, sent: bytes) -> bytes:
        return hashlib.blake2b(sent, key=self._key, digest_size=32).digest()

    async def _changed(self, names: set[str]) -> None:
        self._right = OrderedDict((each, who) for each, who in self._right.items() if who[0] not in names)
        for name in names:
            self._ended(f"basic:{name}")


def _authorization(scope: Scope) -> bytes | None:
    """What a request brings after ``Basic``; None when it brings nothing, or several."""
    sent = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(sent) != 1 or not _is_basic(sent[0]):
        return None
    rest: bytes = sent[0].partition(b" ")[2]
    return rest.strip()


def _is_basic(value: bytes) -> bool:
    return value.partition(b" ")[0].lower() == b"basic"


def _decoded(sent: bytes) -> tuple[str, str]:
    """Name and password; empty when they cannot be read."""
    try:
        name, _, password = base64.b64decode(sent, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
