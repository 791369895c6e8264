"""What a test gets: the result of a callback, the answer to a request, and the errors that say what went wrong."""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass, field
from functools import cached_property
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

from ..exceptions import FlashError
from .properties import Name, Property

if TYPE_CHECKING:
    from werkzeug.datastructures import Headers


@dataclass(frozen=True)
class Answer:
    """The answer to an HTTP request.

    Attributes:
        status: The HTTP status.
        headers: The headers.
        data: The body.
        exception: What was raised while the request was served, also when the app made an answer of it.
    """

    status: int
    headers: Headers = field(repr=False)
    data: bytes
    exception: BaseException | None = None

    @property
    def text(self) -> str:
        """The body as text."""
        return self.data.decode(errors="replace")

    def json(self) -> Any:
        """The body, which must be JSON."""
        return json.loads(self.data)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that the answer sets, by name."""
        return {
            name: morsel.value
            for header in self.headers.getlist("Set-Cookie")
            for name, morsel in SimpleCookie(header).items()
        }


@dataclass(frozen=True)
class Failure:
    """Why a callback or a page has failed.

    Attributes:
        status: The HTTP status that the browser gets.
        message: What the browser is told.
        error_id: The id that joins the answer with the log, if it has one.
        exception: What was raised on the server, or None when nothing was.
    """

    status: int
    message: str
    error_id: str | None = None
    exception: BaseException | None = field(default=None, compare=False)

    @classmethod
    def of(cls, answer: Answer) -> Failure:
        """The failure that an answer tells of."""
        try:
            told = answer.json()
        except ValueError:
            told = None
        if not isinstance(told, dict) or "error" not in told:
            return cls(answer.status, answer.text[:500], None, answer.exception)
        return cls(answer.status, str(told["error"]), told.get("id"), answer.exception)

    @cached_property
    def traceback(self) -> str:
        """The traceback of the exception as text, which the log shows and the browser is not told."""
        return "".join(traceback.format_exception(self.exception)) if self.exception else ""

    def __str__(self) -> str:
        error = self.exception
        told = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}" if error else self.message
        return f"status {self.status}, {told}" + (f" (error id {self.error_id})" if self.error_id else "")


@dataclass(frozen=True)
class Result:
    """What one call of a callback came to.

    Attributes:
        outputs: The values of the outputs that were updated, by ``"id.property"``, as JSON. A ``Patch`` stays one.
        side_updates: What ``set_props`` changed, by ``"id.property"``.
        progress: What a background callback reported, each by ``"id.property"``. Quick reports may be missing.
        prevented: Whether the callback raised ``PreventUpdate``.
        error: What went wrong, or None.
        answer: The answer to the request, or to the last look at a background job.

    Example:
        >>> result = client.call("out.children", inputs={"in.value": 3})
        >>> result["out.children"], result.side_updates
        ('3 items', {'in.disabled': True})
    """

    answer: Answer = field(repr=False)
    outputs: dict[str, Any] = field(default_factory=dict)
    side_updates: dict[str, Any] = field(default_factory=dict)
    progress: list[dict[str, Any]] = field(default_factory=list)
    prevented: bool = False
    error: Failure | None = None

    def __getitem__(self, name: Name) -> Any:
        """The value of an output that was updated."""
        key = str(Property.of(name))
        if key not in self.outputs:
            updated = ", ".join(self.outputs) or "no output"
            raise KeyError(f"The callback did not update {key!r}. It updated {updated}.")
        return self.outputs[key]

    def __contains__(self, name: Name) -> bool:
        return str(Property.of(name)) in self.outputs

    @property
    def status(self) -> int:
        """The HTTP status: 200, 204 when the update was prevented, or that of the error."""
        return self.answer.status

    @property
    def headers(self) -> Headers:
        """The headers of the answer."""
        return self.answer.headers

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that the answer sets, by name."""
        return self.answer.cookies


class CallbackFailed(FlashError):
    """A callback that a test called has failed; its cause is the exception that was raised on the server.

    Attributes:
        result: The result, with the error in it.
    """

    def __init__(self, called: str, result: Result) -> None:
        super().__init__(f"The callback {called} failed: {result.error}")
        self.result = result
        self.__cause__ = result.error.exception if result.error else None
