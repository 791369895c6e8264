"""What the hub says in place of an app that cannot answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to say.

    Attributes:
        status: The status of the answer.
        title: What is the matter; ``{app}`` stands for the app's title.
        text: What to do about it.
        retry_after: Seconds after which it may be tried again; None: not before somebody has done something.
    """

    status: int
    title: str
    text: str
    retry_after: int | None = None


OFF = Notice(503, "{app} is switched off", "Whoever looks after it has switched it off. It keeps its data.")
STARTING = Notice(503, "{app} is starting", "This takes longer than usual. Try again in a moment.", 2)
BACKOFF = Notice(503, "{app} has stopped", "It ended unexpectedly and will be started again in a moment.", 2)
FAILED = Notice(503, "{app} does not run", "It ended too often and is not started again by itself.")
BUSY = Notice(503, "{app} is busy", "Too many requests are under way. Try again in a moment.", 5)
UNREACHABLE = Notice(502, "{app} has not answered", "It ended, or broke off its answer.", 2)
TIMEOUT = Notice(504, "{app} has not answered in time", "Try again in a moment.", 5)
TOO_LARGE = Notice(413, "That is too large", "{app} does not take so much at once.")
FORBIDDEN = Notice(403, "This app is not open to you", "Ask whoever looks after it.")
FOREIGN = Notice(403, "Refused", "The page of another site has sent this.")
NOT_FOUND = Notice(404, "There is nothing here", "No app has this address.")
BAD_PATH = Notice(400, "That is no address", "It holds what no address may hold.")
