"""``Patch`` on the server's side: what several updates of one property come to.

Updates here are in their JSON form, as they travel: a ``Patch`` is an object with a mark and a list of operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MARK = "__dash_patch_update"
_PATCH_BEGINS = b'{"__dash_patch_update"'

Location = list[str | int]


def is_patch(update: Any) -> bool:
    """Whether the JSON form of an update is that of a ``Patch``."""
    return isinstance(update, dict) and MARK in update


def is_patch_json(json: bytes) -> bool:
    """Whether the JSON text of an update, as Flash writes it, is that of a ``Patch``."""
    return json.startswith(_PATCH_BEGINS)


def joined(earlier: Any, later: Any) -> Any:
    """The one update that does what two updates of a property do in turn.

    Args:
        earlier: The JSON form of a full value or of a ``Patch``.
        later: The same. A full value replaces all that was before.

    Example:
        >>> append = {"__dash_patch_update": "__dash_patch_update", "operations": [
        ...     {"operation": "Append", "location": ["items"], "params": {"value": 2}}]}
        >>> joined({"items": [1]}, append)
        {'items': [1, 2]}
    """
    if not is_patch(later):
        return later
    if is_patch(earlier):
        return _patch([*earlier["operations"], *later["operations"]])
    try:
        return patched(earlier, later)
    except (TypeError, LookupError, ArithmeticError):
        # The browser judges: it does the same, or reports an error where the developer looks for one.
        whole = {"operation": "Assign", "location": [], "params": {"value": earlier}}
        return _patch([whole, *later["operations"]])


def patched(value: Any, patch: dict[str, Any]) -> Any:
    """A copy of ``value`` with the operations of a ``Patch`` carried out, as Dash's renderer does it.

    Raises:
        TypeError, LookupError, ArithmeticError: An operation does not fit the value.
    """
    for operation in patch["operations"]:
        location, params = operation["location"], operation["params"]
        name = operation["operation"]
        if name == "Delete":
            value = _without(value, location)
        else:
            value = _changed(value, location, _CHANGES[name], params)
    return value


def _patch(operations: list[Any]) -> dict[str, Any]:
    return {MARK: MARK, "operations": operations}


Change = Callable[[Any, dict[str, Any]], Any]


def _changed(node: Any, location: Location, change: Change, params: dict[str, Any]) -> Any:
    """A copy of ``node`` in which what lies at ``location`` is changed; what is missing on the way is made."""
    if not location:
        return change(node, params)
    step, rest = location[0], location[1:]
    if not isinstance(node, (list, dict)):
        node = [] if isinstance(step, int) else {}
    key = _key(node, step)
    child = _changed(_child(node, key), rest, change, params)
    if isinstance(node, dict):
        return {**node, key: child}
    padding = [None] * (int(key) - len(node) + 1)
    return [child if index == key else each for index, each in enumerate([*node, *padding])]


def _without(node: Any, location: Location) -> Any:
    """A copy of ``node`` without what lies at ``location``."""
    key = _key(node, location[0])
    if len(location) > 1:
        child = _child(node, key)
        if not isinstance(child, (list, dict)):
            return node
        return _changed(node, location[:1], lambda *_: _without(child, location[1:]), {})
    if isinstance(node, dict):
        return {each: value for each, value in node.items() if each != key}
    return [value for index, value in enumerate(node) if index != key]


def _key(node: Any, step: str | int) -> str | int:
    """The key of a step within a node: keys of objects are strings, and lists count from behind below zero."""
    if isinstance(node, dict):
        return str(step)
    if not isinstance(node, list) or not isinstance(step, int):
        raise TypeError(f"There is nothing at {step!r} in a {type(node).__name__}.")
    index = step if step >= 0 else len(node) + step
    if index < 0:
        raise IndexError(f"A list of {len(node)} has no index {step}.")
    return index


def _child(node: Any, key: str | int) -> Any:
    if isinstance(node, dict):
        return node.get(str(key))
    return node[int(key)] if int(key) < len(node) else None


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError(f"A list is needed here, not a {type(value).__name__}.")
    return value


def _number(value: Any) -> Any:
    if not isinstance(value, int | float):
        raise TypeError(f"A number is needed here, not a {type(value).__name__}.")
    return value


def _merge(value: Any, params: dict[str, Any]) -> Any:
    if not isinstance(value, dict | None):
        raise TypeError(f"Only objects can be merged, not a {type(value).__name__}.")
    return {**(value or {}), **params["value"]}


def _extend(value: Any, params: dict[str, Any]) -> Any:
    if not isinstance(value, list):
        raise TypeError(f"Only a list can be extended, not a {type(value).__name__}.")
    return [*value, *params["value"]]


def _insert(value: Any, params: dict[str, Any]) -> Any:
    items = list(_list(value))
    index = params["index"] if params["index"] >= 0 else len(items) + params["index"]
    items.insert(index if 0 <= index <= len(items) else len(items), params["value"])
    return items


def _add(value: Any, params: dict[str, Any]) -> Any:
    if not isinstance(value, str) and not isinstance(value, int | float):
        raise TypeError(f"Nothing can be added to a {type(value).__name__}.")
    return value + params["value"]


def _clear(value: Any, params: dict[str, Any]) -> Any:
    return type(value)() if isinstance(value, list | dict | str) else None


def _remove(value: Any, params: dict[str, Any]) -> Any:
    unwanted = params["value"]
    # True equals 1 in Python and not in the browser.
    return [
        each for each in _list(value) if each != unwanted or isinstance(each, bool) is not isinstance(unwanted, bool)
    ]


_CHANGES: dict[str, Change] = {
    "Assign": lambda value, params: params["value"],
    "Merge": _merge,
    "Extend": _extend,
    "Insert": _insert,
    "Append": lambda value, params: [*_list(value), params["value"]],
    "Prepend": lambda value, params: [params["value"], *_list(value)],
    "Add": _add,
    "Sub": lambda value, params: _number(value) - _number(params["value"]),
    "Mul": lambda value, params: _number(value) * _number(params["value"]),
    "Div": lambda value, params: _number(value) / _number(params["value"]),
    "Clear": _clear,
    "Reverse": lambda value, params: value[::-1],
    "Remove": _remove,
}
