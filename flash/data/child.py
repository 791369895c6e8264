"""What runs in the process of a source with ``process=True``. Only bytes cross: nothing is pickled for a run."""

from __future__ import annotations

import importlib
import signal
import traceback
from collections.abc import Callable
from functools import reduce
from multiprocessing.connection import Connection
from typing import Any

import orjson

from ..calls import call_here
from .codec import SnapshotValueError, decode, encode
from .failures import SourceError
from .source import Source


def serve(connection: Connection, module: str, name: str) -> None:
    """Run a function whenever the other end asks, until it is gone.

    Args:
        connection: To the process that asks.
        module: Where the function is.
        name: What it is called there.
    """
    # Ctrl-C goes to all processes of a terminal: the one that asks ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            kinds = orjson.loads(connection.recv_bytes())
            inputs = [(kind, connection.recv_bytes()) for kind in kinds]
        except (EOFError, OSError):
            return
        head, data = _answer(module, name, inputs)
        try:
            connection.send_bytes(orjson.dumps(head))
            connection.send_bytes(data)
        except OSError:
            return


def _answer(module: str, name: str, inputs: list[tuple[str, bytes]]) -> tuple[dict[str, Any], bytes]:
    try:
        encoded = encode(call_here(_find(module, name), *[decode(kind, data) for kind, data in inputs]))
    except BaseException as error:
        return {"error": type(error).__name__, "told": _told(error), "traceback": traceback.format_exc()}, b""
    return {"kind": encoded.kind, "digest": encoded.digest}, encoded.data


def _find(module: str, name: str) -> Callable[..., Any]:
    found = reduce(getattr, name.split("."), importlib.import_module(module))
    function: Any = found.func if isinstance(found, Source) else found
    return function  # type: ignore[no-any-return]


def _told(error: BaseException) -> str | None:
    """What users may read of it."""
    if isinstance(error, SnapshotValueError):
        return "What the run gave cannot be kept."
    return str(error) if isinstance(error, SourceError) else None
