"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const {live, FakeBrowser, FakeWindow, FakeRenderer, CONFIG, welcome, setProps} = require("./fakes.js");

/** A server without WebSockets, for all tabs of a browser. */
class Server {
    constructor() {
        this.clients = new Map();
        this.polls = [];
        this.refusals = {};
        this.log = [];
    }

    answer(request) {
        const {pathname, searchParams} = new URL(request.url, "http://app");
        if (pathname.endsWith("/poll")) {
            return new Promise(resolve => this.polls.push({name: searchParams.get("stream"), resolve}));
        }
        if (pathname.endsWith("/send")) {
            return this._take(searchParams, JSON.parse(request.body));
        }
        return this.refusals.live ? {status: this.refusals.live} : {status: 200, body: {ticket: "t"}};
    }

    _take(query, [first, ...rest]) {
        const status = this.refusals[first.type in this.refusals ? first.type : "send"];
        this.log.push([query.get("client") || query.get("stream"), first, ...rest]);
        if (status !== undefined) {
            return status === null ? null : {status};
        }
        if (first.type === "hello" || first.type === "resume") {
            const client = first.client || `c${this.clients.size + 1}`;
            this.clients.set(client, query.get("stream"));
            return {status: 200, body: [welcome({client})]};
        }
        const acks = [first, ...rest].filter(({requestId}) => requestId);
        return {status: 200, body: acks.map(({requestId}) => ({type: "ack", requestId}))};
    }
}

async function tab(server = new Server(), browser = new FakeBrowser(), before = () => {}) {
    const window = new FakeWindow(browser);
    window.answer = request => server.answer(request);
    before(window);
    const client = live.start(window, CONFIG);
    const dash = new FakeRenderer(window, ["a"]).connect().load();
    const status = () => client.state.state.status;
    return {window, server, browser, client, dash, status, clock: browser.clock};
}

/** From now on no WebSocket gets through. */
function refuseSockets(window) {
    const {WebSocket} = window;
    window.WebSocket = function (url) {
        const socket = new WebSocket(url);
        window.setTimeout(() => socket.end(1006), 0);
        return socket;
    };
}

/** A tab whose WebSocket is refused, and whose stream is open if it holds one. */
async function streaming(...args) {
    const parts = await tab(...args);
    parts.window.socket.end(1006);
    refuseSockets(parts.window);
    await parts.clock.pass(0);
    if (parts.window.source) {
        parts.window.source.opened();
        await parts.clock.run();
    }
    return parts;
}

test("a WebSocket that is refused gives way at once, when a ticket can be had", async () => {
    const {window, server, client, status} = await streaming();
    assert.deepEqual([status(), client.state.state.transport], ["connected", "stream"]);
    const [[name, hello]] = server.log;
    assert.match(name, /^[0-9a-f]{32}$/);
    assert.equal(name, window.source.stream);
    assert.equal(hello.type, "hello");
    assert.deepEqual(window.said, []);
});

test("a WebSocket that does not open gives way after 3 s", async () => {
    const {window, clock} = await tab();
    await clock.pass(2999);
    assert.equal(window.sources.length, 0);
    await clock.pass(1);
    assert.equal(window.sources.length, 1);
    assert.notEqual(window.socket.closedWith, null);
});

test("a WebSocket over which nothing comes gives way after 3 s, unless one has worked before", async () => {
    const {window, clock, client} = await tab();
    window.socket.open();
    await clock.pass(2999);
    assert.equal(window.sources.length, 0);
    await clock.pass(1);
    assert.equal(window.sources.length, 1);
    assert.equal(client.state.state.status, "connecting");
    const proven = await tab();
    proven.window.socket.welcome();
    await proven.clock.pass(20000);
    proven.window.socket.end(1006);
    await proven.clock.pass(1000);
    proven.window.socket.open();
    await proven.clock.pass(9000);
    assert.equal(proven.window.socket.closedWith, null);
    assert.equal(proven.window.sources.length, 0);
});

test("a welcome that comes while the ticket is on its way is in time", async () => {
    const {window, clock, client} = await tab();
    let reply;
    window.answer = () => new Promise(resolve => (reply = resolve));
    window.socket.open();
    await clock.pass(3000);
    window.socket.say(welcome());
    reply({status: 200, body: {ticket: "t"}});
    await clock.run();
    assert.equal(client.state.state.transport, "websocket");
});

test("a server that closes the WebSocket before the welcome is asked by WebSocket again, when it says", async () => {
    for (const [code, wait] of [[1008, 15000], [4429, 15000], [1011, 0], [1012, 4000]]) {
        const {window, clock, client} = await tab();
        for (const length of [1, 2, 3]) {
            window.socket.open();
            if (code === 1012) {
                window.socket.say({type: "bye", retry: 4000, reason: "restart"});
            }
            window.socket.end(code);
            await clock.pass(wait);
            assert.equal(window.sockets.length, length, String(code));
            while (window.sockets.length === length) {
                await clock.pass(100);
            }
        }
        assert.deepEqual([client.link.kind, window.sources.length], ["websocket", 0]);
    }
});

test("after a lost stream the WebSocket is tried once more, and used when it gets through", async () => {
    const {window, clock, status, client} = await tab();
    const {WebSocket} = window;
    window.socket.end(1006);
    refuseSockets(window);
    await clock.pass(0);
    window.source.opened();
    await clock.run();
    window.source.fail();
    await clock.pass(1000);
    assert.deepEqual([window.sockets.length, window.sources.length], [2, 2]);
    window.source.opened();
    await clock.run();
    assert.deepEqual([status(), client.state.state.transport], ["connected", "stream"]);
    window.source.fail();
    window.WebSocket = WebSocket;
    await clock.pass(1000);
    window.socket.welcome();
    assert.deepEqual([status(), client.state.state.transport], ["connected", "websocket"]);
});

test("a WebSocket that opens while the ticket is on its way is kept", async () => {
    const {window, clock, client} = await tab();
    let reply;
    window.answer = () => new Promise(resolve => (reply = resolve));
    await clock.pass(3000);
    window.socket.welcome();
    reply({status: 200, body: {ticket: "t"}});
    await clock.run();
    assert.equal(client.state.state.transport, "websocket");
    assert.equal(window.sources.length, 0);
});

test("without a ticket nothing else is tried: the server is away, or the user signed out", async () => {
    const away = await tab();
    away.window.answer = () => null;
    away.window.socket.end(1006);
    await away.clock.pass(0);
    assert.equal(away.status(), "reconnecting");
    await away.clock.pass(60000);
    assert.equal(away.window.sources.length, 0);
    const out = await tab();
    out.window.answer = () => ({status: 401});
    out.window.socket.end(1006);
    await out.clock.pass(0);
    assert.equal(out.status(), "signed-out");
});

test("a WebSocket that has worked gives way only when it fails twice though tickets can be had", async () => {
    const {window, clock, client} = await tab();
    window.socket.welcome();
    await clock.pass(20000);
    window.socket.end(1006);
    await clock.pass(1000);
    window.socket.end(1006);
    await clock.pass(2000);
    assert.equal(window.sources.length, 0);
    window.socket.end(1006);
    await clock.pass(1000);
    window.source.opened();
    await clock.run();
    assert.equal(client.state.state.transport, "stream");
});

test("a page whose hello is refused is closed, and tries no other way", async () => {
    const server = new Server();
    server.refusals.hello = 403;
    const {window, clock, status} = await streaming(server);
    assert.equal(status(), "closed");
    await clock.pass(600000);
    assert.equal(window.sockets.length, 1);
});

test("other refusals mean what they mean over HTTP", async () => {
    for (const [status, expected] of [[401, "signed-out"], [429, "reconnecting"], [503, "reconnecting"], [null, "reconnecting"]]) {
        const server = new Server();
        server.refusals.hello = status;
        assert.equal((await streaming(server)).status(), expected, String(status));
    }
});

test("requests go by POST, one after the other, together when they wait, and are answered by the stream", async () => {
    const {window, clock, dash, server} = await streaming();
    const asked = [dash.ask("a.x"), dash.ask("a.y"), dash.ask("a.z")];
    await clock.run();
    assert.deepEqual(server.log.slice(1).map(([client, ...messages]) => [client, ...messages.map(({requestId}) => requestId)]), [
        ["c1", asked[0]], ["c1", asked[1], asked[2]],
    ]);
    const payload = {status: "ok", data: {multi: true, response: {a: {x: 1}}}};
    window.source.say({client: "c1", messages: [{type: "callback_response", requestId: asked[0], payload}, setProps("a", {x: 2})]});
    window.source.say({client: "another tab's", messages: [setProps("a", {x: 3})]});
    await clock.run();
    assert.deepEqual(dash.values, [["a", {x: 1}], ["a", {x: 2}]]);
});

test("what comes by the stream before the welcome is not lost", async () => {
    const {window, clock, dash} = await tab();
    window.socket.end(1006);
    await clock.pass(0);
    let welcomeNow;
    window.answer = () => new Promise(resolve => (welcomeNow = resolve));
    window.source.opened();
    await clock.run();
    window.source.say({client: "c9", messages: [setProps("a", {x: 1})]});
    welcomeNow({status: 200, body: [welcome({client: "c9"})]});
    await clock.run();
    assert.deepEqual(dash.values, [["a", {x: 1}]]);
});

test("a message that cannot be dealt with costs no other one, by POST or by the stream", async () => {
    const {window, clock, dash, status} = await streaming();
    window.source.say({client: "c1", messages: [null, setProps("a", {x: 1})]});
    window.answer = () => ({status: 200, body: [null, setProps("a", {x: 2})]});
    dash.ask("a.y");
    await clock.run();
    assert.deepEqual(dash.values, [["a", {x: 1}], ["a", {x: 2}]]);
    assert.equal(status(), "connected");
    assert.deepEqual(window.said.map(([how]) => how), ["error"]);
});

test("the server closes a link by the stream", async () => {
    for (const [close, expected] of [[4401, "signed-out"], [4001, "closed"], [4409, "reconnecting"], [4408, "reconnecting"]]) {
        const {window, status} = await streaming();
        window.source.say({client: "c1", messages: [], close});
        assert.equal(status(), expected);
    }
});

test("after a lost stream the page resumes on a new one, with what was not acknowledged", async () => {
    const {window, clock, dash, server, status} = await streaming();
    window.source.say({client: "c1", messages: [setProps("a", {x: 1})]});
    server.refusals.send = null;
    const asked = dash.ask("a.x");
    await clock.run();
    assert.equal(status(), "reconnecting");
    delete server.refusals.send;
    const old = window.source;
    await clock.pass(2000);
    assert.notEqual(window.source, old);
    assert.equal(old.closed, true);
    window.source.opened();
    await clock.run();
    assert.equal(status(), "connected");
    const [name, resume] = server.log[server.log.length - 2];
    assert.deepEqual([name, resume.type, resume.received, resume.ticket], [window.source.stream, "resume", 1, "t"]);
    assert.equal(server.log[server.log.length - 1][1].requestId, asked);
});

test("a resume that was not answered holds up no later link and is not sent late", async () => {
    const {window, clock, server, status} = await streaming();
    window.source.fail();
    let answered = true;
    window.answer = request => {
        if (request.url.includes("/send") && answered) {
            answered = false;
            return new Promise(() => {});
        }
        return server.answer(request);
    };
    await clock.pass(1000);
    window.source.opened();
    await clock.pass(10000);
    assert.equal(status(), "reconnecting");
    await clock.pass(2000);
    window.source.opened();
    await clock.run();
    assert.equal(status(), "connected");
    await clock.pass(20000);
    const greetings = window.posts.map(([first]) => first.type).filter(type => type === "resume");
    assert.equal(greetings.length, 2);
});

test("a stream that fails is opened again", async () => {
    const {window, clock, status, browser} = await streaming();
    window.source.fail();
    assert.equal(status(), "reconnecting");
    await clock.pass(1000);
    assert.equal(window.sources.length, 2);
    window.source.opened();
    await clock.run();
    assert.equal(status(), "connected");
    assert.deepEqual([browser.channels.size, browser.waiting.length], [1, 0]);
});

test("where a proxy gathers the stream the page polls", async () => {
    const {window, clock, dash, server, client} = await tab();
    window.socket.end(1006);
    refuseSockets(window);
    await clock.pass(0);
    window.source.headers();
    await clock.pass(3000);
    assert.equal(window.source.closed, true);
    assert.equal(client.state.state.transport, "poll");
    assert.equal(server.clients.get("c1"), server.polls[0].name);
    server.polls[0].resolve({status: 200, body: [{client: "c1", messages: [setProps("a", {x: 1})]}]});
    await clock.run();
    assert.equal(server.polls.length, 2);
    server.polls[1].resolve({status: 200, body: []});
    await clock.run();
    assert.equal(server.polls.length, 3);
    assert.deepEqual(dash.values, [["a", {x: 1}]]);
    server.polls[2].resolve({status: 502});
    await clock.run();
    assert.equal(client.state.state.status, "reconnecting");
    await clock.pass(1000);
    assert.equal(client.state.state.transport, "poll");
});

test("a page that is left says goodbye by a POST that outlives it", async () => {
    const {window, clock} = await streaming();
    window.happen("pagehide", {persisted: false});
    await clock.run();
    const {keepalive, body, url} = window.requests.pop();
    assert.deepEqual([keepalive, JSON.parse(body), url], [true, [{type: "bye"}], "/_flash/live/send?client=c1"]);
    assert.equal(window.source.closed, true);
});

test("a page whose stream the browser has ended before it leaves the page says goodbye too, once", async () => {
    const {window} = await streaming();
    window.source.fail();
    window.happen("pagehide", {persisted: false});
    window.happen("pagehide", {persisted: false});
    const byes = window.requests.filter(({body}) => body && JSON.parse(body)[0].type === "bye");
    assert.deepEqual(byes.map(({url, keepalive}) => [url, keepalive]), [["/_flash/live/send?client=c1", true]]);
});

test("one tab of a browser holds the stream for all, and passes on what is theirs", async () => {
    const browser = new FakeBrowser();
    const server = new Server();
    const first = await streaming(server, browser);
    const second = await streaming(server, browser);
    assert.deepEqual([first.window.sources.length, second.window.sources.length], [1, 0]);
    assert.equal(second.status(), "connected");
    assert.equal(server.clients.get("c1"), server.clients.get("c2"));
    first.window.source.say({client: "c2", messages: [setProps("a", {x: 2})]});
    first.window.source.say({client: "c1", messages: [setProps("a", {x: 1})]});
    await browser.clock.run();
    assert.deepEqual(first.dash.values, [["a", {x: 1}]]);
    assert.deepEqual(second.dash.values, [["a", {x: 2}]]);
});

test("when the tab that holds the stream is closed, another one takes over and all resume", async () => {
    const browser = new FakeBrowser();
    const server = new Server();
    const [first, second, third] = [
        await streaming(server, browser), await streaming(server, browser), await streaming(server, browser),
    ];
    first.window.happen("pagehide", {persisted: false});
    await browser.clock.pass(1000);
    assert.deepEqual([second.window.sources.length, third.window.sources.length], [1, 0]);
    second.window.source.opened();
    await browser.clock.pass(1000);
    assert.deepEqual([second.status(), third.status()], ["connected", "connected"]);
    assert.equal(server.clients.get("c3"), second.window.source.stream);
});

test("a page that the browser keeps lets go of the stream, and takes part again when it is shown", async () => {
    const browser = new FakeBrowser();
    const server = new Server();
    const first = await streaming(server, browser);
    const second = await streaming(server, browser);
    first.window.happen("pagehide", {persisted: true});
    await browser.clock.pass(1000);
    second.window.source.opened();
    await browser.clock.pass(1000);
    assert.equal(second.status(), "connected");
    first.window.happen("pageshow", {persisted: true});
    await browser.clock.pass(1000);
    assert.equal(first.status(), "connected");
    assert.equal(first.window.sources.length, 1);
});

test("a tab whose link alone is lost does not resume on the stream that may still bring old messages", async () => {
    const browser = new FakeBrowser();
    const server = new Server();
    const first = await streaming(server, browser);
    const second = await streaming(server, browser);
    first.window.source.say({client: "c2", messages: [], close: 4408});
    await browser.clock.pass(1000);
    assert.equal(first.window.sources.length, 2);
    first.window.source.opened();
    await browser.clock.pass(1000);
    assert.deepEqual([first.status(), second.status()], ["connected", "connected"]);
    assert.equal(server.clients.get("c2"), first.window.source.stream);
});

const without = what => window => delete (what === "locks" ? window.navigator : window)[what];

test("where tabs cannot elect a holder each has a stream of its own", async () => {
    const refused = Object.assign(new Error("denied"), {name: "SecurityError"});
    const denied = window => (window.navigator.locks = {request: () => Promise.reject(refused)});
    for (const before of [denied, without("BroadcastChannel")]) {
        const [server, browser] = [new Server(), new FakeBrowser()];
        const first = await streaming(server, browser, before);
        const second = await streaming(server, browser, before);
        assert.deepEqual([first.window.sources.length, second.window.sources.length], [1, 1]);
        assert.deepEqual([first.status(), second.status()], ["connected", "connected"]);
        await browser.clock.pass(20000);
        assert.equal(browser.channels.size, 0);
        assert.deepEqual([first.status(), second.status()], ["connected", "connected"]);
    }
});

/** Tabs without locks, as in pages that are not secure; one of them has claimed the stream. */
async function unlocked(count) {
    const [server, browser] = [new Server(), new FakeBrowser()];
    const tabs = [];
    for (let i = 0; i < count; i++) {
        tabs.push(await streaming(server, browser, without("locks")));
    }
    await browser.clock.pass(2000 + 500);
    await open(...tabs);
    return {server, browser, tabs};
}

/** Open the streams that tabs have asked for. */
async function open(...tabs) {
    for (const {window} of tabs) {
        if (window.source && !window.source.closed) {
            window.source.opened();
        }
    }
    await tabs[0].clock.pass(2500);
}

const streams = tabs => tabs.flatMap(({window}) => window.sources).filter(({closed}) => !closed).length;
const all = (tabs, status) => assert.deepEqual(tabs.map(each => each.status()), tabs.map(() => status));

test("without locks too one tab holds the stream for all, and leaves it to another one", async () => {
    const {browser, tabs} = await unlocked(7);
    all(tabs, "connected");
    assert.equal(streams(tabs), 1);
    const holder = tabs.findIndex(({window}) => window.source && !window.source.closed);
    tabs[holder].window.source.say({client: "c3", messages: [setProps("a", {x: 3})]});
    await browser.clock.run();
    assert.equal(tabs.flatMap(({dash}) => dash.values).length, 1);
    tabs[holder].window.happen("pagehide", {persisted: false});
    const rest = tabs.filter((_, index) => index !== holder);
    await browser.clock.pass(1000);
    await open(...rest);
    await open(...rest);
    all(rest, "connected");
    assert.equal(streams(rest), 1);
});

test("of two tabs that claim the stream at once the later one holds it, and both are connected", async () => {
    const {tabs, browser} = await unlocked(2);
    const other = tabs.find(({window}) => !window.source || window.source.closed);
    other.client.link.transport.shared.election.takeOver();
    await browser.clock.run();
    assert.equal(streams(tabs), 1);
    await open(...tabs);
    await open(...tabs);
    all(tabs, "connected");
    assert.equal(streams(tabs), 1);
    assert.equal(other.window.source.closed, false);
});

for (const locks of [true, false]) {
    test(`a holder that is frozen is replaced, ${locks ? "with" : "without"} locks`, async () => {
        const [server, browser] = [new Server(), new FakeBrowser()];
        const before = locks ? () => {} : without("locks");
        const first = await streaming(server, browser, before);
        await browser.clock.pass(2500);
        await open(first);
        const second = await streaming(server, browser, before);
        const third = await streaming(server, browser, before);
        all([first, second, third], "connected");
        const {channel} = first.client.link.transport.shared;
        const {onmessage} = channel;
        const kept = [];
        channel.onmessage = event => kept.push(event);
        first.window.source.onmessage({data: JSON.stringify({client: "c2", messages: [], close: 4408})});
        await browser.clock.pass(1000 + 3500);
        assert.equal(streams([second, third]), 1);
        await open(second, third);
        all([second, third], "connected");
        // It thaws.
        channel.onmessage = onmessage;
        kept.forEach(onmessage);
        await browser.clock.pass(3000);
        all([first, second, third], "connected");
        assert.equal(streams([first, second, third]), 1);
        assert.equal(first.window.source.closed, true);
    });
}

test("a holder that is slow to open the stream is not replaced", async () => {
    const browser = new FakeBrowser();
    const first = await tab(new Server(), browser);
    first.window.socket.end(1006);
    await browser.clock.pass(0);
    const second = await streaming(first.server, browser);
    await browser.clock.pass(2900);
    first.window.source.opened();
    await browser.clock.pass(5000);
    all([first, second], "connected");
    assert.deepEqual([first.window.sources.length, second.window.sources.length], [1, 0]);
});

test("a tab that is refused again and again leaves the others their stream", async () => {
    const browser = new FakeBrowser();
    const first = await streaming(new Server(), browser);
    for (const status of [429, 503]) {
        const full = new Server();
        full.refusals.hello = status;
        await streaming(full, browser);
        for (let i = 0; i < 20; i++) {
            await browser.clock.pass(15000);
            first.window.source.say({client: "c1", messages: [{type: "heartbeat"}]});
        }
        assert.ok(full.log.length > 3);
    }
    assert.equal(first.status(), "connected");
    assert.equal(first.window.sources.length, 1);
});

test("a stream to which nobody listens, or on which a resume may have begun, is renewed", async () => {
    const deaf = new Server();
    deaf.refusals.hello = 409;
    const first = await streaming(deaf);
    await first.clock.pass(2000);
    assert.equal(first.window.sources.length, 2);
    const {window, clock, server} = await streaming();
    server.refusals.resume = null;
    window.source.fail();
    await clock.pass(1000);
    window.source.opened();
    await clock.pass(4000);
    assert.equal(server.log[1][1].type, "resume");
    assert.equal(window.sources.length, 3);
});

test("acknowledgements and tickets do not wait for a large POST", async () => {
    const {window, clock, dash, server} = await streaming();
    const {answer} = window;
    window.answer = request => (request.body && request.body.includes("callback_request") ? new Promise(() => {}) : answer(request));
    dash.ask("a.x");
    await clock.run();
    dash.ask("a.y");
    window.source.say({client: "c1", messages: [{type: "heartbeat"}]});
    await clock.run();
    assert.deepEqual(server.log.slice(1).map(([, first]) => first.type), ["heartbeat_ack"]);
});

test("a page that is left while it says hello says goodbye when it is welcomed", async () => {
    const {window, clock} = await tab();
    window.socket.end(1006);
    await clock.pass(0);
    let reply;
    window.answer = () => new Promise(resolve => (reply = resolve));
    window.source.opened();
    await clock.run();
    window.happen("pagehide", {persisted: true});
    reply({status: 200, body: [welcome({client: "c9"})]});
    await clock.run();
    const {keepalive, body, url, headers} = window.requests.pop();
    assert.deepEqual([keepalive, JSON.parse(body), url], [true, [{type: "bye"}], "/_flash/live/send?client=c9"]);
    assert.equal(headers["Flash-Key"], "secret");
});

test("a stream that once failed to open is tried again when the polls end", async () => {
    const {window, clock, server, client} = await tab();
    window.socket.end(1006);
    await clock.pass(0);
    window.source.fail();
    await clock.run();
    assert.equal(client.state.state.transport, "poll");
    server.polls[0].resolve({status: 502});
    await clock.pass(1000);
    window.socket.end(1006);
    await clock.pass(1000);
    assert.equal(window.sources.length, 2);
    window.source.opened();
    await clock.run();
    assert.equal(client.state.state.transport, "stream");
});
