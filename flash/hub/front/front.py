"""The hub's own pages, as one Quart app. No code of any app runs in it."""

from __future__ import annotations

import hashlib
import logging
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from quart import Quart, Response, request
from werkzeug.exceptions import HTTPException

from ..host import Receive, Scope, Send
from ..visitor import NOBODY, Visitor
from . import api, health, views
from .answers import Refusal, refuse
from .watch import Watch
from .who import VISITOR, visitor_of

if TYPE_CHECKING:
    from ..hub import Hub
    from ..mount import Mount

logger = logging.getLogger("flash.hub")

HERE = Path(__file__).parent
ASSETS = HERE / "assets"

#: What browsers may do with the hub's pages: nothing but show them, with what comes from here.
POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; img-src 'self' data:; "
    "object-src 'none'"
)

#: Bytes that a request to these pages may bring: a form.
LARGEST_BODY = 1 << 16

#: Seconds for which browsers keep scripts and styles, whose addresses change with them.
_YEAR = 31_536_000

_TITLES = {
    400: "That cannot be read",
    401: "You are not signed in",
    403: "This is not open to you",
    404: "There is nothing here",
    405: "That is not possible here",
    413: "That is too large",
    429: "Too much at once",
    500: "Something went wrong",
}


class Front:
    """All that the hub itself shows.

    Args:
        hub: The hub.

    Attributes:
        app: The Quart app; the hub runs its lifespan.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.watch = Watch(hub)
        self.app = Quart(
            "flash.hub.front",
            root_path=str(HERE),
            template_folder="templates",
            static_folder="assets",
            static_url_path="/_hub/assets",
        )
        self.app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
        self.app.jinja_env.globals.update(hub=hub, asset=_versions().__getitem__)
        self.app.register_blueprint(views.blueprint(hub, self.watch))
        self.app.register_blueprint(api.blueprint(hub, self.watch))
        self.app.register_blueprint(health.blueprint(hub))
        self._add_signin(hub)
        self.app.context_processor(lambda: {"visitor": visitor_of()})
        self.app.register_error_handler(HTTPException, self._refused)
        self.app.register_error_handler(Exception, self._failed)
        self.app.after_request(_guarded)

    def _add_signin(self, hub: Hub) -> None:
        """Add the pages by which one signs in and out, where there are any."""
        pages = hub.signin.blueprint()
        self.app.jinja_env.globals["signs_out"] = pages is not None
        self.app.register_blueprint(pages or views.without_pages(hub))
        hub.signin.on_end(self.watch.end_session)

    async def serve(self, scope: Scope, receive: Receive, send: Send, visitor: Visitor) -> None:
        """Serve a request to a page of the hub's own.

        Args:
            scope: The request.
            receive: As in ASGI.
            send: As in ASGI.
            visitor: Who asks.
        """
        await self.app({**scope, VISITOR: visitor}, receive, send)  # type: ignore[arg-type]

    async def notice(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        status: int,
        title: str,
        text: str,
        *,
        details: str | None = None,
        retry_after: int | None = None,
        headers: list[tuple[bytes, bytes]] | None = None,
        mount: Mount | None = None,
        visitor: Visitor = NOBODY,
    ) -> None:
        """Answer a request, or refuse a handshake, with something to say: a page, JSON or text, as it is asked for.

        Args:
            scope: The request or the handshake.
            receive: As in ASGI.
            send: As in ASGI.
            status: The status of the answer.
            title: What is the matter.
            text: What to do about it.
            details: What only those may see who manage the app.
            retry_after: Seconds after which it may be tried again.
            headers: Further headers.
            mount: The app that cannot answer, for visitors who may use it: the page gives way to it when it runs.
            visitor: Who asks; who may switch the app finds buttons.
        """
        refusal = Refusal(status, title, text, details, retry_after, mount, visitor)
        policy = (b"content-security-policy", POLICY.encode())
        await refuse(self.app, refusal, scope, send, [*(headers or ()), policy])

    async def _refused(self, error: HTTPException) -> Response:
        """The page of a status, for a request to the hub itself."""
        if error.response is not None:
            return error.response  # type: ignore[return-value]
        status = error.code or 500
        refusal = Refusal(status, _TITLES.get(status, error.name), "", visitor=visitor_of())
        kind, body = await refusal.rendered(self.app, request.scope)
        answer = Response(body, status, content_type=kind)
        if allowed := error.get_headers():
            answer.headers.extend({name: value for name, value in allowed if name == "Allow"})
        return answer

    async def _failed(self, error: Exception) -> Response:
        """Nothing of an error leaves the hub but a number by which the log knows it."""
        number = secrets.token_hex(4)
        logger.error("Error %s: %s %s failed.", number, request.method, request.path, exc_info=error)
        refusal = Refusal(500, _TITLES[500], f"The hub's log knows it as error {number}.", visitor=visitor_of())
        kind, body = await refusal.rendered(self.app, request.scope)
        return Response(body, 500, content_type=kind)


async def _guarded(response: Response) -> Response:
    """Add what keeps the hub's pages to themselves."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    if request.path.startswith("/_hub/assets/"):
        headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable" if "v" in request.args else "no-cache"
    else:
        headers.setdefault("Cache-Control", "no-store")
    return response


def _versions() -> dict[str, str]:
    """The addresses of scripts and styles, by name, with what tells their versions apart."""
    return {
        path.name: f"/_hub/assets/{path.name}?v={hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
        for path in ASSETS.iterdir()
        if path.is_file()
    }
