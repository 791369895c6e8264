"""The refresh button of Freshness: who sees it, who may click it, and what a click does."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dash.testing.wait import until

from flash import Flash, Input, Output, components, html
from flash.data import Freshness, SourceError, declare, source
from flash.data import freshness as module
from flash.data.freshness import LABELS
from flash.exceptions import ConfigurationError

from ..apps import flash_app, run, serving

BUTTON = "#age button"


@pytest.fixture(autouse=True)
def own_sources(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sources and rules of one test are not those of the next."""
    monkeypatch.setattr(declare, "_sources", {})
    monkeypatch.setattr(module, "_refreshable", {})
    yield


class Orders:
    """A source whose runs a test lets end.

    Attributes:
        runs: How many have begun.
        began: Set by the first one.
        fails: Whether they fail.
    """

    def __init__(self) -> None:
        self.runs = 0
        self.fails = False
        self.began, self._end = asyncio.Event(), asyncio.Event()

        @source(every="1d", on_start=False, retry=0)
        async def orders() -> int:
            self.loop = asyncio.get_running_loop()
            self.runs += 1
            self.began.set()
            await self._end.wait()
            self._end.clear()
            if self.fails:
                raise SourceError("The exchange is closed today.")
            return self.runs

        self.source = orders

    def let_end(self) -> None:
        self.loop.call_soon_threadsafe(self._end.set)


class Door:
    """Says who may refresh: all, while it is open."""

    def __init__(self, is_open: bool = True) -> None:
        self.is_open = is_open
        self.asked: list[Any] = []

    async def may(self, client: Any) -> bool:
        self.asked.append(client)
        return self.is_open


def served(duo: Any, layout: Any, **options: Any) -> Flash:
    app = flash_app(**options)
    app.layout = layout
    duo.start_server(app)
    until(lambda: len(app.clients) == 1, 10)
    return app


def test_a_click_runs_the_source_once(clean_duo: Any) -> None:
    orders, door = Orders(), Door()
    app = served(clean_duo, lambda: html.Div(Freshness(orders.source, id="age", refresh=door.may)))
    button = clean_duo.wait_for_element(BUTTON)
    assert (button.text, door.asked, orders.runs) == ("Refresh", list(app.clients), 0)
    clean_duo.wait_for_text_to_equal("#age [role=status]", "No data yet")
    button.click()
    clean_duo.wait_for_element(f"{BUTTON}:disabled")
    clean_duo.wait_for_element("#age.flash-freshness--running")
    # What a page sends that does not keep to its button.
    clean_duo.driver.execute_script(
        "dash_clientside.set_props(JSON.parse(document.querySelector(arguments[0]).id), {clicks: 7})", BUTTON
    )
    until(lambda: len(door.asked) == 3, 10)
    orders.let_end()
    clean_duo.wait_for_element("#age.flash-freshness--fresh")
    clean_duo.wait_for_element(f"{BUTTON}:enabled")
    assert orders.runs == 1
    assert orders.source.get().value == 1


def test_a_failure_is_told_and_the_button_is_there_again(clean_duo: Any) -> None:
    orders = Orders()
    orders.fails = True
    served(clean_duo, lambda: html.Div(Freshness(orders.source, id="age", refresh=True, labels={"refresh": "Znovu"})))
    clean_duo.wait_for_text_to_equal(BUTTON, "Znovu")
    clean_duo.find_element(BUTTON).click()
    until(lambda: orders.runs == 1, 10)
    orders.let_end()
    clean_duo.wait_for_text_to_equal("#age [role=status]", "The exchange is closed today.")
    clean_duo.wait_for_element("#age.flash-freshness--failed")
    clean_duo.wait_for_element(f"{BUTTON}:enabled")


def test_who_may_not_gets_no_button(clean_duo: Any) -> None:
    orders, door = Orders(), Door(is_open=False)
    served(
        clean_duo,
        lambda: html.Div(
            [Freshness(orders.source, id="age", refresh=door.may), Freshness(orders.source, id="without")]
        ),
    )
    until(lambda: len(door.asked) == 1, 10)
    clean_duo.wait_for_text_to_equal("#without", "No data yet")
    assert clean_duo.find_elements("button") == []


def test_a_click_is_asked_about_anew(clean_duo: Any, caplog: pytest.LogCaptureFixture) -> None:
    orders, door = Orders(), Door()
    served(clean_duo, lambda: html.Div(Freshness(orders.source, id="age", refresh=door.may)))
    button = clean_duo.wait_for_element(BUTTON)
    door.is_open = False
    with caplog.at_level(logging.WARNING, "flash"):
        button.click()
        until(lambda: not clean_duo.find_elements(BUTTON), 10)
    assert orders.runs == 0
    assert "may not refresh the source 'orders'" in caplog.text


def test_an_output_that_a_client_may_not_change_has_no_button(clean_duo: Any) -> None:
    orders = Orders()
    app = flash_app()
    app.layout = lambda: html.Div([Freshness(orders.source, id="age", refresh=True), html.Output(id="ready")])
    seen: list[Any] = []

    @app.callback_authorize_output
    def may(client: Any, output: str | None) -> bool:
        seen.append(output)
        return output == "ready.children"

    @app.callback(Output("ready", "children"), Input("ready", "id"))
    def ready(_: str) -> str:
        return "ready"

    clean_duo.start_server(app)
    clean_duo.wait_for_text_to_equal("#ready", "ready")
    until(lambda: any("_flash-refresh" in str(each) for each in seen), 10)
    assert clean_duo.find_elements(BUTTON) == []


def test_it_works_where_a_callback_has_put_it(clean_duo: Any) -> None:
    orders, by_user = Orders(), []

    def may(client: Any) -> bool:
        by_user.append(client.user)
        return bool(client.user == "ann")

    app = flash_app(identify=lambda request: "ann", live=True)
    app.layout = html.Div([html.Button("More", id="more"), html.Div(id="place")])

    @app.callback(Output("place", "children"), Input("more", "n_clicks"), prevent_initial_call=True)
    def add(clicks: int) -> Any:
        return [Freshness(orders.source, id="age", refresh=may), Freshness(orders.source, id="second", refresh=may)]

    clean_duo.start_server(app)
    clean_duo.wait_for_element("#more").click()
    clean_duo.wait_for_element(BUTTON).click()
    until(lambda: orders.runs == 1, 10)
    orders.let_end()
    clean_duo.wait_for_element("#second button:enabled")
    until(lambda: orders.source.version == 1, 10)
    assert set(by_user) == {"ann"}


def test_a_source_has_one_rule() -> None:
    orders = Orders().source

    def rule(client: Any) -> bool:
        return True

    def made(allowed: str) -> Any:
        return lambda client: client.user == allowed

    Freshness(orders, refresh=rule)
    Freshness(orders, refresh=rule)
    Freshness(orders)
    for other in (True, made("ann")):
        with pytest.raises(ConfigurationError, match="another rule"):
            Freshness(orders, refresh=other)
    people = Orders().source
    Freshness(people, refresh=made("ann"))
    Freshness(people, refresh=made("ann"))
    with pytest.raises(ConfigurationError, match="decides by the client"):
        Freshness(people, refresh=made("bob"))


@pytest.mark.parametrize("rule", [False, "admin", 1, ["ann"]])
def test_a_wrong_rule_is_refused(rule: Any) -> None:
    with pytest.raises(ConfigurationError, match="None, True or a function"):
        Freshness(Orders().source, refresh=rule)


def test_only_sources_are_fresh() -> None:
    with pytest.raises(ConfigurationError, match="Freshness takes a source"):
        Freshness(lambda: 1)  # type: ignore[arg-type]


def test_it_marks_the_source_as_shown_and_ids_are_never_the_same() -> None:
    orders = Orders().source
    assert not orders.shown
    ids = [Freshness(orders, refresh=True).children.id for _ in range(2)]
    assert orders.shown
    assert ids[0] != ids[1]
    assert {each["source"] for each in ids} == {"orders"}


def test_labels_are_those_of_the_script() -> None:
    script = (Path(components.__file__).parent / "client" / "age.js").read_text()
    known = re.findall(r"^        (\w+): ", script[script.index("const LABELS") : script.index("};")], re.MULTILINE)
    assert (*known, "refresh") == LABELS
    with pytest.raises(ConfigurationError, match="it knows no 'fresh'"):
        Freshness(Orders().source, labels={"fresh": "Neu"})


def click(source_name: Any, clicks: int | None = 1) -> dict[str, Any]:
    """The body of a request as the button of a page sends it; without clicks that of one that appears."""
    name = {"type": "_flash-refresh", "source": source_name, "number": "a"}
    pattern = '{"number":["MATCH"],"source":["MATCH"],"type":"_flash-refresh"}.allowed'
    return {
        "output": pattern,
        "outputs": {"id": name, "property": "allowed"},
        "inputs": [{"id": name, "property": "clicks", "value": clicks}],
        "changedPropIds": [] if clicks is None else [f"{json.dumps(name, sort_keys=True)}.clicks"],
        "state": [],
    }


async def ask(client: Any, body: dict[str, Any]) -> Any:
    return await client.post("/_dash-update-component", json=body)


def test_a_click_while_it_runs_is_ignored() -> None:
    async def main() -> None:
        orders, app = Orders(), flash_app()
        app.layout = html.Div(Freshness(orders.source, refresh=True))
        async with serving(app) as client:
            first = asyncio.create_task(ask(client, click("orders")))
            await orders.began.wait()
            second = await ask(client, click("orders"))
            assert second.status_code == 200 and not first.done()
            orders.let_end()
            assert (await first).status_code == 200
        assert orders.runs == 1

    run(main)


def test_a_click_at_a_source_that_follows_others_reads_these_anew() -> None:
    async def main() -> None:
        runs: list[str] = []

        @source(every="1d", on_start=False)
        async def orders() -> int:
            runs.append("orders")
            return len(runs)

        @source(every="1d", on_start=False)
        async def rates() -> int:
            runs.append("rates")
            return len(runs)

        @source(after=(orders, rates))
        async def priced(orders: int, rates: int) -> int:
            return orders * rates

        @source(after=(priced, orders))
        async def report(priced: int, orders: int) -> int:
            return priced + orders

        app = flash_app()
        app.layout = html.Div(Freshness(report, refresh=True))
        async with serving(app) as client:
            await ask(client, click("report"))
            assert (await report.first(10)).value == 3
        assert runs == ["orders", "rates"]

    run(main)


def test_an_asynchronous_layout_may_make_it() -> None:
    async def main() -> None:
        orders, app = Orders(), flash_app()

        async def layout() -> Any:
            return html.Div(Freshness(orders.source, refresh=True))

        app.layout = layout
        async with serving(app) as client:
            assert b'"id":"_flash-status-orders"' in await (await client.get("/_dash-layout")).get_data()
            assert (await ask(client, click("orders", None))).status_code == 200

    run(main)


@pytest.mark.parametrize("name", ["nothing", "", None, 5, ["orders"], {"orders": 1}])
def test_what_is_no_source_is_not_run(name: Any) -> None:
    async def main() -> None:
        orders, app = Orders(), flash_app()
        app.layout = html.Div(Freshness(orders.source, refresh=True))
        async with serving(app) as client:
            assert (await ask(client, click("orders", None))).status_code == 200
            assert (await ask(client, click(name))).status_code == 204
            for outputs in ([], [{"id": "orders", "property": "allowed"}], {"id": "orders", "property": "allowed"}):
                answer = await ask(client, {**click("orders"), "outputs": outputs})
                assert answer.status_code < 500, outputs
        assert orders.runs == 0

    run(main)
