"""What a process has to write to the log of shared changes: in numbered batches, kept until they were read back."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import msgspec

from .entries import AnyEntry, Change, Leads, Outcome

#: Entries that wait to be written, and to be read back; more are refused.
_MOST_ENTRIES = 20_000
#: Their bytes: a figure may have some millions.
_MOST_BYTES = 64_000_000
#: Entries that are written together, and their bytes, but for the last one.
_MOST_TOGETHER = 500
_BYTES_TOGETHER = 4_000_000

_encoder = msgspec.json.Encoder()


@dataclass(slots=True)
class Batch:
    """Entries that are written together.

    Attributes:
        number: Grows by one with each batch of a process. A batch that was written twice counts once.
        text: The entries' JSON.
        names: What they are about: the requests of this process's tabs, and the runs that have ended.
        size: Their bytes.
        written: Whether the storage has taken it. Without its answer that is not known.
    """

    number: int
    text: str
    names: tuple[int | str, ...]
    size: int
    written: bool = False


class Outgoing:
    """Keeps what is to be written. What may have been written never changes: it is written again as it was."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[bytes, int | str | None]] = deque()
        self._batches: deque[Batch] = deque()
        self._number = 0
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether tabs and code may add nothing more."""
        return len(self._waiting) >= _MOST_ENTRIES or self._bytes >= _MOST_BYTES

    def add(self, entry: AnyEntry) -> bool:
        """Add an entry. False when too much waits: then only what ends something is taken.

        Raises:
            TypeError: It holds what JSON cannot.
        """
        if self.is_full and not (isinstance(entry, Leads) or (isinstance(entry, Outcome) and entry.done)):
            return False
        encoded = _encoder.encode(entry)
        self._waiting.append((encoded, _name(entry)))
        self._bytes += len(encoded)
        return True

    @property
    def is_waiting(self) -> bool:
        """Whether anything is to be written."""
        return bool(self._waiting) or any(not batch.written for batch in self._batches)

    def next(self) -> Batch:
        """The oldest batch that is not known to be written; an empty one when nothing waits."""
        for batch in self._batches:
            if not batch.written:
                return batch
        entries: list[bytes] = []
        names: list[int | str] = []
        size = 0
        while self._waiting and len(entries) < _MOST_TOGETHER and size < _BYTES_TOGETHER:
            encoded, name = self._waiting.popleft()
            entries.append(encoded)
            size += len(encoded)
            if name is not None:
                names.append(name)
        self._number += 1
        self._batches.append(Batch(self._number, f"[{b','.join(entries).decode()}]", tuple(names), size))
        return self._batches[-1]

    def read_back(self, number: int) -> None:
        """The batches up to a number are in the log."""
        while self._batches and self._batches[0].number <= number:
            self._bytes -= self._batches.popleft().size

    def write_again(self, counted: int) -> None:
        """Begin to write where another history of the log has ended.

        Args:
            counted: The number of the last batch that counts in it.
        """
        self.read_back(counted)
        for batch in self._batches:
            batch.written = False

    def names(self) -> set[int | str]:
        """What is still to come back from the log: requests of this process's tabs, and ends of runs."""
        waiting = {name for _, name in self._waiting if name is not None}
        return waiting.union(*(batch.names for batch in self._batches))


def _name(entry: AnyEntry) -> int | str | None:
    if isinstance(entry, Change) and entry.asker is not None:
        return entry.asker.request
    return entry.run if isinstance(entry, Outcome) and entry.done and entry.run else None
