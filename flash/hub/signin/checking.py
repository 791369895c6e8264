"""Checking names and passwords against a file of users that may change at any time."""

from __future__ import annotations

import asyncio
import logging
import math
import unicodedata
from collections.abc import Awaitable, Callable

from ...exceptions import ConfigurationError
from ..visitor import Visitor
from .passwords import Passwords, TooBusy
from .throttle import Throttle
from .users import User, UserFile

logger = logging.getLogger("flash.hub")


class Wrong(Exception):
    """Nobody has signed in. The text is for who tried.

    Attributes:
        wait: Seconds until the next attempt is accepted; 0 when this one was simply wrong.
    """

    def __init__(self, text: str, wait: float = 0.0) -> None:
        super().__init__(text)
        self.wait = wait


class Checking:
    """Who has which password.

    Args:
        file: The users.
    """

    def __init__(self, file: UserFile) -> None:
        self.throttle = Throttle()
        self._file = file
        self._passwords = Passwords()
        self._users: dict[str, User] = {}
        self._visitors: dict[str, tuple[str, Visitor]] = {}
        self._version: object = None

    async def prepare(self) -> None:
        """Read the file.

        Raises:
            ConfigurationError: It cannot be read.
        """
        await asyncio.to_thread(self._read)
        await asyncio.to_thread(self._file.warn_if_open)

    async def watch(self, interval: float, changed: Callable[[set[str]], Awaitable[None]]) -> None:
        """Read the file again whenever it changes, for as long as it runs.

        A file that cannot be read changes nothing: what was last read counts, and the log says so.

        Args:
            interval: Seconds between looks.
            changed: Called with the names of those who have other roles or another password, or are gone.
        """
        while True:
            await asyncio.sleep(interval)
            try:
                if await asyncio.to_thread(self._file.version) != self._version:
                    before = self._users
                    await asyncio.to_thread(self._read)
                    await changed({name for name, user in before.items() if self._users.get(name) != user})
            except ConfigurationError as error:
                logger.error("The users stay as they were. %s", error)
            except Exception:
                logger.exception("%s could not be looked at.", self._file.path)

    def close(self) -> None:
        """End the threads."""
        self._passwords.close()

    def visitor(self, name: str, fingerprint: str) -> Visitor | None:
        """Who a user is now; None when there is no such user, or the password is another one."""
        found = self._visitors.get(name)
        return found[1] if found is not None and found[0] == fingerprint else None

    async def check(self, address: str, name: str, password: str) -> User:
        """Check a name and a password.

        Args:
            address: The client's.
            name: As it was typed.
            password: As it was typed.

        Raises:
            Wrong: They do not belong together, or there were too many attempts.
        """
        name = as_kept(name)
        if wait := self.throttle.begin(address, name):
            raise Wrong(f"Too many attempts. Try again in {in_words(wait)}.", wait)
        user = self._users.get(name)
        like = next(iter(self._users.values())).password if self._users else None
        try:
            right = await self._passwords.check(None if user is None else user.password, password, like)
        except TooBusy:
            self.throttle.withdrawn(address, name)
            raise Wrong("Many sign in at this moment. Try again in a few seconds.", 5.0) from None
        if user is None or not right:
            logger.warning("Somebody at %s has failed to sign in as %r.", address, name)
            raise Wrong("Name or password is wrong.")
        self.throttle.passed(address, name)
        return user

    def wait(self, address: str, name: str) -> float:
        """Seconds until an attempt is accepted; 0 when it is now."""
        return self.throttle.wait(address, as_kept(name))

    def _read(self) -> None:
        # The version first: what changes while it is read is read again.
        self._version = self._file.version()
        users = self._file.read()
        self._visitors = {name: (user.fingerprint, user.visitor) for name, user in users.items()}
        self._users = users


def as_kept(name: str) -> str:
    """A name that was typed, as users and attempts are kept by it."""
    return unicodedata.normalize("NFC", name.strip())[:200]


def in_words(seconds: float) -> str:
    """A span of time for people.

    Example:
        >>> in_words(3.2), in_words(200)
        ('4 seconds', '4 minutes')
    """
    if seconds <= 90:
        whole = math.ceil(seconds)
        return f"{whole} second{'' if whole == 1 else 's'}"
    return f"{math.ceil(seconds / 60)} minutes"
