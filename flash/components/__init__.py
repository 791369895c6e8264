"""Components of Flash's own: ``from flash import components``.

- :class:`LiveStatus` shows the state of the live connection, and callbacks can listen to it.
- :class:`WebSocket` holds a socket of the app's own.
- :class:`Lazy` loads its content when it scrolls into view; :func:`lazy` declares the callback that gives it.

Importing this package adds its scripts to the pages of the process, as importing any package of components does, so
nothing of Flash imports it unasked.
"""

from __future__ import annotations

import sys

from .lazy import Lazy as Lazy
from .live_status import LiveStatus as LiveStatus
from .live_status import uses_live as uses_live
from .loader import lazy as lazy
from .web_socket import WebSocket as WebSocket

_PACKAGE = __name__.partition(".")[0]

_js_dist = [
    {"relative_package_path": f"components/client/{name}.js", "namespace": _PACKAGE}
    for name in ("live_status", "socket", "web_socket", "lazy", "age", "freshness")
]
_css_dist = [{"relative_package_path": "components/client/components.css", "namespace": _PACKAGE}]

# Dash looks for the files in the top package of a component's module.
for _name in ("_js_dist", "_css_dist"):
    setattr(sys.modules[_PACKAGE], _name, globals()[_name])

__all__ = ["Lazy", "LiveStatus", "WebSocket", "lazy", "uses_live"]
