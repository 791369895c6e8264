"""A page as a test holds it: what the server answered, and the components with their values."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..exceptions import FlashError
from ..patches import is_patch, patched
from .properties import Property, did_you_mean, id_text
from .results import Failure

if TYPE_CHECKING:
    from werkzeug.datastructures import Headers

_CONFIG = re.compile(r'<script id="_dash-config" type="application/json">(.*?)</script>', re.DOTALL)
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)


@dataclass
class Page:
    """One open page.

    As in a browser, what is known of it changes with the calls made on it: values given as inputs and states, outputs
    and side updates are laid over the layout. Callbacks run when the test calls them and not before.

    Attributes:
        path: The path below the app's prefix, with its query.
        status: The HTTP status of the page.
        headers: Its headers.
        html: The page itself.
        title: What stands in the browser's tab.
        layout: The tree of components as JSON; None when the answer was no page of the app (a redirect, a login).
        error: What went wrong, or None.

    Example:
        >>> page = client.open("/reports?year=2007")
        >>> page.title, page["year"]["value"]
        ('Reports', 2007)
    """

    path: str
    status: int
    headers: Headers = field(repr=False)
    html: str = field(repr=False)
    title: str = ""
    layout: Any = None
    error: Failure | None = None
    config: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if found := _CONFIG.search(self.html):
            self.config = json.loads(found[1])
        if found := _TITLE.search(self.html):
            self.title = html.unescape(found[1]).strip()

    def __getitem__(self, component: Any) -> dict[str, Any]:
        """The properties of a component, by its id: text or a dictionary."""
        found = self._find(component)
        if found is None:
            known = map(id_text, self.ids())
            raise KeyError(
                f"No component on {self.path!r} has the id {component!r}.{did_you_mean(id_text(component), known)}"
            )
        return found

    def __contains__(self, component: Any) -> bool:
        return self._find(component) is not None

    def ids(self) -> list[Any]:
        """Every id on the page, in the order of the layout."""
        return [props["id"] for _, props in _components(self.layout) if props.get("id") is not None]

    def value(self, component: Any, prop: str) -> Any:
        """The value of a property, or None when there is no such component or property."""
        return (self._find(component) or {}).get(prop)

    def update(self, changes: Mapping[Property, Any]) -> None:
        """Lay values over the layout, those of a ``Patch`` carried out. Components that are not there are left out.

        Raises:
            TypeError, LookupError: A ``Patch`` does not fit the value that it changes.
        """
        for name, value in changes.items():
            props = self._find(name.component)
            if props is not None:
                props[name.name] = patched(props.get(name.name), value) if is_patch(value) else value

    def set_location(self, prefix: str) -> None:
        """Give every ``dcc.Location`` the address of the page, as the browser does.

        Args:
            prefix: The path at which browsers reach the app.
        """
        address = urlsplit(self.path)
        pathname = prefix + address.path.lstrip("/")
        search, fragment = (
            mark + part if part else "" for mark, part in (("?", address.query), ("#", address.fragment))
        )
        location = {"pathname": pathname, "search": search, "hash": fragment}
        for kind, props in _components(self.layout):
            if kind == "Location":
                props |= location | {"href": f"http://localhost{pathname}{search}{fragment}"}

    def _find(self, component: Any) -> dict[str, Any] | None:
        for _, props in _components(self.layout):
            if "id" in props and props["id"] == component:
                return props
        return None


class PageFailed(FlashError):
    """A page that a test opened has failed; its cause is the exception that was raised on the server.

    Attributes:
        page: The page, with the error in it.
    """

    def __init__(self, page: Page) -> None:
        super().__init__(f"The page {page.path!r} failed: {page.error}")
        self.page = page
        self.__cause__ = page.error.exception if page.error else None


def _components(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The type and properties of every component in a tree, in its order."""
    if isinstance(node, list):
        for each in node:
            if isinstance(each, (dict, list)):
                yield from _components(each)
    elif isinstance(node, dict):
        props = node.get("props")
        if isinstance(props, dict) and "namespace" in node:
            yield node["type"], props
            node = props
        for value in node.values():
            if isinstance(value, (dict, list)):
                yield from _components(value)
