"""Flash: change one import, and a Plotly Dash app runs asynchronously on Quart.

    from flash import Flash, Input, Output, callback, html

Every public name of :mod:`dash` can be imported from here. Flash's own are :class:`Flash`, :func:`PageContainer`,
:class:`Service`, :func:`callback_shared`, :func:`event_callback` and :func:`stream_props`. In place of Dash's, and able
to do all that they can,
are :func:`callback`, :func:`clientside_callback`, :data:`ctx`, :class:`Output`, :func:`register_page` and the
background managers.
"""

from functools import partial as _partial

from dash import *  # noqa: F403
from dash import __all__ as _dash_names
from dash import backends, background_callback, dash, fingerprint, resources, types, version  # noqa: F401

from . import _dash
from . import dependencies as dependencies
from . import exceptions as exceptions  # type: ignore[no-redef]
from ._version import __version__ as __version__
from .app import Flash as Flash
from .background import CeleryManager as CeleryManager
from .background import DiskcacheManager as DiskcacheManager
from .containers import PageContainer as PageContainer
from .containers import register_page as register_page
from .context import callback_context as callback_context
from .context import ctx as ctx
from .declare import callback as callback
from .declare import clientside_callback as clientside_callback
from .dependencies import Output as Output
from .live.events import event_callback as event_callback
from .live.events import stream_props as stream_props
from .server.backend import backend_of as _backend_of
from .server.notebook import notebook_servers as _notebook_servers
from .services import Service as Service
from .shared.declare import callback_shared as callback_shared

_dash.install(_partial(_notebook_servers, backend_of=_backend_of))

__all__ = [*_dash_names, "Flash", "PageContainer", "Service", "callback_shared", "event_callback", "stream_props"]
