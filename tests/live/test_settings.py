"""What ``Flash(live=...)`` takes, and what it says to what it does not take."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from flash.exceptions import ConfigurationError
from flash.live.settings import LiveSettings, live_settings

from ..apps import flash_app


def test_the_defaults_are_those_that_the_documentation_promises() -> None:
    settings = LiveSettings()
    assert (settings.heartbeat, settings.answer) == (25, 10)
    assert (settings.resume_seconds, settings.resume_messages, settings.resume_bytes) == (120, 1000, 1 << 20)
    assert (settings.waiting_bytes, settings.all_waiting_bytes) == (1 << 20, 256 << 20)
    assert (settings.post_bytes, settings.frame_bytes, settings.renew) == (1 << 20, 16 << 20, 900)
    assert settings.on_gap == "callbacks" and settings.enabled is None and settings.indicator is True


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (None, LiveSettings()),
        (True, LiveSettings(enabled=True)),
        (False, LiveSettings(enabled=False)),
        ({}, LiveSettings()),
        ({"heartbeat": 0.05, "enabled": True}, LiveSettings(heartbeat=0.05, enabled=True)),
        ({"on_gap": "reload", "indicator": False}, LiveSettings(on_gap="reload", indicator=False)),
    ],
)
def test_what_is_taken(live: Any, expected: LiveSettings) -> None:
    assert live_settings(live) == expected
    assert flash_app(live=live).flash_live.settings == expected


def test_every_setting_is_documented() -> None:
    for field in dataclasses.fields(LiveSettings):
        assert f"    {field.name}: " in (LiveSettings.__doc__ or "")


NUMBERS = [
    field.name for field in dataclasses.fields(LiveSettings) if field.name not in ("enabled", "indicator", "on_gap")
]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [0, -1, "3", None, True, math.nan, math.inf])
def test_a_number_must_be_one(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"live\['{name}'\] must be a number above 0"):
        flash_app(live={name: value})


@pytest.mark.parametrize("name", ["heartbeat", "answer", "silence", "resume_seconds", "renew"])
def test_a_time_is_ten_days_at_most(name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"live\['{name}'\] must be 864000 seconds \(10 days\) at most"):
        flash_app(live={name: 864001})
    assert getattr(live_settings({name: 864000}), name) == 864000


@pytest.mark.parametrize(
    ("live", "sentence"),
    [
        ({"hartbeat": 3}, "no setting 'hartbeat'. Its settings are enabled, heartbeat"),
        ({"on_gap": "panic"}, "must be 'callbacks' or 'reload', not 'panic'"),
        ({"enabled": "yes"}, r"live\['enabled'\] must be True or False"),
        ({"indicator": None}, r"live\['indicator'\] must be True or False"),
        ("yes", "live must be True, False, None or a dict of settings, not 'yes'"),
        (1, "live must be True, False, None or a dict of settings, not 1"),
        ([], "live must be True, False, None or a dict of settings"),
    ],
)
def test_a_wrong_setting_says_what_to_write(live: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        flash_app(live=live)
