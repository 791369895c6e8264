"""docs/protocol.md against the code: every message with its fields, every close code, every route."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flash.live import protocol
from flash.live.guard import TICKET_SECONDS
from flash.live.protocol import CloseCode

from ..apps import flash_app

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()


def section(title: str) -> str:
    """The text below one heading."""
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(title: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def fields(cell: str) -> dict[str, bool]:
    """The fields that a cell names, and whether each may be left out."""
    return {name.rstrip("?"): name.endswith("?") for name in re.findall(r"`([A-Za-z]+\??)`", cell)}


CLIENT = {row[0].strip("`"): fields(row[1]) for row in rows("Messages of the client")}
SERVER = {row[0].strip("`"): fields(row[1]) for row in rows("Messages of the server")}

STRUCTS: dict[str, Any] = {
    info.tag: kind for kind in protocol.AnyClientMessage.__args__ for info in [kind.__struct_config__]
}

EXAMPLES: dict[str, Any] = {
    "version": 1,
    "rendererId": "page",
    "endId": "end",
    "path": "/",
    "attempt": 1,
    "client": "c",
    "key": "k",
    "received": 0,
    "ticket": "t",
    "requestId": "r",
    "payload": {},
    "changes": {"a.x": 1},
    "elsewhere": ["b.y"],
    "state": "epoch.1.digest",
}


def test_the_messages_of_the_client_are_those_of_the_code() -> None:
    assert CLIENT.keys() == STRUCTS.keys()
    for name, documented in CLIENT.items():
        assert set(documented) == set(STRUCTS[name].__struct_fields__), name


@pytest.mark.parametrize("name", CLIENT)
def test_a_message_is_taken_as_it_is_documented(name: str) -> None:
    full = {"type": name, **{field: EXAMPLES[field] for field in CLIENT[name]}}
    (decoded,) = protocol.decode(json.dumps(full))
    assert type(decoded) is STRUCTS[name]
    least = {field: value for field, value in full.items() if not CLIENT[name].get(field)}
    assert type(protocol.decode(json.dumps(least))[0]) is STRUCTS[name]


@pytest.mark.parametrize(
    ("name", "field"),
    [
        (name, field)
        for name, documented in CLIENT.items()
        for field, optional in documented.items()
        # Dash's worker needs the renderer's id; a page of Flash's own is known by its connection.
        if not optional and field not in ("rendererId", "payload")
    ],
)
def test_a_message_without_a_field_that_it_needs_is_malformed(name: str, field: str) -> None:
    message = {"type": name, **{each: EXAMPLES[each] for each in CLIENT[name] if each != field}}
    with pytest.raises(protocol.Malformed):
        protocol.decode(json.dumps(message))


WELCOME = protocol.Welcome(client="c", key="k", recovered=True, epoch="e", heartbeat=25, renew=900, limit=1)
SENT = {
    "welcome": [protocol.welcome(WELCOME)],
    "ack": [protocol.ack("r")],
    "callback_response": [protocol.answered("r", b"{}", 3), protocol.prevented("r"), protocol.failed("r", "m")],
    "set_props": [
        protocol.set_props("a", {"x": b"1"}),
        protocol.set_props("a", {"x": b'{"namespace":"html"}'}, {"x": 2}, 1),
    ],
    "changed": [protocol.changed("a", "x", 1, 2)],
    "get_props_request": [protocol.get_props("r", "a", ["x"])],
    "heartbeat": [protocol.HEARTBEAT],
    "heartbeat_ack": [protocol.HEARTBEAT_ACK],
    "error": [protocol.refused(1007, "m")],
    "large": [protocol.large(600_000)],
    "bye": [protocol.bye(500, "m")],
}


def test_the_messages_of_the_server_are_those_of_the_code() -> None:
    assert SERVER.keys() == SENT.keys()


@pytest.mark.parametrize("name", SENT)
def test_a_message_is_sent_as_it_is_documented(name: str) -> None:
    for frame in SENT[name]:
        message = json.loads(frame)
        assert message.pop("type") == name
        needed = {field for field, optional in SERVER[name].items() if not optional}
        assert needed <= message.keys() <= set(SERVER[name])
    addressed = json.loads(protocol.addressed(SENT[name][0], "page"))
    assert addressed == {"rendererId": "page", **json.loads(SENT[name][0])}


def test_payloads_are_those_of_the_page() -> None:
    assert json.loads(protocol.set_props('{"a":1}', {"x": b"1"}))["payload"] == {
        "componentId": '{"a":1}',
        "props": {"x": 1},
    }
    assert "components" not in json.loads(protocol.set_props("a", {"x": b"1"}))
    tree = b'{"namespace":"dash_html_components","type":"B","props":{}}'
    assert json.loads(protocol.set_props("a", {"x": tree}))["components"] is True
    assert json.loads(protocol.answered("r", b'{"multi":true}'))["payload"] == {"status": "ok", "data": {"multi": True}}
    assert json.loads(protocol.prevented("r"))["payload"] == {"status": "prevent_update"}
    assert json.loads(protocol.failed("r", "m"))["payload"] == {"status": "error", "message": "m"}
    assert json.loads(protocol.get_props("r", "a", ["x"]))["payload"] == {"componentId": "a", "properties": ["x"]}
    assert json.loads(protocol.refused(1, "m"))["payload"] == {"message": "m", "code": 1}


def test_the_close_codes_are_those_of_the_code() -> None:
    documented = {row[1].strip("`"): int(row[0]) for row in rows("Close codes")}
    assert documented == {code.name: code.value for code in CloseCode}


def test_the_routes_are_those_of_the_code() -> None:
    app = flash_app(url_base_pathname="/sales/")
    rules = {rule.rule: rule.methods for rule in app.server.url_map.iter_rules()}
    named = set(re.findall(r"`(GET|POST) <prefix>(_flash/[a-z/]+)", PAGE))
    assert len(named) == 4
    for method, path in named:
        assert method in rules[f"/sales/{path}"], path
    mine = {rule for rule in rules if rule.startswith("/sales/_flash/live") and not rule.endswith(".js")}
    assert mine == {f"/sales/{path}" for _, path in named}
    assert f"`<prefix>{app.live_path('socket').removeprefix('/sales/')}`" in PAGE


def test_numbers_of_the_page_are_those_of_the_code() -> None:
    assert f"valid for {TICKET_SECONDS} s" in section("Tickets")
    assert "`hello` | `version` (1)" in PAGE and protocol.VERSION == 1


def test_numbered_messages_are_named() -> None:
    from .tab import NUMBERED

    named = re.search(r"Numbered ones \((.*?)\)", PAGE)
    assert named and set(re.findall(r"`(\w+)`", named[1])) == NUMBERED | {"changed"}
    assert msgspec.json.decode(protocol.HEARTBEAT) == {"type": "heartbeat"}
