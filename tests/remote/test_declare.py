"""Declaring remote callbacks: what cannot work fails at once, with a sentence that says what to write."""

from __future__ import annotations

from typing import Any

import pytest

from flash import Flash, Input, Output, State, _dash, dcc
from flash.exceptions import ConfigurationError
from flash.remote import InputReceiver, Receiver, Remote, api_callback

from ..apps import flash_app

URL = "http://backend/work"
OUT = Output("out", "children")
IN = Input("go", "n_clicks")


def show(data: Any, **values: Any) -> Any:
    return data


def declared(*args: Any, func: Any = show, **options: Any) -> Flash:
    app = flash_app()
    assert api_callback(*args, app=app, **options)(func) is func
    return app


def generator(data: Any) -> Any:
    yield data


async def async_generator(data: Any) -> Any:
    yield data


@pytest.mark.parametrize(
    ("args", "options", "sentence"),
    [
        ((URL, OUT, IN), {}, r"one InputReceiver, and here are 0. Write InputReceiver\('receiver'\) where"),
        ((URL, OUT, IN, InputReceiver("a"), InputReceiver("b")), {}, "here are 2"),
        ((URL, OUT, InputReceiver("r"), IN, State("go", "id")), {}, r"field 'go': go.n_clicks and go.id. Name the"),
        ((URL, OUT, InputReceiver("r"), Input({"row": 1}, "x")), {}, r"dict as its id.*inputs=dict\(value="),
        ((URL, OUT, InputReceiver("r"), "go"), {}, "not 'go'"),
        ((URL, OUT, InputReceiver("r"), IN), {"send": ["go"]}, r"only with inputs=dict\(name=Input"),
        ((URL, OUT, IN), {"inputs": {"a": IN}}, "Put .*go.* into inputs="),
        ((URL, OUT, InputReceiver("r")), {"inputs": {"a": IN}}, "leave it out if it is an InputReceiver"),
        ((URL, OUT), {"inputs": [IN]}, "inputs names the fields"),
        ((URL, OUT), {"inputs": {1: IN}}, "inputs names the fields"),
        ((URL, OUT), {"inputs": {"num-1": IN}}, "inputs names the fields"),
        ((URL, OUT), {"inputs": {"a": IN}, "state": [State("b", "x")]}, "inputs names the fields"),
        ((URL, OUT), {"inputs": {"a": IN}, "state": {"a": State("b", "x")}}, "a name of its own"),
        ((URL, OUT), {"inputs": {"data": IN}}, "'data' is the answer's"),
        ((URL, OUT), {"inputs": {"a": IN}, "send": ["b"]}, "send names 'b'; inputs= has a"),
        ((URL, OUT), {"inputs": {"a": State("b", "x")}}, "has no Input, and nothing would trigger it"),
        ((URL, OUT, InputReceiver("r"), State("b", "x")), {}, "has no Input, and nothing would trigger it"),
        ((URL, OUT), {"inputs": {"a": IN}, "policy": "newest"}, "policy must be one of 'latest', 'queue', 'parallel'"),
        ((URL, OUT), {"inputs": {"a": IN}, "overlap": "queue"}, "takes no overlap. .*policy="),
        ((URL, OUT), {"inputs": {"a": IN}, "background": True}, "takes no background"),
        ((URL, OUT), {"inputs": {"a": IN}, "api_endpoint": "/x"}, "takes no api_endpoint"),
        ((URL, OUT), {"inputs": {"a": IN}, "retry": True}, r"takes no retry. Remote\(url, retries=2\)"),
        ((URL, OUT), {"inputs": {"a": IN}, "service": "live"}, "takes no service"),
        ((URL, OUT), {"inputs": {"a": IN}, "timeout": 0}, "seconds above 0"),
        ((URL, OUT), {"inputs": {"a": IN}, "progress": "bar"}, "progress takes an Output"),
        ((URL, OUT), {"inputs": {"a": IN}, "progress": [OUT, IN]}, "progress takes an Output"),
        ((URL, OUT), {"inputs": {"a": IN}, "progress_default": 1}, "progress_default says what progress= shows"),
        ((URL, OUT), {"inputs": {"a": IN}, "progress": [OUT, OUT], "progress_default": 1}, "one value for each Output"),
        (("calc", OUT), {"inputs": {"a": IN}}, "address is like"),
        ((Remote(URL), OUT), {"inputs": {"a": IN}}, r"has many tasks. Name one: remote / 'multiply'"),
        ((OUT,), {"inputs": {"a": IN}}, "begins with an address"),
    ],
)
def test_a_wrong_declaration_fails(args: Any, options: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        declared(*args, **options)


@pytest.mark.parametrize("func", [generator, async_generator])
def test_a_generator_fails(func: Any) -> None:
    with pytest.raises(ConfigurationError, match="is a generator function.*progress=Output"):
        declared(URL, OUT, InputReceiver("r"), IN, func=func)


def test_the_receiver_is_an_inert_store() -> None:
    receiver = Receiver(id="receiver", interval=1000, n_intervals=0)
    assert isinstance(receiver, dcc.Store)
    assert receiver.to_plotly_json()["props"] == {"id": "receiver"}


def test_it_does_not_run_when_the_page_appears_unless_asked() -> None:
    for options, expected in (({}, True), ({"prevent_initial_call": False}, False)):
        app = declared(URL, OUT, InputReceiver("r"), IN, **options)
        (spec,) = app.callback_list
        assert spec["prevent_initial_call"] is expected
        assert spec["websocket"] is True and spec["output"] == "out.children"
        assert [each["id"] for each in spec["inputs"]] == ["go"], "No property of a receiver is waited for."


def test_it_can_be_declared_before_its_app() -> None:
    register = _dash.global_register()
    api_callback(URL, Output("early", "children"), InputReceiver("r"), IN)(show)
    try:
        assert "early.children" in register.entries
    finally:
        register.entries.clear()
        register.specs.clear()
