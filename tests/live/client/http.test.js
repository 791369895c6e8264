"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const {live, FakeWindow} = require("./fakes.js");

test("a ticket is asked for with the cookies of now, and never out of a cache", async () => {
    const window = new FakeWindow();
    const tickets = new live.Tickets(window, "/_flash/live");
    assert.deepEqual(await tickets.fetch(), {ticket: "a ticket", signedOut: false, redirected: false});
    const [{url, method, credentials, cache, redirect}] = window.requests;
    assert.deepEqual([url, method, credentials, cache, redirect], ["/_flash/live", "GET", "same-origin", "no-store", "manual"]);
});

test("401, 403 and a redirect mean signed out; errors and silence do not", async () => {
    const window = new FakeWindow();
    const tickets = new live.Tickets(window, "/_flash/live");
    const outcome = async answer => {
        window.answer = () => answer;
        return (await tickets.fetch()).signedOut;
    };
    window.answer = () => ({status: 0, type: "opaqueredirect"});
    assert.equal((await tickets.fetch()).redirected, true);
    window.answer = () => ({status: 401});
    assert.equal((await tickets.fetch()).redirected, false);
    assert.equal(await outcome({status: 401}), true);
    assert.equal(await outcome({status: 403}), true);
    assert.equal(await outcome({status: 0, type: "opaqueredirect"}), true);
    assert.equal(await outcome({status: 503}), false);
    assert.equal(await outcome({status: 200, body: {}}), false);
    assert.equal(await outcome(null), false);
});

test("a server that does not answer is given up after 10 s", async () => {
    const window = new FakeWindow();
    window.answer = () => new Promise(() => {});
    const asked = new live.Tickets(window, "/_flash/live").fetch();
    await window.clock.pass(10000);
    assert.deepEqual(await asked, {ticket: null, signedOut: false, redirected: false});
});

test("tickets are renewed; when the server is away, it is asked again soon", async () => {
    const window = new FakeWindow();
    const tickets = new live.Tickets(window, "/_flash/live");
    const brought = [];
    tickets.renewEvery(900, answer => brought.push(answer.ticket));
    await window.clock.pass(900000);
    assert.deepEqual(brought, ["a ticket"]);
    window.answer = () => null;
    await window.clock.pass(900000);
    assert.deepEqual(brought, ["a ticket"]);
    window.answer = () => ({status: 200, body: {ticket: "another"}});
    await window.clock.pass(30000);
    assert.deepEqual(brought, ["a ticket", "another"]);
    tickets.stop();
    await window.clock.pass(2000000);
    assert.equal(brought.length, 2);
});

test("an answer that comes after stop() is not brought", async () => {
    const window = new FakeWindow();
    const tickets = new live.Tickets(window, "/_flash/live");
    let answer;
    window.answer = () => new Promise(resolve => (answer = resolve));
    const brought = [];
    tickets.renewEvery(10, ticket => brought.push(ticket));
    await window.clock.pass(10000);
    tickets.stop();
    answer({status: 401});
    await window.clock.run();
    assert.deepEqual(brought, []);
});

test("POSTs go one after the other, also after one that was refused", async () => {
    const window = new FakeWindow();
    const answers = [];
    window.answer = () => new Promise(resolve => answers.push(resolve));
    const posts = new live.Posts(window, "/_flash/live/send");
    const first = posts.send([{n: 1}], {stream: "s"}, null);
    const second = posts.send([{n: 2}], {client: "c"}, "secret");
    await window.clock.run();
    assert.deepEqual(window.requests.map(({url}) => url), ["/_flash/live/send?stream=s"]);
    answers[0]({status: 403});
    await assert.rejects(first, error => error instanceof live.PostRefused && error.status === 403);
    await window.clock.run();
    answers[1]({status: 200, body: [{type: "ack"}]});
    assert.deepEqual(await second, [{type: "ack"}]);
    assert.equal(window.requests[1].url, "/_flash/live/send?client=c");
    assert.equal(window.requests[1].headers["Flash-Key"], "secret");
    assert.deepEqual(window.posts, [[{n: 1}], [{n: 2}]]);
});

test("a POST without an answer is given up after 30 s, and after more when it is large", async () => {
    const window = new FakeWindow();
    window.answer = () => new Promise(() => {});
    const posts = new live.Posts(window, "/_flash/live/send");
    const failed = [];
    const send = message => posts.send([message], {client: "c"}, "secret").catch(() => failed.push(message.n));
    send({n: 1});
    send({n: 2, text: "é".repeat(5 * 16 * 1024)});
    await window.clock.pass(29999);
    assert.deepEqual(failed, []);
    await window.clock.pass(2);
    assert.deepEqual([failed, window.posts.length], [[1], 2]);
    await window.clock.pass(39990);
    assert.deepEqual(failed, [1]);
    await window.clock.pass(100);
    assert.deepEqual(failed, [1, 2]);
});

test("once they are closed, POSTs are not sent any more, and the one on its way is given up", async () => {
    const window = new FakeWindow();
    window.answer = () => new Promise(() => {});
    const posts = new live.Posts(window, "/_flash/live/send");
    const sent = [1, 2].map(n => posts.send([{n}], {client: "c"}, "secret"));
    const ended = Promise.allSettled(sent);
    await window.clock.run();
    posts.close();
    assert.deepEqual((await ended).map(({status}) => status), ["rejected", "rejected"]);
    assert.deepEqual(window.posts, [[{n: 1}]]);
    assert.equal(window.clock.timers.size, 0);
});

test("the callbacks that go over HTTP name their page, and nothing else is touched", async () => {
    const window = new FakeWindow();
    live.nameHttpCallbacks(window, "/_dash-update-component", "me", () => ({client: "c", key: "secret"}));
    const named = async (resource, options) => {
        await window.fetch(resource, options);
        const {headers} = window.requests.pop();
        const given = new Headers(headers);
        const names = ["Flash-Renderer", "Flash-Client", "Flash-Key"].map(name => given.get(name));
        return names.every(name => name === null) ? null : names.join();
    };
    const post = {method: "POST", headers: {"Content-Type": "application/json"}};
    assert.equal(await named("/_dash-update-component", post), "me,c,secret");
    assert.equal(await named("/_dash-update-component?endId=1", post), "me,c,secret");
    assert.equal(await named(new URL("http://app/_dash-update-component"), post), "me,c,secret");
    assert.equal(await named({url: "http://app/_dash-update-component", method: "POST", headers: {}}), "me,c,secret");
    assert.equal(await named("/_dash-update-component", {method: "GET"}), null);
    assert.equal(await named("http://other/_dash-update-component", post), null);
    assert.equal(await named("/other/_dash-update-component", post), null);
    assert.equal(await named("http://[", post), null);
    await window.fetch("/_dash-update-component", post);
    assert.equal(window.requests.pop().headers.get("Content-Type"), "application/json");
    assert.deepEqual(post.headers, {"Content-Type": "application/json"});
});
