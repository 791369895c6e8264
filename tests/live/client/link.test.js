"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const {live, FakeWindow, CONFIG, welcome} = require("./fakes.js");

function connecting(config = {}) {
    const window = new FakeWindow();
    const client = live.start(window, {...CONFIG, ...config});
    return {window, client, clock: window.clock, link: client.link, status: () => client.state.state.status};
}

/** A page that has been connected for so long that its next attempt is a quick one. */
async function connected(config = {}) {
    const page = connecting(config);
    page.window.socket.welcome();
    await page.clock.pass(20000);
    page.window.socket.say({type: "heartbeat"});
    return page;
}

test("the socket opens at once, without asking first, and says hello", async () => {
    const {window, status} = connecting();
    assert.equal(window.socket.url, "ws://app/_dash-ws-callback");
    assert.equal(window.requests.length, 0);
    assert.equal(status(), "connecting");
    window.socket.open();
    const [hello] = window.socket.sent;
    assert.match(hello.rendererId, /^[0-9a-f]{32}$/);
    assert.deepEqual({...hello, rendererId: null}, {
        type: "hello", version: 1, rendererId: null, path: "/page?a=1", attempt: 1, endId: "signed",
    });
    window.socket.say(welcome());
    assert.deepEqual({...live.connection.state, since: 0}, {
        status: "connected", recovered: true, gaps: 0, client: "c1", transport: "websocket", since: 0, ahead: 0,
    });
});

test("over https the socket is a secure one", () => {
    const window = new FakeWindow();
    window.location.protocol = "https:";
    live.start(window, CONFIG);
    assert.equal(window.socket.url, "wss://app/_dash-ws-callback");
});

test("after a lost link it brings a ticket and resumes, with the count of what has come", async () => {
    const {window, clock, status} = await connected();
    window.socket.say({type: "set_props", payload: {componentId: "a", props: {}}}, {type: "heartbeat"});
    assert.deepEqual(window.socket.ofType("heartbeat_ack").pop(), {type: "heartbeat_ack", received: 1});
    window.socket.end(1006);
    assert.equal(status(), "reconnecting");
    await clock.pass(500);
    assert.equal(window.requests.length, 1);
    assert.equal(window.sockets.length, 2);
    window.socket.open();
    const [resume] = window.socket.sent;
    assert.deepEqual(
        [resume.type, resume.client, resume.key, resume.received, resume.ticket],
        ["resume", "c1", "secret", 1, "a ticket"]
    );
    window.socket.say(welcome());
    assert.equal(status(), "connected");
});

test("it never stops trying, and never more often than it may", async () => {
    const {window, clock, status} = await connected();
    window.chance = 1;
    window.answer = () => null;
    window.socket.end(1006);
    await clock.pass(600000);
    const tries = window.requests.length;
    assert.ok(tries >= 20 && tries <= 27, `${tries} attempts in ten minutes`);
    window.document.hidden = true;
    await clock.pass(30000);
    window.requests.length = 0;
    await clock.pass(600000);
    assert.ok(window.requests.length >= 9 && window.requests.length <= 10, `${window.requests.length} while hidden`);
    window.answer = () => ({status: 200, body: {ticket: "t"}});
    const {length} = window.sockets;
    while (window.sockets.length === length) {
        await clock.pass(1000);
    }
    window.socket.welcome();
    assert.equal(status(), "connected");
});

test("it is back at once when the page is shown, the network returns or the browser restores the page", async () => {
    for (const back of [
        window => window.document.show(true),
        window => window.happen("online"),
        window => window.happen("pageshow", {persisted: true}),
    ]) {
        const {window, clock} = await connected();
        window.document.hidden = true;
        window.socket.end(1006);
        await clock.pass(1000);
        assert.equal(window.sockets.length, 1);
        window.document.hidden = false;
        back(window);
        await clock.pass(300);
        assert.equal(window.sockets.length, 2);
    }
});

test("without a network it is offline", async () => {
    const {window, status} = await connected();
    window.navigator.onLine = false;
    window.socket.end(1006);
    assert.equal(status(), "offline");
    window.navigator.onLine = true;
    window.happen("online");
    assert.equal(status(), "reconnecting");
});

test("a link over which nothing comes is given up after the heartbeat and 10 s", async () => {
    const {window, clock, status} = await connected();
    await clock.pass(34999);
    assert.equal(status(), "connected");
    window.socket.say({type: "ack", requestId: "any message will do"});
    await clock.pass(34999);
    assert.equal(status(), "connected");
    await clock.pass(2);
    assert.equal(status(), "reconnecting");
    assert.equal(window.sockets[0].closedWith, 3001);
});

test("a large message may take its time before the link is given up", async () => {
    const {window, clock, status} = await connected();
    window.socket.say({type: "large", bytes: 100 * 128 * 1024});
    await clock.pass(100000 + 34999);
    assert.equal(status(), "connected");
    await clock.pass(2);
    assert.equal(status(), "reconnecting");
});

test("a page whose timers were late hears first what has come meanwhile", async () => {
    const {window, clock, status} = await connected();
    clock.now += 3600000;
    await clock.pass(0);
    assert.equal(status(), "connected");
    window.socket.say({type: "heartbeat"});
    await clock.pass(2000);
    assert.equal(status(), "connected");
    clock.now += 3600000;
    await clock.pass(2000);
    assert.equal(status(), "reconnecting");
});

test("when the network may have changed, the link is tried", async () => {
    const {window, clock, status} = await connected();
    window.happen("online");
    assert.equal(window.socket.ofType("heartbeat").length, 1);
    window.socket.say({type: "heartbeat_ack"});
    await clock.pass(5000);
    assert.equal(status(), "connected");
    clock.now += 1;
    window.happen("offline");
    await clock.pass(5000);
    assert.equal(status(), "reconnecting");
});

test("a server that ends says when to come back, and is not asked before", async () => {
    const {window, clock} = await connected();
    window.socket.say({type: "bye", retry: 4000, reason: "restart"});
    window.socket.end(1012);
    window.document.show(true);
    await clock.pass(3999);
    assert.equal(window.requests.length, 0);
    await clock.pass(2001);
    assert.equal(window.requests.length, 1);
});

test("codes that mean too much to do, or that another link is open or was closed, bring it back slowly", async () => {
    for (const code of [1000, 1008, 4409, 4429]) {
        const {window, clock} = await connected();
        window.socket.end(code);
        await clock.pass(15000);
        assert.equal(window.sockets.length, 1);
        await clock.pass(1000);
        assert.equal(window.sockets.length, 2);
    }
});

test("a hook that refuses closes the connection until somebody asks", async () => {
    const {window, clock, status} = await connected();
    window.socket.end(4001);
    assert.equal(status(), "closed");
    window.document.show(true);
    window.happen("online");
    await clock.pass(600000);
    assert.equal(window.sockets.length, 1);
    live.connection.retry();
    await clock.run();
    assert.equal(window.sockets.length, 2);
});

test("all other codes bring it back", async () => {
    for (const code of [1001, 1003, 1006, 1007, 1009, 1011, 1012, 4408, 4000]) {
        const {window, clock} = await connected();
        window.socket.end(code);
        await clock.pass(1000);
        assert.equal(window.sockets.length, 2, String(code));
    }
});

test("4401 and a refused ticket mean signed out, until the page is shown again", async () => {
    const {window, clock, status} = await connected();
    window.socket.end(4401);
    assert.equal(status(), "signed-out");
    await clock.pass(600000);
    window.happen("online");
    await clock.pass(1000);
    assert.equal(window.requests.length, 0);
    window.answer = () => ({status: 401});
    window.document.show(false);
    window.document.show(true);
    await clock.run();
    assert.equal(status(), "signed-out");
    assert.equal(window.requests.length, 1);
    window.answer = () => ({status: 200, body: {ticket: "t"}});
    window.document.show(true);
    await clock.run();
    window.socket.welcome();
    assert.equal(status(), "connected");
});

test("a redirect means signed out too, but it is asked again slowly, and soon when the network has changed", async () => {
    for (const [ask, wait] of [[() => {}, 60000], [window => window.happen("online"), 300]]) {
        const {window, clock, client, status} = await connected();
        const seen = [];
        window.answer = () => ({status: 0, type: "opaqueredirect"});
        window.socket.end(1006);
        await clock.pass(1000);
        assert.equal(status(), "signed-out");
        client.state.subscribe(state => seen.push(state.status));
        await clock.pass(180000);
        assert.deepEqual([window.requests.length, seen], [4, ["signed-out"]]);
        await clock.pass(1000);
        window.answer = () => ({status: 200, body: {ticket: "t"}});
        ask(window);
        await clock.pass(wait);
        window.socket.welcome();
        assert.equal(status(), "connected");
    }
});

test("a refusal after a redirect is final until the page is shown", async () => {
    const {window, clock, status} = await connected();
    window.answer = () => ({status: 0, type: "opaqueredirect"});
    window.socket.end(1006);
    await clock.pass(1000);
    window.answer = () => ({status: 401});
    await clock.pass(60000);
    window.requests.length = 0;
    window.happen("online");
    await clock.pass(600000);
    assert.deepEqual([window.requests.length, status()], [0, "signed-out"]);
});

test("a clock that is set back stops nothing: neither coming back nor noticing a dead link", async () => {
    const away = await connected();
    away.window.answer = () => null;
    away.window.socket.end(1006);
    away.window.document.hidden = true;
    await away.clock.pass(5000);
    away.clock.wrongBy = -3600000;
    away.window.document.hidden = false;
    away.window.answer = () => ({status: 200, body: {ticket: "t"}});
    away.window.happen("online");
    await away.clock.pass(300);
    assert.equal(away.window.sockets.length, 2);
    const dead = await connected();
    dead.clock.wrongBy = -3600000;
    await dead.clock.pass(35001);
    assert.equal(dead.status(), "reconnecting");
    const probed = await connected();
    await probed.clock.pass(1);
    probed.clock.wrongBy = -3600000;
    probed.window.happen("online");
    await probed.clock.pass(5000);
    assert.equal(probed.status(), "reconnecting");
});

test("times that are too long for a timer are no reason to hurry", async () => {
    const {window, clock, status} = connecting();
    window.socket.open();
    window.socket.say(welcome({renew: 3e6, heartbeat: 3e6}));
    await clock.pass(60000);
    assert.deepEqual([window.requests.length, status()], [0, "connected"]);
    window.socket.say({type: "bye", retry: 1e10, reason: "maintenance"});
    window.socket.end(1012);
    await clock.pass(60000);
    assert.equal(window.requests.length, 0);
});

test("tickets are renewed over the link; a refusal ends it", async () => {
    const {window, clock, status} = connecting();
    window.socket.open();
    window.socket.say(welcome({renew: 20, heartbeat: 100000}));
    await clock.pass(20000);
    assert.deepEqual(window.socket.ofType("ticket"), [{type: "ticket", ticket: "a ticket"}]);
    window.answer = () => ({status: 403});
    await clock.pass(20000);
    assert.equal(status(), "signed-out");
    assert.equal(window.socket.closedWith, 3001);
});

test("a page that is left says goodbye", async () => {
    const {window, clock} = await connected();
    window.happen("pagehide", {persisted: false});
    assert.deepEqual(window.socket.sent.pop(), {type: "bye"});
    assert.equal(window.socket.closedWith, 1000);
    await clock.pass(600000);
    assert.equal(window.sockets.length, 1);
});

test("a page that the browser keeps says goodbye too, and comes back when it is shown", async () => {
    const {window, clock} = await connected();
    window.happen("pagehide", {persisted: true});
    assert.deepEqual(window.socket.sent.pop(), {type: "bye"});
    assert.equal(window.socket.closedWith, 1000);
    await clock.pass(600000);
    assert.equal(window.sockets.length, 1);
    window.happen("pageshow", {persisted: true});
    await clock.run();
    window.socket.open();
    assert.equal(window.socket.sent[0].type, "resume");
});

test("late news of an old link is not heard", async () => {
    const {window, clock, status} = await connected();
    const [old] = window.sockets;
    const {onclose} = old;
    live.connection.retry();
    window.happen("pagehide", {persisted: true});
    onclose({code: 4001});
    old.say({type: "set_props", payload: {componentId: "a", props: {}}});
    window.happen("pageshow", {persisted: true});
    await clock.run();
    window.socket.open();
    assert.equal(window.socket.sent[0].received, 0);
    assert.notEqual(status(), "closed");
});

test("a ticket that comes after the page was left opens nothing", async () => {
    const {window, clock} = await connected();
    let reply;
    window.answer = () => new Promise(resolve => (reply = resolve));
    window.socket.end(1006);
    await clock.pass(1000);
    window.happen("pagehide", {persisted: true});
    reply({status: 200, body: {ticket: "t"}});
    await clock.pass(1000);
    assert.equal(window.sockets.length, 1);
});

test("nothing is said on the console in normal operation, and no timer is left after a goodbye", async () => {
    const {window, clock} = await connected();
    window.socket.end(1006);
    await clock.pass(1000);
    window.socket.welcome();
    window.happen("pagehide", {persisted: false});
    assert.deepEqual(window.said, []);
    await clock.pass(20000);
    assert.equal(clock.timers.size, 0);
});
