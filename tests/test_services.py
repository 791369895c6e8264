"""Services: the presets of dash_devices, own ones, and the combinations that cannot work."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from flash.exceptions import ConfigurationError
from flash.services import Service


def test_the_presets_are_those_of_dash_devices() -> None:
    assert Service.REGULAR == Service(None, False, None, "page", "parallel")
    assert Service.SHARED == Service("live", True, "callback", "server", "queue")
    assert Service.SHARED_MOST_RECENT == replace(Service.SHARED, overlap="most_recent")
    assert Service.S2 == Service("live", False, "callback", "page", "queue")
    assert Service.MOST_RECENT == Service(None, False, "callback", "page", "most_recent")


def test_an_own_one_is_made_from_a_preset() -> None:
    free = replace(Service.SHARED, serialized=None, overlap="parallel")
    assert free.shared and free.lane("out.children") is None
    with pytest.raises(FrozenInstanceError):
        free.shared = False  # type: ignore[misc]


def test_calls_of_a_callback_or_of_all_that_name_a_resource_have_a_lane() -> None:
    camera = replace(Service.S2, serialized="camera")
    assert camera.lane("a.x") == camera.lane("b.x") == ("resource", "camera")
    assert Service.S2.lane("a.x") != Service.S2.lane("b.x")
    assert Service.REGULAR.lane("a.x") is None
    # A resource is no callback of that name.
    assert replace(Service.S2, serialized="a.x").lane("b.x") != Service.S2.lane("a.x")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"transport": "websocket"}, "transport of a Service must be one of 'live', 'http', None, not 'websocket'"),
        ({"shared": 1}, "shared of a Service must be one of True, False, not 1"),
        ({"initial_call": "never"}, "initial_call of a Service must be one of 'page', 'server', 'none'"),
        ({"initial_call": None}, "initial_call of a Service must be one of"),
        ({"overlap": "latest"}, "overlap of a Service must be one of 'parallel', 'queue', 'most_recent'"),
        ({"overlap": ["queue"]}, "overlap of a Service must be one of"),
        ({"serialized": True, "overlap": "queue"}, "serialized takes 'callback', the name of a resource"),
        ({"serialized": " ", "overlap": "queue"}, "serialized takes 'callback', the name of a resource"),
        ({"shared": True, "transport": "http", "initial_call": "server"}, "write transport='live', or shared=False"),
        ({"shared": True}, "write initial_call='server' (once for all tabs) or 'none'"),
        ({"initial_call": "server"}, "write shared=True, or initial_call='page' or 'none'"),
        ({"overlap": "queue"}, "write serialized='callback' or the name of a resource"),
        ({"overlap": "most_recent"}, "write serialized='callback' or the name of a resource"),
        ({"serialized": "camera"}, "write overlap='queue' or 'most_recent', or serialized=None"),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_write_instead(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Service(**fields)
    assert sentence in str(refused.value)
