"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const {live, FakeWindow} = require("./fakes.js");

function installed(window) {
    const worker = new live.Worker(new live.Log(window));
    worker.install(window);
    return worker;
}

test("the renderer's worker is replaced, others are not", () => {
    const window = new FakeWindow();
    const Original = function (url, options) {
        Object.assign(this, {url, options});
    };
    window.SharedWorker = Original;
    installed(window);

    assert.equal(typeof new window.SharedWorker("/w.js", {name: "dash-ws-worker"}).port.postMessage, "function");
    assert.equal(typeof new window.SharedWorker("/w.js", "dash-ws-worker").port.postMessage, "function");
    const other = new window.SharedWorker("/s.js", {name: "dash-stream-worker"});
    assert.equal(other instanceof Original, true);
    assert.equal(other instanceof window.SharedWorker, true);
    assert.deepEqual(other.options, {name: "dash-stream-worker"});
    assert.equal(new window.SharedWorker("/n.js").url, "/n.js");
});

test("where the browser has no SharedWorker, others throw, which Dash 4.5 expects", () => {
    const window = new FakeWindow();
    installed(window);
    assert.equal(typeof new window.SharedWorker("/w.js", {name: "dash-ws-worker"}).port.start, "function");
    assert.throws(() => new window.SharedWorker("/s.js", {name: "dash-stream-worker"}), /no SharedWorker/);
});

test("it works where the browser's constructor guards its properties", () => {
    const window = new FakeWindow();
    window.SharedWorker = class {
        get port() {
            return null;
        }
    };
    installed(window);
    assert.notEqual(new window.SharedWorker("/w.js", {name: "dash-ws-worker"}).port, null);
});

test("it knows what the renderer waits for", () => {
    const window = new FakeWindow();
    const worker = installed(window);
    const {port} = new window.SharedWorker("/w.js", {name: "dash-ws-worker"});
    const heard = [];
    worker.onmessage = message => heard.push(message.type);
    port.postMessage({type: "callback_request", requestId: "1"});
    port.postMessage({type: "tab_visible"});
    assert.deepEqual([...worker.unanswered], ["1"]);
    worker.post({type: "callback_response", requestId: "1", payload: {}});
    assert.deepEqual([...worker.unanswered], []);
    assert.deepEqual(heard, ["callback_request", "tab_visible"]);
});

test("an error in the renderer does not come out, and is told once", () => {
    const window = new FakeWindow();
    const worker = installed(window);
    const {port} = new window.SharedWorker("/w.js", {name: "dash-ws-worker"});
    port.onmessage = () => {
        throw new Error("Cannot patch undefined");
    };
    worker.post({type: "set_props"});
    worker.post({type: "set_props"});
    assert.equal(window.said.length, 1);
    assert.match(window.said[0][1], /^Flash: Dash's renderer could not apply/);
});

test("a port that the renderer has closed hears nothing", () => {
    const window = new FakeWindow();
    const worker = installed(window);
    const heard = [];
    const {port} = new window.SharedWorker("/w.js", {name: "dash-ws-worker"});
    port.onmessage = ({data}) => heard.push(data);
    port.close();
    worker.post({type: "set_props"});
    assert.deepEqual(heard, []);
});
