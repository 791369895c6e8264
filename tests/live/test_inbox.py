"""What threads push: one order for all, and no thread that keeps the loop from its work."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from flash import Patch
from flash.live.inbox import Inbox
from flash.live.outbox import update_of

from ..apps import run
from .asgi import in_process, live_app
from .tab import tab_of


def taken(inbox: Inbox) -> list[Any]:
    entries = iter(inbox.take, None)
    return [(entry.connection, entry.update.component, dict(entry.update.values)) for entry in entries]


def patch() -> Patch:
    one = Patch()
    one.append(1)
    return one


def test_a_value_takes_the_place_of_the_last_one_of_its_component() -> None:
    inbox = Inbox()
    assert inbox.put(None, [update_of("a", {"x": 1})]) is True
    assert inbox.put(None, [update_of("b", {"x": 1})]) is False
    inbox.put(None, [update_of("a", {"x": 2})])
    assert taken(inbox) == [(None, "a", {"x": b"2"}), (None, "b", {"x": b"1"})]
    assert (inbox.added, inbox.taken, len(inbox)) == (2, 2, 0)


def test_a_patch_is_kept_and_so_is_what_came_before_it() -> None:
    inbox = Inbox()
    inbox.put(None, [update_of("a", {"x": 1}), update_of("a", {"x": patch()}), update_of("a", {"x": 2})])
    assert len(taken(inbox)) == 3


def test_a_value_for_one_tab_is_not_replaced_by_one_for_all() -> None:
    inbox, connection = Inbox(), object()
    inbox.put(None, [update_of("a", {"x": 1})])
    inbox.put(connection, [update_of("a", {"x": 2})])  # type: ignore[arg-type]
    inbox.put(None, [update_of("a", {"x": 3})])
    assert [values for _, _, values in taken(inbox)] == [{"x": b"1"}, {"x": b"2"}, {"x": b"3"}]


def test_what_a_thread_pushed_before_the_loop_arrives_before_it() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site) as tab:
            for number in range(1, 21):
                thread = threading.Thread(target=app.push_mods, args=({"out": {"children": "older"}},))
                thread.start()
                thread.join()  # It has pushed, and the loop has had no turn.
                app.push_mods({"out": {"children": "newer"}})
                app.push_mods({"end": {"children": number}})
                await tab.until(lambda number=number: tab.value("end.children") == number)
                assert tab.value("out.children") == "newer"

    run(main)


def test_a_thread_that_pushes_without_a_pause_does_not_starve_the_loop() -> None:
    async def main() -> None:
        app, stop = live_app(rate=1e6, burst=10**6), threading.Event()
        async with in_process(app) as site, tab_of(site) as tab:

            def flood() -> None:
                number = 0
                while not stop.is_set():
                    number += 1
                    app.push_mods({"out": {"children": number}})

            thread = threading.Thread(target=flood)
            thread.start()
            try:
                turns = 0
                async with asyncio.timeout(20):
                    while turns < 20:
                        await asyncio.sleep(0.001)
                        turns += 1
                assert len(app.flash_live.sending.inbox) < 100
            finally:
                stop.set()
                thread.join()
            app.push_mods({"end": {"children": 1}})
            await tab.until(lambda: tab.value("end.children"))

    run(main)
