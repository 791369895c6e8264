"""Component trees, figures and callback results to JSON.

Dash cleans a whole tree recursively in Python and then encodes it. Here orjson walks the tree by itself and asks only
for what it does not know, which takes a fraction of the time for texts and trees (``benchmarks/encoding.py``). The
bytes mean the same; ``tests/test_encoding.py`` holds the two against each other.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
from dash import Patch

from . import _dash

_LIGHT_NODES = 64
_LIGHT_TEXT = 8192


def dumps(value: Any, component: Callable[[Any], dict[str, Any]] | None = None) -> bytes:
    """Encode a component tree, a figure, or any value that a property can have, as Dash's ``to_json`` does.

    Args:
        value: Components, figures, ``Patch``, NumPy and pandas objects, dates, decimals, images and plain values, in
            any nesting. NaN and infinities become ``null``.
        component: Writes one level of a component; None: as its class does.

    Raises:
        TypeError: Something in it has no JSON form.

    Example:
        >>> dumps({"children": html.Div("hi")})
        b'{"children":{"props":{"children":"hi"},"type":"Div","namespace":"dash_html_components"}}'
    """
    try:
        default = _encode_unknown if component is None else partial(_encode_unknown, component=component)
        return orjson.dumps(value, default=default, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # Dash's own way decides what cannot be encoded, and with which error.
        return _dash.dash_json(value).encode()


def is_light(value: Any) -> bool:
    """Whether encoding ``value`` is shorter than a hop to a thread: few plain nodes, little text."""
    nodes, text = 0, 0
    waiting = [value]
    while waiting:
        node = waiting.pop()
        nodes += 1
        if isinstance(node, str):
            text += len(node)
        elif isinstance(node, (list, tuple)):
            if len(node) > _LIGHT_NODES:
                return False
            waiting.extend(node)
        elif isinstance(node, dict):
            if len(node) > _LIGHT_NODES:
                return False
            waiting.extend(node.values())
        elif isinstance(node, _dash.Component):
            waiting.extend(_dash.component_properties(node))
        elif isinstance(node, Patch):
            waiting.append(node.to_plotly_json())
        elif not isinstance(node, (int, float, type(None))) and type(node).__name__ != "NoUpdate":
            return False
        if nodes > _LIGHT_NODES or text > _LIGHT_TEXT:
            return False
    return True


def _encode_unknown(value: Any, component: Callable[[Any], dict[str, Any]] = _dash.component_json) -> Any:
    """One level of what orjson does not know; it goes on with what comes back."""
    if isinstance(value, _dash.Component):
        return component(value)
    if isinstance(value, Patch):
        return value.to_plotly_json()  # One level too: there may be components in it.
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.floating):
        return float(value)
    cleaned = _dash.clean_to_json_compatible(value, numpy_allowed=True, datetime_allowed=True, modules=_modules())
    if numpy is not None and isinstance(cleaned, numpy.ndarray):
        return orjson.Fragment(orjson.dumps(cleaned, option=orjson.OPT_SERIALIZE_NUMPY))
    if cleaned is value:
        raise TypeError(f"Type is not JSON serializable: {type(value).__name__}")
    return cleaned


def _modules() -> dict[str, Any]:
    """The optional libraries whose types are known, if they are imported, under the names that plotly uses."""
    return {
        "sage_all": sys.modules.get("sage.all"),
        "np": sys.modules.get("numpy"),
        "pd": sys.modules.get("pandas"),
        "image": sys.modules.get("PIL.Image"),
    }
