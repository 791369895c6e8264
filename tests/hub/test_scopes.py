"""What Dash keeps once per process, kept once per scope."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any

import dash
import pytest
from dash import _callback, _get_app, _get_paths, _hooks, _pages
from dash._utils import AttributeDict
from dash.background_callback.managers import BaseBackgroundCallbackManager
from dash.development.base_component import ComponentRegistry

from flash._dash_scopes import Scope, current_scope, install, managers_of_all, per_app, unclaimed

from ..apps import run

install()

MADE: dict[type, Callable[[], Any]] = {
    list: lambda: [1, 2, 3],
    dict: lambda: {1: "a", 2: "b", 3: "c"},
    OrderedDict: lambda: OrderedDict({1: "a", 2: "b", 3: "c"}),
    set: lambda: {1, 2, 3},
}


@pytest.fixture
def scopes() -> tuple[Scope, Scope]:
    """Two scopes side by side."""
    return Scope("a"), Scope("b")


@pytest.mark.parametrize("kind", MADE)
def test_a_stand_in_leads_to_what_is_there(kind: type, scopes: tuple[Scope, Scope]) -> None:
    shared = MADE[kind]()
    stand_in: Any = per_app(shared)
    a, b = scopes
    assert (len(stand_in), bool(stand_in), list(stand_in), 2 in stand_in) == (3, True, [1, 2, 3], True)
    assert isinstance(stand_in, kind) and stand_in == shared and repr(stand_in) == repr(shared)
    for scope in (a, b):
        with scope.entered():
            assert (len(stand_in), bool(stand_in), list(stand_in), 2 in stand_in) == (0, False, [], False)
            assert isinstance(stand_in, kind) and stand_in == kind()
    with a.entered():
        (stand_in.update if hasattr(stand_in, "update") else stand_in.extend)(shared)
        assert list(stand_in) == [1, 2, 3]
        with b.entered():
            assert list(stand_in) == []
        assert list(stand_in) == [1, 2, 3]
        stand_in.clear()
        assert not stand_in
    assert shared == MADE[kind]()
    stand_in.clear()
    assert not shared


def test_slices_and_operators_change_the_list_of_the_scope(scopes: tuple[Scope, Scope]) -> None:
    shared = [1, 2, 3]
    numbers: Any = per_app(shared, list)
    a, b = scopes
    with a.entered():
        numbers[1:] = [4]
        numbers.append(5)
        numbers += [6]
        assert [numbers[:2], numbers[-1], [*reversed(numbers)]] == [[1, 4], 6, [6, 5, 4, 1]]
    with b.entered():
        del numbers[0]
        assert numbers == [2, 3] and numbers + [1] == [2, 3, 1]
    assert shared == [1, 2, 3]


def test_a_place_holds_the_stand_in_after_it_was_added_to(scopes: tuple[Scope, Scope]) -> None:
    shared: list[int] = []
    place = {"numbers": per_app(shared)}
    with scopes[0].entered():
        place["numbers"] += [1]
    with scopes[1].entered():
        assert place["numbers"] == []
    assert shared == []


def test_tables_are_those_of_the_scope(scopes: tuple[Scope, Scope]) -> None:
    table: Any = per_app(defaultdict(list))
    a, b = scopes
    with a.entered():
        table["x"].append(1)
        table.setdefault("y", []).append(2)
        del table["x"]
        assert table == {"y": [2]} and table.get("x") is None and table.pop("y") == [2]
    with b.entered():
        assert table["x"] == []
    with pytest.raises(KeyError):
        per_app({})["x"]


def test_a_value_can_begin_with_what_the_process_has(scopes: tuple[Scope, Scope]) -> None:
    event: Any = per_app(threading.Event())
    settings = per_app({"x": 1}, dict)
    a, b = scopes
    with a.entered():
        event.set()
        settings["x"] = 2
    with b.entered():
        assert not event.is_set() and settings == {"x": 1}
    assert not event.is_set() and settings == {"x": 1}


def test_threads_and_tasks_take_their_scope_along(scopes: tuple[Scope, Scope]) -> None:
    numbers: list[str] = per_app([])

    def in_thread() -> None:
        thread = threading.Thread(target=contextvars.copy_context().run, args=(numbers.append, scope.name))
        thread.start()
        thread.join(20)

    async def main() -> None:
        async def add(name: str) -> None:
            await asyncio.sleep(0)
            numbers.append(f"task of {name}")

        tasks = []
        for scope in scopes:
            with scope.entered():
                tasks.append(asyncio.create_task(add(scope.name)))
        await asyncio.gather(*tasks)

    for scope in scopes:
        with scope.entered():
            in_thread()
    run(main)
    for scope in scopes:
        with scope.entered():
            assert numbers == [scope.name, f"task of {scope.name}"]
    assert numbers == []


def test_a_scope_ends_with_its_block(scopes: tuple[Scope, Scope]) -> None:
    a, b = scopes
    with a.entered():
        with pytest.raises(ZeroDivisionError), b.entered():
            assert current_scope.get() is b
            1 / 0  # noqa: B018
        assert current_scope.get() is a
    assert current_scope.get() is None


def test_a_closed_scope_holds_nothing(scopes: tuple[Scope, Scope]) -> None:
    numbers: list[int] = per_app([])
    a, _ = scopes
    with a.entered():
        numbers.append(1)
    a.close()
    with a.entered():
        assert numbers == [] and a.app is None


# Dash's own places ---------------------------------------------------------------------------------------------------


def declare() -> None:
    """One of each that Dash keeps per process."""
    dash.callback(dash.Output("out", "children"), dash.Input("in", "value"))(lambda value: value)
    dash.clientside_callback("() => 1", dash.Output("other", "children"), dash.Input("in", "value"))
    dash.hooks.layout()(lambda layout: layout)
    dash.hooks.script([{"external_url": "https://example.org/x.js", "external_only": True}])
    dash.hooks.clientside_callback("() => 2", dash.Output("third", "children"), dash.Input("in", "value"))
    ComponentRegistry.registry.add("lib_of_a_scope")
    BaseBackgroundCallbackManager.managers.append("manager")


def declared() -> list[int]:
    """How many of each there are."""
    return [
        len(_callback.GLOBAL_CALLBACK_LIST),
        len(_callback.GLOBAL_CALLBACK_MAP),
        len(_callback.GLOBAL_INLINE_SCRIPTS),
        len(_hooks.hooks._ns["layout"]),
        len(_hooks.hooks._js_dist),
        len(_hooks.hooks._clientside_callbacks),
        len(ComponentRegistry.registry),
        len(BaseBackgroundCallbackManager.managers),
    ]


def test_what_is_declared_in_a_scope_is_nowhere_else(scopes: tuple[Scope, Scope]) -> None:
    a, b = scopes
    outside = declared()
    with b.entered():
        before = declared()
    with a.entered():
        assert declared() == before
        declare()
        assert [now - then for now, then in zip(declared(), before, strict=True)] == [2, 2, 1, 1, 1, 1, 1, 1]
        assert _callback.GLOBAL_CALLBACK_LIST is dash.dash._callback.GLOBAL_CALLBACK_LIST
        assert unclaimed() == []
    with b.entered():
        assert declared() == before
    assert declared() == outside
    assert a.managers == ["manager"] and b.managers == [] and "manager" not in managers_of_all()


def test_an_app_takes_what_was_declared_in_its_scope(scopes: tuple[Scope, Scope]) -> None:
    apps = []
    for scope, prefix in zip(scopes, ("/a/", "/b/"), strict=True):
        with scope.entered():
            declare()
            ComponentRegistry.registry.discard("lib_of_a_scope")
            app = dash.Dash(scope.name, url_base_pathname=prefix)
            app.layout = dash.html.Div()
            app._setup_server()
            assert scope.app is app and dash.get_app() is app
            assert dash.get_relative_path("/x") == f"{prefix}x"
            apps.append(app)
    for scope, app in zip(scopes, apps, strict=True):
        assert sorted(app.callback_map) == ["other.children", "out.children", "third.children"]
        with scope.entered():
            assert dash.get_app() is app


def test_settings_and_newest_app_are_assigned_where_the_code_runs(
    scopes: tuple[Scope, Scope], monkeypatch: pytest.MonkeyPatch
) -> None:
    outside, inside = AttributeDict(name="outside"), AttributeDict(name="inside")
    before = _get_paths.CONFIG._get_current_object()
    monkeypatch.setattr(_get_app, "APP", "before")
    a, b = scopes
    _get_paths.CONFIG = outside
    try:
        with a.entered():
            _get_paths.CONFIG = inside
            _get_app.APP = "app"
            assert (a.config, a.app, _get_app.app_context.get()) == (inside, "app", "app")
            assert _get_paths.CONFIG.name == _pages.CONFIG.name == "inside"
            _pages.other = 1
        with b.entered():
            assert _get_paths.CONFIG == {} and b.app is None
        assert (_get_paths.CONFIG.name, _pages.CONFIG.name, _get_app.APP) == ("outside", "outside", "before")
        assert _pages.other == 1
    finally:
        _get_paths.CONFIG = before
        vars(_pages).pop("other", None)


def test_what_was_added_in_one_scope_can_be_added_to_another(scopes: tuple[Scope, Scope]) -> None:
    a, b = scopes
    with a.entered():
        dash.hooks.layout(priority=1)(lambda layout: "low")
        before, count = a.snapshot(), a.count()
        dash.hooks.layout(priority=2)(lambda layout: "middle")
        ComponentRegistry.registry.add("lib_of_a_scope")
        assert a.count() == count + 2
    with b.entered():
        dash.hooks.layout(priority=3)(lambda layout: "high")
        b.add(a.added_since(before))
        assert [hook(None) for hook in _hooks.hooks._ns["layout"][:2]] == ["high", "middle"]
        assert "lib_of_a_scope" in ComponentRegistry.registry
        assert b.count() == a.count()


def test_installing_once_more_changes_nothing() -> None:
    before = _callback.GLOBAL_CALLBACK_LIST
    install()
    assert _callback.GLOBAL_CALLBACK_LIST is before
