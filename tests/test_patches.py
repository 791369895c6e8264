"""Joining updates: the same as what the browser makes of them one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from flash import Patch
from flash.encoding import dumps
from flash.patches import is_patch, joined


def form(change: Callable[[Patch], Any]) -> dict[str, Any]:
    """The JSON form of a Patch to which ``change`` was done."""
    patch = Patch()
    changed = change(patch)
    decoded: dict[str, Any] = orjson.loads(dumps(changed if isinstance(changed, Patch) else patch))
    return decoded


def assign(*path: Any, value: Any) -> Callable[[Patch], None]:
    def change(patch: Patch) -> None:
        for step in path[:-1]:
            patch = patch[step]
        patch[path[-1]] = value

    return change


def delete(*path: Any) -> Callable[[Patch], None]:
    def change(patch: Patch) -> None:
        for step in path[:-1]:
            patch = patch[step]
        del patch[path[-1]]

    return change


def calculate(operator: str, value: Any) -> Callable[[Patch], None]:
    def change(patch: Patch) -> None:
        exec(f"patch['n'] {operator} value", {"patch": patch, "value": value})

    return change


CASES: list[tuple[Any, Callable[[Patch], Any], Any]] = [
    ({"a": 1}, assign("b", value=2), {"a": 1, "b": 2}),
    ({"a": {"b": [1, 2]}}, assign("a", "b", -1, value=9), {"a": {"b": [1, 9]}}),
    ({}, assign("a", "b", value=1), {"a": {"b": 1}}),
    ({}, assign("a", 1, value=1), {"a": [None, 1]}),
    ([1], assign(3, value=4), [1, None, None, 4]),
    ({"1": "x"}, assign(1, value="y"), {"1": "y"}),
    ({"a": 1, "b": 2}, delete("a"), {"b": 2}),
    ({"a": [1, 2, 3]}, delete("a", -2), {"a": [1, 3]}),
    ({"a": 1}, delete("b", "c"), {"a": 1}),
    ([1], lambda patch: patch.append(2), [1, 2]),
    (None, lambda patch: patch.append(2), [2]),
    ([1], lambda patch: patch.prepend(0), [0, 1]),
    ([1], lambda patch: patch.extend([2, 3]), [1, 2, 3]),
    ([1, 3], lambda patch: patch.insert(1, 2), [1, 2, 3]),
    ([1, 3], lambda patch: patch.insert(-1, 2), [1, 2, 3]),
    ([1], lambda patch: patch.insert(9, 2), [1, 2]),
    ({"a": 1}, lambda patch: patch.update({"b": 2}), {"a": 1, "b": 2}),
    ([1, True, 2, 1], lambda patch: patch.remove(1), [True, 2]),
    ([1, 2], lambda patch: patch.reverse(), [2, 1]),
    ({"a": 1}, lambda patch: patch.clear(), {}),
    ([1], lambda patch: patch.clear(), []),
    ({"n": 6}, calculate("+=", 2), {"n": 8}),
    ({"n": "a"}, calculate("+=", "b"), {"n": "ab"}),
    ({"n": 6}, calculate("-=", 2), {"n": 4}),
    ({"n": 6}, calculate("*=", 2), {"n": 12}),
    ({"n": 6}, calculate("/=", 4), {"n": 1.5}),
]


@pytest.mark.parametrize(("value", "change", "expected"), CASES)
def test_a_patch_after_a_full_value_is_applied_to_it(value: Any, change: Callable[[Patch], Any], expected: Any) -> None:
    before = dumps(value)
    assert joined(value, form(change)) == expected
    assert dumps(value) == before


def test_patches_are_joined_in_their_order() -> None:
    first, second = form(lambda patch: patch.append(1)), form(lambda patch: patch.append(2))
    assert joined([], joined(first, second)) == [1, 2]


def test_a_full_value_replaces_all() -> None:
    assert joined(form(lambda patch: patch.append(1)), [5]) == [5]
    assert joined([1], [5]) == [5]


@pytest.mark.parametrize(
    ("value", "change"),
    [
        ("text", lambda patch: patch.append(1)),
        ({"n": "a"}, calculate("-=", 1)),
        ({"n": 1}, calculate("/=", 0)),
        ({"n": {}}, calculate("+=", 1)),
        (5, lambda patch: patch.update({"a": 1})),
        (None, lambda patch: patch.extend([1])),
        ([1], assign("name", value=1)),
        ([1], assign(-2, value=1)),
        ([1], delete("a", "b")),
    ],
)
def test_what_does_not_fit_is_left_to_the_browser(value: Any, change: Callable[[Patch], Any]) -> None:
    patch = form(change)
    result = joined(value, patch)
    assert is_patch(result)
    whole, *rest = result["operations"]
    assert whole == {"operation": "Assign", "location": [], "params": {"value": value}}
    assert rest == patch["operations"]
