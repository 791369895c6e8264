"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const {live, FakeWindow, FakeRenderer, setProps, component, patch} = require("./fakes.js");

/** All between the server and the renderer, without a link. */
function page(...ids) {
    const window = new FakeWindow();
    const log = new live.Log(window);
    const renderer = new live.Renderer(window);
    const worker = new live.Worker(log);
    const carrier = new live.Carrier("_flash_carrier", renderer, worker);
    const tasks = new live.Macrotasks(window);
    const hands = new live.Hands(window, log);
    const shared = new live.Shared({window, log, tasks, renderer, hands, inputs: new live.Inputs([])});
    const delivery = new live.Delivery({window, log, tasks, worker, renderer, carrier, shared});
    worker.onmessage = message => {
        if (message.type === "callback_request") {
            delivery.mount();
            if (carrier.owns(message)) {
                carrier.park(message);
                delivery.schedule();
            }
        }
    };
    worker.install(window);
    const dash = new FakeRenderer(window, ids).connect();
    return {window, clock: window.clock, dash, delivery, carrier, worker};
}

test("nothing is delivered before the layout is there", async () => {
    const {clock, dash, delivery} = page("a");
    delivery.push(setProps("a", {x: 1}));
    await clock.pass(5000);
    assert.deepEqual(dash.values, []);
    dash.load();
    await clock.run();
    assert.deepEqual(dash.values, [["a", {x: 1}]]);
});

test("messages are delivered in order, one in each task, so that an answer is not overtaken", async () => {
    const {clock, dash, delivery} = page("a");
    dash.load();
    const requestId = dash.ask("a.x");
    delivery.push({type: "callback_response", requestId, payload: {status: "ok", data: {response: {a: {x: "older"}}}}});
    delivery.push(setProps("a", {x: "newer"}));
    await clock.run();
    assert.deepEqual(dash.values, [["a", {x: "older"}], ["a", {x: "newer"}]]);
    assert.equal(dash.props("a").x, "newer");
});

test("values with components go as the carrier's answer, round after round, in order with the others", async () => {
    const {clock, dash, delivery} = page("a", "b");
    dash.load();
    for (const n of [1, 2, 3]) {
        delivery.push(setProps("a", {children: component(`t${n}`)}, true));
        delivery.push(setProps("b", {x: n}));
    }
    await clock.pass(100);
    const entries = dash.log.filter(entry => entry.set).map(({set: [id, props], how}) => [id, how, props.x || props.children.props.id]);
    assert.deepEqual(entries, [
        ["a", "tree", "t1"], ["b", "set_props", 1],
        ["a", "tree", "t2"], ["b", "set_props", 2],
        ["a", "tree", "t3"], ["b", "set_props", 3],
    ]);
});

test("a Patch with components is resolved before it is delivered", async () => {
    const {clock, dash, delivery} = page("a");
    dash.props("a").children = [component("one")];
    dash.load();
    for (const name of ["two", "three"]) {
        delivery.push(setProps("a", {children: patch(["Append", [], {value: component(name)}])}, true));
    }
    await clock.pass(100);
    assert.deepEqual(dash.props("a").children.map(({props}) => props.id), ["one", "two", "three"]);
    assert.equal(dash.values[0][1].children.length, 2);
});

test("a Patch that cannot be resolved stops nothing", async () => {
    const {window, clock, dash, delivery} = page("a");
    dash.load();
    delivery.push(setProps("a", {children: patch(["Append", [], {value: component("x")}])}, true));
    delivery.push(setProps("a", {children: component("y")}, true));
    await clock.pass(100);
    assert.equal(dash.props("a").children.props.id, "y");
    assert.equal(window.said.length, 1);
});

test("when an answer must come before the carrier, it does", async () => {
    const {clock, dash, delivery, carrier, worker} = page("a");
    dash.load();
    await clock.run();
    const requestId = dash.ask("a.x");
    delivery.push(setProps("a", {children: component("t1")}, true));
    dash.slots = 1;
    delivery.push(setProps("a", {children: component("t2")}, true));
    delivery.push({type: "callback_response", requestId, payload: {status: "prevent_update"}});
    await clock.pass(1900);
    assert.equal(carrier.ready, false);
    assert.equal(worker.unanswered.has(requestId), true);
    await clock.pass(2100);
    assert.equal(worker.unanswered.has(requestId), false);
    assert.equal(dash.props("a").children.props.id, "t2");
});

test("a carrier that asks again before it was answered is kept once", async () => {
    const {clock, dash, delivery} = page("a");
    dash.load();
    dash.load();
    delivery.push(setProps("a", {children: component("t")}, true));
    await clock.pass(100);
    assert.equal(dash.props("a").children.props.id, "t");
    assert.equal(dash.pending.size, 1);
});

test("a request that the renderer will drop, since another one is on its way, is not answered with a tree", async () => {
    const {clock, dash, delivery, carrier} = page("a");
    dash.load();
    await clock.run();
    const {parked} = carrier;
    carrier.rearm();
    delivery.push(setProps("a", {children: component("t")}, true));
    await clock.run();
    assert.equal(carrier.parked, parked);
    await clock.pass(10);
    assert.equal(dash.props("a").children.props.id, "t");
});

test("the carrier lives on when its Store comes to the page anew", async () => {
    const {clock, dash, delivery} = page("a");
    dash.load();
    delivery.push(setProps("a", {children: component("t1")}, true));
    await clock.pass(10);
    dash.mount("_flash_carrier");
    dash.load();
    delivery.push(setProps("a", {children: component("t2")}, true));
    await clock.pass(2100);
    assert.equal(dash.props("a").children.props.id, "t2");
});

test("when very much waits, only the newest value of each property does, with the Patches after it, in order", async () => {
    const {clock, dash, delivery} = page("a", "b");
    const added = patch(["Add", [], {value: 1}]);
    delivery.push(setProps("b", {x: "first", y: "only"}));
    delivery.push({type: "callback_response", requestId: "unknown", payload: {}});
    for (let n = 0; n < 5000; n += 1) {
        delivery.push(setProps(n % 2 ? "a" : "b", {x: n}));
    }
    delivery.push(setProps("a", {x: added}));
    assert.ok(delivery.queue.length <= 1001, `${delivery.queue.length} wait`);
    dash.load();
    await clock.run();
    assert.deepEqual(dash.values[0], ["b", {y: "only"}]);
    assert.deepEqual(dash.values.slice(-3), [["b", {x: 4998}], ["a", {x: 4999}], ["a", {x: added}]]);
});

test("what is set on components that are not there waits for them, the newest of each property", async () => {
    const {window, clock, dash, delivery} = page("a");
    dash.load();
    delivery.push(setProps("later", {x: 1, y: 1}));
    delivery.push(setProps("later", {x: 2}));
    delivery.push(setProps("later", {y: patch(["Add", [], {value: 1}])}));
    delivery.push(setProps("a", {x: "meanwhile"}));
    await clock.run();
    assert.deepEqual(dash.values, [["a", {x: "meanwhile"}]]);
    dash.mount("later");
    window.observers.forEach(observer => observer());
    window.drawFrame();
    await clock.run();
    const [, one, two, three] = dash.values;
    assert.deepEqual([one, two], [["later", {y: 1}], ["later", {x: 2}]]);
    assert.equal(live.patch.isPatch(three[1].y), true);
    assert.equal(window.observers.length, 0);
});

test("what is kept for a component comes before what is newer", async () => {
    const {clock, dash, delivery} = page();
    dash.load();
    delivery.push(setProps("later", {x: 1}));
    await clock.run();
    dash.mount("later");
    delivery.push(setProps("later", {x: 2}));
    await clock.run();
    assert.deepEqual(dash.values, [["later", {x: 1}], ["later", {x: 2}]]);
});

test("dict ids are found, whatever the order of their keys and the letters in them", async () => {
    const {clock, dash, delivery} = page({type: "é", index: 1});
    dash.load();
    delivery.push(setProps('{"index":1,"type":"\\u00e9"}', {x: 1}));
    delivery.push(setProps('{"index":2,"type":"\\u00e9"}', {x: 2}));
    const heard = [];
    const {onmessage} = dash.port;
    dash.port.onmessage = event => heard.push(event.data.payload) && onmessage(event);
    await clock.run();
    assert.deepEqual(heard, [{componentId: '{"index":1,"type":"\\u00e9"}', props: {x: 1}}]);
});

test("components that change nothing in the document are found too, in hidden pages without frames as well", async () => {
    const {window, clock, dash, delivery} = page();
    dash.load();
    window.document.hidden = true;
    delivery.push(setProps("store", {data: 1}));
    await clock.pass(3000);
    dash.mount("store");
    await clock.pass(2000);
    assert.deepEqual(dash.values, [["store", {data: 1}]]);
});

test("many changes of the document in one frame are one look", async () => {
    const {window, clock, dash, delivery} = page();
    dash.load();
    delivery.push(setProps("later", {x: 1}));
    await clock.run();
    window.drawFrame();
    let looks = 0;
    const {getLayout} = window.dash_component_api;
    window.dash_component_api.getLayout = id => (looks += 1) && getLayout(id);
    for (let n = 0; n < 50; n += 1) {
        window.observers.forEach(observer => observer());
    }
    assert.equal(window.frames.length, 1);
    window.drawFrame();
    await clock.run();
    assert.equal(looks, 1);
});

test("a restart waits until the renderer waits for nothing, and the carrier lives on", async () => {
    const {clock, dash, delivery} = page("a");
    dash.load();
    const requestId = dash.ask("a.x");
    await clock.run();
    delivery.restart();
    await clock.run();
    assert.deepEqual(dash.log.filter(entry => entry.heard === "disconnected"), []);
    delivery.push({type: "callback_response", requestId, payload: {status: "ok", data: {response: {a: {x: 1}}}}});
    await clock.pass(10);
    assert.deepEqual(dash.log.filter(({heard}) => heard).map(({heard}) => heard), ["disconnected", "connected"]);
    assert.equal(dash.props("a").x, 1);
    delivery.push(setProps("a", {children: component("t")}, true));
    await clock.pass(10);
    assert.equal(dash.props("a").children.props.id, "t");
});

test("a restart does not wait for ever: after 5 s it comes though an answer does not, or others are awaited", async () => {
    const {clock, dash, delivery} = page("a");
    dash.load();
    dash.ask("never.x");
    await clock.run();
    delivery.restart();
    await clock.pass(4000);
    delivery.restart();
    assert.deepEqual(dash.log.filter(({heard}) => heard === "disconnected"), []);
    await clock.pass(1000);
    assert.deepEqual(dash.log.filter(({heard}) => heard).map(({heard}) => heard), ["disconnected", "connected"]);
    delivery.push(setProps("a", {children: component("t")}, true));
    await clock.pass(20000);
    assert.equal(dash.props("a").children.props.id, "t");
    assert.equal(dash.log.filter(({heard}) => heard === "disconnected").length, 1);
});

test("an answer that comes after its request was given up is pushed to its outputs", async () => {
    const {clock, dash, delivery} = page("a", "b");
    dash.load();
    const requestId = dash.ask("a.children");
    await clock.run();
    delivery.restart();
    await clock.pass(5000);
    const response = {a: {children: "late"}};
    const payload = {status: "ok", data: {multi: true, response, sideUpdate: {b: {title: "beside"}}}};
    delivery.push({type: "callback_response", requestId, payload});
    await clock.pass(100);
    assert.equal(dash.props("a").children, "late");
    assert.equal(dash.props("b").title, "beside");
});

test("a tree is newer than what was kept for the components in it", async () => {
    const {clock, dash, delivery} = page("a");
    dash.load();
    await clock.run();
    delivery.push(setProps("kid", {value: "older"}));
    delivery.push(setProps("a", {children: component("kid")}, true));
    delivery.push(setProps("kid", {title: "newer"}));
    await clock.pass(100);
    dash.mount("kid", {value: "the tree's"});
    await clock.pass(3000);
    assert.deepEqual([dash.props("kid").value, dash.props("kid").title], ["the tree's", "newer"]);
});

test("a Patch whose base was dropped is not applied to another value", async () => {
    const {clock, dash, delivery} = page();
    let losses = 0;
    delivery.onloss = () => (losses += 1);
    dash.load();
    const added = patch(["Append", [], {value: 1}]);
    delivery.push(setProps("late", {x: [0]}));
    for (let n = 0; n < 1000; n += 1) {
        delivery.push(setProps(`id${n}`, {x: 1}));
    }
    delivery.push(setProps("late", {x: added}));
    await clock.run();
    dash.mount("late");
    await clock.pass(3000);
    delivery.push(setProps("late", {x: added}));
    await clock.pass(100);
    assert.deepEqual([dash.values, losses], [[], 1]);
    delivery.push(setProps("late", {x: [2]}));
    delivery.push(setProps("late", {x: added}));
    await clock.pass(100);
    assert.deepEqual(dash.values, [["late", {x: [2]}], ["late", {x: added}]]);
});

test("without a carrier trees are shown all the same after 10 s, those after them at once, and it is said once", async () => {
    const {window, clock, dash, delivery} = page("a");
    dash.ask("a.x");
    dash.layout.delete("_flash_carrier");
    delivery.push(setProps("a", {children: component("t1")}, true));
    delivery.push(setProps("a", {title: "after"}));
    await clock.pass(9999);
    assert.deepEqual(dash.values, []);
    await clock.pass(1);
    assert.deepEqual(dash.log.filter(entry => entry.set).map(({how, set: [, props]}) => [how, Object.keys(props)[0]]), [
        ["set_props", "children"], ["set_props", "title"],
    ]);
    delivery.push(setProps("a", {children: component("t2")}, true));
    await clock.run();
    assert.equal(dash.props("a").children.props.id, "t2");
    assert.deepEqual(window.said.map(([how]) => how), ["warn"]);
    dash.mount("_flash_carrier");
    dash.load();
    await clock.run();
    delivery.push(setProps("a", {children: component("t3")}, true));
    await clock.pass(100);
    delivery.push(setProps("a", {children: component("t4")}, true));
    await clock.pass(100);
    assert.deepEqual(dash.log.slice(-2).map(({how, answer}) => how || answer), ["carrier", "tree"]);
    assert.equal(dash.props("a").children.props.id, "t4");
});

test("what waits for the layout is bounded; what is dropped is said", async () => {
    for (const [value, most] of [["x", 1000], ["x".repeat(100 * 1024), 10]]) {
        const {clock, dash, delivery} = page("a");
        let losses = 0;
        delivery.onloss = () => (losses += 1);
        for (let n = 0; n < most; n += 1) {
            delivery.push(setProps("a", {[`p${n}`]: value}));
        }
        assert.equal(losses, 0);
        for (let n = most; n < 3 * most; n += 1) {
            delivery.push(setProps("a", {[`p${n}`]: value}));
        }
        delivery.push(setProps("a", {p0: patch(["Add", [], {value: 1}])}));
        assert.ok(losses > 0 && delivery.queue.length <= most, `${losses} ${delivery.queue.length}`);
        dash.load();
        await clock.run();
        assert.equal(dash.props("a")[`p${3 * most - 1}`], value);
        assert.equal(dash.props("a").p0, undefined);
    }
    const {clock, dash, delivery} = page("a");
    delivery.push(setProps("a", {figure: "x".repeat(3 * 1024 * 1024)}));
    dash.load();
    await clock.run();
    assert.equal(dash.values.length, 1);
});

test("a hidden page asks for one frame, however often it looks", async () => {
    const {window, clock, dash, delivery} = page();
    dash.load();
    window.document.hidden = true;
    delivery.push(setProps("nowhere", {x: 1}));
    await clock.pass(60000);
    assert.ok(window.frames.length <= 1, `${window.frames.length} frames`);
});
