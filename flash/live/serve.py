"""The WebSocket endpoint, as a layer of ASGI around Quart's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from quart import Quart, Websocket
from quart.ctx import WebsocketContext
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from .. import _dash
from ..exceptions import SetupPending, new_error_id
from ..pool import serving_loop
from ..server.flask_contexts import flask_request_beside
from .guard import Verdict
from .hooks import ask_hooks
from .link import Handshake, LinkLost, SocketLink
from .origin import allowed_origin
from .peer import Peer
from .protocol import CloseCode

if TYPE_CHECKING:
    from .live import Live

logger = logging.getLogger("flash")

#: Codes with which a browser closes a socket because its page is gone.
_CLOSED_BY_PAGE = {CloseCode.DONE, CloseCode.GOING_AWAY}

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class LiveEndpoint:
    """An ASGI app that serves the live connection of one Flash app, and hands everything else on.

    Args:
        inner: The ASGI app around which it stands.
        live: The app's live room.
    """

    def __init__(self, inner: Callable[[Any, Receive, Send], Awaitable[None]], live: Live) -> None:
        self._inner = inner
        self._live = live

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket" or path_of(scope) != self._live.app.live_path("socket"):
            await self._inner(scope, receive, send)
            return
        try:
            await self._serve(scope, receive, send)
        except LinkLost:
            pass
        except Exception:
            logger.exception("A live connection failed. Error id: %s", new_error_id())
            await _send_quietly(send, {"type": "websocket.close", "code": CloseCode.FAILED})

    async def _serve(self, scope: Any, receive: Receive, send: Send) -> None:
        live, app = self._live, self._live.app
        serving_loop.set(asyncio.get_running_loop())
        live.begin()
        refusal = await self._refusal(scope)
        if refusal is not None:
            await _refuse(scope, send, refusal)
            return
        verdict = await live.guard.check(scope)
        if not verdict.passed:
            logger.info("A live connection was refused with %d by what guards the app.", verdict.status)
            await _refuse(scope, send, verdict)
            return
        verdict.set_variables()
        await self._open(_websocket(app.server, scope, send), receive, send, verdict.user)

    async def _open(self, websocket: Websocket, receive: Receive, send: Send, user: str | None) -> None:
        """Accept a socket that the guards of pages let through, unless one of its own refuses."""
        live, app = self._live, self._live.app
        scope: Any = websocket.scope
        async with app.server.websocket_context(websocket) as context:
            with flask_request_beside(websocket, context.session):
                _dash.current_app.set(app)
                rejection = await self._rejection(context)
                if rejection is not None:
                    await _refuse(scope, send, rejection)
                    return
                await send({"type": "websocket.accept"})
                handshake = Handshake(
                    cookies=dict(websocket.cookies),
                    headers=dict(websocket.headers),
                    address=websocket.remote_addr,
                    user=user,
                    context=copy_context(),
                    still_passes=partial(live.guard.passes, scope),
                )
                await self._talk(SocketLink(send, handshake), websocket, receive)

    async def _rejection(self, context: WebsocketContext) -> Verdict | None:
        """What the server's ``before_websocket`` functions and Dash's connect hooks say, or None."""
        server = self._live.app.server
        try:
            rejection = await server.preprocess_websocket(context)
        except HTTPException as error:
            return Verdict(status=error.code or 403)
        if rejection is not None:
            return Verdict(status=(await server.make_response(rejection)).status_code)
        refused = await ask_hooks(self._live, "websocket_connect", context.websocket)
        return None if refused is None else Verdict()

    async def _refusal(self, scope: Any) -> Verdict | None:
        """Why a handshake is refused before the app is asked, or None."""
        app = self._live.app
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if not allowed_origin(headers.get(b"origin"), headers.get(b"host"), scope["scheme"], app.allowed_origins):
            logger.warning("A live connection from another origin was refused.")
            return Verdict(status=403)
        if self._live.settings.enabled is False:
            return Verdict(status=403)
        if self._live.stopping:
            return Verdict(status=503, headers=[(b"retry-after", b"2")])
        try:
            await app.flash_setup.ensure()
        except SetupPending:
            return Verdict(status=503, headers=[(b"retry-after", b"5")])
        return None

    async def _talk(self, link: SocketLink, websocket: Websocket, receive: Receive) -> None:
        """Take frames until the socket is closed."""
        peer = Peer(self._live, link, websocket)
        self._live.links.add(link)
        code: int = CloseCode.FAILED
        try:
            while (event := await receive())["type"] != "websocket.disconnect":
                if event["type"] == "websocket.receive":
                    await self._take(peer, link, event)
            code = event.get("code", CloseCode.FAILED)
        except LinkLost:
            pass
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not link.closed or task is None or task.uncancel() > 0:
                # Not by the link, which has ended this task to leave its wait, but by the server, which ends.
                await link.finish(CloseCode.RESTART, "the server ends")
                raise
        finally:
            self._live.links.discard(link)
            link.forget_reader()
            peer.ended(closed_by_page=code in _CLOSED_BY_PAGE)

    async def _take(self, peer: Peer, link: SocketLink, event: Any) -> None:
        text = event.get("text")
        if link.closed:
            return  # Until the close is written, the other end may go on.
        if text is None:
            logger.warning("A binary frame closed a live connection.")
            link.close(CloseCode.BINARY, "text only")
        elif len(text) > self._live.settings.frame_bytes:
            logger.warning("A frame of %d characters closed a live connection.", len(text))
            link.close(CloseCode.TOO_LARGE, "too large")
        else:
            await peer.receive(text)


def path_of(scope: Any) -> str:
    """The path of a request below the root path under which the app is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root) else path


def _websocket(server: Quart, scope: Any, send: Send) -> Websocket:
    """The socket as Quart shows it to guards, hooks and callbacks. Frames do not go through it."""
    headers = Headers()
    headers["Remote-Addr"] = (scope.get("client") or ["<local>"])[0]
    for name, value in scope["headers"]:
        headers.add(name.decode("latin-1").title(), value.decode("latin-1"))

    async def unavailable(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("The live connection is Flash's: send with set_props or app.push_mods, not with the socket.")

    return server.websocket_class(
        path_of(scope),
        scope["query_string"],
        scope["scheme"],
        headers,
        scope.get("root_path", ""),
        scope.get("http_version", "1.1"),
        list(scope.get("subprotocols", [])),
        unavailable,
        unavailable,
        unavailable,
        unavailable,
        scope=scope,
    )


async def _refuse(scope: Any, send: Send, verdict: Verdict) -> None:
    """Refuse a handshake, with its status where the server can say it, and with 403 where it cannot."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await _send_quietly(send, {"type": "websocket.close", "code": CloseCode.TOO_MANY})
        return
    status = verdict.status if verdict.status >= 300 else 403
    headers = [(name.lower(), value) for name, value in verdict.headers if name.lower() != b"content-length"]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": verdict.body, "more_body": False})


async def _send_quietly(send: Send, event: dict[str, Any]) -> None:
    try:
        await send(event)
    except Exception:
        pass  # The other end is gone.
