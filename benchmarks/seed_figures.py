"""Figures of many samples: percentiles, how sure the median is, and how much of an order was turned round."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 500


@dataclass(frozen=True)
class Spread:
    """What was measured of one arm, in milliseconds.

    Attributes:
        samples: How many.
        p50: The median.
        low: The lower end of the interval in which the median lies with 95 %.
        high: Its upper end.
        p95: The 95th percentile.
        p99: The 99th.
    """

    samples: int
    p50: float
    low: float
    high: float
    p95: float
    p99: float


def spread(blocks: Sequence[Sequence[float]]) -> Spread:
    """The figures of samples that were taken in blocks, in seconds.

    The interval is a bootstrap of whole blocks: samples of one block have the same minute's weather, so that drawing
    single ones would make it too narrow.
    """
    everything = [sample for block in blocks for sample in block]
    draw = random.Random(4)
    medians = sorted(
        statistics.median([sample for block in draw.choices(blocks, k=len(blocks)) for sample in block])
        for _ in range(RESAMPLES)
    )
    figures = (percentile(everything, 50), percentile(medians, 2.5), percentile(medians, 97.5))
    return Spread(len(everything), *(1e3 * each for each in (*figures, *(percentile(everything, p) for p in (95, 99)))))


def percentile(samples: Sequence[float], percent: float) -> float:
    """The percentile, between the two samples that it lies between."""
    ordered = sorted(samples)
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def late(values: Sequence[int]) -> int:
    """How many values of a growing series came after a greater one."""
    newest, count = None, 0
    for value in values:
        if newest is not None and value < newest:
            count += 1
        newest = value if newest is None else max(newest, value)
    return count


def overtaken(values: Sequence[int]) -> int:
    """How many values of a growing series were followed by a smaller one: had it ended there, its end were wrong."""
    return late([-value for value in reversed(values)])
