"""Signing in: names and passwords of a file, which the browser's own window asks for (HTTP Basic).

The file is edited by ``flash user``; it holds argon2 hashes. Everything is behind it: pages, assets, callbacks and the
live connection. Serve over TLS: the browser sends the password with each request.
"""

from __future__ import annotations

import hashlib
import logging
import math
import secrets
import threading
import unicodedata
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from flash.exceptions import ConfigurationError
from flash.hub.routing import Proxies, client_of
from flash.hub.signin.passwords import LONGEST, prepared
from flash.hub.signin.throttle import Throttle
from flash.hub.signin.users import User, UserFile

logger = logging.getLogger("dashboard.signin")

#: So many seconds a request waits while other passwords are checked: a check takes a CPU for a moment.
PATIENCE = 3.0

#: So many requests are checked or wait for it; more are sent away, so that threads are left for who has signed in.
AT_ONCE = 6

#: So many right passwords are remembered, by a hash with a key of this process.
REMEMBERED = 1000

Refusal = tuple[str, int, dict[str, str]]


class Users:
    """Who may come in. Changes of the file count from the next request on.

    Args:
        path: The file of users.

    Raises:
        ConfigurationError: There is no such file, or nobody in it.
    """

    def __init__(self, path: Path) -> None:
        self._file = UserFile(path)
        self._hasher = PasswordHasher()
        # Who there is not must take as long as who there is.
        self._decoy = self._hasher.hash(secrets.token_hex(16))
        self._key = secrets.token_bytes(32)
        self._right: dict[bytes, str] = {}
        self._throttle = Throttle()
        self._one_at_a_time = threading.Lock()
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._version = self._file.version()
        self._known = self._file.read()
        if not self._known:
            raise ConfigurationError(f"Nobody may sign in: {path} is empty. Add a user: flash user add NAME.")
        self._file.warn_if_open()

    def refusal(self, sent: Any, address: str) -> Refusal | None:
        """Decide about a request.

        Args:
            sent: Its ``authorization``, as Flask and Quart have it.
            address: The client's.

        Returns:
            None when it may pass; otherwise text, status and headers of the answer.
        """
        if sent is None or sent.type != "basic" or not sent.username or sent.password is None:
            return _ask()
        self._look_at_file()
        # As it stands in the file: keyboards write the same letter in different ways.
        name = unicodedata.normalize("NFC", sent.username)
        user = self._known.get(name)
        digest = hashlib.blake2b(f"{name}:{sent.password}".encode(), key=self._key).digest()
        if self._remembers(user, digest):
            return None
        if wait := self._throttle.wait(address, name):
            return _too_many(wait)
        if not self._places.acquire(blocking=False):
            return _busy()
        try:
            return self._in_turn(user, name, sent.password, digest, address)
        finally:
            self._places.release()

    def _in_turn(self, user: User | None, name: str, password: str, digest: bytes, address: str) -> Refusal | None:
        if not self._one_at_a_time.acquire(timeout=PATIENCE):
            return _busy()
        try:
            # A page asks for many things at once: the first of its requests may have answered for the others.
            return None if self._remembers(user, digest) else self._check(user, name, password, digest, address)
        finally:
            self._one_at_a_time.release()

    def _check(self, user: User | None, name: str, password: str, digest: bytes, address: str) -> Refusal | None:
        if wait := self._throttle.begin(address, name):
            return _too_many(wait)
        if not self._is_right(user, password):
            logger.warning("Somebody at %s has failed to sign in as %r.", address, name)
            return _ask()
        assert user is not None
        self._throttle.passed(address, name)
        if len(self._right) >= REMEMBERED:
            self._right.clear()
        self._right[digest] = user.fingerprint
        return None

    def _is_right(self, user: User | None, password: str) -> bool:
        try:
            self._hasher.verify(user.password if user else self._decoy, prepared(password))
        except (Argon2Error, InvalidHashError):
            return False
        return user is not None and len(password) <= LONGEST

    def _remembers(self, user: User | None, digest: bytes) -> bool:
        return user is not None and self._right.get(digest) == user.fingerprint

    def _look_at_file(self) -> None:
        if (version := self._file.version()) == self._version:
            return
        self._version = version
        try:
            self._known = self._file.read()
        except ConfigurationError as error:
            logger.error("The users stay as they were. %s", error)


def protect(server: Any, request: Any, users: Users, proxies: Proxies) -> None:
    """Let only users pass.

    Args:
        server: A Flask or Quart app.
        request: Its framework's request.
        users: Who may come in.
        proxies: Who is believed about the client's address.
    """

    @server.before_request
    def sign_in() -> Refusal | None:
        return users.refusal(request.authorization, address_of(request, proxies))


def address_of(request: Any, proxies: Proxies) -> str:
    """The client's address, of which wrong passwords are counted.

    Args:
        request: Flask's or Quart's.
        proxies: What they say in ``X-Forwarded-For`` is believed, and what anybody else says is not.
    """
    told = [(b"x-forwarded-for", each.encode("latin-1")) for each in request.headers.getlist("X-Forwarded-For")]
    peer = (request.remote_addr, 0) if request.remote_addr else None
    _, client, _ = client_of({"type": "http", "client": peer, "headers": told}, proxies)
    return client[0] if client else ""


def _too_many(wait: float) -> Refusal:
    return "Too many attempts.", 429, {"Retry-After": str(math.ceil(wait))}


def _busy() -> Refusal:
    return "Many sign in at this moment. Try again.", 503, {"Retry-After": "5"}


def _ask() -> Refusal:
    asked = {"WWW-Authenticate": 'Basic realm="Dashboard", charset="UTF-8"', "Cache-Control": "no-store"}
    return "Sign in first.", 401, asked
