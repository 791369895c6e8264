"""Event callbacks, as Flash 1.3 documented them; the numbers are those of the faults that it had."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import flash
from flash import Flash, Input, Output, Patch, State, ctx, event_callback, html, set_props, stream_props
from flash.exceptions import CallbackValueError, ConfigurationError, PreventUpdate

from ..apps import flash_app, post, run, serving
from .sites import InProcess
from .tab import Tab, tab_of

IN = Input("start", "n_clicks")
EVER = 3600


@pytest.fixture(autouse=True)
def none_left_over() -> Iterator[None]:
    """Every event callback of a test belongs to its app."""
    forget()
    yield
    assert flash._dash.global_callbacks() == []


def forget() -> None:
    """Drop what is declared without an app."""
    flash._dash.global_register().entries.clear()
    flash._dash.global_register().specs.clear()


def live(scenario: Callable[[Flash, Tab], Any], **options: Any) -> None:
    """Run a scenario with an app that takes what was declared, and one tab."""

    async def main() -> None:
        app = flash_app(**options)
        app.layout = html.Div()
        async with serving(app), tab_of(InProcess(app)) as tab:
            await scenario(app, tab)

    run(main)


def id_of(app: Flash, *inputs: Input) -> str:
    (found,) = [name for name, entry in app.callback_map.items() if entry["raw_inputs"] == list(inputs or [IN])]
    return found


async def start(app: Flash, tab: Tab, n: Any = 1, **state: Any) -> Any:
    request = await tab.request(id_of(app), {"start.n_clicks": n}, state)
    await tab.until(lambda: request.done)
    return request


async def change(app: Flash, tab: Tab, component: str, prop: str, value: Any) -> None:
    request = await tab.request(id_of(app, Input(component, prop)), {f"{component}.{prop}": value})
    await tab.until(lambda: request.done)


@pytest.mark.parametrize("plain", [False, True])
def test_it_sets_any_properties_while_it_runs(plain: bool) -> None:
    """#7: declared before there is an app; plain generators too."""

    def items(clicks: Any, name: Any) -> Any:
        yield stream_props("bar", {"value": clicks})
        yield stream_props({"row": 1}, {"children": html.B(name)})
        yield stream_props([("bar", {"value": 2}), ("text", {"children": "two"})])
        yield stream_props(batch={"bar": {"value": 3, "max": 9}})

    async def aitems(clicks: Any, name: Any) -> Any:
        for item in items(clicks, name):
            yield item

    func = items if plain else aitems
    assert event_callback(IN, State("who", "value"))(func) is func

    async def scenario(app: Flash, tab: Tab) -> None:
        request = await start(app, tab, 1, **{"who.value": "ann"})
        await tab.until(lambda: tab.value("bar.max") == 9)
        assert request.response == {} and tab.value("bar.value") == 3 and tab.value("text.children") == "two"
        assert tab.values['{"row":1}', "children"]["props"] == {"children": "ann"}

    live(scenario)


def test_named_inputs_reach_parameters_of_any_name() -> None:
    """#10: parameter names were pasted into JavaScript."""

    @event_callback(inputs={"new": IN}, state={"class_": State("s", "x")})
    async def stream(new: Any, class_: Any) -> Any:
        yield stream_props("out", {"children": [new, class_]})

    async def scenario(app: Flash, tab: Tab) -> None:
        await start(app, tab, 1, **{"s.x": 2})
        await tab.until(lambda: tab.value("out.children") == [1, 2])

    live(scenario)


def test_a_client_cannot_choose_parameters() -> None:
    """#2: unknown names in the request reached the function as keyword arguments."""
    seen: list[Any] = []

    @event_callback(IN)
    async def stream(clicks: Any, is_admin: bool = False) -> Any:
        seen.append(is_admin)
        yield stream_props("out", {"children": clicks})

    async def main() -> None:
        app = flash_app()
        app.layout = html.Div()
        async with serving(app) as client:
            name = id_of(app)
            for extra in ({"is_admin": True}, {"content": {"is_admin": True}}):
                payload = {
                    "output": name,
                    "inputs": [{"id": "start", "property": "n_clicks", "value": 1}],
                    "changedPropIds": ["start.n_clicks"],
                    **extra,
                }
                assert (await client.post("/_dash-update-component", json=payload)).status_code == 200
            two = [{"id": "start", "property": "n_clicks", "value": 1}, {"id": "x", "property": "y", "value": True}]
            await client.post("/_dash-update-component", json={**payload, "inputs": two})

    run(main)
    assert not any(seen)


def test_the_context_and_set_props_work() -> None:
    """#6: they raised."""

    @event_callback(IN)
    async def stream(_: Any) -> Any:
        set_props("side", {"title": "set"})
        yield stream_props("out", {"children": f"{ctx.triggered_id} {ctx.client.path}"})

    async def scenario(app: Flash, tab: Tab) -> None:
        await start(app, tab)
        await tab.until(lambda: tab.value("out.children") == "start /" and tab.value("side.title") == "set")

    live(scenario)


def test_prevent_update_ends_it_quietly() -> None:
    """#5: it was an error in the page."""

    @event_callback(IN, reset_props=[("out", {"children": "reset"})])
    async def stream(_: Any) -> Any:
        yield stream_props("out", {"children": "shown"})
        raise PreventUpdate

    async def scenario(app: Flash, tab: Tab) -> None:
        await start(app, tab)
        await tab.until(lambda: not len(app.flash_live.streams))
        assert tab.errors == [] and tab.value("out.children") == "shown"

    live(scenario)


def watching(happened: list[str], **options: Any) -> None:
    @event_callback(IN, **options)
    async def stream(n: Any) -> Any:
        happened.append(f"begin {n}")
        try:
            yield stream_props("out", {"children": n})
            await asyncio.sleep(EVER)
        finally:
            happened.append(f"end {n}")


def test_it_is_kept_while_the_condition_holds_and_closed_when_not() -> None:
    """#1: any change of a cancel Input closed it, whatever its value."""
    happened: list[str] = []
    watching(
        happened,
        cancel=[(Input("tabs", "value"), "dashboard"), (Input("open", "value"), True)],
        reset_props=[("out", {"children": "reset"}), ({"a": 1}, {"x": 2})],
    )

    async def scenario(app: Flash, tab: Tab) -> None:
        await start(app, tab)
        await tab.until(lambda: tab.value("out.children") == 1)
        await change(app, tab, "tabs", "value", "dashboard")
        await change(app, tab, "open", "value", True)
        assert happened == ["begin 1"]
        await change(app, tab, "tabs", "value", "other")
        await tab.until(lambda: happened == ["begin 1", "end 1"])
        await tab.until(lambda: tab.value("out.children") == "reset" and tab.values['{"a":1}', "x"] == 2)
        await start(app, tab, 2)
        await change(app, tab, "open", "value", 1)  # Not True, as a browser sees it.
        await tab.until(lambda: happened[-1] == "end 2")

    live(scenario)


def test_props_are_not_reset_when_nothing_ran() -> None:
    """#11: after its end, a cancel Input still applied reset_props; and each stream took an HTTP connection."""

    @event_callback(IN, cancel=[(Input("tabs", "value"), "a")], reset_props=[("out", {"children": "reset"})])
    async def stream(_: Any) -> Any:
        yield stream_props("out", {"children": "done"})

    async def scenario(app: Flash, tab: Tab) -> None:
        await start(app, tab)
        await tab.until(lambda: tab.value("out.children") == "done" and not len(app.flash_live.streams))
        await change(app, tab, "tabs", "value", "b")
        await change(app, tab, "tabs", "value", "c")
        assert tab.value("out.children") == "done"

    live(scenario)


def test_the_next_trigger_begins_anew() -> None:
    happened: list[str] = []
    watching(happened, reset_props={"out": {"title": "reset"}})

    async def scenario(app: Flash, tab: Tab) -> None:
        await start(app, tab, 1)
        await start(app, tab, 2)
        await tab.until(lambda: tab.value("out.children") == 2)
        assert happened == ["begin 1", "end 1", "begin 2"]
        assert tab.value("out.title") is None  # It was not cancelled.

    live(scenario)


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("shown", [None, "said"])
def test_on_error_shows_a_last_item_or_nothing(asynchronous: bool, shown: str | None) -> None:
    """#3, #4: the error's text went to the browser all the same; handlers that were async or returned None failed."""
    handled: list[str] = []

    def handle(error: Exception) -> Any:
        handled.append(str(error))
        return stream_props("out", {"children": shown}) if shown else None

    async def ahandle(error: Exception) -> Any:
        return handle(error)

    @event_callback(
        IN, on_error=ahandle if asynchronous else handle, reset_props=[("out", {"title": "reset"})], running=None
    )
    async def stream(_: Any) -> Any:
        yield stream_props("out", {"children": "one"})
        raise ValueError("postgres://secret")

    async def scenario(app: Flash, tab: Tab) -> None:
        await start(app, tab)
        await tab.until(lambda: handled and not len(app.flash_live.streams) and tab.value("out.title") == "reset")
        await tab.until(lambda: tab.value("out.children") == (shown or "one"))
        assert handled == ["postgres://secret"] and tab.errors == []
        assert "secret" not in str(tab.log)

    live(scenario)


def test_an_error_without_a_handler_shows_an_id_only(caplog: pytest.LogCaptureFixture) -> None:
    """#3."""

    @event_callback(IN, reset_props=[("out", {"title": "reset"})])
    async def stream(_: Any) -> Any:
        yield stream_props("out", {"children": "one"})
        raise ValueError("postgres://secret")

    async def scenario(app: Flash, tab: Tab) -> None:
        await start(app, tab)
        await tab.until(lambda: tab.errors and tab.value("out.title") == "reset")
        assert "secret" not in str(tab.errors) + str(tab.log) and "secret" in caplog.text

    live(scenario)


@pytest.mark.parametrize("value", [html.Div(), None, "text", Output("out", "children", 1)])
def test_what_names_no_property_is_refused(value: Any, caplog: pytest.LogCaptureFixture) -> None:
    """#4: a component that was yielded aborted the response."""
    handled: list[Exception] = []

    def handle(error: Exception) -> Any:
        handled.append(error)
        return stream_props("out", {"children": "failed"})

    @event_callback(IN, on_error=handle)
    async def stream(_: Any) -> Any:
        yield value

    async def scenario(app: Flash, tab: Tab) -> None:
        await start(app, tab)
        await tab.until(lambda: tab.value("out.children") == "failed")
        assert isinstance(handled[0], CallbackValueError) and "yield stream_props" in str(handled[0])

    live(scenario)


def test_values_are_what_callbacks_may_return() -> None:
    """#12: tuples and sets became texts, NaN broke the message, the caller's dict was changed."""
    given = {"data": (1, float("nan"), html.B("x")), "more": {"nested": (1, 2)}}
    before = dict(given)
    appended = Patch()
    appended.append(3)

    @event_callback(IN)
    async def stream(_: Any) -> Any:
        yield stream_props("out", given)
        yield stream_props("list", {"data": [1, 2]})
        yield stream_props("list", {"data": appended})

    async def scenario(app: Flash, tab: Tab) -> None:
        await start(app, tab)
        await tab.until(lambda: tab.value("list.data") == [1, 2, 3])
        first, missing, component = tab.value("out.data")
        assert (first, missing, component["type"]) == (1, None, "B")
        assert given == before and given["data"][2] is before["data"][2]

    live(scenario)


def test_the_same_function_can_be_declared_again_and_apps_keep_theirs_apart() -> None:
    """#8, #9: KeyError; the second app of a process got components and no callbacks."""

    async def stream(_: Any) -> Any:
        yield stream_props("out", {"children": "seen"})

    async def scenario(app: Flash, tab: Tab) -> None:
        await start(app, tab)
        await tab.until(lambda: tab.value("out.children") == "seen")
        assert app.declared_layout.to_plotly_json() == html.Div().to_plotly_json()

    for _ in range(2):
        event_callback(IN)(stream)
        live(scenario)


def test_it_waits_for_the_page_unless_it_is_told_to_run_at_load() -> None:
    async def stream(_: Any) -> Any:
        yield stream_props("out", {"children": 1})

    event_callback(IN)(stream)
    event_callback(Input("other", "x"), prevent_initial_call=False)(stream)

    async def scenario(app: Flash, tab: Tab) -> None:
        specs = {spec["output"]: spec for spec in app.callback_list}
        assert specs[id_of(app)]["prevent_initial_call"] is True
        assert specs[id_of(app, Input("other", "x"))]["prevent_initial_call"] is False

    live(scenario)


@pytest.mark.parametrize("concat", [True, False])
def test_concat_says_whether_it_waits_for_a_slow_page(concat: bool) -> None:
    made: list[int] = []
    away = asyncio.Event()

    @event_callback(IN, concat=concat)
    async def stream(_: Any) -> Any:
        yield stream_props("out", {"children": "begun"})
        await away.wait()
        for number in range(400):
            made.append(number)
            yield stream_props({"row": number % 2} if not concat else f"out-{number}", {"children": f"{number:1000}"})

    async def scenario(app: Flash, tab: Tab) -> None:
        await start(app, tab)
        await tab.cut()
        away.set()
        settled = -1
        while settled != len(made):
            settled = len(made)
            await asyncio.sleep(0.05)
        assert settled == 400 if not concat else 0 < settled < 400
        await tab.resume()
        last = "out-399" if concat else '{"row":1}'
        await tab.until(lambda: str(tab.values.get((last, "children"))).strip() == "399")

    live(scenario)


def test_over_http_its_items_come_at_the_end() -> None:
    @event_callback(IN)
    async def stream(_: Any) -> Any:
        yield stream_props("out", {"children": 1})
        yield stream_props("out", {"children": 2, "title": "t"})

    async def main() -> Any:
        app = flash_app()
        app.layout = html.Div()
        async with serving(app) as client:
            return await (await post(client, id_of(app), {"start.n_clicks": 1})).get_json(force=True)

    assert run(main) == {"multi": True, "response": {}, "sideUpdate": {"out": {"children": 2, "title": "t"}}}


# Declarations.


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cancel": [Input("a", "x")]}, "cancel takes pairs"),
        ({"cancel": [(State("a", "x"), 1)]}, "cancel takes pairs"),
        ({"reset_props": [("a", "x", 1)]}, "reset_props takes pairs"),
        ({"reset_props": [("a", 1)]}, "reset_props takes an id"),
        ({"reset_props": "text"}, "reset_props takes pairs"),
        ({"output": Output("a", "x")}, "It has no outputs"),
        ({"background": True}, "never a background callback"),
        ({"concat": 1}, "concat=True"),
    ],
)
def test_wrong_options_are_refused_at_once(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        event_callback(IN, **options)


def test_only_generators_are_taken() -> None:
    async def no_generator(_: Any) -> None:
        pass

    with pytest.raises(ConfigurationError, match="has no yield"):
        event_callback(IN)(no_generator)
    forget()


@pytest.mark.parametrize(
    "arguments",
    [
        ((), {}),
        (("a", 1), {}),
        (("a",), {}),
        ((1, {"x": 1}), {}),
        (("a", {"x": 1}), {"batch": []}),
        (([("a", 1)],), {}),
    ],
)
def test_wrong_items_are_refused_with_a_sentence(arguments: Any) -> None:
    args, kwargs = arguments
    with pytest.raises(CallbackValueError, match="stream_props takes"):
        stream_props(*args, **kwargs)
