"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const {live, FakeWindow, CONFIG} = require("./fakes.js");

async function connected(config = {}) {
    const window = new FakeWindow();
    live.start(window, {...CONFIG, ...config});
    window.socket.welcome();
    await window.clock.run();
    return window;
}

const shown = window => window.document.children.map(({className, textContent}) => [className, textContent]);

test("the document is marked with the status", async () => {
    const window = new FakeWindow();
    live.start(window, {...CONFIG, indicator: false});
    const mark = () => window.document.documentElement.attributes["data-flash-live"];
    assert.equal(mark(), "connecting");
    window.socket.welcome();
    assert.equal(mark(), "connected");
    window.socket.end(4001);
    assert.equal(mark(), "closed");
});

test("a connection that is soon back is not mentioned", async () => {
    const window = await connected();
    window.socket.end(1006);
    await window.clock.pass(1000);
    window.socket.welcome();
    await window.clock.pass(5000);
    assert.deepEqual(shown(window), []);
});

test("one that is away for 1.5 s is shown, until it is back", async () => {
    const window = await connected();
    window.answer = () => null;
    window.socket.end(1006);
    await window.clock.pass(1499);
    assert.deepEqual(shown(window), []);
    await window.clock.pass(1);
    assert.deepEqual(shown(window), [["flash-live flash-live--reconnecting", "Reconnecting ..."]]);
    const [element] = window.document.children;
    assert.deepEqual(element.attributes, {role: "status", "aria-live": "polite"});
    window.answer = () => ({status: 401});
    live.connection.retry();
    await window.clock.run();
    assert.deepEqual(shown(window), [["flash-live flash-live--signed-out", "Signed out"]]);
    window.answer = () => ({status: 200, body: {ticket: "t"}});
    live.connection.retry();
    await window.clock.run();
    window.socket.welcome();
    assert.deepEqual(shown(window), []);
});

test("offline and closed have words of their own, and so has nothing else", async () => {
    const offline = await connected();
    offline.navigator.onLine = false;
    offline.answer = () => null;
    offline.socket.end(1006);
    await offline.clock.pass(1500);
    assert.deepEqual(shown(offline), [["flash-live flash-live--offline", "Offline"]]);
    const closed = await connected();
    closed.socket.end(4001);
    await closed.clock.pass(1500);
    assert.deepEqual(shown(closed), [["flash-live flash-live--closed", "Connection closed"]]);
    const connecting = new FakeWindow();
    live.start(connecting, CONFIG);
    await connecting.clock.pass(2000);
    assert.deepEqual(shown(connecting), []);
});

test("its rules are in one constructed style sheet, beside those of the page", async () => {
    const window = await connected();
    window.document.adoptedStyleSheets = ["the page's own"];
    for (const code of [4001, 4001]) {
        window.socket.end(code);
        await window.clock.pass(1500);
        live.connection.retry();
        await window.clock.run();
        window.socket.welcome();
    }
    assert.equal(window.document.adoptedStyleSheets.length, 2);
    assert.match(window.document.adoptedStyleSheets[1].rules, /:where\(\.flash-live\)/);
});

test("an app can do without it", async () => {
    const window = await connected({indicator: false});
    window.socket.end(4001);
    await window.clock.pass(60000);
    assert.deepEqual(shown(window), []);
});

test("in a browser without constructed style sheets it is shown without style", async () => {
    const window = await connected();
    window.CSSStyleSheet = function () {
        throw new TypeError("Illegal constructor");
    };
    window.socket.end(4001);
    await window.clock.pass(1500);
    assert.deepEqual(shown(window), [["flash-live flash-live--closed", "Connection closed"]]);
});
