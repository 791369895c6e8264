"""A page for the random runs: its user changes properties, and it asks for all callbacks that listen.

It keeps what it knows of shared properties as Flash's client does in ``flash/live/client/26_places.js``.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from dash import ALL, MATCH

from flash import patches
from flash.shared.graph import Graph, SharedCallback

from ..live.sites import InProcess
from ..live.tab import Json, Request
from .page import SharedPage


def text_of(component: Any) -> str:
    """A component's id as text."""
    return component if isinstance(component, str) else json.dumps(component, separators=(",", ":"), sort_keys=True)


class RandomPage(SharedPage):
    """A page that keeps places as Flash's client does.

    Args:
        app: The app.
        path: The page's address.
        options: As :class:`Tab` takes them.

    Attributes:
        places: What it knows of each shared property, by ``id.property``.
        problems: What it has seen that must not be.
    """

    def __init__(self, app: Any, path: str, **options: Any) -> None:
        super().__init__(InProcess(app, {"Referer": f"http://localhost{path}"}), path=path, **options)
        self.app = app
        self.places: dict[str, Place] = {}
        self.problems: list[str] = []
        self._told: dict[str, int] = {}
        self._change_numbers = itertools.count(1)

    @property
    def graph(self) -> Graph:
        graph: Graph = self.app.flash_shared.graph
        return graph

    def shows(self, component: Any, prop: str) -> Any:
        """The value of a property on the page."""
        name = f"{text_of(component)}.{prop}"
        return self.places[name].shown if name in self.places else self.values.get((text_of(component), prop))

    @property
    def pending(self) -> bool:
        """Whether a request has no answer yet, or a change no version."""
        return any(not each.done for each in self.requests.values()) or any(each.own for each in self.places.values())

    # What the user does.

    async def user_changes(self, component: Any, prop: str, value: Any) -> list[Request]:
        """Change a property: every callback that listens to it is asked for, with the same number of the change."""
        name = f"{text_of(component)}.{prop}"
        number = next(self._change_numbers)
        self._place(name).change(number, value)
        requests = []
        for callback in self.graph.callbacks.values():
            if any(_fits(each, component, prop) for each in callback.inputs):
                requests.append(await self.send_change(self._body(callback, component, name), {name: number}))
        return requests

    def _body(self, callback: SharedCallback, changed: Any, name: str) -> Json:
        def entry(dependency: Any, with_value: bool) -> Any:
            found = [self._entry(each, dependency, with_value) for each in self._components(dependency, changed)]
            return found if _is_list(dependency) else found[0]

        outputs = [entry(each, False) for each in callback.outputs]
        return {
            "output": callback.id,
            "outputs": outputs if callback.declaration.multi or not outputs else outputs[0],
            "inputs": [entry(each, True) for each in callback.inputs],
            "state": [entry(each, True) for each in callback.states],
            "changedPropIds": [name],
        }

    def _entry(self, component: Any, dependency: Any, with_value: bool) -> Json:
        prop = dependency.component_property
        return {"id": component, "property": prop} | ({"value": self.shows(component, prop)} if with_value else {})

    def _components(self, dependency: Any, changed: Any) -> list[Any]:
        declared = dependency.component_id
        if isinstance(declared, str):
            return [declared]
        if any(value is MATCH for value in declared.values()):
            return [{**declared, **{key: changed[key] for key, value in declared.items() if value is MATCH}}]
        return [each for each in self.known_ids if _fits(dependency, each, dependency.component_property)]

    @property
    def known_ids(self) -> list[Any]:
        """The dict ids on the page, in its order."""
        names = dict.fromkeys(component for component, _ in self.values if component.startswith("{"))
        return [json.loads(name) for name in names]

    # What the server says.

    def _place(self, name: str) -> Place:
        if name not in self.places:
            component, prop = name.rsplit(".", 1)
            self.places[name] = Place.of_tree(self.values.get((component, prop)))
        return self.places[name]

    def _arrive(self, component: str, prop: str, value: Any, version: int) -> None:
        name = f"{component}.{prop}"
        place = self._place(name)
        # One that has just arrived may get the same twice: with all others, and with what it has missed.
        if version < self._told.get(name, 0) and not place.open:
            self.problems.append(f"{name} came with version {version} after {self._told[name]}")
        self._told[name] = version
        place.take(value, version)

    async def _take_changed(self, message: Json) -> None:
        payload = message["payload"]
        name = f"{payload['componentId']}.{payload['property']}"
        self._place(name).settle(payload["change"], payload["version"])

    async def _take_callback_response(self, message: Json) -> None:
        await super()._take_callback_response(message)
        self._over(self.requests[message["requestId"]])

    def _over(self, request: Request) -> None:
        """A request has ended: changes that no other brings are lost, if they have no version."""
        others = [each for each in self.requests.values() if not each.done]
        for name, number in request.message.get("changes", {}).items():
            if not any(each.message.get("changes", {}).get(name) == number for each in others):
                self._place(name).lose(number)

    async def _take_welcome(self, message: Json) -> None:
        is_new = self.client and message["client"] != self.client
        if is_new:
            self._told.clear()
            for place in self.places.values():
                place.forget()
        open_before = [each for each in self.requests.values() if not each.done]
        await super()._take_welcome(message)
        if is_new:
            for request in open_before:
                if request.done:
                    self._over(request)


@dataclass
class Place:
    """A shared property of one page.

    Attributes:
        version: Of the newest value that the server has sent or placed; 0 for that of the layout.
        latest: That value.
        shown: The value that the page shows.
        own: The page's changes that have no version yet: number and value.
        lost: The last of them that was given up.
        open: Whether the next value is taken though its version is known: a change was refused.
    """

    latest: Any = None
    version: int = 0
    shown: Any = None
    own: list[tuple[int, Any]] = field(default_factory=list)
    lost: tuple[int, Any] | None = None
    open: bool = False

    @classmethod
    def of_tree(cls, value: Any) -> Place:
        """The property as a tree has brought it."""
        return cls(latest=value, shown=value)

    def change(self, number: int, value: Any) -> None:
        """The user changes it."""
        self.own.append((number, value))
        self.shown = value

    def take(self, value: Any, version: int) -> bool:
        """The server sends a value, or a Patch. Whether it is news."""
        if version < self.version or (version == self.version and not self.open):
            return False
        base = self.latest if self.version > 0 else self.shown
        self.latest = patches.patched(base, value) if patches.is_patch(value) else value
        self.version, self.open = version, False
        self._show()
        return True

    def settle(self, number: int, version: int) -> None:
        """The server has placed the changes up to a number, or has refused them (version 0)."""
        settled = [each for each in self.own if each[0] <= number]
        if not settled and self.lost is not None and self.lost[0] <= number:
            settled = [self.lost]
        if not settled:
            return
        self.lost = None
        self.own = [each for each in self.own if each[0] > number]
        if version > self.version:
            self.latest, self.version = settled[-1][1], version
        elif version == 0:
            self.open = True
        self._show()

    def lose(self, number: int) -> None:
        """A change will not reach the server, as far as the page can tell."""
        for each in self.own:
            if each[0] == number:
                self.lost = each
                self.own.remove(each)
                self._show()
                return

    def forget(self) -> None:
        """Versions begin anew."""
        self.version = 0

    def _show(self) -> None:
        if not self.own:
            self.shown = self.latest


def _fits(dependency: Any, component: Any, prop: str) -> bool:
    declared = dependency.component_id
    if dependency.component_property != prop or isinstance(declared, str) or isinstance(component, str):
        return dependency.component_property == prop and bool(declared == component)
    return declared.keys() == component.keys() and all(
        value in (ALL, MATCH) or value == component[key] for key, value in declared.items()
    )


def _is_list(dependency: Any) -> bool:
    declared = dependency.component_id
    return not isinstance(declared, str) and any(value is ALL for value in declared.values())
