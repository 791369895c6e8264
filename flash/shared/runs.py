"""Running shared callbacks: each once for a change, in the order of the chain, first in, first out.

A change sets off a :class:`Cascade`. It holds the callbacks that are still to run because of that change; one begins
when no other that is left can change its inputs, and its outputs may add more. Its arguments are read when it begins,
and remembered by the version that they were read in: whoever asks for it with an older change needs no run.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dash.exceptions import PreventUpdate

from ..failures import described
from ..lanes import Lanes, Replaced
from .bodies import Values, body_of, match_in
from .entries import Asker, Change, Initial, Outcome, Value
from .first import run_name
from .graph import Graph, SharedCallback
from .jobs import Job, job_of
from .places import Match, Place, match_of, place_in
from .state import Channel, State

if TYPE_CHECKING:
    from .shared import Shared

#: Of so many instances it is remembered what they have seen.
_MOST_COVERED = 10_000

_UNKNOWN = (
    "The process that runs the shared callbacks does not know this one. An older release of the app is still served, "
    "or two apps of the same name share a storage: give each a key_prefix of its own."
)

#: One instance of a callback.
Instance = tuple[str, Match]


@dataclass(slots=True)
class Due:
    """A run that is to begin.

    Attributes:
        changed: The places that have set it off.
        body: The request of the tab that asks; None when the server itself begins it.
        asker: Who is told of its end.
        own: What the tab has changed by its request.
    """

    changed: dict[Place, None] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    asker: Asker | None = None
    own: frozenset[Place] = frozenset()


class Cascade:
    """What one change sets off.

    Args:
        channel: For which group of tabs.
        cause: The tab that has changed something; None when code has.
    """

    def __init__(self, channel: Channel, cause: Asker | None) -> None:
        self.channel = channel
        self.cause = cause
        self.due: dict[Instance, Due] = {}
        self.running: set[Instance] = set()

    def add(self, instance: Instance, places: Iterable[Place]) -> None:
        """Have a callback run because of some places."""
        self.due.setdefault(instance, Due()).changed.update(dict.fromkeys(places))

    def asks_for(self, instance: Instance) -> bool:
        """Whether the tab itself has asked for a callback that is still to run."""
        due = self.due.get(instance)
        return due is not None and due.body is not None

    def ready(self, graph: Graph) -> Instance | None:
        """An instance that may begin: nothing that is left can change its inputs."""
        left = {callback_id for callback_id, _ in (*self.due, *self.running)}
        for instance in self.due:
            if not any(instance[0] in graph.reached(other) for other in left):
                return instance
        return None


@dataclass(slots=True)
class Run:
    """One run of a callback.

    Attributes:
        id: Its name in the log.
        callback: What runs.
        instance: The same, and what MATCH stands for.
        cascade: What it belongs to.
        asker: Who is told of its end.
        ended: Whether its end has been written.
    """

    id: str
    callback: SharedCallback
    instance: Instance
    cascade: Cascade
    asker: Asker | None
    ended: bool = False


class Runs:
    """The runs of an app, in the process that leads.

    Args:
        shared: The room.
        state: The shared values.
        values: What is known of all others.
    """

    def __init__(self, shared: Shared, state: State, values: Values) -> None:
        self._shared = shared
        self._state = state
        self._values = values
        self.graph = Graph()
        self._lanes = Lanes()
        self._running: dict[str, Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        #: The version in which the arguments of an instance were read last.
        self._covered: dict[tuple[Instance, Channel], int] = {}

    def __len__(self) -> int:
        return len(self._running)

    # What begins runs.

    def begin(self, change: Change) -> None:
        """Run what a change asks for: the callback of the tab's request, or all that listen."""
        cascade = Cascade(change.channel, change.asker)
        if change.body is None:
            self._add_listeners(cascade, [value.place for value in change.values])
        else:
            callback = self.graph.callbacks.get(change.body["output"])
            if callback is None:
                return self._end(change.channel, change.asker, _UNKNOWN)
            instance = callback.id, match_in(callback, change.body)
            if not change.values and self._is_covered(instance, change):
                return self._end(change.channel, change.asker)
            cascade.due[instance] = Due(
                body=change.body, asker=change.asker, own=frozenset(value.place for value in change.values)
            )
            self._add_listeners(cascade, [value.place for value in change.values], only=frozenset(change.elsewhere))
        self._advance(cascade)

    def _is_covered(self, instance: Instance, change: Change) -> bool:
        """Whether a run has had these values already: one slider that two callbacks listen to, or a chain."""
        assert change.asker is not None  # Code that pushes brings values.
        covered = self._covered.get((instance, change.channel))
        held = [self._state.get(change.channel, place) for place in map(place_in, change.asker.numbers)]
        return covered is not None and all(each is not None and each.version <= covered for each in held)

    def begin_initial(self, initial: Initial) -> None:
        """Run callbacks for the first time."""
        cascade = Cascade(initial.channel, None)
        # What runs gives the value, unless all has been reset since.
        runs = [run for run in self._running.values() if (run.instance, initial.channel) in self._covered]
        running = [run.instance for run in runs if run.cascade.channel == initial.channel]
        for callback_id, match in initial.runs:
            instance = callback_id, tuple((name, value) for name, value in match)
            if callback_id in self.graph.callbacks and instance not in running:
                cascade.add(instance, [])
        self._advance(cascade)

    def reset(self) -> None:
        """All shared values are forgotten: what runs now has seen values that are no more."""
        self._covered.clear()

    def _add_listeners(
        self,
        cascade: Cascade,
        places: Iterable[Place],
        source: str | None = None,
        only: frozenset[str] | None = None,
    ) -> None:
        """Have run what listens to some places.

        Args:
            cascade: What it is to be part of.
            places: The places that have changed.
            source: The callback that has changed them. Its own outputs do not set it off, as in Dash: a slider and a
                field that follow each other.
            only: The callbacks that are meant; None: all.
        """
        for place in places:
            for callback in self.graph.listeners(place):
                instance = callback.id, match_of(callback.listens_to(place), place[0])
                if callback.id != source and (only is None or callback.id in only) and not cascade.asks_for(instance):
                    cascade.add(instance, [place])

    def _advance(self, cascade: Cascade) -> None:
        while (instance := cascade.ready(self.graph)) is not None:
            self._start(cascade, instance, cascade.due.pop(instance))

    # One run.

    def _start(self, cascade: Cascade, instance: Instance, due: Due) -> None:
        callback = self.graph.callbacks[instance[0]]
        run = Run(f"{self._shared.process}.{next(self._numbers)}", callback, instance, cascade, due.asker)
        cascade.running.add(instance)
        self._running[run.id] = run
        self._cover(instance, cascade.channel)
        try:
            context, job = self._job(run, due)
        except Exception as error:
            return self._fail(run, error)
        self._spawn(self._run(run, job), context)

    def _job(self, run: Run, due: Due) -> tuple[contextvars.Context, Job]:
        """Read the arguments of now."""
        channel = run.cascade.channel
        if due.body is None:
            body = body_of(run.callback, run.instance[1], channel, self._values, due.changed)
            return job_of(self._shared, run, body, False)
        return job_of(self._shared, run, due.body, self._values.fill(channel, due.body, due.own))

    def _cover(self, instance: Instance, channel: Channel) -> None:
        """Remember that the arguments of an instance are read now."""
        self._covered.pop((instance, channel), None)
        self._covered[instance, channel] = self._state.version
        if len(self._covered) > _MOST_COVERED:
            del self._covered[next(iter(self._covered))]

    def _spawn(self, coroutine: Any, context: contextvars.Context) -> None:
        task = asyncio.get_running_loop().create_task(coroutine, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, run: Run, job: Job) -> None:
        """Do the job when its turn has come, and say what has become of it whatever happens."""

        async def work() -> None:
            # While it has its turn: outcomes come in the order of the runs.
            values = await job()
            await self._shared.tabs.settled()
            self._finish(run, values)

        try:
            await self._in_lane(run, work)
        except (PreventUpdate, Replaced):
            self._finish(run, [])
        except asyncio.CancelledError:
            self._fail(run, RuntimeError("The server has ended before the callback has."))
        except Exception as error:
            self._fail(run, error)

    async def _in_lane(self, run: Run, work: Callable[[], Awaitable[None]]) -> None:
        service = run.callback.service
        lane = service.lane(run.callback.id)
        if lane is None:
            return await work()
        # Between processes the leader's lease is enough; a resource may have regular callbacks too.
        lanes = self._lanes if lane[0] == "callback" else self._shared.app.flash_lanes
        await lanes.run(lane, work, service.overlap, (run.instance, run.cascade.channel))

    def _finish(self, run: Run, values: list[Value], error: str | None = None) -> None:
        if run.id not in self._running:
            return  # Another process leads.
        run.ended = True
        channel, first = run.cascade.channel, run_name(*run.instance)
        is_first = (first, channel) in self._state.open
        self._shared.append(Outcome(run.id, channel, values, True, run.asker, error, first=first if is_first else None))

    def _fail(self, run: Run, error: Exception) -> None:
        if run.id in self._running:
            self._finish(run, [], described(self._shared.app, f"The shared callback {run.callback.id!r}", error))

    def _end(self, channel: Channel, asker: Asker | None, error: str | None = None) -> None:
        """Tell a tab that its change needs no run."""
        self._shared.append(Outcome("", channel, [], True, asker, error))

    # What runs have given.

    def ended(self, outcome: Outcome) -> None:
        """Take in what a run has given: what listens to it is next."""
        run = self._running.get(outcome.run)
        if run is None:
            return
        self._add_listeners(run.cascade, [value.place for value in outcome.values], run.callback.id)
        if outcome.done:
            del self._running[run.id]
            run.cascade.running.discard(run.instance)
        self._advance(run.cascade)

    def lose(self, coming: set[int | str], leads: bool) -> set[int | str]:
        """Forget what cannot end any more.

        Args:
            coming: The runs whose end the log will bring.
            leads: Whether what runs still counts. If not, it is stopped: another process runs the callbacks.

        Returns:
            The requests of this process's tabs whose runs go on.
        """
        if not leads:
            self._running.clear()
            for task in self._tasks:
                task.cancel()
        for run in [each for each in self._running.values() if each.ended and each.id not in coming]:
            del self._running[run.id]
        askers = [run.asker for run in self._running.values() if run.asker is not None]
        return {asker.request for asker in askers if asker.process == self._shared.process}

    async def close(self) -> None:
        """Let what runs come to its end, the rest of each chain included."""
        until = asyncio.get_running_loop().time() + _CLOSING_SECONDS
        while self._running and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._running.clear()
        await self._lanes.close()


#: The time that runs have when the app is closed.
_CLOSING_SECONDS = 5.0
