"""A network that delivers twice what a browser has sent once: each callback runs once, and nothing is doubled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import LiveServer, Page, wait_until
from .proxy import Proxy
from .test_browser import append, numbers

pytestmark = pytest.mark.usefixtures("browser")

Start = Callable[..., LiveServer]
Open = Callable[..., Page]
Between = Callable[[LiveServer], Proxy]

#: Where the page posts its messages.
SEND = "/_flash/live/send"


def clicked_while_away(server: LiveServer, proxy: Proxy, page: Page) -> None:
    """Push and click before, while and after the network is gone; each event and each click shows once."""
    page.shows("clicked", "clicked 0")
    for count in range(1, 4):
        page.click("click")
        page.shows("clicked", f"clicked {count}")
    append(server, 1)
    page.shows("events", numbers(1))
    proxy.down = True
    proxy.cut()
    own = f"[client.away for client in clients if client.id == {page.state['client']!r}]"
    wait_until(lambda: server.do(own) == [True], seconds=20)
    append(server, 2, 3)
    page.click("click")
    proxy.down = False
    page.comes_to("connected")
    page.shows("clicked", "clicked 4")
    append(server, 4)
    # The answer to this comes after all that is to come.
    page.click("click")
    page.shows("clicked", "clicked 5")
    assert page.text("events") == numbers(1, 2, 3, 4)
    assert server.do("[run for run in runs if 'click' in run]") == [f"click {count}" for count in range(6)]
    assert page.state["recovered"] is True


def test_frames_that_come_twice_do_nothing_twice(start_server: Start, open_page: Open, proxy_for: Between) -> None:
    server = start_server()
    proxy = proxy_for(server)
    proxy.duplicates_frames = True
    page = open_page(proxy.address)
    page.shows("greeted", "hello 1")
    clicked_while_away(server, proxy, page)
    server.do("app.push_mods({'tree': {'children': html.Button('Inner', id='inner')}})")
    page.shows("of-tree", "inner None by a tab")
    assert page.state["transport"] == "websocket"
    assert proxy.duplicated >= 8  # A hello, a resume and six clicks.
    page.driver.get("about:blank")
    wait_until(lambda: server.do("[here for _, here in arrivals]") == [True, False], seconds=5)


@pytest.mark.parametrize("gathering", [False, True])
def test_posts_that_come_twice_do_nothing_twice(
    start_server: Start, open_page: Open, proxy_for: Between, gathering: bool
) -> None:
    server = start_server()
    proxy = proxy_for(server)
    proxy.blocks_upgrades = "502"
    proxy.gathers_streams = gathering
    proxy.duplicates_posts = SEND
    page = open_page(proxy.address)
    clicked_while_away(server, proxy, page)
    assert page.state["transport"] == ("poll" if gathering else "stream")
    assert proxy.duplicated >= 8  # A hello, a resume and six clicks.


def test_a_hello_that_is_posted_twice_makes_one_client(
    start_server: Start, open_page: Open, proxy_for: Between
) -> None:
    server = start_server()
    proxy = proxy_for(server)
    proxy.blocks_upgrades = "502"
    proxy.duplicates_posts = SEND
    page = open_page(proxy.address)
    page.shows("greeted", "hello 1")
    page.click("click")
    page.shows("clicked", "clicked 1")
    wait_until(lambda: proxy.duplicated >= 2)  # A hello and a click.
    assert server.do("len(arrivals)") == 1
    assert server.do("[client.id for client in clients]") == [page.state["client"]]
