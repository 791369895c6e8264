"""Why a run gave nothing, for users and for the log.

SourceError       raised by a source's function: its text may be shown to users
RunFailed         what Flash says of a run: it took too long, its process has ended, its result cannot be kept
"""

from __future__ import annotations

import logging
from datetime import datetime

from ..exceptions import FlashError, new_error_id
from .snapshot import Failure

logger = logging.getLogger("flash")


class SourceError(FlashError):
    """A source could not be read. Raise it in a source's function to tell users why: its text is shown to them.

    :meth:`Source.refresh` raises it too, when the run fails.

    Example:
        >>> raise SourceError("The exchange is closed today.")
    """


class RunFailed(FlashError):
    """A run failed for a reason that Flash knows and users may read."""


class StillRunning(RunFailed):
    """A run was not begun, because an older one that took too long cannot be ended and goes on."""


def failure_of(source: str, error: BaseException, at: datetime) -> Failure:
    """Log why a run of a source failed, in one record with its traceback, and give what users may know of it.

    Args:
        source: Its name.
        error: What was raised. Its text goes to users only if it is a :class:`SourceError` or Flash's own.
        at: When.
    """
    told = isinstance(error, SourceError | RunFailed)
    reason = str(error) if told and str(error) else "The run failed."
    failure = Failure(reason, new_error_id(), at)
    logger.error("The source %r has failed (error id %s): %s", source, failure.id, reason, exc_info=error)
    return failure
