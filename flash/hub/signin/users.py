"""The users of a hub in a text file, one a line: ``name:hash of the password:role,role``."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import stat
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...exceptions import ConfigurationError
from ...storage import FileLock
from ..visitor import Visitor

logger = logging.getLogger("flash.hub")

#: No colon, no control character, no space or "#" at the beginning.
_NAME = re.compile(r"[^\s:#\x00-\x1f\x7f-\x9f][^:\x00-\x1f\x7f-\x9f]{0,199}")
_ROLE = re.compile(r"[^\s:,#]{1,100}")


@dataclass(frozen=True, slots=True)
class User:
    """One user.

    Attributes:
        name: As it is typed to sign in.
        password: Its argon2 hash.
        roles: The user's roles.
    """

    name: str
    password: str
    roles: frozenset[str] = frozenset()

    @property
    def line(self) -> str:
        """As it stands in the file."""
        return f"{self.name}:{self.password}:{','.join(sorted(self.roles))}"

    @property
    def visitor(self) -> Visitor:
        """Who this is, once signed in."""
        return Visitor(self.name, self.roles)

    @property
    def fingerprint(self) -> str:
        """Tells one password of the user from the next, and nothing about either."""
        return hashlib.sha256(self.password.encode()).hexdigest()[:32]


class UserFile:
    """A file of users. Empty lines, and those that begin with ``#``, are kept and mean nothing.

    Args:
        path: The file.

    Example:
        >>> file = UserFile("users.txt")
        >>> file.read()["ann"].roles
        frozenset({'admin'})
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def version(self) -> tuple[int, int, int] | None:
        """Changes when the file does; None when there is no file."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def read(self) -> dict[str, User]:
        """All users, by name.

        Raises:
            ConfigurationError: There is no file, or one of its lines is none of a user.
        """
        users: dict[str, User] = {}
        for number, line in enumerate(self._lines(), 1):
            if _means_nothing(line):
                continue
            user = _parsed(line, f"{self.path}, line {number}")
            if user.name in users:
                raise ConfigurationError(f"{self.path}, line {number}: {user.name!r} stands in it twice.")
            users[user.name] = user
        return users

    def warn_if_open(self) -> None:
        """Write a warning to the log when other users of this machine can read the file."""
        if os.name == "posix" and self.path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            logger.warning("Others on this machine can read %s: run chmod 600 %s.", self.path, self.path)

    def known(self, name: str) -> User:
        """One user.

        Raises:
            ConfigurationError: There is no such user.
        """
        return self._found(name, self.read())

    def refuse_taken(self, name: str) -> None:
        """Look whether a name can be given to a new user.

        Raises:
            ConfigurationError: Somebody has it.
        """
        if self.path.exists() and name in self.read():
            raise ConfigurationError(f"There is a user {name!r} already.")

    def put(self, name: str, password: str, roles: Iterable[str] = ()) -> None:
        """Add a user.

        Args:
            name: The name.
            password: The hash of the password.
            roles: The roles.

        Raises:
            ConfigurationError: The name is taken or cannot be one, or a role cannot be one.
        """
        user = User(checked_name(name), password, checked_roles(roles))

        def add(users: dict[str, User]) -> None:
            if user.name in users:
                raise ConfigurationError(f"There is a user {user.name!r} already.")
            users[user.name] = user

        self._edit(add)

    def change(self, name: str, *, password: str | None = None, roles: Iterable[str] | None = None) -> None:
        """Give a user another password (its hash) or other roles.

        Raises:
            ConfigurationError: There is no such user, or a role cannot be one.
        """
        checked = None if roles is None else checked_roles(roles)

        def update(users: dict[str, User]) -> None:
            user = self._found(name, users)
            users[user.name] = replace(
                user,
                password=user.password if password is None else password,
                roles=user.roles if checked is None else checked,
            )

        self._edit(update)

    def remove(self, name: str) -> None:
        """Remove a user.

        Raises:
            ConfigurationError: There is no such user.
        """
        self._edit(lambda users: users.pop(self._found(name, users).name))

    def _found(self, name: str, users: Mapping[str, User]) -> User:
        found = users.get(unicodedata.normalize("NFC", name))
        if found is None:
            raise ConfigurationError(f"{self.path} has no user {name!r}. It has {', '.join(sorted(users)) or 'none'}.")
        return found

    def _lines(self) -> list[str]:
        try:
            return self.path.read_text("utf-8").splitlines()
        except FileNotFoundError:
            raise ConfigurationError(
                f"There is no file {self.path}. Make it with the first user: "
                f"flash user add NAME --roles admin --file {self.path}"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{self.path} cannot be read: {error}.") from None

    def _edit(self, change: Callable[[dict[str, User]], object]) -> None:
        """Change the users while nobody else does, and put the new file in the place of the old one at once."""
        lock = FileLock(self.path.with_name(f"{self.path.name}.lock"))
        if not lock.take():
            raise ConfigurationError(f"{self.path} is being changed by somebody else. Try again.")
        try:
            lines = self._lines() if self.path.exists() else []
            users = self.read() if lines else {}
            change(users)
            self._write(_with(users, lines))
        finally:
            lock.release()

    def _write(self, lines: list[str]) -> None:
        target = self.path.resolve()
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o600
        written = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        handle = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in lines)
                file.flush()
                os.fsync(file.fileno())
            written.replace(target)
        finally:
            written.unlink(missing_ok=True)


def checked_name(name: str) -> str:
    """A user's name as it is kept and compared.

    Raises:
        ConfigurationError: It cannot be one.
    """
    name = unicodedata.normalize("NFC", name)
    if not _NAME.fullmatch(name) or name != name.strip():
        raise ConfigurationError(
            f"{name!r} cannot be a user's name: no ':' and no control characters, no '#' or space at its ends."
        )
    return name


def checked_roles(roles: Iterable[str]) -> frozenset[str]:
    """Roles as they are kept.

    Raises:
        ConfigurationError: One of them cannot be a role.
    """
    wanted = frozenset(role for each in roles if (role := each.strip()))
    for role in wanted:
        if not _ROLE.fullmatch(role):
            raise ConfigurationError(f"{role!r} cannot be a role: write a word without ':', ',' and '#'.")
    return wanted


def _parsed(line: str, where: str) -> User:
    name, _, rest = line.partition(":")
    password, _, roles = rest.partition(":")
    try:
        user = User(checked_name(name.strip()), password.strip(), checked_roles(roles.split(",")))
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None
    if not user.password.startswith("$argon2"):
        raise ConfigurationError(
            f"{where}: {user.name!r} has no argon2 hash. Set a password: flash user password {user.name}"
        )
    return user


def _with(users: Mapping[str, User], lines: list[str]) -> list[str]:
    """The lines of the new file: users in their places, then new ones; comments as they were."""
    left = dict(users)
    kept = []
    for line in lines:
        if _means_nothing(line):
            kept.append(line)
        elif (user := left.pop(checked_name(line.partition(":")[0].strip()), None)) is not None:
            kept.append(user.line)
    return kept + [user.line for user in left.values()]


def _means_nothing(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")
