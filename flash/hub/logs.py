"""The log files of a hub's apps: written by their processes, read by the hub."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

logger = logging.getLogger("flash.hub")

#: Bytes that a log may have before it is put aside, and how many old ones are kept.
LARGEST = 10 << 20
OLD_ONES = 3

#: Bytes that are read at once, and the most that one reader is given of what was written meanwhile.
_BLOCK = 1 << 16
_BURST = 1 << 20

#: Seconds between two looks at a log that somebody follows.
_PAUSE = 0.25


def open_log(path: Path) -> int:
    """A file descriptor to which processes append; the caller closes it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def rotate(path: Path, largest: int = LARGEST) -> bool:
    """Put a log aside when it is too large: ``sales.log`` becomes ``sales.log.1``, and so on.

    The process goes on writing into the same file, which is copied and emptied. What it writes in between is lost.

    Args:
        path: The log.
        largest: Bytes that it may have.

    Returns:
        Whether it was put aside.
    """
    try:
        return _put_aside(path, largest)
    except FileNotFoundError:
        return False
    except OSError as error:  # A full disk, for example: the app goes on as long as it can.
        logger.warning("%s could not be put aside: %s.", path, error)
        return False


def _put_aside(path: Path, largest: int) -> bool:
    if path.stat().st_size <= largest:
        return False
    for number in range(OLD_ONES - 1, 0, -1):
        if (older := _old(path, number)).exists():
            older.replace(_old(path, number + 1))
    shutil.copyfile(path, _old(path, 1))
    _old(path, 1).chmod(0o600)
    os.truncate(path, 0)
    return True


def tail(path: Path, lines: int, *, since: int = 0) -> list[str]:
    """The last lines of a log, the oldest first; what was put aside last counts as well.

    Args:
        path: The log; one that does not exist is empty.
        lines: How many.
        since: The byte of the log where they may begin; then nothing that was put aside counts.
    """
    found = _last_lines(path, lines, since)
    if len(found) < lines and not since:
        found = _last_lines(_old(path, 1), lines - len(found)) + found
    return found


async def follow(path: Path, last: int = 0) -> AsyncIterator[str]:
    """The lines of a log as they are written, until the iterator is closed.

    Somebody who reads slower than the app writes misses lines in the middle, and is told so.

    Args:
        path: The log; it need not exist yet.
        last: How many of the lines before come first.

    Example:
        >>> async for line in follow(hub.folders.log("sales"), last=200):
        ...     print(line)
    """
    lines, position = await asyncio.to_thread(_beginning, path, last)
    rest = b""
    while True:
        for line in lines:
            yield line
        await asyncio.sleep(_PAUSE)
        data, position, skipped = await asyncio.to_thread(_read_from, path, position)
        *whole, rest = (data if skipped else rest + data).split(b"\n")
        if len(rest) > _BURST:
            whole, rest = [*whole, rest], b""
        lines = [_text(line) for line in whole]
        if skipped:
            lines.insert(0, f"... {skipped} bytes were left out ...")


def _old(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def _beginning(path: Path, last: int) -> tuple[list[str], int]:
    """The last whole lines, and where they end."""
    lines = tail(path, last + 1)
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - _BURST))
            unfinished = len(file.read().rpartition(b"\n")[2])
    except FileNotFoundError:
        return lines[-last:] if last else [], 0
    if unfinished:
        lines = lines[:-1]
    return lines[-last:] if last else [], end - unfinished


def _read_from(path: Path, position: int) -> tuple[bytes, int, int]:
    """What was written since, where it ends, and how much of it was left out."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            if end < position:
                position = 0  # It was put aside, or removed and begun anew.
            file.seek(max(position, end - _BURST))
            data = file.read(_BURST)
    except FileNotFoundError:
        return b"", 0, 0
    if end - position <= _BURST:
        return data, position + len(data), 0
    data = data.partition(b"\n")[2]
    return data, end, end - position - len(data)


def _last_lines(path: Path, count: int, since: int = 0) -> list[str]:
    data = b""
    try:
        with path.open("rb") as file:
            position = file.seek(0, os.SEEK_END)
            while position > since and data.count(b"\n") <= count:
                size = min(_BLOCK, position - since)
                position -= size
                file.seek(position)
                data = file.read(size) + data
    except FileNotFoundError:
        return []
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    return [_text(line) for line in lines[-count:]] if count > 0 else []


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")
