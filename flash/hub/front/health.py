"""Whether the hub lives, whether its apps are ready, and what it measures: for what watches over a server."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from quart import Blueprint, Response, abort, jsonify, request

from ..metrics import CONTENT_TYPE
from .who import visitor_of

if TYPE_CHECKING:
    from ..hub import Hub
    from ..mount import Mount

#: The states in which an app serves requests: one that sleeps is woken by them.
READY = ("running", "sleeping")


def blueprint(hub: Hub) -> Blueprint:
    """What a load balancer, a service manager or Prometheus asks a hub for.

    Args:
        hub: The hub.
    """
    pages = Blueprint("health", __name__)

    @pages.get("/_hub/health")
    async def health() -> Response:
        return jsonify(status="ok")

    @pages.get("/_hub/ready")
    async def ready() -> tuple[Response, int]:
        waiting = [mount for mount in hub.mounts.values() if _is_awaited(mount)]
        named = {mount.spec.name: mount.status().state for mount in waiting if mount.allows(visitor_of())}
        answer = jsonify(ready=not waiting, apps=named, others=len(waiting) - len(named))
        return answer, 503 if waiting else 200

    @pages.get("/_hub/ready/<name>")
    async def ready_app(name: str) -> tuple[Response, int]:
        mount = hub.mounts.get(name)
        if mount is None or not (mount.allows(visitor_of()) or _has_token(hub)):
            abort(404)
        state = mount.status().state
        return jsonify(ready=state in READY, state=state), 200 if state in READY else 503

    @pages.get("/_hub/metrics")
    async def metrics() -> Response:
        if not _may_read(hub):
            abort(403)
        if not hub.metrics.available:
            return _not_installed()
        return Response(await hub.metrics.text(hub.mounts), content_type=CONTENT_TYPE)

    return pages


def _is_awaited(mount: Mount) -> bool:
    status = mount.status()
    return status.desired == "on" and status.state not in READY


def _may_read(hub: Hub) -> bool:
    """Administrators, whom the hub takes this machine for where nobody signs in, and who has the token."""
    return visitor_of().is_admin or _has_token(hub)


def _has_token(hub: Hub) -> bool:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    told = hub.metrics_token if kind.lower() == "bearer" else None
    return bool(told) and hmac.compare_digest(token.strip().encode(), str(told).encode())


def _not_installed() -> Response:
    text = "The metrics need prometheus-client: pip install 'dash-flash[hub]'.\n"
    return Response(text, 501, content_type="text/plain; charset=utf-8")
