"""Leases by what Dash's storages have: values, and topics in which messages have an order.

Whoever holds a lease has a token. Who wants to follow the holder of a token publishes a claim to that token's topic,
and the first claim in it is the next holder: so holders form a chain, the same for everybody. A record beside it says
how long the last holder holds it, and lets readers begin at the chain's end.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any, NamedTuple

#: How long a link of the chain is kept, in seconds: longer than any process waits between reading and writing.
KEPT = 86_400.0


class Claim(NamedTuple):
    """Who holds a lease, or wants to: until when, by the clock."""

    owner: str
    token: int
    until: float


NOBODY = Claim("", 0, 0.0)


class DashLeases:
    """The leases of one storage. At most one owner holds each, where the clocks of the processes agree.

    Args:
        storage: An object of ``dash.BaseSharedStorage`` that has been started.
    """

    def __init__(self, storage: Any) -> None:
        self._dash = storage
        self._lock = threading.Lock()

    def acquire(self, name: str, owner: str, seconds: float) -> int | None:
        """The owner's token, or ``None`` while another holds the lease."""
        with self._lock:
            now = time.time()
            record = self._record(name)
            if record.until > now:
                # A holder that has a successor already does not hold it any more, but its time is waited for.
                return record.token if record.owner == owner and self._renew(name, record, now + seconds) else None
            last = self._last(name, record)
            if last.until <= now:
                last = self._claim(name, last, Claim(owner, _token_after(last), now + seconds))
            if last.owner != owner or self._record(name).until > time.time():
                return None
            return last.token if self._renew(name, last, now + seconds) else None

    def renew(self, name: str, owner: str, seconds: float) -> bool:
        """Whether the owner holds the lease, now for so many seconds."""
        with self._lock:
            now = time.time()
            record = self._record(name)
            return record.owner == owner and record.until > now and self._renew(name, record, now + seconds)

    def release(self, name: str, owner: str) -> None:
        """End the owner's holding, if it holds the lease."""
        with self._lock:
            record = self._record(name)
            if record.owner == owner:
                self._dash.set(_key(name), list(record._replace(until=0.0)))

    def _renew(self, name: str, holder: Claim, until: float) -> bool:
        # Written first, then looked: who claims does it the other way round, so that one of the two sees the other.
        self._dash.set(_key(name), list(holder._replace(until=until)))
        return self._after(name, holder) is None

    def _claim(self, name: str, last: Claim, claim: Claim) -> Claim:
        self._dash.publish(_topic(name, last), list(claim), KEPT)
        return self._after(name, last) or claim

    def _last(self, name: str, holder: Claim) -> Claim:
        while (following := self._after(name, holder)) is not None:
            holder = following
        return holder

    def _after(self, name: str, holder: Claim) -> Claim | None:
        with contextlib.closing(self._dash.subscribe(_topic(name, holder), 0)) as claims:
            found = claims.poll(0.0)
        return Claim(*found[0][1]) if found else None

    def _record(self, name: str) -> Claim:
        return Claim(*self._dash.get(_key(name), NOBODY))


def _token_after(last: Claim) -> int:
    # The time, so that tokens grow though the storage has lost the last one.
    return max(last.token + 1, time.time_ns() // 1000)


def _key(name: str) -> str:
    return f"flash:lease:{name}"


def _topic(name: str, holder: Claim) -> str:
    return f"flash:lease:{name}:{holder.token}"
