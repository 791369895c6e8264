"""What two people share over lines that are slow or break, and when the server is started anew."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.keys import Keys

from ..live.conftest import Page, wait_until
from ..live.proxy import proxy_beside
from .conftest import Open, Start
from .windows import ran, show

pytestmark = pytest.mark.usefixtures("browser")

SENTENCE = "the quick brown fox jumps over the lazy dog"
INPUTS = "window.inputs = []; document.getElementById('shared-input').oninput = ({target}) => inputs.push(target.value)"


def test_over_a_slow_line_typing_and_dragging_are_as_free_as_over_a_fast_one(
    start_app: Start, open_window: Open
) -> None:
    server = start_app("example1")
    with proxy_beside(server.port) as proxy:
        proxy.delay = 0.15
        a, b = open_window(proxy.address), open_window(proxy.address)
        for window in (a, b):
            window.is_connected()
        a.run(INPUTS)
        a.click("shared-input")
        for word in SENTENCE.split(" "):
            a.keys(*word, " ")
        a.keys(Keys.BACK_SPACE)
        show((a, b), 5, SENTENCE)
        # What has come back meanwhile has taken no letter away.
        typed = SENTENCE + " "
        assert a.run("return inputs") == [*(typed[:end] for end in range(1, len(typed) + 1)), SENTENCE]
        assert b.asked("shared-input-output.children") == []

        a.press("shared-slider")
        b.press("shared-slider")
        for up, down in zip((6, 7, 8, 9), (4, 3, 2, 1), strict=True):
            a.move("shared-slider", up)
            b.move("shared-slider", down)
        assert (a.thumb("shared-slider"), b.thumb("shared-slider")) == (9, 1)
        a.release()
        b.release()
        wait_until(lambda: {1, 9} <= set(ran(server, "shared_slider")))
        last = ran(server, "shared_slider")[-1]
        assert last in (1, 9)
        show((a, b), last, SENTENCE)


def test_what_was_changed_while_the_line_was_cut_counts_when_it_is_back(
    start_app: Start, browser: Page, open_window: Open
) -> None:
    server = start_app("example1")
    with proxy_beside(server.port) as proxy:
        a, b = open_window(proxy.address), open_window(server.address)
        for window in (a, b):
            window.is_connected()
        show((a, b), 5, "")
        proxy.down = True
        proxy.cut()
        wait_until(lambda: server.do("[client.away for client in app.clients]") == [True, False])
        b.drag("shared-slider", 8)
        b.shows("shared-slider-output", "8")
        a.type("shared-input", "kept")
        assert (a.thumb("shared-slider"), b.field("shared-input")) == (5, "")
        proxy.down = False
        show((a, b), 8, "kept")
        assert ran(server, "shared_slider") == [5, 8]
        assert a.asked("shared-slider-output.children") == []
        # What the console says of the cut.
        browser.errors()


def test_when_the_server_has_forgotten_everything_all_tabs_show_the_same_again(
    start_app: Start, browser: Page, open_window: Open
) -> None:
    server = start_app("example1")
    a, b = open_window(server.address), open_window(server.address)
    for window in (a, b):
        window.is_connected()
    a.drag("shared-slider", 8)
    b.type("shared-input", "abc")
    show((a, b), 8, "abc")
    server.kill()
    server.start()
    for window in (a, b):
        window.is_connected()
    c = open_window(server.address)
    show((a, b, c), 5, "")
    a.drag("shared-slider", 6)
    show((a, b, c), 6, "")
    # What the console says of the time without a server.
    browser.errors()
