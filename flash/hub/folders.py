"""Where a hub keeps things: its state, the logs, the sockets of its processes, a folder for each app."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from ..exceptions import ConfigurationError

logger = logging.getLogger("flash.hub")

#: The environment variable that holds the hub's secret.
SECRET_VARIABLE = "FLASH_HUB_SECRET"


class Folders:
    """The files and folders of one hub.

    Args:
        home: The folder that holds all that outlives the hub; made if it is missing, readable by its owner alone.

    Attributes:
        home: That folder, absolute.
        logs: One log file for each app.
        sockets: The unix sockets of the apps' processes. Elsewhere, because their paths must be short.
    """

    def __init__(self, home: str | os.PathLike[str]) -> None:
        self.home = Path(home).resolve()
        self.logs = self.home / "logs"
        user = os.getuid() if hasattr(os, "getuid") else 0
        digest = hashlib.sha256(str(self.home).encode()).hexdigest()[:12]
        self.sockets = Path(tempfile.gettempdir(), f"flash-hub-{user}-{digest}")

    def make(self) -> None:
        """Make the folders of what outlives the hub. Those that others may read are closed to them.

        Raises:
            ConfigurationError: The folder is one that all users share.
        """
        for folder in (self.home, self.logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _close_to_others(folder)

    def make_sockets(self) -> None:
        """Make the folder of the sockets.

        Raises:
            ConfigurationError: Another user has made it.
        """
        self.sockets.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = self.sockets.lstat()
        foreign = hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o077)
        if foreign or not stat.S_ISDIR(found.st_mode):
            raise ConfigurationError(
                f"{self.sockets} must be a folder of yours that nobody else can read. Remove it, or set TMPDIR."
            )

    def remove_sockets(self) -> None:
        """Remove the folder of the sockets, unless apps run on in it."""
        with suppress(OSError):
            self.sockets.rmdir()

    def log(self, name: str) -> Path:
        """The log file of an app."""
        return self.logs / f"{name}.log"

    def instance(self, name: str) -> Path:
        """The folder for what an app itself keeps, made if it is missing."""
        folder = self.home / "instance" / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def secret(self) -> bytes:
        """What the hub signs with: from ``FLASH_HUB_SECRET``, else made once and kept."""
        if given := os.environ.get(SECRET_VARIABLE):
            if len(given) < 16:
                raise ConfigurationError(f"{SECRET_VARIABLE} is too short: take 32 random characters or more.")
            return given.encode()
        path = self.home / "secret"
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_bytes()
        secret = secrets.token_urlsafe(32).encode()
        with os.fdopen(handle, "wb") as file:
            file.write(secret)
        return secret


def _close_to_others(folder: Path) -> None:
    found = folder.stat()
    if not hasattr(os, "getuid") or not found.st_mode & 0o077:
        return
    if found.st_mode & stat.S_ISVTX:
        raise ConfigurationError(f"{folder} is shared by all users of the machine. Give the hub a folder of its own.")
    if found.st_uid == os.getuid():
        folder.chmod(0o700)
        logger.info("%s was open to others on this machine, and is not any more.", folder)
    else:
        logger.warning("Others on this machine can read %s, and it is another user's. Take a folder of yours.", folder)
