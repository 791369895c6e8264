"""Durations as users write them."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from flash.data.durations import duration_text, seconds_of
from flash.exceptions import ConfigurationError


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (90, 90),
        (0.5, 0.5),
        ("90", 90),
        ("90s", 90),
        ("5m", 300),
        ("2h", 7200),
        ("1d", 86_400),
        ("1.5h", 5400),
        (".5s", 0.5),
        (" 5 M ", 300),
        (timedelta(minutes=5), 300),
    ],
)
def test_a_duration_is_read(written: Any, seconds: float) -> None:
    assert seconds_of(written) == seconds


@pytest.mark.parametrize("written", ["", "5 minutes", "5w", "m", "1h30m", "five", "٥m", None, True, [5], "1e3", "-5m"])
def test_what_is_no_duration_says_what_to_write(written: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"every= cannot be .*'90s', '5m', '2h' or '1d'"):
        seconds_of(written, "every=")


@pytest.mark.parametrize("written", [0, "0s", -1, timedelta(0), float("inf"), float("nan")])
def test_what_lasts_no_time_is_refused(written: Any) -> None:
    with pytest.raises(ConfigurationError, match="longer than nothing"):
        seconds_of(written)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "1 second"),
        (90, "90 seconds"),
        (60, "1 minute"),
        (300, "5 minutes"),
        (86_400, "1 day"),
        (1.5, "1.5 seconds"),
    ],
)
def test_a_duration_in_words(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_any_number_and_unit_is_read() -> None:
    chance = random.Random(6)
    for _ in range(200):
        number, (unit, seconds) = (
            chance.randint(1, 10_000),
            chance.choice([("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]),
        )
        assert seconds_of(f"{number}{unit}") == number * seconds == seconds_of(timedelta(seconds=number * seconds))
