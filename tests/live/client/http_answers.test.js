"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const {live, FakeWindow, CONFIG} = require("./fakes.js");
const {sharedPage, tree, sharedProps, sent} = require("./shared_fakes.js");

const CALLBACKS = [{output: "text.children", inputs: [["slider", "value"], [[{type: "x", index: 1}], "value"]]}];
const LAYOUT = {slider: {value: 3}, text: {}};

/** A page, whose server answers callbacks over HTTP with what `answer()` returns. */
async function page(answer = () => null, more = {}) {
    const onServer = ({url, method}) => (url === "/_dash-update-component" && method === "POST" ? answer() : null);
    return sharedPage(CALLBACKS, LAYOUT, {onServer, ...more});
}

const post = async window => (await window.fetch("/_dash-update-component", {method: "POST"})).json();

test("hello says with which state the layout was made, when that is known", async () => {
    const {window, clock} = await page(undefined, {state: "e.12.d"});
    assert.equal(window.socket.ofType("hello")[0].state, "e.12.d");
    window.socket.end(1006);
    await clock.pass(1000);
    window.socket.open();
    assert.deepEqual([window.socket.sent[0].type, "state" in window.socket.sent[0]], ["resume", false]);
    const early = new FakeWindow();
    live.start(early, {...CONFIG, shared: ["text.children"]});
    early.socket.open();
    assert.equal("state" in early.socket.ofType("hello")[0], false);
});

test("older trees that come over HTTP get the newest shared values before the renderer has them", async () => {
    const body = {multi: true, response: {box: {children: [tree("slider", {value: 3}), tree("other", {value: 3})]}}};
    const {window, clock} = await page(() => ({status: 200, body, headers: {"Flash-State": "e.7.d"}}));
    assert.deepEqual(await post(window), body);
    window.socket.say(sharedProps("slider", {value: 8}, 8));
    await clock.pass(20);
    const {response} = await post(window);
    assert.deepEqual(response.box.children.map(({props}) => props.value), [8, 3]);
});

test("newer trees that come over HTTP are as they are", async () => {
    const body = {multi: true, response: {box: {children: tree("slider", {value: 9})}}};
    const {window, clock} = await page(() => ({status: 200, body, headers: {"Flash-State": "e.9.d"}}));
    window.socket.say(sharedProps("slider", {value: 8}, 8));
    await clock.pass(20);
    assert.deepEqual(await post(window), body);
});

test("the values in trees over HTTP are echoes, of dict ids too", async () => {
    const id = '{"index":1,"type":"x"}';
    const body = {multi: true, response: {box: {children: tree(id, {value: 1})}}};
    const parts = await page(() => ({status: 200, body, headers: {"Flash-State": "e.9.d"}}));
    const {window, dash, clock} = parts;
    await post(window);
    dash.insert(JSON.parse(id), {value: 1});
    await clock.pass(20);
    assert.deepEqual([dash.asked, sent(parts)], [["text.children"], []]);
    dash.change(JSON.parse(id), {value: 2});
    await clock.pass(20);
    assert.deepEqual(sent(parts), [["text.children", {[`${id}.value`]: 1}]]);
});

test("answers without content, failures and other requests pass as they are", async () => {
    for (const answer of [{status: 204}, {status: 500, body: "x"}]) {
        const {window} = await page(() => answer);
        const response = await window.fetch("/_dash-update-component", {method: "POST"});
        assert.equal(response.status, answer.status);
        assert.deepEqual(window.said, []);
    }
    const {window} = await page();
    assert.deepEqual(await (await window.fetch("/elsewhere")).json(), {ticket: "a ticket"});
    assert.deepEqual(await (await window.fetch("http://other/_dash-layout")).json(), {ticket: "a ticket"});
    assert.deepEqual(await (await window.fetch("http://[")).json(), {ticket: "a ticket"});
});

test("what cannot be read is given to the renderer as it is", async () => {
    const {window} = await page(() => ({status: 200, body: {response: null, children: {namespace: "n", props: {id: 5}}}}));
    assert.equal((await post(window)).response, null);
});

test("an app without shared callbacks has its answers untouched", async () => {
    const window = new FakeWindow();
    let clones = 0;
    const {fetch} = window;
    window.fetch = async (...args) => Object.assign(await fetch.call(window, ...args), {clone: () => (clones += 1)});
    live.start(window, CONFIG);
    await window.fetch("/_dash-layout");
    assert.equal(clones, 0);
});
