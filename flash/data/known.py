"""How a source fares, as it is kept in the store and travels between processes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from .clock import Clock
from .snapshot import Failure, Snapshot, Status
from .stores.base import Record


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is kept of a source beside its snapshots.

    Attributes:
        term: Grows with every process that leads.
        count: Grows with every change of the state.
        version: Of the newest snapshot.
        digest: Of the newest snapshot.
        at: When that was read, or confirmed to be unchanged.
        checked: When it was last tried.
        error: Why the last try failed.
        running: Whether it runs now.
        next: When it runs next.
        tick: The last tick that has been dealt with.
        began: The tick whose run has begun; later than ``tick`` while it runs, or when its process has died.
        tries: How many processes have begun the run of that tick.
        inputs: The versions of its upstream sources that it was last made from, or tried with.
        roots: The versions of the scheduled sources that its newest snapshot goes back to.
    """

    term: int = 0
    count: int = 0
    version: int = 0
    digest: str = ""
    at: datetime | None = None
    checked: datetime | None = None
    error: Failure | None = None
    running: bool = False
    next: datetime | None = None
    tick: datetime | None = None
    began: datetime | None = None
    tries: int = 0
    inputs: dict[str, int] = {}
    roots: dict[str, int] = {}

    def but(self, **changes: Any) -> State:
        """The state after some changes, and with the next count."""
        return msgspec.structs.replace(self, **{"count": self.count + 1, **changes})

    def is_newer_than(self, other: State) -> bool:
        """Whether it was written later. Where a store has lost its data, who leads next may begin to count anew."""
        return (self.term, self.count) > (other.term, other.count)

    def is_of(self, record: Record | None) -> bool:
        """Whether that is the newest snapshot that it tells of."""
        return record is not None and (record.version, record.digest) == (self.version, self.digest)

    @property
    def was_interrupted(self) -> bool:
        """Whether the run of a tick was begun and never ended."""
        return self.began is not None and (self.tick is None or self.began > self.tick)


def to_json(state: State) -> dict[str, Any]:
    """What JSON can hold."""
    kept: dict[str, Any] = msgspec.to_builtins(state)
    return kept


def from_json(kept: dict[str, Any] | None) -> State:
    """The state that :func:`to_json` made; an empty one of nothing, or of what an other release has written."""
    try:
        return State() if kept is None else msgspec.convert(kept, State)
    except msgspec.ValidationError:
        return State()


@dataclass(frozen=True, slots=True)
class Known:
    """What a process knows of a source. Replaced as a whole, so that every thread reads it as it was at one time."""

    record: Record | None = None
    state: State = State()

    @property
    def version(self) -> int:
        """The newest version whose data this process has."""
        return self.record.version if self.record is not None else 0

    def snapshot(self, source: str, stale_after: float | None, clock: Clock) -> Snapshot:
        """A snapshot of the newest version, with a value of its own. Its age is told by a clock."""
        if self.record is None:
            return Snapshot(source, error=self.state.error, stale_after=stale_after, _clock=clock)
        return Snapshot(source, self.version, self.at, self.state.error, stale_after, _record=self.record, _clock=clock)

    @property
    def at(self) -> datetime | None:
        """When the newest version was read, or confirmed to be unchanged; None before the first."""
        if self.record is None:
            return None
        return (self.state.at if self.state.is_of(self.record) else None) or read_at(self.record)

    def status(self, stale_after: float | None) -> Status:
        """How the source fares."""
        state = self.state
        return Status(self.version, self.at, state.checked, state.error, state.running, state.next, stale_after)


def read_at(record: Record) -> datetime:
    """When a snapshot was read."""
    return datetime.fromtimestamp(record.at, UTC)
