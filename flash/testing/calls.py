"""One call of a callback: its request, the looks at a background job, and what the answers say."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ..patches import joined
from .declarations import Declaration, Given
from .page import Page
from .properties import Property
from .results import Answer, Failure, Result
from .transport import Transport

#: The longest pause between two looks at a background job, in seconds.
_LONGEST_PAUSE = 0.1


class CallRun:
    """Runs one callback to its end and lays what comes over the open page.

    Args:
        transport: Sends the requests.
        declaration: The callback.
        given: What the test says.
        page: The open page.
        headers: Headers for the requests.
    """

    def __init__(
        self,
        transport: Transport,
        declaration: Declaration,
        given: Given,
        page: Page | None,
        headers: Mapping[str, str] | None,
    ) -> None:
        self._transport = transport
        self._declaration = declaration
        self._given = given
        self._page = page
        self._headers = headers
        self._side_updates: dict[Property, Any] = {}
        self._progress: list[dict[str, Any]] = []

    async def run(self) -> Result:
        """Send the request, and ask after the job of a background callback until it is done."""
        body = self._declaration.body(self._given, self._page)
        query = self._page_token()
        self._update_page({**self._given.inputs, **self._given.state})
        interval = self._declaration.interval
        while True:
            answer = await self._transport.send(
                "POST", "_dash-update-component", self._headers, query_string=query, json=body
            )
            told = _told(answer)
            if told is None:
                return Result(answer, {}, _named(self._side_updates), self._progress, error=Failure.of(answer))
            self._note(told)
            if interval is None or "response" in told or answer.status == 204:
                return self._result(answer, told)
            query |= {name: told[name] for name in ("cacheKey", "job") if name in told}
            body |= {kind: _without_values(body[kind]) for kind in ("inputs", "state") if kind in body}
            await asyncio.sleep(min(interval / 1000, _LONGEST_PAUSE))

    def _page_token(self) -> dict[str, Any]:
        """What ties background jobs to the page that started them."""
        token = self._page.config.get("end_id") if self._page is not None else None
        return {"endId": token} if token else {}

    def _note(self, told: dict[str, Any]) -> None:
        side_updates = _properties(told.get("sideUpdate", {}))
        for name, value in side_updates.items():
            earlier = self._side_updates
            earlier[name] = joined(earlier[name], value) if name in earlier else value
        self._update_page(side_updates)
        if "progress" in told:
            self._progress.append(told["progress"])

    def _result(self, answer: Answer, told: dict[str, Any]) -> Result:
        outputs = _properties(told.get("response", {}))
        self._update_page(outputs)
        prevented = answer.status == 204
        return Result(answer, _named(outputs), _named(self._side_updates), self._progress, prevented)

    def _update_page(self, changes: dict[Property, Any]) -> None:
        if self._page is not None:
            self._page.update(changes)


def _told(answer: Answer) -> dict[str, Any] | None:
    """What an answer says of the callback; None when it has failed."""
    if answer.status == 204:
        return {}
    if answer.status != 200:
        return None
    try:
        told = answer.json()
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


def _properties(updates: Mapping[str, Mapping[str, Any]]) -> dict[Property, Any]:
    return {Property(component, name): value for component, props in updates.items() for name, value in props.items()}


def _named(values: Mapping[Property, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in values.items()}


def _without_values(entries: list[Any]) -> list[Any]:
    """Inputs or states as the renderer sends them while it asks after a job: their values have been sent already."""
    return [_without_values(each) if isinstance(each, list) else {**each, "value": None} for each in entries]
