"""Every message and close code of the live connection, and what turns them into frames and back.

``docs/protocol.md`` says what each means. Frames of the client are decoded and validated at once; the frames that are
sent often are put together from bytes that are encoded once for all tabs.
"""

from __future__ import annotations

import json
import time
from enum import IntEnum
from typing import Annotated, Any, Literal

import msgspec
import orjson

VERSION = 1


class CloseCode(IntEnum):
    """Why a link was closed."""

    DONE = 1000
    GOING_AWAY = 1001
    BINARY = 1003
    MALFORMED = 1007
    TOO_MANY = 1008
    TOO_LARGE = 1009
    FAILED = 1011
    RESTART = 1012
    REJECTED = 4001
    SIGNED_OUT = 4401
    SLOW = 4408
    REPLACED = 4409
    TOO_FAST = 4429


#: A name that a client gives or repeats. What it gives is kept, so it has a bound.
Name = Annotated[str, msgspec.Meta(max_length=256)]

#: A signed ticket.
TicketText = Annotated[str, msgspec.Meta(max_length=8192)]

#: Ids of callbacks.
CallbackNames = Annotated[list[str], msgspec.Meta(max_length=1000)]

#: What a page was told of the shared state that its layout holds.
StateText = Annotated[str, msgspec.Meta(max_length=256)]

# Messages of the client.


class ClientMessage(msgspec.Struct, tag_field="type"):
    """The base of what a client sends."""


class Hello(ClientMessage, tag="hello"):
    """A page arrives."""

    version: Literal[1]
    rendererId: Name = msgspec.field(default="")
    endId: Name | None = None
    path: str = ""
    attempt: int = 0
    state: StateText | None = None


class Resume(ClientMessage, tag="resume"):
    """A page is back."""

    version: Literal[1]
    client: Name
    key: Name
    received: int
    ticket: TicketText | None = None
    rendererId: Name = ""
    endId: Name | None = None
    path: str = ""
    attempt: int = 0


class Ack(ClientMessage, tag="ack"):
    """So many numbered messages have arrived."""

    received: int


class CallbackRequest(ClientMessage, tag="callback_request"):
    """Run a callback."""

    requestId: Name
    payload: dict[str, Any]
    rendererId: Name = ""
    changes: dict[str, int] | None = None
    elsewhere: CallbackNames | None = None


class GetPropsResponse(ClientMessage, tag="get_props_response"):
    """The values that a ``get_props_request`` asked for."""

    requestId: Name
    payload: dict[str, Any] | None = None
    rendererId: Name = ""


class Heartbeat(ClientMessage, tag="heartbeat"):
    """Dash's worker asks whether the link is alive."""


class HeartbeatAck(ClientMessage, tag="heartbeat_ack"):
    """Answers the server's heartbeat."""

    received: int | None = None


class Ticket(ClientMessage, tag="ticket"):
    """Proves that the page may stay connected."""

    ticket: TicketText


class Bye(ClientMessage, tag="bye"):
    """The page is closed."""


AnyClientMessage = Hello | Resume | Ack | CallbackRequest | GetPropsResponse | Heartbeat | HeartbeatAck | Ticket | Bye

_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(AnyClientMessage | list[AnyClientMessage])


class Malformed(Exception):
    """A frame is not JSON, or not of the protocol's form. The text says which, and repeats nothing of it."""


def decode(frame: str | bytes) -> list[Any]:
    """The messages of a frame.

    Raises:
        Malformed: The frame is not JSON, or a message has not its type's fields.
    """
    try:
        decoded = _decoder.decode(frame)
    except msgspec.ValidationError:
        raise Malformed("The message has not the form that docs/protocol.md describes.") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        decoded = _decode_leniently(frame)
    return decoded if isinstance(decoded, list) else [decoded]


def _decode_leniently(frame: str | bytes) -> Any:
    # Browsers send lone surrogates, as escapes, and users type them.
    if b"\\ud" not in (frame if isinstance(frame, bytes) else frame.encode(errors="replace")).lower():
        raise Malformed("The frame is not JSON.")
    try:
        decoded = msgspec.convert(json.loads(frame, parse_constant=_refuse), AnyClientMessage | list[AnyClientMessage])
        for message in decoded if isinstance(decoded, list) else [decoded]:
            _check_names(message)
        return decoded
    except msgspec.ValidationError:
        raise Malformed("The message has not the form that docs/protocol.md describes.") from None
    except (ValueError, RecursionError):
        raise Malformed("The frame is not JSON.") from None


def _check_names(message: ClientMessage) -> None:
    # Users type into payloads. What has surrogates elsewhere could not be written into an answer.
    for name in message.__struct_fields__:
        if name != "payload" and isinstance(value := getattr(message, name), str):
            value.encode()


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


# Messages of the server.


class Welcome(msgspec.Struct, tag_field="type", tag="welcome"):
    """The answer to ``hello`` and ``resume``."""

    client: str
    key: str
    recovered: bool
    epoch: str
    heartbeat: float
    renew: float
    limit: int
    now: int = msgspec.field(default_factory=lambda: round(time.time() * 1000))
    version: int = VERSION


def welcome(message: Welcome) -> bytes:
    """The frame of a welcome."""
    return msgspec.json.encode(message)


def ack(request_id: str) -> bytes:
    """A request has arrived."""
    return b'{"type":"ack","requestId":%b}' % orjson.dumps(request_id)


def answered(request_id: str, data: bytes, state: int | None = None) -> bytes:
    """A callback's answer.

    Args:
        request_id: The request.
        data: The JSON that :meth:`flash.dispatch.Dispatcher.run` gave.
        state: The version of the shared state that its components hold, at least; None when nothing is shared.
    """
    return b'{"type":"callback_response","requestId":%b,"payload":{"status":"ok","data":%b}%b}' % (
        orjson.dumps(request_id),
        data,
        _state(state if state is not None and holds_components(data) else None),
    )


def _state(version: int | None) -> bytes:
    return b"" if version is None else b',"state":%d' % version


def prevented(request_id: str) -> bytes:
    """A callback has nothing to update."""
    return b'{"type":"callback_response","requestId":%b,"payload":{"status":"prevent_update"}}' % orjson.dumps(
        request_id
    )


def failed(request_id: str, message: str) -> bytes:
    """A callback has failed."""
    return b'{"type":"callback_response","requestId":%b,"payload":{"status":"error","message":%b}}' % (
        orjson.dumps(request_id),
        orjson.dumps(message),
    )


def set_props(
    component_id: str, props: dict[str, bytes], versions: dict[str, int] | None = None, state: int | None = None
) -> bytes:
    """New values for properties of one component.

    Args:
        component_id: The id; of a dict id its JSON with sorted keys.
        props: The JSON of each value by its property.
        versions: The versions of those that are shared.
        state: The version of the shared state that components in the values hold, at least; None when nothing is
            shared.
    """
    values = b",".join([b"%b:%b" % (orjson.dumps(name), value) for name, value in props.items()])
    brings = any(holds_components(value) for value in props.values())
    return b'{"type":"set_props"%b%b,"payload":{"componentId":%b,"props":{%b}}%b}' % (
        b',"versions":%b' % orjson.dumps(versions) if versions else b"",
        _state(state if brings else None),
        orjson.dumps(component_id),
        values,
        _COMPONENTS if brings else b"",
    )


_COMPONENTS = b',"components":true'


def changed(component_id: str, prop: str, change: int, version: int) -> bytes:
    """The page's change of a shared property has got its place in the order.

    Args:
        component_id: The component.
        prop: Its property.
        change: The page's number of the change; those before it count as placed too.
        version: Its version; 0: it was refused.
    """
    payload = {"componentId": component_id, "property": prop, "change": change, "version": version}
    return orjson.dumps({"type": "changed", "payload": payload})


def holds_components(value: bytes) -> bool:
    """Whether the JSON of a value may hold components. A text that says "namespace" counts: it does no harm."""
    return b'"namespace"' in value


def get_props(request_id: str, component_id: str, properties: list[str]) -> bytes:
    """Ask a page for the values of properties."""
    message = {
        "type": "get_props_request",
        "requestId": request_id,
        "payload": {"componentId": component_id, "properties": properties},
    }
    return orjson.dumps(message)


def refused(code: int, message: str) -> bytes:
    """A frame was refused, and the connection stays open."""
    return orjson.dumps({"type": "error", "payload": {"message": message, "code": code}})


def bye(retry: int, reason: str) -> bytes:
    """The server ends; the client may come back after ``retry`` milliseconds."""
    return orjson.dumps({"type": "bye", "retry": retry, "reason": reason})


def large(size: int) -> bytes:
    """The frame that follows has so many bytes, and nothing else comes until it is there."""
    return b'{"type":"large","bytes":%d}' % size


HEARTBEAT = b'{"type":"heartbeat"}'
HEARTBEAT_ACK = b'{"type":"heartbeat_ack"}'


def addressed(frame: bytes, renderer_id: str) -> bytes:
    """A frame for Dash's worker, which speaks for several pages, with the page that it is for."""
    return b'{"rendererId":%b,%b' % (orjson.dumps(renderer_id), frame[1:])
