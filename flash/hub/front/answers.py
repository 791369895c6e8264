"""What is said in an app's place, in the form that was asked for: a page, JSON, text, or a refused handshake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from ..host import Scope, Send
from ..visitor import NOBODY, Visitor
from .cards import Card, card_of

if TYPE_CHECKING:
    from quart import Quart

    from ..mount import Mount

#: What a browser asks for when the answer is to be shown in a tab or a frame.
_SHOWN = ("document", "embed", "frame", "iframe", "object")

#: Close codes of WebSockets that are refused: "try again later", or 4000 and the status.
TRY_AGAIN_LATER = 1013


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something to say, as :meth:`Front.notice` has it."""

    status: int
    title: str
    text: str
    details: str | None = None
    retry_after: int | None = None
    mount: Mount | None = None
    visitor: Visitor = NOBODY

    @property
    def card(self) -> Card | None:
        """The app, as the visitor sees it."""
        return None if self.mount is None else card_of(self.mount, self.visitor)

    async def rendered(self, app: Quart, scope: Any) -> tuple[str, bytes]:
        """The media type and the body of the answer.

        Args:
            app: The Quart app that has the templates.
            scope: The request.
        """
        form = form_for(scope)
        if form == "json":
            said = {"error": self.title, "text": self.text, **({"details": self.details} if self.details else {})}
            return "application/json", msgspec.json.encode(said)
        if form == "text":
            said_as_text = "\n".join(filter(None, (self.title, self.text, self.details)))
            return "text/plain; charset=utf-8", f"{said_as_text}\n".encode()
        template = app.jinja_env.get_template("notice.html")
        page = await template.render_async(notice=self, card=self.card, visitor=self.visitor)
        return "text/html; charset=utf-8", page.encode()


async def refuse(app: Quart, refusal: Refusal, scope: Scope, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
    """Answer a request, or refuse a handshake.

    Args:
        app: The Quart app that has the templates.
        refusal: What to say.
        scope: The request or the handshake.
        send: As in ASGI.
        headers: Further headers.
    """
    kind = "http.response"
    if scope["type"] == "websocket":
        kind = "websocket.http.response"
        if kind not in (scope.get("extensions") or {}):
            code = TRY_AGAIN_LATER if refusal.status == 503 else 4000 + refusal.status
            await send({"type": "websocket.close", "code": code, "reason": refusal.title[:100]})
            return
    media_type, body = await refusal.rendered(app, scope)
    headers = [
        (b"content-type", media_type.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"vary", b"accept, sec-fetch-dest"),
        (b"x-content-type-options", b"nosniff"),
        *headers,
    ]
    if refusal.retry_after is not None:
        headers.append((b"retry-after", b"%d" % refusal.retry_after))
    await send({"type": f"{kind}.start", "status": refusal.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": b"" if scope.get("method") == "HEAD" else body})


def form_for(scope: Any) -> str:
    """``"html"`` for what is shown to somebody, ``"json"`` for what a script asks for, and else ``"text"``."""
    headers = {name.lower(): value.decode("latin-1").lower() for name, value in scope["headers"]}
    accept, destination = headers.get(b"accept", ""), headers.get(b"sec-fetch-dest")
    if scope["type"] == "websocket":
        return "text"
    if destination in _SHOWN:
        return "html"
    asks_for_json = "json" in accept or "json" in headers.get(b"content-type", "")
    if asks_for_json or "/_dash-" in scope["path"] or b"x-requested-with" in headers or destination == "empty":
        return "json"
    return "html" if "text/html" in accept and destination is None else "text"
