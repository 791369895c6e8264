"""What a page is told when a callback fails, and what the log says."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .exceptions import new_error_id

if TYPE_CHECKING:
    from .app import Flash

logger = logging.getLogger("flash")


def described(app: Flash, what: str, error: Exception) -> str:
    """Log an error with an id, and return what the page is told: the id, and while debugging the error too.

    Args:
        app: The app whose callback failed.
        what: What has failed, as the subject of the log's sentence.
        error: The error.
    """
    error = app.explained(error)
    error_id = new_error_id()
    logger.error("%s failed. Error id: %s", what, error_id, exc_info=error)
    if app.debugging:
        return f"{type(error).__name__}: {error} (error id {error_id}; the server's log has the traceback)"
    return f"The callback failed. Error id: {error_id}"
