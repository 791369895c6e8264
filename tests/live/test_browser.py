"""The live connection in real browsers: push, presence, reconnects, restarts, and every way around a blocked socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import LiveServer, Page, wait_until
from .proxy import Proxy

pytestmark = pytest.mark.usefixtures("browser")

Start = Callable[..., LiveServer]
Open = Callable[..., Page]
Between = Callable[[LiveServer], Proxy]


def append(server: LiveServer, *numbers: int) -> None:
    for number in numbers:
        server.do(f"append({number})")


def numbers(*expected: int) -> str:
    return " ".join(map(str, expected))


def test_what_is_pushed_reaches_every_tab_and_its_own_callbacks(start_server: Start, open_page: Open) -> None:
    server = start_server()
    first, second = open_page(server.address), open_page(server.address)
    for page in (first, second):
        page.shows("clicked", "clicked 0")
        page.comes_to("connected")
    server.do("app.push_mods({'tree': {'children': html.Button('Inner', id='inner')}})")
    for page in (first, second):
        page.shows("of-tree", "inner None by a tab")
    first.click("inner")
    first.shows("of-tree", "inner 1 by a tab")
    assert second.text("of-tree") == "inner None by a tab"
    server.do("app.push_mods({'pushed': {'children': 'to one'}}, client=clients[0])")
    first.shows("pushed", "to one")
    assert second.text("pushed") == "-"
    assert first.errors() == second.errors() == []


def test_each_tab_of_a_browser_is_a_client_that_is_gone_when_it_is_closed(start_server: Start, open_page: Open) -> None:
    server = start_server()
    page = open_page(server.address)
    page.shows("greeted", "hello 1")
    page.new_tab(server.address)
    page.shows("greeted", "hello 2")
    assert server.do("len(clients)") == 2
    page.driver.close()
    wait_until(lambda: server.do("len(clients)") == 1, seconds=5)
    page.driver.switch_to.window(page.driver.window_handles[0])
    page.driver.refresh()
    page.shows("greeted", "hello 3")
    wait_until(
        lambda: (
            server.do("[here for _, here in arrivals]") == [True, True, False, False, True]
            or (server.do("sorted(here for _, here in arrivals)") == [False, False, True, True, True])
        )
    )
    assert server.do("len(clients)") == 1


def test_events_missed_while_the_link_was_cut_come_in_order_and_once(
    start_server: Start, open_page: Open, proxy_for: Between
) -> None:
    server = start_server()
    proxy = proxy_for(server)
    page = open_page(proxy.address)
    page.shows("greeted", "hello 1")
    append(server, 1, 2)
    page.shows("events", numbers(1, 2))
    name = page.state["client"]
    for number in range(3, 12, 3):
        proxy.down = True
        proxy.cut()
        page.comes_to("reconnecting")
        wait_until(lambda: server.do("[client.away for client in clients]") == [True])
        append(server, number, number + 1)
        proxy.down = False
        page.comes_to("connected")
        append(server, number + 2)
        page.shows("events", numbers(*range(1, number + 3)))
    assert page.state["client"] == name and page.state["recovered"] is True
    assert server.do("[here for _, here in arrivals]") == [True]


def test_a_dead_link_is_noticed_at_both_ends(start_server: Start, open_page: Open, proxy_for: Between) -> None:
    server = start_server()
    proxy = proxy_for(server)
    page = open_page(proxy.address)
    page.shows("greeted", "hello 1")
    proxy.stall()
    wait_until(lambda: server.do("[client.away for client in clients]") == [True], seconds=10)
    append(server, 1)
    proxy.go_on()
    page.shows("events", "1")
    page.comes_to("connected")
    assert server.do("[here for _, here in arrivals]") == [True]


def test_a_click_while_the_network_is_gone_runs_once_when_it_is_back(
    start_server: Start, open_page: Open, proxy_for: Between
) -> None:
    server = start_server()
    proxy = proxy_for(server)
    page = open_page(proxy.address)
    page.shows("clicked", "clicked 0")
    proxy.down = True
    proxy.cut()
    page.comes_to("reconnecting")
    page.click("click")
    proxy.down = False
    page.shows("clicked", "clicked 1")
    assert server.do("[run for run in runs if 'click' in run]") == ["click 0", "click 1"]


def test_an_answer_that_was_cut_off_still_comes_and_the_function_runs_once(
    start_server: Start, open_page: Open, proxy_for: Between
) -> None:
    server = start_server(SLOW="1")
    proxy = proxy_for(server)
    page = open_page(proxy.address)
    page.shows("clicked", "clicked 0")
    page.click("slow")
    wait_until(lambda: "slow 1" in server.do("runs"))
    proxy.cut()
    page.shows("slowed", "slow 1")
    assert server.do("runs.count('slow 1')") == 1


def test_after_a_crash_what_was_running_fails_visibly_and_the_page_begins_anew(
    start_server: Start, open_page: Open
) -> None:
    server = start_server(SLOW="60")
    page = open_page(server.address)
    page.shows("greeted", "hello 1")
    page.run("window.errors = []; window.addEventListener('error', e => errors.push(e.message));")
    page.click("slow")
    wait_until(lambda: "slow 1" in server.do("runs"))
    server.kill()
    page.comes_to("reconnecting")
    page.click("click")  # Not sent before the crash: it runs on the new server.
    server.start()
    page.shows("clicked", "clicked 1")
    page.comes_to("connected")
    assert page.state["recovered"] is False
    assert server.do("[run for run in runs if run != 'persistent']") == ["click 1"]
    assert server.do("[here for _, here in arrivals]") == [True]
    wait_until(lambda: any("connection was lost while this was running" in each for each in page.errors()))


def test_a_server_that_ends_says_so_and_the_page_comes_back_by_itself(start_server: Start, open_page: Open) -> None:
    server = start_server(SLOW="0.5")
    page = open_page(server.address)
    page.shows("greeted", "hello 1")
    page.click("slow")
    wait_until(lambda: "slow 1" in server.do("runs"))
    assert server.stop() == 0
    page.shows("slowed", "slow 1")  # It was answered before the end.
    page.comes_to("reconnecting")
    server.start()
    page.comes_to("connected")
    page.click("click")
    page.shows("clicked", "clicked 1")


def test_a_callback_that_may_run_again_does_after_a_crash(start_server: Start, open_page: Open) -> None:
    server = start_server(HANG="1")
    page = open_page(server.address)
    page.shows("greeted", "hello 1")
    page.click("again")
    wait_until(lambda: "again 1" in server.do("runs"))
    server.kill()
    server.start(HANG="")
    page.shows("repeated", "again 1")


def test_persistent_callbacks_run_again_when_the_server_was_started_anew(start_server: Start, open_page: Open) -> None:
    server = start_server()
    page = open_page(server.address)
    page.shows("persistent", "run 1")
    server.do("app.push_mods({'persistent': {'children': ''}})")
    page.shows("persistent", "")
    server.kill()
    server.start()
    page.shows("persistent", "run 1")
    assert server.do("runs.count('persistent')") == 1


def test_a_page_is_loaded_again_after_a_gap_when_the_app_asks_for_it(start_server: Start, open_page: Open) -> None:
    server = start_server({"on_gap": "reload"})
    page = open_page(server.address)
    page.shows("greeted", "hello 1")
    page.run("window.before = true")
    server.kill()
    server.start()
    wait_until(lambda: page.run("return window.before") is None)
    page.comes_to("connected")
    assert page.state["recovered"] is True


def test_more_missed_than_the_window_holds_is_a_gap_and_no_hole(
    start_server: Start, open_page: Open, proxy_for: Between
) -> None:
    server = start_server({"resume_messages": 5})
    proxy = proxy_for(server)
    page = open_page(proxy.address)
    page.shows("greeted", "hello 1")
    proxy.down = True
    proxy.cut()
    wait_until(lambda: server.do("[client.away for client in clients]") == [True])
    append(server, *range(10))
    proxy.down = False
    wait_until(lambda: page.state["recovered"] is False)
    page.comes_to("connected")
    page.shows("greeted", "hello 2")
    assert page.text("events") == ""
    wait_until(lambda: server.do("[here for _, here in arrivals]") in ([True, False, True], [True, True, False]))


def test_a_page_that_stands_still_is_away_and_harms_no_other(start_server: Start, open_page: Open) -> None:
    server = start_server()
    frozen, other = open_page(server.address), open_page(server.address)
    for page in (frozen, other):
        page.shows("clicked", "clicked 0")
        page.comes_to("connected")
    frozen.freeze()
    try:
        wait_until(lambda: server.do("[client.away for client in clients]") == [True, False], seconds=10)
        append(server, 1, 2)
        other.shows("events", numbers(1, 2))
        other.click("click")
        other.shows("clicked", "clicked 1")
    finally:
        frozen.thaw()
    frozen.shows("events", numbers(1, 2))
    frozen.comes_to("connected")
    assert server.do("[here for _, here in arrivals]") == [True, True]


def test_a_server_that_stands_still_is_noticed_and_nothing_is_lost(start_server: Start, open_page: Open) -> None:
    server = start_server({"answer": 1.0})
    page = open_page(server.address)
    page.shows("clicked", "clicked 0")
    server.stall()
    page.click("click")
    page.comes_to("reconnecting")
    server.go_on()
    page.shows("clicked", "clicked 1")
    assert server.do("runs.count('click 1')") == 1


def test_a_slow_line_changes_nothing_but_the_time(start_server: Start, open_page: Open, proxy_for: Between) -> None:
    server = start_server({"heartbeat": 5.0, "answer": 5.0})
    proxy = proxy_for(server)
    proxy.delay = 0.15
    page = open_page(proxy.address)
    page.shows("greeted", "hello 1")
    append(server, *range(20))
    page.shows("events", numbers(*range(20)))
    for _ in range(3):
        page.click("click")
    page.shows("clicked", "clicked 3")


def test_callbacks_over_http_know_their_tab_a_duplicated_one_too(start_server: Start, open_page: Open) -> None:
    server = start_server()
    page = open_page(server.address)
    page.shows("greeted", "hello 1")
    end_id = page.run("return JSON.parse(document.getElementById('_dash-config').textContent).end_id")
    # What a browser does that shows a tab's page again without asking for it.
    page.before_load(
        "document.addEventListener('readystatechange', () => {"
        "const config = document.getElementById('_dash-config');"
        f"if (config) config.textContent = JSON.stringify({{...JSON.parse(config.textContent), end_id: '{end_id}'}});"
        "});"
    )
    tab = page.new_tab(server.address)
    page.driver.switch_to.window(tab)
    page.shows("greeted", "hello 2")
    names = server.do("[client.id for client in clients]")
    for handle, name in zip(page.driver.window_handles, names, strict=True):
        page.driver.switch_to.window(handle)
        page.click("ask")
        page.shows("asked", f"{name} over HTTP")


def test_a_page_that_is_shown_again_by_the_back_button_is_connected(start_server: Start, open_page: Open) -> None:
    server = start_server()
    page = open_page(server.address)
    page.shows("greeted", "hello 1")
    page.driver.get("about:blank")
    wait_until(lambda: server.do("len(clients)") == 0, seconds=5)
    page.driver.back()
    page.shows("clicked", "clicked 0")
    page.comes_to("connected")
    page.click("click")
    page.shows("clicked", "clicked 1")


@pytest.mark.parametrize("blocking", ["502", "swallow", "hang"])
@pytest.mark.parametrize("gathering", [False, True])
def test_without_websockets_all_works_another_way(
    start_server: Start, open_page: Open, proxy_for: Between, blocking: Any, gathering: bool
) -> None:
    server = start_server()
    proxy = proxy_for(server)
    proxy.blocks_upgrades = blocking
    proxy.gathers_streams = gathering
    page = open_page(proxy.address)
    page.shows("clicked", "clicked 0")
    page.shows("greeted", "hello 1")
    assert page.state["transport"] == ("poll" if gathering else "stream")
    append(server, 1, 2)
    page.shows("events", numbers(1, 2))
    page.click("click")
    page.shows("clicked", "clicked 1")
    server.do("app.push_mods({'tree': {'children': html.Button('Inner', id='inner')}})")
    page.shows("of-tree", "inner None by a tab")
    proxy.down = True
    proxy.cut()
    wait_until(lambda: server.do("[client.away for client in clients]") == [True], seconds=20)
    append(server, 3)
    proxy.down = False
    append(server, 4)
    page.shows("events", numbers(1, 2, 3, 4))
    assert server.do("[here for _, here in arrivals]") == [True]


def test_without_websockets_the_tabs_of_a_browser_share_one_stream(
    start_server: Start, open_page: Open, proxy_for: Between
) -> None:
    server = start_server()
    proxy = proxy_for(server)
    proxy.blocks_upgrades = "502"
    page = open_page(proxy.address)
    page.shows("greeted", "hello 1")
    holder = page.driver.current_window_handle
    tabs = [page.new_tab(proxy.address) for _ in range(7)]
    for tab in tabs:
        page.driver.switch_to.window(tab)
        page.shows("clicked", "clicked 0")
        page.comes_to("connected")
    assert proxy.requests["/_flash/live/stream"] == 1
    append(server, 1)
    for tab in (holder, *tabs):
        page.driver.switch_to.window(tab)
        page.shows("events", "1")
    page.driver.switch_to.window(holder)
    page.driver.close()
    page.driver.switch_to.window(tabs[0])
    append(server, 2)
    for tab in tabs:
        page.driver.switch_to.window(tab)
        page.shows("events", numbers(1, 2))
    wait_until(lambda: server.do("len(clients)") == 7)


def test_without_websockets_a_page_that_is_loaded_again_is_gone_at_once(
    start_server: Start, open_page: Open, proxy_for: Between
) -> None:
    server = start_server()
    proxy = proxy_for(server)
    proxy.blocks_upgrades = "502"
    page = open_page(proxy.address)
    page.shows("greeted", "hello 1")
    page.driver.refresh()
    page.shows("greeted", "hello 2")
    wait_until(lambda: server.do("[here for _, here in arrivals].count(False)") == 1, seconds=10)
    assert server.do("[client.id for client in clients]") == [page.state["client"]]


def test_a_user_who_has_signed_out_is_told_and_stays_out(
    start_server: Start, open_page: Open, proxy_for: Between
) -> None:
    server = start_server()
    proxy = proxy_for(server)
    page = open_page(proxy.address)
    page.driver.add_cookie({"name": "user", "value": "ann"})
    page.driver.refresh()
    page.shows("clicked", "clicked 0")
    wait_until(lambda: server.do("[client.user for client in clients]") == ["ann"])
    server.do("app.disconnect(user='ann')")
    page.comes_to("signed-out")
    wait_until(lambda: server.do("len(clients)") == 0)
    page.driver.refresh()
    page.comes_to("connected")
    page.driver.add_cookie({"name": "user", "value": "nobody"})
    proxy.cut()
    page.comes_to("signed-out")


def test_properties_of_components_that_are_not_there_yet_wait_for_them(start_server: Start, open_page: Open) -> None:
    server = start_server()
    page = open_page(server.address)
    page.shows("greeted", "hello 1")
    server.do("app.push_mods({'late': {'children': 'old'}})")
    server.do("app.push_mods({'late': {'children': 'parked'}})")
    server.do("app.push_mods({'late': {'title': 'a title'}})")
    append(server, 1)
    page.shows("events", "1")
    page.click("mount")
    page.shows("late", "parked")
    wait_until(lambda: page.run("return document.getElementById('late').title") == "a title")


def test_a_large_request_is_taken(start_server: Start, open_page: Open) -> None:
    server = start_server({"post_bytes": 10_000})
    page = open_page(server.address)
    page.shows("greeted", "hello 1")
    page.run("dash_clientside.set_props('large', {data: 'x'.repeat(3000000)})")
    page.click("send")
    page.click("click")
    page.shows("sent", "3000000 characters")
    page.shows("clicked", "clicked 1")


def test_a_browser_without_shared_workers_is_served_alike(start_server: Start, open_page: Open) -> None:
    server = start_server()
    page = open_page(server.address, "delete window.SharedWorker")
    page.shows("greeted", "hello 1")
    page.click("click")
    page.shows("clicked", "clicked 1")


def test_a_content_security_policy_without_inline_scripts_lets_it_through(start_server: Start, open_page: Open) -> None:
    server = start_server(CSP="1")
    page = open_page(server.address)
    page.shows("greeted", "hello 1")
    page.click("click")
    page.shows("clicked", "clicked 1")
    server.kill()
    page.comes_to("reconnecting")
    wait_until(lambda: page.run("return document.querySelector('.flash-live--reconnecting') !== null"))
    # Dash's own components write style elements, which this policy refuses.
    refused = [each for each in page.errors() if "Content Security Policy" in each]
    assert [each for each in refused if "script-src" in each or "/_flash/" in each] == []
