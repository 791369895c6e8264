"""A browser page of an app with shared callbacks, as Flash's client and Dash's renderer make it together."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from flash import patches

from ..apps import body
from ..live.sites import Site
from ..live.tab import NUMBERED, Json, Request, Tab

LAYOUT = "_dash-layout"


@dataclass
class Shown:
    """What the page knows of one shared property.

    Attributes:
        version: Of the value that it shows.
        change: The page's number of its own last change.
        pending: Whether the server has not said yet which version that got.
        held: What has come meanwhile: a version and a value.
    """

    version: int = 0
    change: int = 0
    pending: bool = False
    held: tuple[int, Any] | None = None


class SharedPage(Tab):
    """A tab that knows versions.

    Args:
        site: The app.
        options: As :class:`Tab` takes them.

    Attributes:
        shown: What it knows of each shared property, by ``id.property``.
        state: What the header of its layout said.
    """

    def __init__(self, site: Site, **options: Any) -> None:
        super().__init__(site, **options)
        self.shown: dict[str, Shown] = {}
        self.state: str | None = None
        self._changes = 0

    async def load(self) -> SharedPage:
        """Fetch the layout, as a page does before it connects."""
        status, headers, content = await self.site.fetch(LAYOUT)
        assert status == 200, content
        self.state = headers.get("flash-state")
        self._learn(json.loads(content))
        return self

    def hello(self) -> Json:
        return super().hello() | ({"state": self.state} if self.state else {})

    def _learn(self, node: Any) -> None:
        """Take over the properties of a tree's components."""
        if isinstance(node, list):
            for each in node:
                self._learn(each)
        elif isinstance(node, dict) and "props" in node:
            props = node["props"]
            if "id" in props:
                name = json.dumps(props["id"], separators=(",", ":"), sort_keys=True)
                component = props["id"] if isinstance(props["id"], str) else name
                for prop, value in props.items():
                    self.values[component, prop] = value
            self._learn(props.get("children"))

    async def change(self, name: str, value: Any, *outputs: str, **others: Any) -> list[Request]:
        """Change a property, as a user does, which callbacks with these outputs listen to.

        Args:
            name: ``id.property``.
            value: Its new value.
            outputs: The outputs of the callbacks, as :func:`tests.apps.body` takes them.
            others: ``inputs`` of the callbacks, in their order, and ``state``.
        """
        self._changes += 1
        component, prop = name.rsplit(".", 1)
        self.values[component, prop] = value
        shown = self.shown.setdefault(name, Shown())
        shown.change, shown.pending = self._changes, True
        return [await self.ask(output, {name: value}, {name: self._changes}, **others) for output in outputs]

    async def ask(
        self,
        output: str,
        changed: Json,
        changes: Json | None,
        inputs: Json | None = None,
        state: Json | None = None,
        elsewhere: list[str] | None = None,
    ) -> Request:
        """Send the request of a shared callback.

        Args:
            output: Its output.
            changed: The inputs that have changed.
            changes: Their numbers.
            inputs: Its other inputs.
            state: Its states.
            elsewhere: Callbacks that listen too, and that this page cannot ask for.
        """
        payload = body(output, {**(inputs or {}), **changed}, state)
        payload["changedPropIds"] = list(changed)
        return await self.send_change(payload, changes, elsewhere)

    async def send_change(self, payload: Json, changes: Json | None, elsewhere: list[str] | None = None) -> Request:
        """The same with a body of the test's own."""
        name = f"{self.renderer_id}-{next(self._numbers)}"
        message = {"type": "callback_request", "rendererId": self.renderer_id, "requestId": name, "payload": payload}
        more = {"changes": changes, "elsewhere": elsewhere}
        request = self.requests[name] = Request(
            message | {field: each for field, each in more.items() if each is not None}
        )
        await self._send_surely(request)
        return request

    async def settled(self) -> None:
        """Wait until all requests are answered and no change waits for its version."""
        await self.until(
            lambda: (
                all(each.done for each in self.requests.values())
                and not any(each.pending for each in self.shown.values())
            )
        )

    async def _take_set_props(self, message: Json) -> None:
        versions = message.get("versions", {})
        payload = message["payload"]
        component = payload["componentId"]
        for prop, value in payload["props"].items():
            if prop in versions:
                self._arrive(component, prop, value, versions[prop])
            else:
                self._set(component, {prop: value})

    def _arrive(self, component: str, prop: str, value: Any, version: int) -> None:
        shown = self.shown.setdefault(f"{component}.{prop}", Shown())
        if shown.pending:
            if patches.is_patch(value) and shown.held is not None:
                value = patches.joined(shown.held[1], value)
            shown.held = version, value
        elif version >= shown.version:
            shown.version = version
            self._set(component, {prop: value})

    async def _take_changed(self, message: Json) -> None:
        payload = message["payload"]
        component, prop = payload["componentId"], payload["property"]
        shown = self.shown[f"{component}.{prop}"]
        if payload["change"] < shown.change:
            return
        shown.pending = False
        shown.version = payload["version"]
        if shown.held is not None:
            (version, value), shown.held = shown.held, None
            if version > shown.version:
                self._arrive(component, prop, value, version)

    async def _take(self, message: Json) -> None:
        # A numbered message that plain tabs never get.
        if message["type"] == "changed":
            self.received += 1
            self.log.append(message)
            await self._take_changed(message)
            return
        await super()._take(message)

    async def _take_welcome(self, message: Json) -> None:
        if self.client and message["client"] != self.client:
            for shown in self.shown.values():
                shown.pending, shown.held, shown.version = False, None, 0
        await super()._take_welcome(message)


assert "changed" not in NUMBERED


@asynccontextmanager
async def pages_of(site: Site, count: int, **options: Any) -> AsyncIterator[list[SharedPage]]:
    """Pages that are loaded and have arrived; they leave with the block."""
    async with AsyncExitStack() as stack:
        pages = []
        for _ in range(count):
            page = await SharedPage(site, **options).load()
            await page.open()
            stack.push_async_callback(page.leave)
            pages.append(page)
        yield pages
