"""The work, for Celery's workers: celery -A tasks worker. It knows nothing of the dashboard."""

from __future__ import annotations

import os
from math import isqrt

from celery import Celery

REDIS = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
PIECES = 100

app = Celery("tasks", broker=REDIS, backend=REDIS)


@app.task(name="primes.count", bind=True)
def count(self, below: int) -> dict[str, int]:
    """How many primes there are below a number. It says how far it is, in percent."""
    small = [number for number in range(2, isqrt(below) + 1) if sieve(number, number + 1, range(2, isqrt(number) + 1))]
    found = 0
    for piece in range(PIECES):
        self.update_state(state="PROGRESS", meta={"progress": [str(100 * piece // PIECES), f"{found:,} so far"]})
        found += sieve(max(2, below * piece // PIECES), below * (piece + 1) // PIECES, small)
    return {"below": below, "primes": found}


def sieve(first: int, end: int, divisors: range | list[int]) -> int:
    """How many numbers from ``first`` until ``end`` none of the divisors divides, other than themselves."""
    stay = bytearray([1]) * max(end - first, 0)
    for divisor in divisors:
        begin = max(divisor * divisor, -(-first // divisor) * divisor) - first
        if begin < len(stay):
            stay[begin::divisor] = bytes(len(range(begin, len(stay), divisor)))
    return sum(stay)
