"""Windows of one browser, in which people move sliders and type at the same time."""

from __future__ import annotations

from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from ..live.conftest import LiveServer, Page, wait_until

# Writes down, from the first moment of a page: which callbacks it asks for and how, what its outputs, sliders and
# progress bars have shown one after the other, its layout as it was served, and what went wrong.
WATCH = """
(() => {
window.watched = {asked: [], shown: {}, layout: null, errors: []};
addEventListener("error", ({message}) => watched.errors.push(message));
addEventListener("unhandledrejection", ({reason}) => watched.errors.push(String(reason)));
console.error = (...parts) => watched.errors.push(parts.join(" "));

const {fetch} = window;
window.fetch = async (url, options) => {
    if (String(url).includes("_dash-update-component")) {
        watched.asked.push({over: "http", output: JSON.parse(options.body).output});
    }
    const response = await fetch(url, options);
    if (String(url).includes("_dash-layout")) {
        watched.layout = await response.clone().text();
    }
    return response;
};
const {send} = WebSocket.prototype;
WebSocket.prototype.send = function (frame) {
    const {type, payload} = JSON.parse(frame);
    if (type === "callback_request") {
        watched.asked.push({over: "live", output: payload.output});
    }
    return send.call(this, frame);
};
const write = (name, value) => {
    const values = (watched.shown[name] ||= []);
    if (values.at(-1) !== value) {
        values.push(value);
    }
};
new MutationObserver(() => {
    document.querySelectorAll("output").forEach(({id, textContent}) => write(id, textContent));
    document.querySelectorAll("progress").forEach(({id, value}) => write(id, value));
    document
        .querySelectorAll("[role=slider]")
        .forEach(thumb => write(thumb.closest("[id]").id, Number(thumb.getAttribute("aria-valuenow"))));
}).observe(document, {attributes: true, characterData: true, childList: true, subtree: true});
})();
"""


class Window:
    """One window: a tab with a page, of a browser that may show others beside it.

    Args:
        page: The browser.
        address: What it shows.
    """

    #: The window to which each browser is turned.
    _front: ClassVar[WeakKeyDictionary[Page, Window]] = WeakKeyDictionary()

    def __init__(self, page: Page, address: str) -> None:
        self._page = page
        page.driver.switch_to.new_window("window")
        self._handle = page.driver.current_window_handle
        self._front[page] = self
        # Whoever sits before it looks at it, whatever other windows there are.
        page.driver.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})
        page.before_load(WATCH)
        page.open(address)
        self._at = (0.0, 0.0)

    @property
    def page(self) -> Page:
        """The browser, turned to this window."""
        if self._front.get(self._page) is not self:
            self._page.driver.switch_to.window(self._handle)
            self._front[self._page] = self
        return self._page

    def run(self, script: str, *args: Any) -> Any:
        """Run JavaScript in it."""
        return self.page.run(script, *args)

    def close(self) -> list[str]:
        """Close it, as a user does. Returns the errors that it has seen; of a window that is closed, none."""
        if self._handle not in self._page.driver.window_handles:
            return []
        errors: list[str] = self.watched("errors")
        self.page.driver.close()
        self._page.driver.switch_to.window(self._page.driver.window_handles[0])
        del self._front[self._page]
        return errors

    # What it shows.

    def text(self, name: str) -> str:
        """What a component shows."""
        text: str = self.run("return document.getElementById(arguments[0])?.innerText ?? ''", name)
        return text

    def shows(self, name: str, text: str) -> None:
        """Wait until a component shows a text."""
        wait_until(lambda: self.text(name) == text, lambda: f"#{name} shows {self.text(name)!r}, not {text!r}")

    def field(self, name: str) -> str:
        """What stands in a text field."""
        value: str = self.run("return document.getElementById(arguments[0])?.value ?? ''", name)
        return value

    def reads(self, name: str, text: str) -> None:
        """Wait until a text stands in a field."""
        wait_until(lambda: self.field(name) == text, lambda: f"#{name} holds {self.field(name)!r}, not {text!r}")

    def thumb(self, name: str) -> int | None:
        """Where the thumb of a slider is; None while there is no slider."""
        found: int | None = self.run(
            "const thumb = document.querySelector(`#${arguments[0]} [role=slider]`);"
            "return thumb && Number(thumb.getAttribute('aria-valuenow'))",
            name,
        )
        return found

    def points(self, name: str, value: int) -> None:
        """Wait until a slider is at a value."""
        wait_until(lambda: self.thumb(name) == value, lambda: f"#{name} is at {self.thumb(name)}, not at {value}")

    def is_connected(self) -> None:
        """Wait until it has its live connection."""
        wait_until(lambda: self.run("return window.FlashLive?.connection?.state?.status") == "connected")

    def watched(self, what: str) -> Any:
        """What was written down of the page: ``asked``, ``shown``, ``layout`` or ``errors``."""
        return self.run("return watched[arguments[0]]", what)

    def asked(self, output: str = "") -> list[str]:
        """The callbacks that it has asked for, first to last, or those of one output: ``live`` or ``http`` each."""
        return [each["over"] for each in self.watched("asked") if output in ("", each["output"])]

    # What its user does.

    def press(self, name: str) -> None:
        """Press the pointer's button on the thumb of a slider, and keep it down."""
        script = (
            "const {x, y, width, height} = document.querySelector(`#${arguments[0]} [role=slider]`)"
            ".getBoundingClientRect(); return [x + width / 2, y + height / 2]"
        )
        self._at = tuple(self.run(script, name))
        self._pointer("mouseMoved", buttons=0)
        self._pointer("mousePressed", button="left", clickCount=1)

    def move(self, name: str, value: int) -> None:
        """Move the pointer to where a slider has a value."""
        script = (
            "const slider = document.getElementById(arguments[0]); const thumb = slider.querySelector('[role=slider]');"
            "const [least, most] = ['aria-valuemin', 'aria-valuemax'].map(each => Number(thumb.getAttribute(each)));"
            "const {x, width} = slider.querySelector('.dash-slider-track').getBoundingClientRect();"
            "const half = thumb.getBoundingClientRect().width / 2;"
            "return x + half + (width - 2 * half) * (arguments[1] - least) / (most - least)"
        )
        self._at = (self.run(script, name, value), self._at[1])
        self._pointer("mouseMoved", button="left")

    def release(self) -> None:
        """Let go of the pointer's button."""
        self._pointer("mouseReleased", button="left", clickCount=1, buttons=0)

    def drag(self, name: str, *values: int) -> None:
        """Drag a slider along values, and let go."""
        self.press(name)
        for value in values:
            self.move(name, value)
        self.release()

    def click(self, name: str) -> None:
        """Click a component."""
        self.page.click(name)

    def type(self, name: str, text: str) -> None:
        """Type into a field, at its end."""
        self.page.driver.find_element("id", name).send_keys(text)

    def keys(self, *keys: str) -> None:
        """Press keys, where the caret is."""
        ActionChains(self.page.driver, duration=0).send_keys(*keys).perform()

    def step(self, name: str, key: str = Keys.ARROW_RIGHT) -> None:
        """Move a slider by a key."""
        self.page.driver.find_element("css selector", f"#{name} [role=slider]").send_keys(key)

    def _pointer(self, kind: str, *, buttons: int = 1, **details: Any) -> None:
        x, y = self._at
        event = {"type": kind, "x": x, "y": y, "buttons": buttons, "pointerType": "mouse", **details}
        self.page.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)


def ran(server: LiveServer, name: str) -> list[Any]:
    """The values with which a function of one argument has run, first to last."""
    return [args[0] for func, args, _ in server.do("runs") if func == name]


def show(windows: tuple[Window, ...], slider: int, text: str) -> None:
    """Wait until windows of example1 or example1a show these shared values, in the controls and in the outputs."""
    expected = [slider, str(slider), text, text]
    script = (
        "const of = name => document.getElementById(`shared-${name}`);"
        "const thumb = of('slider')?.querySelector('[role=slider]');"
        "return thumb && [Number(thumb.getAttribute('aria-valuenow')), of('slider-output').innerText,"
        " of('input').value, of('input-output').innerText]"
    )
    for window in windows:
        wait_until(
            lambda window=window: window.run(script) == expected,
            lambda window=window: f"{window.run(script)}, not {expected}",
        )
