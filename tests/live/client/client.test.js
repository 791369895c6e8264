"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const {live, FakeWindow, FakeRenderer, CONFIG, welcome, setProps, component} = require("./fakes.js");

function page(config = {}, ids = ["a", "b"]) {
    const window = new FakeWindow();
    const client = live.start(window, {...CONFIG, ...config});
    const dash = new FakeRenderer(window, ids);
    return {window, client, dash, clock: window.clock, state: () => client.state.state};
}

async function loaded(config, ids) {
    const parts = page(config, ids);
    parts.window.socket.welcome();
    parts.dash.connect().load();
    await parts.clock.run();
    return parts;
}

/** Cut the link, and welcome the page on the next one. */
async function cut({window, clock}, more) {
    window.socket.end(1006);
    await clock.pass(1000);
    window.socket.open();
    window.socket.say(welcome(more));
    await clock.run();
}

const answer = (requestId, id, props) => ({
    type: "callback_response", requestId, payload: {status: "ok", data: {multi: true, response: {[id]: props}}},
});
const heard = dash => dash.log.filter(entry => entry.heard).map(entry => entry.heard);
const ids = messages => messages.map(({requestId}) => requestId);

test("the renderer is connected at once; what it asks waits for the link and is sent in order", async () => {
    const {window, clock, dash} = page();
    dash.connect().load();
    assert.deepEqual(heard(dash), ["connected"]);
    const asked = [dash.ask("a.x"), dash.ask("b.x")];
    window.socket.open();
    assert.deepEqual(window.socket.ofType("callback_request"), []);
    window.socket.say(welcome());
    assert.deepEqual(ids(window.socket.ofType("callback_request")), asked);
    window.socket.say({type: "ack", requestId: asked[0]}, answer(asked[0], "a", {x: 1}));
    await clock.run();
    assert.deepEqual(dash.values, [["a", {x: 1}]]);
});

test("each welcome says by how much the server's clock is ahead", async () => {
    const parts = page();
    const {window, clock, state} = parts;
    assert.equal(state().ahead, 0);
    clock.wrongBy = -3600000;
    window.socket.open();
    window.socket.say(welcome({now: clock.now + 5}));
    assert.equal(state().ahead, 3600005);
    clock.wrongBy = 0;
    await cut(parts, {now: clock.now + 1000});
    assert.equal(state().ahead, 0);
});

test("the carrier's request is not sent, and what is not for the server neither", async () => {
    const {window, dash} = await loaded();
    dash.port.postMessage({type: "tab_visible"});
    dash.port.postMessage({type: "disconnect"});
    assert.deepEqual(window.socket.sent.map(({type}) => type), ["hello"]);
});

test("requests carry the name of the page that hello, resume and HTTP callbacks carry", async () => {
    const {window, dash} = await loaded();
    dash.ask("a.x");
    const [{rendererId}] = window.socket.ofType("hello");
    assert.equal(window.socket.ofType("callback_request")[0].rendererId, rendererId);
    await window.fetch("/_dash-update-component", {method: "POST"});
    assert.equal(window.requests.pop().headers.get("Flash-Renderer"), rendererId);
});

test("HTTP callbacks name the client of the last welcome, and none before the first one", async () => {
    const parts = page();
    const {window} = parts;
    const named = async () => {
        await window.fetch("/_dash-update-component", {method: "POST"});
        const {headers} = window.requests.pop();
        return [headers.get("Flash-Client"), headers.get("Flash-Key")];
    };
    assert.deepEqual(await named(), [null, null]);
    window.socket.welcome();
    assert.deepEqual(await named(), ["c1", "secret"]);
    await cut(parts, {recovered: false, client: "c2", key: "other"});
    assert.deepEqual(await named(), ["c2", "other"]);
});

test("questions of the server reach the renderer, and its answers the server until they are acknowledged", async () => {
    const parts = await loaded();
    const {window, clock, dash} = parts;
    window.socket.say({type: "get_props_request", requestId: "s1", payload: {componentId: "a", properties: ["x"]}});
    await clock.run();
    assert.deepEqual(heard(dash), ["connected", "get_props_request"]);
    dash.port.postMessage({type: "get_props_response", rendererId: "dash", requestId: "s1", payload: {x: 1}});
    await cut(parts);
    assert.deepEqual(ids(window.socket.ofType("get_props_response")), ["s1"]);
    window.socket.say({type: "ack", requestId: "s1"});
    await cut(parts);
    assert.deepEqual(window.socket.ofType("get_props_response"), []);
});

test("after a resume what was not acknowledged is sent again, in order, and nothing else", async () => {
    const parts = await loaded();
    const {window, clock, dash} = parts;
    const [one, two, three] = [dash.ask("a.x"), dash.ask("b.x"), dash.ask("a.y")];
    window.socket.say({type: "ack", requestId: one});
    await cut(parts);
    assert.deepEqual(ids(window.socket.ofType("callback_request")), [two, three]);
    window.socket.say(answer(one, "a", {x: 1}), answer(two, "b", {x: 2}), answer(three, "a", {y: 3}));
    await clock.run();
    assert.deepEqual(dash.values, [["a", {x: 1}], ["b", {x: 2}], ["a", {y: 3}]]);
    await cut(parts);
    assert.deepEqual(window.socket.ofType("callback_request"), []);
    assert.equal(window.socket.sent[0].received, 3);
});

test("a lost link resolves no callback", async () => {
    const {window, clock, dash} = await loaded();
    dash.ask("a.x");
    window.answer = () => null;
    window.socket.end(1006);
    await clock.pass(600000);
    assert.deepEqual(dash.log, [{heard: "connected", type: "connected"}]);
    assert.equal(dash.pending.size, 2);
});

test("after a gap: what was sent fails, the rest is sent, then callbacks without inputs start again", async () => {
    const parts = await loaded({retry: ["again.x"]});
    const {window, clock, dash, state} = parts;
    const [acknowledged, again] = [dash.ask("a.x"), dash.ask("again.x")];
    dash.ask("a.y");
    window.socket.say({type: "ack", requestId: acknowledged}, {type: "ack", requestId: again});
    window.socket.end(1006);
    const unsent = dash.ask("b.x");
    await clock.pass(1000);
    window.socket.welcome({recovered: false, client: "c2", key: "other"});
    await clock.run();
    assert.equal(state().recovered, false);
    assert.equal(state().client, "c2");
    assert.deepEqual(ids(window.socket.ofType("callback_request")), [again, unsent]);
    const failures = dash.log.filter(entry => entry.answer);
    assert.deepEqual(failures.map(entry => entry.answer), ["a.x", "a.y"]);
    failures.forEach(({status, message}) => {
        assert.equal(status, "error");
        assert.match(message, /^The connection was lost while this was running/);
    });
    assert.deepEqual(heard(dash), ["connected"]);
    window.socket.say(answer(again, "a", {x: 1}), answer(unsent, "b", {x: 2}));
    await clock.pass(10);
    assert.deepEqual(heard(dash), ["connected", "disconnected", "connected"]);
    assert.deepEqual(dash.values, [["a", {x: 1}], ["b", {x: 2}]]);
    await clock.pass(30000);
    assert.deepEqual(heard(dash), ["connected", "disconnected", "connected"]);
});

test("after a gap the count begins anew, trees are delivered, and recovered stays false until it is reset", async () => {
    const parts = await loaded();
    const {window, clock, dash, state} = parts;
    window.socket.say(setProps("a", {x: 1}));
    await cut(parts, {recovered: false, client: "c2"});
    window.socket.say(setProps("a", {children: component("t")}, true));
    await clock.pass(10);
    assert.equal(dash.props("a").children.props.id, "t");
    await cut(parts, {client: "c2"});
    assert.deepEqual([window.socket.sent[0].client, window.socket.sent[0].received], ["c2", 1]);
    assert.equal(state().recovered, false);
    live.connection.resetRecovered();
    assert.equal(state().recovered, true);
});

test("an app may have the page loaded again after a gap, and after nothing else", async () => {
    const parts = await loaded({onGap: "reload"});
    await cut(parts);
    assert.equal(parts.window.reloads, 0);
    await cut(parts, {recovered: false});
    assert.equal(parts.window.reloads, 1);
});

test("a page that comes back out of the browser's cache is not loaded again, but its next gap loads it", async () => {
    const parts = await loaded({onGap: "reload"});
    const {window, clock, state} = parts;
    window.happen("pagehide", {persisted: true});
    window.happen("pageshow", {persisted: true});
    await clock.run();
    window.socket.welcome({recovered: false, client: "c2"});
    await clock.run();
    assert.deepEqual([window.reloads, state().recovered, state().gaps], [0, false, 1]);
    await clock.pass(20000);
    await cut(parts, {recovered: false, client: "c3"});
    assert.equal(window.reloads, 1);
});

test("what waits for components is dropped when the page is left for the browser's cache", async () => {
    const {window, clock, dash} = await loaded();
    window.socket.say(setProps("later", {x: 1}));
    await clock.run();
    window.happen("pagehide", {persisted: true});
    dash.mount("later");
    await clock.pass(3000);
    assert.deepEqual(dash.values, []);
});

test("what is dropped because too much waits makes recovered false", () => {
    const {window, state} = page();
    window.socket.welcome();
    for (let n = 0; n < 1001; n += 1) {
        window.socket.say(setProps("a", {[`p${n}`]: n}));
    }
    assert.equal(state().recovered, false);
    live.connection.resetRecovered();
    assert.equal(state().recovered, true);
});

test("requests above the limit go by POST, and what comes after them waits for the answer", async () => {
    const {window, clock, dash} = await loaded();
    let reply;
    window.answer = () => new Promise(resolve => (reply = resolve));
    const large = dash.ask("a.x", [{id: "upload", property: "contents", value: "é".repeat(600)}]);
    const after = dash.ask("b.x");
    await clock.run();
    assert.deepEqual(ids(window.posts[0]), [large]);
    const [{url, headers}] = window.requests;
    assert.deepEqual([url, headers["Flash-Key"]], ["/_flash/live/send?client=c1", "secret"]);
    assert.deepEqual(window.socket.ofType("callback_request"), []);
    reply({status: 200, body: [{type: "ack", requestId: large}]});
    await clock.run();
    assert.deepEqual(ids(window.socket.ofType("callback_request")), [after]);
});

test("a request that the server finds too large fails, and the others go on", async () => {
    const {window, clock, dash} = await loaded();
    window.answer = () => ({status: 413});
    dash.ask("a.x", [{id: "upload", property: "contents", value: "x".repeat(2000)}]);
    const after = dash.ask("b.x");
    await clock.run();
    assert.equal(dash.log.find(entry => entry.answer === "a.x").status, "error");
    assert.deepEqual(ids(window.socket.ofType("callback_request")), [after]);
});

test("a POST that does not get through loses the link; the request is sent again", async () => {
    const {window, clock, dash, state} = await loaded();
    window.answer = () => null;
    const large = dash.ask("a.x", [{id: "upload", property: "contents", value: "x".repeat(2000)}]);
    await clock.run();
    assert.equal(state().status, "reconnecting");
    window.answer = ({method}) => ({status: 200, body: method === "GET" ? {ticket: "t"} : []});
    await clock.pass(3000);
    window.socket.welcome();
    await clock.run();
    assert.deepEqual(window.posts.map(ids), [[large], [large]]);
});

test("a POST that is not answered loses the link, and goes no further than its link", async () => {
    const {window, clock, dash, state} = await loaded();
    const large = n => dash.ask(`a.x${n}`, [{id: "upload", property: "contents", value: "x".repeat(2000)}]);
    const {answer: reply} = window;
    window.answer = request => (request.method === "GET" ? reply(request) : new Promise(() => {}));
    const first = large(1);
    await clock.run();
    const [{signal}] = window.requests;
    window.socket.end(1006);
    await clock.pass(1000);
    assert.equal(signal.aborted, true);
    window.socket.welcome({heartbeat: 1000});
    await clock.pass(29999);
    assert.equal(state().status, "connected");
    await clock.pass(1000);
    assert.equal(state().status, "reconnecting");
    assert.deepEqual(window.posts.map(ids), [[first], [first]]);
});

test("when a frame was too large for a server on the way, the largest request fails", async () => {
    const {window, clock, dash} = await loaded();
    const small = dash.ask("a.x");
    dash.ask("b.x", [{id: "upload", property: "contents", value: "x".repeat(500)}]);
    window.socket.end(1009);
    await clock.pass(1000);
    window.socket.welcome();
    await clock.run();
    assert.equal(dash.log.find(entry => entry.answer).answer, "b.x");
    assert.deepEqual(ids(window.socket.ofType("callback_request")), [small]);
});

test("what cannot be sent any more fails visibly, and what is asked later too", async () => {
    for (const [code, sentence] of [[4401, /signed out/], [4001, /connection is closed/]]) {
        const {window, clock, dash} = await loaded();
        dash.ask("a.x");
        window.socket.end(code);
        dash.ask("b.x");
        await clock.run();
        const failures = dash.log.filter(entry => entry.answer);
        assert.deepEqual(failures.map(entry => entry.answer), ["a.x", "b.x"]);
        failures.forEach(({status, message}) => {
            assert.equal(status, "error");
            assert.match(message, sentence);
        });
    }
});

test("at most 100 requests wait for a link; a new one fails at once", async () => {
    const parts = await loaded();
    const {window, clock, dash} = parts;
    const asked = [dash.ask("a.0")];
    window.socket.end(1006);
    for (let n = 1; n < 100; n += 1) {
        asked.push(dash.ask(`a.${n}`));
    }
    await clock.run();
    assert.deepEqual(dash.log.filter(entry => entry.answer), []);
    dash.ask("b.x");
    await clock.run();
    const [{answer: output, status, message}] = dash.log.filter(entry => entry.answer);
    assert.deepEqual([output, status, message], ["b.x", "error", "Too many callbacks wait for the connection."]);
    await clock.pass(1000);
    window.socket.welcome();
    assert.deepEqual(ids(window.socket.ofType("callback_request")), asked);
    const more = dash.ask("b.y");
    assert.equal(ids(window.socket.ofType("callback_request")).pop(), more);
});

test("a refused frame is shown as the renderer shows errors", async () => {
    const {window, clock, dash} = await loaded();
    window.socket.say({type: "error", payload: {message: "no", code: 1007}});
    await clock.run();
    assert.deepEqual(dash.log.pop(), {heard: "error", type: "error", payload: {message: "no", code: 1007}});
});

test("a frame may hold several messages, and one that is not JSON harms nothing", async () => {
    const {window, clock, dash, state} = await loaded();
    window.socket.onmessage({data: JSON.stringify([setProps("a", {x: 1}), setProps("b", {x: 2})])});
    window.socket.onmessage({data: "{"});
    await clock.run();
    assert.deepEqual(dash.values, [["a", {x: 1}], ["b", {x: 2}]]);
    assert.equal(state().status, "connected");
    assert.equal(window.said.length, 1);
});

test("a message that cannot be dealt with is counted, said once, and costs no other one of its frame", async () => {
    const parts = await loaded();
    const {window, clock, dash, client} = parts;
    const {delivery} = client;
    const push = delivery.push.bind(delivery);
    delivery.push = message => {
        if (message.payload.props.x === "bad") {
            throw new Error("of one message");
        }
        push(message);
    };
    const bad = setProps("a", {x: "bad"});
    window.socket.onmessage({data: JSON.stringify([bad, setProps("a", {x: 1}), null, bad, setProps("b", {x: 2})])});
    await clock.run();
    assert.deepEqual(dash.values, [["a", {x: 1}], ["b", {x: 2}]]);
    assert.deepEqual(window.said.map(([how]) => how), ["error"]);
    await cut(parts);
    assert.equal(window.socket.sent[0].received, 4);
});

test("a message that has not what it should have is dropped, and those after it are delivered", async () => {
    const {window, clock, dash} = await loaded();
    window.socket.say({type: "set_props", payload: {}}, {type: "set_props"}, setProps("elsewhere"), setProps("a", {x: 1}));
    await clock.run();
    assert.deepEqual(dash.values, [["a", {x: 1}]]);
    assert.deepEqual(window.said.map(([how]) => how), ["error"]);
});

test("a page without Dash's configuration says hello all the same", () => {
    const window = new FakeWindow();
    window.document.getElementById = () => null;
    live.start(window, CONFIG);
    window.socket.open();
    assert.equal("endId" in window.socket.sent[0], false);
});
