"""Who asks for a page of the hub, and whether they may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, cast

from quart import Response, abort, request

from ..host import Scope
from ..visitor import Visitor

if TYPE_CHECKING:
    from ..hub import Hub
    from ..mount import Mount

#: Where the scope of a request to the hub's own pages holds who asks.
VISITOR = "flash.hub.visitor"


def visitor_of() -> Visitor:
    """Who asks, in the request that is being answered."""
    visitor: Visitor = scope_of_request()[VISITOR]
    return visitor


def scope_of_request() -> Scope:
    """The ASGI scope of the request that is being answered."""
    return cast(Scope, request.scope)


async def still(hub: Hub, visitor: Visitor, scope: Scope) -> bool:
    """Whether a request that is under way would still be the same visitor's: a session may have ended."""
    return hub.signin.open or await hub.signin.identify(scope) == visitor


async def visible(hub: Hub, name: str) -> Mount:
    """An app that the visitor may use. To all others there is none."""
    mount, visitor = hub.mounts.get(name), visitor_of()
    if mount is not None and mount.allows(visitor):
        return mount
    await _refuse(hub, visitor, 404)


async def managed(hub: Hub, name: str) -> Mount:
    """An app that the visitor may switch. Who may only use it is refused."""
    mount, visitor = hub.mounts.get(name), visitor_of()
    if mount is not None and mount.may_manage(visitor):
        return mount
    await _refuse(hub, visitor, 403 if mount is not None and mount.allows(visitor) else 404)


async def challenge(hub: Hub) -> Response:
    """What somebody gets who has to sign in first, as an answer of Quart's."""
    messages: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        messages.append(message)

    await hub.signin.challenge(scope_of_request(), receive, send)
    response = Response(b"".join(message.get("body", b"") for message in messages[1:]), messages[0]["status"])
    response.headers.clear()
    for name, value in messages[0].get("headers", ()):
        response.headers.add(name.decode("latin-1"), value.decode("latin-1"))
    return response


async def _refuse(hub: Hub, visitor: Visitor, status: int) -> NoReturn:
    if not visitor.known and not hub.signin.open:
        abort(await challenge(hub))
    abort(status)
