"""Calling callbacks by their outputs: where values come from, which callback is meant, what a wrong call is told."""

from __future__ import annotations

from typing import Any

import pytest

from flash import (
    ALL,
    ALLSMALLER,
    MATCH,
    Flash,
    Input,
    Output,
    State,
    ctx,
    exceptions,
    no_update,
    set_props,
)
from flash.exceptions import ConfigurationError
from flash.testing import Client

from .rows import echo, row, rows_app


@pytest.fixture
def app() -> Flash:
    return rows_app()


# Values of inputs and states.


def test_a_callback_is_called_by_its_output_with_inputs_and_state(app: Flash) -> None:
    echo(app, Input("in", "value"), State("store", "data"))
    with Client(app) as client:
        result = client.call("out.children", inputs={"in.value": 3}, state={"store.data": {"a": 1}})
        assert result["out.children"] == [3, {"a": 1}, ["in.value"]]
        assert result[Output("out", "children")] == result.outputs["out.children"]
        assert (result.status, result.prevented, result.error) == (200, False, None)


def test_without_a_page_what_is_not_given_is_none(app: Flash) -> None:
    echo(app, Input("in", "value"), State("store", "data"), State(row(ALL), "title"))
    with Client(app) as client:
        assert client.call("out.children")["out.children"] == [None, None, [], []]


def test_with_an_open_page_what_is_not_given_comes_from_its_layout(app: Flash) -> None:
    echo(app, Input("in", "value"), State("store", "data"), State(row(ALL), "title"))
    with Client(app) as client:
        client.open("/")
        result = client.call("out.children", {"in.value": "new"}, {Input(row(1), "title"): "given"})
        assert result["out.children"] == ["new", [1], ["title 0", "given", "title 2"], ["in.value"]]


def test_triggered_can_be_told_apart_from_the_inputs_that_are_given(app: Flash) -> None:
    echo(app, Input("in", "value"), Input("store", "data"))
    with Client(app) as client:
        values = {"in.value": 1, "store.data": 2}
        assert client.call("out.children", values)["out.children"][-1] == ["in.value", "store.data"]
        assert client.call("out.children", values, triggered="store.data")["out.children"][-1] == ["store.data"]
        assert client.call("out.children", values, triggered=[])["out.children"][-1] == []


# Outputs.


def test_several_outputs_and_those_that_are_not_updated(app: Flash) -> None:
    @app.callback(Output("out", "children"), Output("other", "children"), Input("in", "value"))
    def two(value: Any) -> Any:
        return value, no_update

    with Client(app) as client:
        for target in ("out.children", "other.children", ["out.children", "other.children"], two):
            result = client.call(target, {"in.value": 1})
            assert result.outputs == {"out.children": 1}
            assert "other.children" not in result
        with pytest.raises(KeyError, match="did not update 'other.children'. It updated out.children"):
            result["other.children"]


def test_prevented_updates(app: Flash) -> None:
    @app.callback(Output("out", "children"), Input("in", "value"))
    async def nothing(value: Any) -> Any:
        if value:
            raise exceptions.PreventUpdate
        return no_update

    with Client(app) as client:
        for value, status in ((True, 204), (False, 200)):
            result = client.call("out.children", {"in.value": value})
            assert (result.prevented, result.status) == (value, status)
            assert (result.outputs, result.error) == ({}, None)


def test_pattern_matching_ids(app: Flash) -> None:
    @app.callback(
        Output(row(MATCH), "children"),
        Input(row(MATCH), "title"),
        State(row(ALLSMALLER), "title"),
        State(row(ALL), "id"),
    )
    def of_row(title: str, smaller: list[str], ids: list[Any]) -> Any:
        return [title, smaller, [each["index"] for each in ids]]

    with Client(app) as client:
        result = client.call(Output(row(1), "children"), {Input(row(1), "title"): "one"})
        assert result[Output(row(1), "children")] == ["one", [], []]
        client.open("/")
        assert client.call('{"type": "row", "index": 2}.children').outputs == {
            '{"index":2,"type":"row"}.children': ["title 2", ["title 0", "title 1"], [0, 1, 2]]
        }
        by_input = client.call(Output(row(MATCH), "children"), {Input(row(0), "title"): "zero"})
        assert by_input[Output(row(0), "children")][0] == "zero"
        with pytest.raises(ConfigurationError, match="does not say for which index"):
            client.call(Output(row(MATCH), "children"))


def test_all_rows_as_outputs(app: Flash) -> None:
    @app.callback(Output(row(ALL), "children"), Input("in", "value"))
    def fill(value: Any) -> Any:
        return [f"{value} {output['id']['index']}" for output in ctx.outputs_list]

    with Client(app) as client:
        without_page = client.call([Output(row(5), "children"), Output(row(7), "children")], {"in.value": "x"})
        assert list(without_page.outputs.values()) == ["x 5", "x 7"]
        client.open("/")
        result = client.call(Output(row(ALL), "children"), {"in.value": "x"})
        assert list(result.outputs.values()) == ["x 0", "x 1", "x 2"]


def test_ids_with_dots(app: Flash) -> None:
    dotted = {"type": "a.b", "index": "c..d"}
    app.callback(Output(dotted, "children"), Output("out", "children"), Input("in", "value"))(lambda v: (v, v))
    with Client(app) as client:
        assert client.call(Output(dotted, "children"), {"in.value": 1})[Output(dotted, "children")] == 1


def test_one_output_of_several_callbacks_is_told_apart_by_inputs_or_by_function(app: Flash) -> None:
    @app.callback(Output("out", "children"), Input("in", "value"))
    def first(value: Any) -> str:
        return "first"

    @app.callback(Output("out", "children", allow_duplicate=True), Input("store", "data"), prevent_initial_call=True)
    def second(data: Any) -> str:
        return "second"

    with Client(app) as client:
        assert client.call("out.children", {"in.value": 1})["out.children"] == "first"
        assert client.call("out.children", {"store.data": 1}).outputs == {"out.children": "second"}
        assert client.call(second)["out.children"] == "second"
        with pytest.raises(ConfigurationError, match="2 callbacks could be meant: out.children <- in.value; "):
            client.call("out.children")


def test_callbacks_without_outputs_and_side_updates(app: Flash) -> None:
    @app.callback(Input("in", "value"))
    async def one(value: Any) -> None:
        set_props("out", {"children": value, "title": "side"})
        set_props(row(1), {"children": value})

    @app.callback(Input("store", "data"))
    def nothing(data: Any) -> None: ...

    with Client(app) as client:
        page = client.open("/")
        result = client.call(inputs={"in.value": 1})
        assert result.side_updates == {"out.children": 1, "out.title": "side", '{"index":1,"type":"row"}.children': 1}
        assert result.outputs == {}
        assert (page["out"]["children"], page[row(1)]["children"]) == (1, 1)
        assert client.call(nothing).side_updates == {}


# Wrong calls.


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda call: call("out.childen"), r"No callback writes 'out.childen'. Did you mean 'out.children'\?"),
        (lambda call: call("elsewhere.data"), "No callback writes 'elsewhere.data'. There are: other.title, out.child"),
        (lambda call: call("out"), "'out' names no property. Write the id, a dot and the property"),
        (lambda call: call("{nonsense.children"), "is not JSON"),
        (lambda call: call([3]), "3 names no property"),
        (lambda call: call("out.children", {"in.valeu": 1}), r"has no input 'in.valeu'. Did you mean 'in.value'\?"),
        (
            lambda call: call("out.children", {"store.data": 1}),
            "'store.data' is given in the wrong place. .* in state=",
        ),
        (lambda call: call("out.children", state={"in.value": 1}), "in the wrong place. Give it in inputs="),
        (lambda call: call("out.children", triggered="store.data"), "has no triggered input 'store.data'"),
        (lambda call: call("out.children", {Input(row(ALL), "title"): 1}), "is a pattern. Give a value for each"),
        (lambda call: call(["out.children", "other.title"]), "No callback writes all of out.children, other.title"),
        (lambda call: call(), "No callback of this app is without outputs"),
        (lambda call: call(print), "declared with this function"),
        (lambda call: call("other.title"), "is a clientside callback: it runs in a browser only"),
    ],
)
def test_a_wrong_call_says_what_to_write(app: Flash, call: Any, sentence: str) -> None:
    echo(app, Input("in", "value"), Input(row(ALL), "title"), State("store", "data"))
    app.clientside_callback("function(x) {return x}", Output("other", "title"), Input("in", "value"))
    with Client(app) as client, pytest.raises(ConfigurationError, match=sentence):
        call(client.call)
