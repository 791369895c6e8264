"""Following a background job as Dash does: its own functions make the answer of each poll."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from dash import _callback
from dash._utils import AttributeDict

from flash import Output, no_update
from flash.encoding import dumps

from .jobs import JOBS, PATIENCE

PROGRESS = [Output("bar", "value"), Output("bar", "max")]
CONTEXT = {
    "triggered_inputs": [{"prop_id": "button.n_clicks", "value": 1}],
    "cookies": {"session": "s1"},
    "headers": {"X-User": "ann"},
    "updated_props": {},
}


@dataclass
class Answer:
    """What one poll brings to the page."""

    value: Any
    waiting: bool
    updates: dict[str, Any]
    progress: dict[str, Any]

    @property
    def is_silent(self) -> bool:
        """Whether the page is told that it is over and gets nothing."""
        return not self.waiting and self.value == no_update.to_plotly_json() and not self.updates


@dataclass
class Page:
    """A page that has started a job and polls for it."""

    manager: Any
    key: str
    job: Any
    outputs: list[Any] = field(default_factory=list)

    def poll(self) -> Answer:
        """One poll, made by Dash's own functions.

        Raises:
            BackgroundCallbackError: The job has ended with an error.
        """
        response: dict[str, Any] = {}
        background = {"progress": self.outputs}
        _callback._progress_background_callback(response, self.manager, background, cache_key=self.key)
        return self.rest_of_poll(response)

    def rest_of_poll(self, response: dict[str, Any]) -> Answer:
        """What Dash does after it has asked for the progress."""
        result = self.manager.get_result(self.key, self.job)
        return self.end_of_poll(response, result)

    def end_of_poll(self, response: dict[str, Any], result: Any) -> Answer:
        """What Dash does after it has asked for the result."""
        context = AttributeDict(updated_props={})
        value, _, waiting = _callback._handle_rest_background_callback(
            result, self.manager, response, None, context, False, cache_key=self.key, job_id=self.job
        )
        sent = orjson.loads(dumps(response))
        return Answer(
            None if waiting else orjson.loads(dumps(value)),
            waiting,
            sent.get("sideUpdate", {}),
            sent.get("progress", {}),
        )

    def poll_to_end(self) -> list[Answer]:
        """Poll until it is over."""
        answers = [self.poll()]
        deadline = time.monotonic() + PATIENCE
        while answers[-1].waiting:
            if time.monotonic() > deadline:
                raise TimeoutError("The job does not end.")
            time.sleep(0.01)
            answers.append(self.poll())
        return answers

    def value(self) -> Any:
        """The result, polled for."""
        return self.poll_to_end()[-1].value


def prepare(manager: Any) -> Any:
    """Make the functions of the tests known to a manager."""
    for name, (function, has_progress) in JOBS.items():
        manager.register(name, function, has_progress)
    return manager


def start(manager: Any, name: str, *args: Any) -> Page:
    """Start a job as Dash does and return its page."""
    function, has_progress = JOBS[name]
    args = tuple(str(arg) if isinstance(arg, Path) else arg for arg in args)
    key = manager.build_cache_key(function, list(args), [], None)
    job = manager.call_job_fn(key, manager.func_registry[name], list(args) or {}, AttributeDict(CONTEXT))
    # The name of a job travels to the page and back as a string.
    return Page(manager, key, str(job), PROGRESS if has_progress else [])


def wait_until(condition: Any, what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"In vain: {what}.")
        time.sleep(0.005)
