"""The errors that Flash raises.

    FlashError
      · ConfigurationError      a declaration or argument is wrong; also a ValueError
      · FlaskContextError       a Flask object was used without ``flask_compat=True``; also a RuntimeError
      · SetupPending            the app cannot be set up yet (its layout fails); answered with 503
      · RequestRefused          a request is malformed; answered with its status (400, 404, 413, 415, 429)
      · CallbackValueError      a callback returned, or a stream yielded, what cannot be sent; also a TypeError
      · CallbackFailed          a shared callback has failed, perhaps in another process; the log there has the rest
      · SharedStorageError      the shared storage does not answer (:mod:`flash.storage`)
          · SharedStorageGap    messages of a topic are gone
      · SeveralProcesses        several processes serve an app whose shared state is in memory
      · RemoteError             a backend has not given a result (:mod:`flash.remote`)
      · SourceError             a source could not be read; its text is for users (:mod:`flash.data`)
      · SnapshotValueError      a source returned what no store keeps
      · SnapshotStoreError      a store of snapshots does not work
      · PoolFull                more plain calls wait than the pool accepts; answered with 503

Each message says what was wrong, where, and what to write instead. Errors of Dash's own stay Dash's
(:mod:`dash.exceptions`, also reachable as ``flash.exceptions``).
"""

from __future__ import annotations

import secrets

# ``from flash import exceptions`` replaces ``from dash import exceptions``.
from dash.exceptions import *  # noqa: F403


class FlashError(Exception):
    """The base of every error that Flash itself raises."""


class ConfigurationError(FlashError, ValueError):
    """An argument or a declaration cannot work. Raised where it is written."""


class FlaskContextError(FlashError, RuntimeError):
    """Code asked Flask for its request, session or app while ``flask_compat`` is off."""


class SetupPending(FlashError):
    """The app is not ready: its layout failed. The next request tries again.

    Args:
        error_id: What the log shows beside the error.
        waits_for_request: The layout function reads the request, so only a request can tell.
    """

    def __init__(self, error_id: str, waits_for_request: bool = False) -> None:
        super().__init__(f"The app is not ready yet. Error id: {error_id}")
        self.error_id = error_id
        self.waits_for_request = waits_for_request


class RequestRefused(FlashError):
    """A request cannot be served as it was sent.

    Args:
        status: The HTTP status that says so, 400 to 499.
        reason: One sentence for the client. It must not repeat what the client sent.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class CallbackValueError(FlashError, TypeError):
    """A callback returned, or a stream yielded, something that cannot be sent to the page."""


class CallbackFailed(FlashError):
    """A shared callback has failed. The text is for the page: it holds the id of the error in the log."""


class PoolFull(FlashError):
    """More calls wait for a thread than the pool accepts."""


def new_error_id() -> str:
    """An id that joins what a browser was told with what the log says: 12 hexadecimal digits."""
    return secrets.token_hex(6)
