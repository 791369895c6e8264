"""Asking the process that leads for a run, from any process."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from ..storage import SharedStorageError, Storage
from .ending import ended
from .failures import SourceError
from .ledger import NEWS_TTL
from .snapshot import Failure
from .source import Source

#: How often a request is repeated, in seconds: the process that leads may be another one now.
ASKS_AGAIN = 3.0
#: After so many seconds in which no process that leads has answered, it is given up.
SILENCE_SECONDS = 30.0
#: So many answers are remembered, to be given again.
_REMEMBERED = 1000


def given_name(source: str) -> str:
    """Where the store has what a run elsewhere has given, until the process that leads has kept it."""
    return f"{source}.given"


@dataclass(slots=True)
class _Ask:
    answer: dict[str, Any] | None = None
    wakes: asyncio.Event = field(default_factory=asyncio.Event)
    heard: float = field(default_factory=time.monotonic)


class Asks:
    """The requests of this process, and, while it leads, its answers to those of all.

    Args:
        storage: Where requests and answers are written.
        topic: Under which name.
        run: Runs a source, in the process that leads. With a number it keeps what was given to it under that, instead.
            None, where no process ever leads.
    """

    def __init__(
        self,
        storage: Storage,
        topic: str,
        run: Callable[[str, int | None], Awaitable[tuple[int, Failure | None]]] | None = None,
    ) -> None:
        self._storage = storage
        self._topic = topic
        self._run = run
        self._asked: dict[str, _Ask] = {}
        self._answering: dict[str, asyncio.Task[None]] = {}
        self._answers: dict[str, dict[str, Any]] = {}
        self.leads: Callable[[], bool] = lambda: False

    async def ask(self, source: Source, given: int | None = None) -> int:
        """Have a source run, and give the version that is the newest then.

        Args:
            source: The source.
            given: The version, in the store under :func:`given_name`, of what a run elsewhere has given. It is kept in
                the place of a run.

        Raises:
            SourceError: The run has failed, or nobody answers.
        """
        number = secrets.token_hex(8)
        asked = self._asked[number] = _Ask()
        try:
            while asked.answer is None:
                if time.monotonic() - asked.heard > SILENCE_SECONDS:
                    raise SourceError("No process runs the sources now; try again later.")
                asked.wakes.clear()
                await self._publish({"refresh": source.name, "id": number, "given": given})
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ASKS_AGAIN):
                        await asked.wakes.wait()
        except SharedStorageError as error:
            raise SourceError("The processes cannot reach each other now; try again later.") from error
        finally:
            del self._asked[number]
        if asked.answer["reason"] is not None:
            raise SourceError(asked.answer["reason"])
        return int(asked.answer["version"])

    def hear(self, message: dict[str, Any]) -> None:
        """Take a request, an answer, or that another process leads from now on, which is asked then."""
        number = message.get("id", "")
        if "leads" in message:
            for each in self._asked.values():
                each.wakes.set()
        elif "refresh" in message:
            if self.leads() and number not in self._answering:
                task = asyncio.create_task(
                    self._answer(message["refresh"], number, message.get("given")), name="flash-data-answer"
                )
                self._answering[number] = task
                task.add_done_callback(lambda _: self._answering.pop(number, None))
        elif (asked := self._asked.get(number)) is not None:
            asked.heard = time.monotonic()
            if "version" in message:
                asked.answer = message
                asked.wakes.set()

    async def close(self) -> None:
        """Answer nothing more; who waits here is told that the program ends."""
        for asked in self._asked.values():
            asked.answer = asked.answer or {"reason": "The program ends.", "version": 0}
            asked.wakes.set()
        await ended(list(self._answering.values()))

    async def _answer(self, source: str, number: str, given: int | None) -> None:
        with contextlib.suppress(SharedStorageError):
            if number not in self._answers:
                working = asyncio.create_task(self._outcome(source, number, given), name="flash-data-answer")
                try:
                    while not working.done():
                        # Also later: who asks takes a long silence for the lack of a process that leads.
                        await self._publish({"accepted": source, "id": number})
                        await asyncio.wait({working}, timeout=ASKS_AGAIN)
                finally:
                    working.cancel()
                self._remember(number, working.result())
            await self._publish(self._answers[number])

    async def _outcome(self, source: str, number: str, given: int | None) -> dict[str, Any]:
        assert self._run is not None  # Where no process leads, no request is taken.
        try:
            version, failure = await self._run(source, given)
        except SourceError as error:
            return {"id": number, "version": 0, "reason": str(error)}
        return {"id": number, "version": version, "reason": None if failure is None else failure.reason}

    def _remember(self, number: str, answer: dict[str, Any]) -> None:
        self._answers[number] = answer
        if len(self._answers) > _REMEMBERED:
            del self._answers[next(iter(self._answers))]

    async def _publish(self, message: dict[str, Any]) -> None:
        await self._storage.apublish(self._topic, message, NEWS_TTL)
