"""Declaring callbacks: what Flash's decorators add, what they refuse, and what they leave as Dash has it."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import dash
import pytest

import flash
from flash import ALL, MATCH, Flash, Input, Output, Patch, State, _dash, html
from flash.callbacks import declaration_of
from flash.exceptions import CallbackValueError, ConfigurationError

from .apps import body, flash_app, post, quart_dash, run, serving

OUT, IN = Output("out", "children"), Input("in", "x")


async def agen(_: Any) -> Any:
    yield 1


def gen(_: Any) -> Any:
    yield 1


def plain(_: Any) -> int:
    return 1


async def answer(app: Flash, *args: Any, **kwargs: Any) -> Any:
    app.layout = app.layout or html.Div()
    async with serving(app) as client:
        response = await post(client, *args, **kwargs)
        return await response.get_json(force=True) if response.status_code == 200 else response.status_code


# What is registered.


@pytest.mark.parametrize("func", [agen, gen])
def test_a_generator_is_registered_as_an_asynchronous_function_that_goes_live(func: Any) -> None:
    app = flash_app()
    assert app.callback(OUT, IN, running=[(Output("b", "disabled"), True, False)])(func) is func
    entry, spec = app.callback_map["out.children"], app.callback_list[0]
    assert entry["websocket"] is spec["websocket"] is True
    assert "running" not in spec and "stream" not in spec
    assert inspect.iscoroutinefunction(entry["callback"])
    declaration = declaration_of(entry["callback"])
    assert declaration.func is func and declaration.streaming is not None
    assert declaration.streaming.overlap == "latest"


def test_a_function_that_returns_is_registered_as_dash_does_it() -> None:
    ours, theirs = flash_app(), quart_dash()
    for app in (ours, theirs):
        app.callback([OUT, Output("b", "x")], IN, State("s", "x"), running=(Output("r", "x"), 1, 2))(plain)
        app.callback(inputs={"a": IN}, output={"b": Output("c", "x")}, prevent_initial_call=True)(plain)
    strip = {"background", "callback"}
    assert ours._callback_list == theirs._callback_list
    assert [{k: str(v) for k, v in e.items() if k not in strip} for e in ours.callback_map.values()] == [
        {k: str(v) for k, v in e.items() if k not in strip} for e in theirs.callback_map.values()
    ]


def test_cancel_inputs_become_hidden_callbacks_of_streams_only() -> None:
    app = flash_app()
    app.callback(OUT, IN, cancel=[Input("a", "n_clicks"), Input({"stop": ALL}, "n_clicks")])(agen)
    hidden = [spec for spec in app.callback_list if spec["hidden"]]
    assert len(hidden) == 2
    for spec in hidden:
        assert spec["websocket"] and spec["prevent_initial_call"] and spec["no_output"] and spec["optional"]
    app.callback(Output("c", "x"), IN, cancel=Input("a", "n_clicks"))(plain)
    assert len(app.callback_list) == 4


def test_what_is_declared_without_an_app_belongs_to_the_first_that_is_set_up() -> None:
    @flash.callback(Output("claimed", "x"), IN, cancel=Input("claimed-stop", "x"))
    async def stream(_: Any) -> Any:
        yield "claimed"

    app = flash_app()
    got = run(lambda: answer(app, "claimed.x", {"in.x": 1}))
    assert got["response"] == {"claimed": {"x": "claimed"}}
    assert "claimed.x" not in _dash.global_callbacks()
    assert app.opens_connection()


def test_generators_that_dash_has_declared_stream_too() -> None:
    @dash.callback(Output("dashs", "x"), IN, running=[(Output({"a": 1}, "b"), 1, 2), (Output("c", "d"), 3, 4)])
    async def stream(_: Any) -> Any:
        yield "one"
        yield "two"

    app = flash_app()
    assert run(lambda: answer(app, "dashs.x", {"in.x": 1}))["response"] == {"dashs": {"x": "two"}}
    entry = app.callback_map["dashs.x"]
    spec = next(spec for spec in app.callback_list if spec["output"] == "dashs.x")
    assert entry["websocket"] is spec["websocket"] is True
    assert "running" not in spec and not spec.get("stream")
    streaming = declaration_of(entry["callback"]).streaming
    assert streaming is not None
    assert [(o.component_id, o.component_property, a, b) for o, a, b in streaming.running] == [
        ({"a": 1}, "b", 1, 2),
        ("c", "d", 3, 4),
    ]
    assert app.opens_connection()


def test_a_plain_dash_app_that_has_taken_a_generator_says_whose_it_is() -> None:
    app = quart_dash()
    flash.callback(Output("taken", "x"), IN)(agen)
    app.layout = html.Div()
    app._setup_server()
    stored = app.callback_map["taken.x"]["callback"]
    context = _dash.AttributeDict({"updated_props": {}})
    with pytest.raises(ConfigurationError, match="streams in a Flash app only"):
        run(lambda: stored(1, outputs_list={"id": "taken", "property": "x"}, callback_context=context))


def test_the_decorator_shows_dashs_arguments_and_its_own() -> None:
    ours, theirs = inspect.signature(flash.callback).parameters, inspect.signature(dash.callback).parameters
    assert set(ours) - set(theirs) == {"retry", "overlap", "service"}
    assert list(theirs) == [name for name in ours if name in theirs]


def test_retry_is_known_of_the_callback() -> None:
    app = flash_app()
    app.callback(OUT, IN, retry=True, websocket=True)(plain)
    app.callback(Output("b", "x"), IN)(plain)
    assert app.repeatable_callbacks() == ["out.children"]


# What is refused.


@pytest.mark.parametrize(
    ("func", "options", "said"),
    [
        (agen, {"background": True}, "background callbacks return one result"),
        (gen, {"background": True}, "background callbacks return one result"),
        (agen, {"api_endpoint": "/x"}, "an api_endpoint answers with one result"),
        (agen, {"retry": True}, "Leave retry=True out"),
        (agen, {"overlap": "newest"}, "overlap must be one of 'latest', 'queue', 'parallel', 'ignore', not 'newest'"),
        (plain, {"overlap": "queue"}, "returns once"),
        (plain, {"retry": "yes"}, "retry must be True or False"),
        (plain, {"retry": True, "background": True}, "background callbacks use none"),
        (agen, {"running": [(Output({"a": ALL}, "x"), 1, 2)]}, "names the pattern"),
    ],
)
def test_what_cannot_work_is_refused_at_once(func: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        flash_app().callback(OUT, IN, **options)(func)


def test_an_output_with_a_value_is_refused_in_a_declaration() -> None:
    for outputs in ([Output("a", "x", "value")], [[OUT, Output("a", "x", 0)]]):
        with pytest.raises(ConfigurationError, match="belongs to what a callback returns"):
            flash_app().callback(*outputs, IN)(plain)
    with pytest.raises(ConfigurationError, match="belongs to what a callback returns"):
        flash_app().callback(output={"a": Output("a", "x", None)}, inputs=[IN])(plain)


# Callbacks with no output.


@pytest.mark.parametrize("arguments", [((None, IN), {}), ((), {"output": None, "inputs": [IN]})])
def test_none_as_the_output(arguments: Any) -> None:
    app = flash_app()
    args, kwargs = arguments
    calls: list[Any] = []
    app.callback(*args, **kwargs)(lambda value: calls.append(value) or "ignored")
    spec = app.callback_list[0]
    assert spec["no_output"] and spec["prevent_initial_call"]

    async def main() -> None:
        app.layout = html.Div()
        async with serving(app) as client:
            assert (await post(client, spec["output"], {"in.x": 1})).status_code == 204
            # The page has appeared, or the input has been inserted.
            initial = {**body(spec["output"], {"in.x": 2}), "changedPropIds": []}
            assert (await client.post("/_dash-update-component", json=initial)).status_code == 204

    run(main)
    assert calls == [1]


def test_without_an_output_it_is_dashs() -> None:
    app = flash_app()
    calls: list[Any] = []
    app.callback(IN)(calls.append)
    spec = app.callback_list[0]
    assert spec["no_output"] and not spec["prevent_initial_call"]

    async def main() -> None:
        app.layout = html.Div()
        async with serving(app) as client:
            initial = {**body(spec["output"], {"in.x": 2}), "changedPropIds": []}
            assert (await client.post("/_dash-update-component", json=initial)).status_code == 204

    run(main)
    assert calls == [2]


def test_none_and_an_initial_call_contradict_each_other() -> None:
    with pytest.raises(ConfigurationError, match="Leave the None out"):
        flash_app().callback(None, IN, prevent_initial_call=False)


# Outputs that are returned.


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("value", "pushed"),
    [
        (Output("a", "x", 1), {"a": {"x": 1}}),
        ((Output("a", "x", True), Output("a", "y", False)), {"a": {"x": True, "y": False}}),
        ([Output({"b": 1, "a": 2}, "x", None)], {'{"a":2,"b":1}': {"x": None}}),
        (Output("a", "x", html.B("b")), {"a": {"x": {"props": {"children": "b"}, "type": "B"}}}),
    ],
)
def test_returned_outputs_leave_the_declared_ones_alone(asynchronous: bool, value: Any, pushed: Any) -> None:
    app = flash_app()

    async def awaited(_: Any) -> Any:
        return value

    for output in ([OUT], [None], [], [[OUT, Output("second", "x")]]):
        app.callback(*output, IN)(awaited if asynchronous else lambda _: value)
    for name in app.callback_map:
        got = run(lambda name=name: answer(app, name, {"in.x": 1}))
        assert got["response"] == {}
        for component, props in pushed.items():
            for prop, expected in props.items():
                found = got["sideUpdate"][component][prop]
                assert found == expected or expected.items() <= found.items()


def test_a_patch_and_set_props_go_along() -> None:
    app = flash_app()

    @app.callback(OUT, IN)
    def change(_: Any) -> Any:
        flash.set_props("a", {"title": "t"})
        patch = Patch()
        patch.append(1)
        return Output("a", "data", patch), Output("a", "x", 1)

    got = run(lambda: answer(app, "out.children", {"in.x": 1}))["sideUpdate"]["a"]
    assert got["title"] == "t" and got["x"] == 1
    assert got["data"]["operations"][0]["operation"] == "Append"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ((Output("a", "x", 1), "text"), "there is a str among them"),
        (Output("a", "x"), "without a value"),
        (dash.Output("a", "x"), "without a value"),
    ],
)
def test_what_is_no_value_is_said_in_a_sentence(value: Any, said: str, caplog: pytest.LogCaptureFixture) -> None:
    app = flash_app()
    app.callback(OUT, IN)(lambda _: value)
    assert run(lambda: answer(app, "out.children", {"in.x": 1})) == 500
    assert said in caplog.text and CallbackValueError.__name__ in caplog.text


# Output.


def test_the_output_of_flash_is_dashs_with_a_value() -> None:
    for third in (True, False):
        ours, theirs = Output("a", "x", third), dash.Output("a", "x", third)
        assert isinstance(ours, dash.Output) and ours == theirs and theirs == ours
        assert hash(ours) == hash(theirs) and str(ours) == str(theirs) and repr(ours) == repr(theirs)
        assert ours.allow_duplicate is theirs.allow_duplicate is third and ours.value is third
        assert ours.to_dict() == theirs.to_dict()
    assert Output("a", "x", allow_duplicate=True).allow_duplicate is True
    assert not hasattr(Output("a", "x", allow_duplicate=True), "value")
    assert Output("a", "x", "text").allow_duplicate is False
    assert Output({"a": MATCH}, "x").has_wildcard()


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_an_output_can_be_copied_and_pickled(duplicate: Any) -> None:
    for output in (Output({"a": 1}, "x", [1, 2]), Output("a", "x", True), Output("a", "x")):
        twin = duplicate(output)
        twin = pickle.loads(twin) if isinstance(twin, bytes) else twin
        assert type(twin) is Output and vars(twin) == vars(output) and twin == output


def test_the_output_of_a_component() -> None:
    component = html.Div()
    output = Output(component, "children", "new")
    assert output.component_id == component.id and output.value == "new"


def test_duplicate_outputs_are_dashs() -> None:
    app = flash_app()
    for _ in range(2):
        app.callback(Output("a", "x", True), IN, prevent_initial_call=True)(plain)
    assert len(app.callback_list) == 2
    with pytest.raises(dash.exceptions.DuplicateCallback):
        app.callback(Output("a", "x", True), IN)(plain)
