"""After which failures a call is sent again, and when."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from enum import Enum

from .errors import Reason

_FIRST_SECONDS = 0.2
_MOST_SECONDS = 10.0


class Again(Enum):
    """When a call that has failed may be sent once more."""

    NEVER = "never"
    #: The backend may have done the work: only if doing it twice is the same as doing it once.
    IF_IDEMPOTENT = "if idempotent"
    #: The backend has not begun the work.
    ALWAYS = "always"


class Failure(Exception):
    """One try of a call has failed.

    Args:
        reason: Why.
        again: Whether another try may follow.
        status: Of the HTTP answer; None when there is none.
        fields: What the backend says of single fields.
        told: For the log: what the backend has written, or what the connection's error says.
        after: Seconds that the backend asks to wait.
    """

    def __init__(
        self,
        reason: Reason,
        again: Again = Again.NEVER,
        *,
        status: int | None = None,
        fields: Mapping[str, str] | None = None,
        told: str = "",
        after: float = 0.0,
    ) -> None:
        super().__init__(told)
        self.reason = reason
        self.again = again
        self.status = status
        self.fields = fields or {}
        self.told = told
        self.after = after

    def may_repeat(self, idempotent: bool) -> bool:
        """Whether the call may be sent again.

        Args:
            idempotent: Whether doing the work twice is the same as doing it once.
        """
        return self.again is Again.ALWAYS or (idempotent and self.again is Again.IF_IDEMPOTENT)

    def seconds(self, tries: int) -> float:
        """How long to wait before the next try: longer after each, never the same for all, as the backend asks.

        Args:
            tries: How many have failed.
        """
        longest = min(_FIRST_SECONDS * 2 ** (tries - 1), _MOST_SECONDS)
        return max(self.after, random.uniform(longest / 2, longest))


def again_after(status: int, headers: Mapping[str, str]) -> tuple[Again, float]:
    """Whether and when a call may be sent again that was answered with an error.

    Args:
        status: Of the answer.
        headers: Of the answer.

    Returns:
        Whether, and the seconds that the backend asks to wait.
    """
    asked = retry_after(headers.get("retry-after", ""))
    if status in (429, 503) and asked is not None:
        return Again.ALWAYS, asked
    return (Again.IF_IDEMPOTENT, asked or 0.0) if status in (502, 503, 504) else (Again.NEVER, 0.0)


def retry_after(text: str) -> float | None:
    """The seconds that a ``Retry-After`` asks for, from now; None when it says nothing that can be understood.

    Args:
        text: Seconds, or a date of HTTP.
    """
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
