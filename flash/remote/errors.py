"""What goes wrong with a remote call, and what may be told of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from ..exceptions import FlashError

Reason = Literal["refused", "invalid", "failed", "unreachable", "timeout", "busy", "garbled", "revoked"]

_SUMMARIES: dict[Reason, str] = {
    "refused": "The backend has refused the call.",
    "invalid": "The backend does not accept these values.",
    "failed": "The backend has failed.",
    "unreachable": "The backend cannot be reached.",
    "timeout": "The backend has taken too long.",
    "busy": "Too many calls wait for the backend already.",
    "garbled": "The backend has answered with something that is no answer.",
    "revoked": "The call was taken back.",
}

_MOST_FIELDS = 100
_MOST_CHARACTERS = 500


class RemoteError(FlashError):
    """A remote call has no result. Its text holds nothing that a backend has written, and is fit for a page.

    Args:
        reason: Why, one of a fixed set.
        call_id: Names the call.
        status: Of the HTTP answer; None when there is none.
        fields: What the backend says of single fields.

    Attributes:
        reason: ``"refused"``, ``"invalid"``, ``"failed"``, ``"unreachable"``, ``"timeout"``, ``"busy"``, ``"garbled"``
            or ``"revoked"``.
        status: Of the HTTP answer; None when there is none.
        fields: What the backend says of single fields, in its own words: the message by the name.
        id: Names the call, here, in the log, and in the headers that the backend has got.
        summary: One sentence for users.

    Example:
        >>> @api_callback(calc / "multiply", Output("out", "children"), inputs=dict(number=Input("number", "value")),
        ...     on_error=lambda error: f"{error.summary} ({error.id})")
        ... def show(data, number):
        ...     return data["product"]
    """

    def __init__(
        self, reason: Reason, call_id: str, status: int | None = None, fields: Mapping[str, str] | None = None
    ) -> None:
        self.reason: Reason = reason
        self.id = call_id
        self.status = status
        self.fields = dict(fields or {})
        self.summary = _SUMMARIES[reason]
        told = f"status {status}, " if status is not None else ""
        super().__init__(f"{self.summary} ({told}call {call_id})")


def reason_of(status: int, fields: Mapping[str, str]) -> Reason:
    """The reason that an HTTP status of 300 and more stands for.

    Args:
        status: The status.
        fields: What the answer says of single fields.
    """
    if status in (400, 422) and fields:
        return "invalid"
    return "garbled" if status < 400 else "refused" if status < 500 else "failed"


def fields_of(answer: Any) -> dict[str, str]:
    """What an answer says of single fields: the messages by name; of the first hundred, cut after 500 characters.

    Args:
        answer: Decoded JSON: FastAPI's ``{"detail": [{"loc": ["body", "a"], "msg": ...}]}``, or a problem document
            (RFC 9457) whose ``errors`` are a list of objects or a mapping.
    """
    if not isinstance(answer, dict):
        return {}
    found: dict[str, str] = {}
    for part in ("detail", "errors", "invalid-params"):
        for name, message in _entries(answer.get(part)):
            if name and len(found) < _MOST_FIELDS:
                found.setdefault(name[:_MOST_CHARACTERS], message[:_MOST_CHARACTERS])
    return found


def _entries(part: Any) -> Iterator[tuple[str, str]]:
    if isinstance(part, dict):
        for name, messages in part.items():
            yield name, _text(messages)
    elif isinstance(part, list):
        for entry in part:
            if isinstance(entry, dict):
                yield _name_in(entry), _text(_first(entry, "msg", "message", "detail", "reason"))


def _name_in(entry: dict[str, Any]) -> str:
    place = _first(entry, "loc", "field", "name", "pointer")
    if isinstance(place, list):
        return ".".join(map(_text, place[1:] if place[:1] == ["body"] else place))
    return place.lstrip("#").strip("/").replace("/", ".") if isinstance(place, str) else ""


def _first(entry: dict[str, Any], *names: str) -> Any:
    return next((entry[name] for name in names if name in entry), "")


def _text(message: Any) -> str:
    if isinstance(message, list):
        return " ".join(_text(each) for each in message if not isinstance(each, (list, dict)))
    return "" if isinstance(message, dict) else str(message)
