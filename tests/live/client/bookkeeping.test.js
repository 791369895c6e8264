"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const {live, FakeWindow} = require("./fakes.js");

const request = (requestId, output = "a.x") => ({type: "callback_request", requestId, payload: {output}});
const reply = requestId => ({type: "get_props_response", requestId, payload: {}});
const ids = messages => messages.map(message => message.requestId);

test("messages that must arrive are kept in their order until they are acknowledged", () => {
    const requests = new live.Requests();
    [request("1"), reply("s1"), request("2"), request("3")].forEach(message => requests.add(message));
    requests.acknowledge("1");
    requests.acknowledge("s1");
    requests.acknowledge("unknown");
    assert.deepEqual(ids(requests.unacknowledged()), ["2", "3"]);
    assert.deepEqual(ids(requests.unanswered()), ["1", "2", "3"]);
    requests.forget("1");
    requests.forget("2");
    assert.deepEqual(ids(requests.unanswered()), ["3"]);
});

test("when the server is another one, what was sent is lost, but for what may run again", () => {
    const requests = new live.Requests();
    const messages = [request("1"), request("2", "again.x"), request("3"), request("4", "again.x"), reply("s1")];
    messages.forEach(message => requests.add(message));
    ["1", "2", "3"].forEach(requestId => requests.sent(requestId));
    requests.acknowledge("1");
    requests.acknowledge("2");
    requests.add(request("5"));
    assert.deepEqual(ids(requests.lose(["again.x"])), ["1", "3"]);
    assert.deepEqual(ids(requests.unacknowledged()), ["2", "4", "5"]);
    assert.deepEqual(ids(requests.unanswered()), ["2", "4", "5"]);
    assert.deepEqual(ids(requests.lose([])), []);
});

test("numbered messages are counted, and told after 32 of them or 5 s", async () => {
    const window = new FakeWindow();
    const told = [];
    const receipts = new live.Receipts(window, received => told.push(received));
    ["welcome", "ack", "heartbeat", "error", "bye"].forEach(type => receipts.count({type}));
    assert.equal(receipts.received, 0);
    for (let n = 0; n < 33; n += 1) {
        receipts.count({type: ["set_props", "callback_response", "get_props_request"][n % 3]});
    }
    assert.deepEqual(told, [32]);
    await window.clock.pass(4999);
    assert.deepEqual(told, [32]);
    await window.clock.pass(1);
    assert.deepEqual(told, [32, 33]);
    await window.clock.pass(60000);
    assert.deepEqual(told, [32, 33]);
});

test("a count that was told on the way is not told again", async () => {
    const window = new FakeWindow();
    const told = [];
    const receipts = new live.Receipts(window, received => told.push(received));
    receipts.count({type: "set_props"});
    assert.equal(receipts.take(), 1);
    await window.clock.pass(10000);
    assert.deepEqual(told, []);
    receipts.reset();
    assert.equal(receipts.received, 0);
});

test("attempts are at most doubly as far apart, up to half a minute", () => {
    const window = new FakeWindow();
    window.chance = 1;
    const backoff = new live.Backoff(window);
    const waits = Array.from({length: 9}, () => backoff.next());
    assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
    window.chance = 0;
    assert.equal(backoff.next(), 0);
});

test("a link that was welcomed makes the next attempt a quick one, unless links do not last", () => {
    const window = new FakeWindow();
    window.chance = 1;
    const backoff = new live.Backoff(window);
    Array.from({length: 9}, () => backoff.next());
    backoff.succeeded();
    const shortLived = Array.from({length: 4}, () => {
        const wait = backoff.next();
        backoff.succeeded();
        return wait;
    });
    assert.deepEqual(shortLived, [1000, 2000, 4000, 8000]);
    window.clock.now += 10000;
    assert.equal(backoff.next(), 500);
});

test("a server that says when it is back, or has too much to do, is listened to", () => {
    const window = new FakeWindow();
    const backoff = new live.Backoff(window);
    assert.equal(backoff.next({retry: 4000}), 5000);
    assert.ok(backoff.next({slowly: true}) >= 15000);
});

test("hidden pages try at most once a minute, and soon after a link that has lasted", () => {
    const window = new FakeWindow();
    window.document.hidden = true;
    const backoff = new live.Backoff(window);
    assert.equal(backoff.next(), 60000);
    backoff.tries();
    backoff.succeeded();
    window.clock.now += 3600000;
    assert.equal(backoff.next(), 250);
    backoff.tries();
    window.clock.now += 100;
    assert.equal(backoff.next(), 59900);
    assert.equal(backoff.next({retry: 2000}), 59900);
});

test("the state tells its subscribers of changes, and of the first one at once", () => {
    const window = new FakeWindow();
    const state = new live.State(window, new live.Log(window));
    const seen = [];
    const unsubscribe = state.subscribe(({status, since}) => seen.push([status, since]));
    state.subscribe(() => {
        throw new Error("of the page's own");
    });
    window.clock.now += 5;
    state.change({status: "connected", client: "c"});
    state.change({status: "connected"});
    window.clock.now += 5;
    state.change({recovered: false});
    assert.deepEqual(seen, [["connecting", 1000000], ["connected", 1000005], ["connected", 1000005]]);
    assert.equal(state.state.recovered, false);
    state.resetRecovered();
    assert.equal(state.state.recovered, true);
    unsubscribe();
    state.change({status: "closed"});
    assert.equal(seen.length, 4);
    assert.equal(window.said.length, 1);
});

test("what is lost while an older loss is dealt with is told, and is not taken for dealt with", () => {
    const window = new FakeWindow();
    const state = new live.State(window, new live.Log(window));
    const seen = [];
    state.subscribe(({recovered, gaps}) => seen.push([recovered, gaps]));
    state.gap();
    state.gap();
    state.resetRecovered();
    assert.equal(state.state.recovered, false);
    state.resetRecovered();
    assert.equal(state.state.recovered, true);
    state.gap();
    state.resetRecovered();
    assert.deepEqual(seen, [[true, 0], [false, 1], [false, 2], [false, 2], [true, 2], [false, 3], [true, 3]]);
});
