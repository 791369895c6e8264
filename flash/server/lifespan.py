"""The lifespan of an ASGI app: its start and its shutdown, each with an answer and within a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from hypercorn.utils import LifespanFailureError

from ..exceptions import FlashError
from ..storage import SeveralProcesses

logger = logging.getLogger("flash")

#: The exit code of a process that is not set up as it must be: ``EX_CONFIG`` of sysexits.h.
EXIT_CONFIGURATION = 78

#: How long what has answered the shutdown, or was cancelled, is waited for, in seconds.
LEAVING = 1.0


class Lifespan:
    """Runs the ``lifespan`` protocol of one app on the current loop.

    Args:
        app: The ASGI app. One that does not speak the protocol (it returns at once) is taken as started.
    """

    def __init__(self, app: Any) -> None:
        #: What the app wants every request to see.
        self.state: dict[str, Any] = {}
        self._app = app
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self, within: float) -> None:
        """Start the app.

        Raises:
            FlashError: The app says that it could not start, or says nothing for ``within`` seconds.
            Exception: What the app raised.
        """
        scope = {"type": "lifespan", "asgi": {"spec_version": "2.0", "version": "3.0"}, "state": self.state}
        self._task = asyncio.create_task(self._app(scope, self._messages.get, self._answers.put))
        try:
            failure = await self._ask("startup", within)
            if failure is not None:
                raise FlashError(f"The app could not start: {failure}")
        except BaseException:
            self._task.cancel()
            raise

    async def stop(self, within: float) -> None:
        """Shut the app down. What fails then is logged; what has not ended after ``within`` seconds is cancelled."""
        if self._task is None or self._task.done():
            return
        try:
            failure = await self._ask("shutdown", within)
        except Exception:
            logger.exception("The app's shutdown failed.")
        else:
            if failure is not None:
                logger.error("The app's shutdown failed: %s", failure)
        await _end(self._task)

    async def _ask(self, phase: str, within: float) -> str | None:
        """Send the message of a phase and wait for its answer; returns what failed."""
        assert self._task is not None
        self._messages.put_nowait({"type": f"lifespan.{phase}"})
        answering = asyncio.create_task(self._answers.get())
        await asyncio.wait({answering, self._task}, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        # The app may answer and end in one go.
        await asyncio.sleep(0)
        if answering.done():
            answer = answering.result()
            return str(answer.get("message") or "") if answer["type"].endswith(".failed") else None
        answering.cancel()
        if self._task.done():
            self._task.result()
            return None
        return f"its {phase} took more than {within:g} seconds ({phase}_timeout)"


async def _end(task: asyncio.Task[None]) -> None:
    """See a task end, by itself or cancelled; what ignores that too is left."""
    _, running = await asyncio.wait({task}, timeout=LEAVING)
    if running:
        task.cancel()
        await asyncio.wait({task}, timeout=LEAVING)


def ending_when_refused(lifespan: Callable[..., Any], startup_error: Callable[[], BaseException | None]) -> Any:
    """What a Quart app runs for the lifespan: Quart's own, but a worker of Hypercorn's that is refused ends quietly.

    Uvicorn, Gunicorn and Granian log what a start that failed says, and all of the server ends. So it does in
    Hypercorn, which shows tracebacks for it: there the worker logs the one sentence, and ends with
    :data:`EXIT_CONFIGURATION`.

    Args:
        lifespan: Makes what runs the protocol, from the app and the scope.
        startup_error: Tells why the app could not start.
    """

    def make(app: Any, scope: Any) -> Callable[..., Any]:
        run = lifespan(app, scope)

        async def run_or_end(receive: Any, send: Any) -> None:
            try:
                await run(receive, send)
            except LifespanFailureError:
                if not isinstance(error := startup_error(), SeveralProcesses):
                    raise
                logger.error("%s", error)
                task = asyncio.current_task()
                assert task is not None
                # Looked at, or it would be logged as an error that nobody has handled.
                task.add_done_callback(asyncio.Task.exception)
                raise SystemExit(EXIT_CONFIGURATION) from None

        return run_or_end

    return make
