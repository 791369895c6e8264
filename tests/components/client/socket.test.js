"use strict";

const assert = require("node:assert");
const {test} = require("node:test");

require("../../../flash/components/client/socket.js");
const {Socket, Turns} = globalThis.flash_components;

/** A page with sockets and timers that tests let go. */
class Page extends EventTarget {
    constructor() {
        super();
        const page = this;
        this.URL = URL;
        this.Math = {random: () => 1};
        this.Date = {now: () => this.now};
        this.now = 1000;
        this.timers = new Map();
        this.sockets = [];
        this.document = Object.assign(new EventTarget(), {baseURI: "https://host/app/page?x=1", hidden: false});
        this.WebSocket = class {
            constructor(url, protocols) {
                Object.assign(this, {url, protocols, readyState: 0, sent: [], protocol: ""});
                page.sockets.push(this);
            }
            send(text) {
                this.sent.push(text);
            }
            close(code) {
                this.closedWith = code;
            }
        };
        this.MessageChannel = MessageChannel;
    }
    setTimeout(called, milliseconds = 0) {
        const id = this.timers.size + Math.random();
        this.timers.set(id, {called, milliseconds});
        return id;
    }
    clearTimeout(id) {
        this.timers.delete(id);
    }
    fire() {
        const [[id, timer]] = this.timers;
        this.timers.delete(id);
        timer.called();
    }
    get socket() {
        return this.sockets.at(-1);
    }
}

function opened(options = {}) {
    const page = new Page();
    const log = [];
    const socket = new Socket(page, {
        url: "/ws",
        onmessage: event => log.push(["message", event.data]),
        onstate: state => log.push(["state", state.readyState]),
        onerror: message => log.push(["error", message]),
        ...options,
    });
    return {page, log, socket};
}

function open(page) {
    page.socket.readyState = 1;
    page.socket.onopen({});
}

function lose(page) {
    page.socket.readyState = 3;
    page.socket.onclose({code: 1006});
}

test("addresses are resolved against the page", () => {
    assert.equal(opened().page.socket.url, "wss://host/ws");
    assert.equal(opened({url: "ws"}).page.socket.url, "wss://host/app/ws");
    assert.equal(opened({url: "ws://other/ws"}).page.socket.url, "ws://other/ws");
    assert.equal(opened({url: "http://other/ws"}).page.socket.url, "ws://other/ws");
});

test("what is sent early waits in its order, a hundred at most", () => {
    const {page, log, socket} = opened();
    for (let number = 0; number < 101; number++) {
        socket.send(String(number));
    }
    open(page);
    assert.equal(page.socket.sent.length, 100);
    assert.deepEqual(page.socket.sent.slice(0, 2), ["0", "1"]);
    assert.equal(log.filter(([kind]) => kind === "error").length, 1);
});

test("the waiting grows to half a minute and begins anew after a good socket", () => {
    const {page} = opened();
    const waits = [];
    for (let number = 0; number < 9; number++) {
        lose(page);
        waits.push([...page.timers.values()][0].milliseconds);
        page.fire();
    }
    assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
    open(page);
    page.now += 5000;
    lose(page);
    assert.equal([...page.timers.values()][0].milliseconds, 500);
});

test("it hurries when the page is shown or the network is back, and not in a hidden page", () => {
    for (const fire of [page => page.dispatchEvent(new Event("online")), page => page.document.dispatchEvent(new Event("visibilitychange"))]) {
        const {page} = opened();
        fire(page);
        assert.equal(page.sockets.length, 1);
        lose(page);
        page.document.hidden = true;
        fire(page);
        assert.equal(page.sockets.length, 1);
        page.document.hidden = false;
        fire(page);
        assert.equal(page.sockets.length, 2);
        assert.equal(page.timers.size, 0);
    }
});

test("closed for good it says nothing and does not come back", () => {
    const {page, log, socket} = opened();
    open(page);
    socket.close();
    assert.equal(page.socket.closedWith, 1000);
    const said = log.length;
    page.socket.onmessage({data: "late"});
    lose(page);
    page.dispatchEvent(new Event("online"));
    assert.equal(log.length, said);
    assert.equal(page.sockets.length, 1);
});

test("an address of a wrong form is an error without another attempt", () => {
    const {page, log} = opened({url: "http://["});
    assert.deepEqual(log.map(([kind]) => kind), ["error", "state"]);
    assert.equal(page.timers.size, 0);
});

test("turns leave the renderer time, and keep their order", () => {
    const page = new Page();
    const turns = new Turns(page);
    const seen = [];
    [1, 2, 3].forEach(number => turns.run(() => seen.push(number)));
    assert.deepEqual(seen, [1]);
    page.fire();
    assert.deepEqual(seen, [1]);
    page.fire();
    assert.deepEqual(seen, [1, 2]);
    page.fire();
    page.fire();
    assert.deepEqual(seen, [1, 2, 3]);
    turns.end();
});

test("turns of a hidden page use no timer", async () => {
    const page = new Page();
    page.document.hidden = true;
    const turns = new Turns(page);
    const seen = [];
    const end = new Promise(resolve => {
        [1, 2].forEach(number => turns.run(() => seen.push(number)));
        turns.run(resolve);
    });
    await end;
    assert.deepEqual(seen, [1, 2]);
    assert.equal(page.timers.size, 0);
    turns.end();
});
