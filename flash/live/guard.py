"""Who may connect: the server asks itself, through everything that guards a page."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from itsdangerous import BadSignature, URLSafeTimedSerializer
from quart import Response, request

from ..calls import call
from ..encoding import dumps

if TYPE_CHECKING:
    from ..app import Flash

#: Seconds for which a ticket is taken.
TICKET_SECONDS = 60

#: The key in the extensions of an ASGI scope under which a hub says who asks: ``{"user": ..., "roles": ...}``. Only
#: layers of ASGI can write there, so no client can forge it.
HUB_EXTENSION = "flash.hub"

_PASS = "flash.guard"
_UNSET: Any = object()

#: The names of the variables that hold the contexts of one request begin so.
_OF_REQUESTS = ("quart.", "flask.")
_OF_UPGRADES = {b"connection", b"upgrade", b"content-length", b"transfer-encoding"}


@dataclass(slots=True)
class Verdict:
    """What the guards of an app say to a handshake.

    Attributes:
        passed: Whether they let the request for the ticket through.
        user: Who it is.
        status: The status of the answer.
        headers: Its headers.
        body: Its body.
        context: The context variables that the guards have left to the view.
    """

    passed: bool = False
    user: str | None = None
    status: int = 403
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    context: Context | None = None

    def set_variables(self) -> None:
        """Set what the guards have set in context variables, so that callbacks see it as they do over HTTP."""
        mine = copy_context()
        for variable, value in (self.context or mine).items():
            if not variable.name.startswith(_OF_REQUESTS) and mine.get(variable, _UNSET) is not value:
                variable.set(value)
        self.context = None  # With it the guards' request would live as long as the connection.


class Guard:
    """Guards the live connection of one app as its pages are guarded.

    Args:
        app: The app.
        identify: The app's own function that says who asks, plain or asynchronous; it gets Quart's request and returns
            a text, or None for an unknown user. None takes the sign-in of quart-auth or, with ``flask_compat``, of
            Flask-Login, and for an app without one that of the hub which serves it.
    """

    def __init__(self, app: Flash, identify: Callable[[Any], Any] | None) -> None:
        self._app = app
        self._identify = identify

    async def check(self, scope: dict[str, Any]) -> Verdict:
        """Ask the app for the ticket's page, with the headers and the address of a handshake.

        The request goes through the whole of ``server.asgi_app``, so that middleware, ``before_request`` functions,
        decorated views and sessions decide as they do for a page.

        Args:
            scope: The ASGI scope of the WebSocket.
        """
        verdict = Verdict()
        asked = request_scope(scope, self._app.live_path("live"))
        asked[_PASS] = verdict
        never = asyncio.Event()
        waiting = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            if not waiting:
                await never.wait()
            return waiting.pop()

        async def send(event: dict[str, Any]) -> None:
            if event["type"] == "http.response.start":
                verdict.status, verdict.headers = event["status"], list(event.get("headers", []))
            elif event["type"] == "http.response.body":
                verdict.body += event.get("body", b"")

        application: Callable[..., Awaitable[None]] = self._app.server.asgi_app
        await application(asked, receive, send)
        verdict.passed = verdict.passed and 200 <= verdict.status < 300
        return verdict

    async def passes(self, scope: dict[str, Any]) -> bool:
        """Whether the guards let a handshake through now."""
        return (await self.check(scope)).passed

    async def serve_ticket(self) -> Response:
        """The view that gives a ticket to a page, and tells a handshake who it is."""
        user = await self.user()
        verdict: Any = request.scope.get(_PASS)
        if isinstance(verdict, Verdict):
            verdict.passed, verdict.user, verdict.context = True, user, copy_context()
            return Response(status=204)
        body = dumps({"ticket": self._signer().dumps(user)})
        return Response(body, content_type="application/json", headers={"Cache-Control": "no-store"})

    async def user(self) -> str | None:
        """Who makes the current request."""
        if self._identify is not None:
            # Not among the callbacks: a page full of slow ones would keep others from connecting.
            user = await call(self._app.flash_views, self._identify, request)
            return None if user is None else str(user)
        if (quart_auth := self._quart_auth()) is not None:
            auth_id: str | None = quart_auth.current_user.auth_id
            return auth_id
        if (flask_login := self._flask_login()) is not None:
            # In a thread: the app's user loader may ask a database.
            user = await self._app.flash_views.run(flask_login.current_user.get_id)
            return None if user is None else str(user)
        told: str | None = (_said_by_hub() or {}).get("user")
        return told

    @property
    def knows_users(self) -> bool:
        """Whether anything says who makes the current request; if not, every user is None."""
        own = self._identify is not None or self._quart_auth() is not None or self._flask_login() is not None
        return own or _said_by_hub() is not None

    def _quart_auth(self) -> Any:
        """The module, when it signs in the users of the app."""
        return sys.modules.get("quart_auth") if "QUART_AUTH" in self._app.server.extensions else None

    def _flask_login(self) -> Any:
        """The same."""
        used = self._app.flask_compat and hasattr(self._app.server, "login_manager")
        return sys.modules.get("flask_login") if used else None

    def user_of(self, ticket: str) -> str | None:
        """Whose ticket it is.

        Raises:
            BadSignature: It is forged or too old.
        """
        user: str | None = self._signer().loads(ticket, max_age=TICKET_SECONDS)
        return user

    def accepts(self, ticket: str | None, user: str | None) -> bool:
        """Whether a ticket is fresh, and that of the client's user, or of one who was unknown before."""
        try:
            return ticket is not None and user in (None, self.user_of(ticket))
        except BadSignature:
            return False

    def _signer(self) -> URLSafeTimedSerializer:
        config = self._app.config
        # Apps that share a secret do not take each other's word for who it is.
        salt = "\n".join(["flash-live-ticket", config.name, config.requests_pathname_prefix])
        return URLSafeTimedSerializer(self._app.signing_secret, salt=salt)


def _said_by_hub() -> dict[str, Any] | None:
    """What the hub that serves the app says of the current request's sender."""
    said: dict[str, Any] | None = request.scope.get("extensions", {}).get(HUB_EXTENSION)
    return said


def request_scope(scope: dict[str, Any], path: str) -> dict[str, Any]:
    """The scope of a plain GET that a WebSocket's browser could have sent."""
    root = scope.get("root_path", "")
    return {
        "type": "http",
        "asgi": scope["asgi"],
        "http_version": "1.1",
        "method": "GET",
        "scheme": {"wss": "https", "ws": "http"}.get(scope["scheme"], scope["scheme"]),
        "path": root + path,
        "raw_path": (root + path).encode(),
        "query_string": b"",
        "root_path": root,
        "headers": [
            (name, value)
            for name, value in scope["headers"]
            if name.lower() not in _OF_UPGRADES and not name.lower().startswith(b"sec-websocket")
        ],
        "client": scope.get("client"),
        "server": scope.get("server"),
        "state": scope.get("state", {}),
        "extensions": {key: value for key, value in scope.get("extensions", {}).items() if key == HUB_EXTENSION},
    }
