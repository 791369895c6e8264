"""Hashing and checking passwords by argon2, away from the event loop and never too many at once."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from typing import TYPE_CHECKING

from ...exceptions import ConfigurationError
from ...pool import Pool

if TYPE_CHECKING:
    from argon2 import PasswordHasher

#: A hash takes a CPU and 64 MB of memory: so many are made at once, and so many more wait.
THREADS = 2
WAITING = 16

#: Nobody types more characters, and all of them are hashed.
LONGEST = 1024


class TooBusy(Exception):
    """So many passwords are being checked that one more has to be sent again."""


class Passwords:
    """Checks passwords.

    Example:
        >>> await Passwords().check(None, "secret")
        False
    """

    def __init__(self) -> None:
        self._hasher = new_hasher()
        self._pool = Pool(THREADS, "flash-hub-passwords")
        self._under_way = 0
        #: For users that there are not, which must take as long: by the parameters of the hashes that are in use.
        self._decoys: dict[str, str] = {}

    async def check(self, hashed: str | None, password: str, like: str | None = None) -> bool:
        """Whether a password is right. It takes as long for a user that there is not.

        Args:
            hashed: The user's hash; None when there is no such user.
            password: What was typed.
            like: A hash of another user, for the time that it takes.

        Raises:
            TooBusy: Too many wait already.
        """
        if self._under_way >= THREADS + WAITING:
            raise TooBusy
        self._under_way += 1
        # Who goes away does not free the place: the thread that hashes goes on.
        work = asyncio.ensure_future(self._pool.run(self._check, hashed, password, like))
        work.add_done_callback(self._over)
        return await asyncio.shield(work)

    def close(self) -> None:
        """End the threads."""
        self._pool.close()

    def _over(self, work: asyncio.Future[bool]) -> None:
        self._under_way -= 1
        if not work.cancelled():
            work.exception()

    def _check(self, hashed: str | None, password: str, like: str | None) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            right = self._hasher.verify(hashed or self._decoy(like), prepared(password))
        except (VerificationError, InvalidHashError):
            return False
        return right and hashed is not None and len(password) <= LONGEST

    def _decoy(self, like: str | None) -> str:
        from argon2 import PasswordHasher, extract_parameters

        parameters = "" if like is None else like.rpartition("$")[0].rpartition("$")[0]
        if parameters not in self._decoys:
            hasher = self._hasher if like is None else PasswordHasher.from_parameters(extract_parameters(like))
            self._decoys = {parameters: hasher.hash(secrets.token_hex(16))}
        return self._decoys[parameters]


def hash_of(password: str) -> str:
    """The hash of a password, to be kept. Takes a moment.

    Raises:
        ConfigurationError: The password is empty or too long.
    """
    if not password or len(password) > LONGEST:
        raise ConfigurationError(f"A password has 1 to {LONGEST} characters.")
    return new_hasher().hash(prepared(password))


def prepared(password: str) -> str:
    """A password as it is hashed: keyboards write the same letter in different ways."""
    return unicodedata.normalize("NFC", password[:LONGEST])


def new_hasher() -> PasswordHasher:
    """What hashes: argon2id with the parameters that its authors recommend.

    Raises:
        ConfigurationError: The package is not installed.
    """
    try:
        from argon2 import PasswordHasher
    except ImportError:
        raise ConfigurationError("Passwords need argon2-cffi: pip install 'dash-flash[hub]'.") from None
    return PasswordHasher()
