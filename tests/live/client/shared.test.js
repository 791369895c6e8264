"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const {setProps, patch} = require("./fakes.js");
const {sharedPage, tree, sharedProps, changed, sent, welcome} = require("./shared_fakes.js");

const SLIDER = {output: "text.children", inputs: [["slider", "value"]]};
const BUTTON = {output: "count.children", inputs: [["button", "n_clicks"]]};
const LAYOUT = {slider: {value: 3}, button: {}, text: {}, count: {}, box: {}};

async function page(callbacks = [SLIDER, BUTTON], layout = LAYOUT, more = {}) {
    const parts = await sharedPage(callbacks, layout, more);
    return {
        ...parts,
        sent: () => sent(parts),
        /** Say something as the server. */
        say: async (...messages) => {
            parts.window.socket.say(...messages);
            await parts.clock.pass(20);
        },
        /** Change properties as the user. */
        change: async (id, props) => {
            parts.dash.change(id, props);
            await parts.clock.pass(20);
        },
        cut: async welcomed => {
            parts.window.socket.end(1006);
            await parts.clock.pass(1000);
            parts.window.socket.open();
            parts.window.socket.say(welcome(welcomed));
            await parts.clock.pass(20);
        },
    };
}

const answered = ({window}, n) => ({
    type: "callback_response",
    requestId: window.socket.ofType("callback_request")[n].requestId,
    payload: {status: "prevent_update"},
});

test("a value of the server is set, and what it makes the renderer ask for is answered in the page", async () => {
    const {dash, say, sent} = await page();
    await say(sharedProps("slider", {value: 5}, 1), sharedProps("button", {n_clicks: 7}, 2));
    assert.deepEqual([dash.props("slider").value, dash.props("button").n_clicks], [5, 7]);
    assert.deepEqual(sent(), []);
    assert.deepEqual(dash.answers, [[SLIDER.output, "prevent_update"], [BUTTON.output, "prevent_update"]]);
});

test("changes of the page are numbered, one after the other", async () => {
    const {change, sent} = await page();
    await change("slider", {value: 4});
    await change("button", {n_clicks: 1});
    await change("slider", {value: 5});
    assert.deepEqual(sent(), [
        [SLIDER.output, {"slider.value": 1}],
        [BUTTON.output, {"button.n_clicks": 2}],
        [SLIDER.output, {"slider.value": 3}],
    ]);
});

test("a change back to what the server has set last is a change", async () => {
    const {change, say, sent} = await page();
    await say(sharedProps("slider", {value: 5}, 1));
    await change("slider", {value: 6});
    await say(changed("slider", "value", 1, 2));
    await change("slider", {value: 5});
    assert.deepEqual(sent().map(([, changes]) => changes), [{"slider.value": 1}, {"slider.value": 2}]);
});

test("a click that makes the number which another tab's click has made counts too", async () => {
    const {dash, change, say, sent} = await page();
    await say(sharedProps("button", {n_clicks: 5}, 1));
    await change("button", {n_clicks: 6});
    await say(sharedProps("button", {n_clicks: 6}, 2), changed("button", "n_clicks", 1, 3));
    assert.deepEqual(sent(), [[BUTTON.output, {"button.n_clicks": 1}]]);
    assert.equal(dash.props("button").n_clicks, 6);
    await change("button", {n_clicks: 7});
    assert.equal(sent().length, 2);
});

test("a click is not overwritten before it is asked for, though the other tab's number is the same", async () => {
    const {dash, clock, window, sent} = await page();
    window.socket.say(sharedProps("button", {n_clicks: 5}, 1));
    await clock.pass(20);
    dash.change("button", {n_clicks: 6});
    window.socket.say(sharedProps("button", {n_clicks: 6}, 2));
    await clock.pass(20);
    assert.deepEqual(sent(), [[BUTTON.output, {"button.n_clicks": 1}]]);
});

test("the first click of a page is not overwritten either, since the layout says what was before", async () => {
    const {dash, clock, window, sent} = await page();
    dash.change("button", {n_clicks: 1});
    window.socket.say(sharedProps("button", {n_clicks: 1}, 1));
    await clock.pass(20);
    assert.deepEqual(sent(), [[BUTTON.output, {"button.n_clicks": 1}]]);
});

test("a change for which no callback is asked holds back nothing for long", async () => {
    const {dash, clock, say} = await page();
    await say(sharedProps("slider", {value: 4}, 1));
    dash.props("slider").value = 9;
    await say(sharedProps("slider", {value: 5}, 2));
    assert.equal(dash.props("slider").value, 9);
    await clock.pass(2000);
    assert.equal(dash.props("slider").value, 5);
});

test("one change of two callbacks has one number; the same callback again is another change", async () => {
    const other = {output: "other.children", inputs: [["slider", "value"]]};
    const {change, sent} = await page([SLIDER, other]);
    await change("slider", {value: 4});
    assert.deepEqual(sent(), [[SLIDER.output, {"slider.value": 1}], [other.output, {"slider.value": 1}]]);
    await change("slider", {value: 4});
    assert.deepEqual(sent().slice(2), [[SLIDER.output, {"slider.value": 2}], [other.output, {"slider.value": 2}]]);
});

test("of several properties those that are echoes are left out", async () => {
    const both = {output: "both.children", inputs: [["slider", "value"], ["button", "n_clicks"]]};
    const {dash, window, clock, sent} = await page([both]);
    window.socket.say(sharedProps("slider", {value: 4}, 1));
    await clock.run();
    dash.change("button", {n_clicks: 1});
    await clock.pass(20);
    assert.deepEqual(dash.answers, []);
    assert.deepEqual(sent(), [[both.output, {"button.n_clicks": 1}]]);
});

test("a slider's drag_value follows the value that the server has set, and that is an echo; dragging is none", async () => {
    const drag = {output: "drag.children", inputs: [["slider", "drag_value"]]};
    const {dash, say, change, sent} = await page([drag]);
    dash.sliders.add("slider");
    // As the component does when it comes to the page.
    await change("slider", {drag_value: 3});
    await say(sharedProps("slider", {value: 5}, 1));
    await say(setProps("slider", {value: 4}));
    const requestId = dash.ask("regular.children");
    const payload = {status: "ok", data: {multi: true, response: {slider: {value: 6}}}};
    await say({type: "callback_response", requestId, payload});
    assert.equal(dash.props("slider").drag_value, 6);
    assert.deepEqual(sent().filter(([output]) => output === drag.output), []);
    await change("slider", {drag_value: 7});
    await change("slider", {drag_value: 6});
    const dragged = sent().filter(([output]) => output === drag.output);
    assert.deepEqual(dragged.map(([, changes]) => changes), [{"slider.drag_value": 1}, {"slider.drag_value": 2}]);
});

test("dict ids are found whatever is in them, and in the lists of wildcards", async () => {
    const [one, two] = [{type: "x", index: "a.b"}, {index: "é", type: "x"}];
    const texts = [one, two].map(id => JSON.stringify(id, ["index", "type"]));
    const all = {output: "all.children", inputs: [[[one, two], "value"]]};
    const {dash, say, change, sent} = await page([all], {[texts[0]]: {value: 1}, [texts[1]]: {value: 1}});
    await say(sharedProps('{"index":"\\u00e9","type":"x"}', {value: 2}, 1));
    assert.deepEqual([sent(), dash.props(texts[1]).value, dash.answers.length], [[], 2, 1]);
    await change(one, {value: 2});
    assert.deepEqual(sent(), [[all.output, {[`${texts[0]}.value`]: 1}]]);
});

test("a Patch makes its value of what the server has sent before, and is an echo", async () => {
    const list = {output: "n.children", inputs: [["store", "data"]]};
    const {dash, say, change, sent} = await page([list], {store: {data: [0]}});
    const append = value => patch(["Append", [], {value}]);
    await say(sharedProps("store", {data: append(1)}, 1), sharedProps("store", {data: append(2)}, 2));
    assert.deepEqual([dash.props("store").data, sent()], [[0, 1, 2], []]);
    await change("store", {data: ["mine"]});
    await say(sharedProps("store", {data: append(3)}, 3));
    assert.deepEqual(dash.props("store").data, ["mine"]);
    await say(changed("store", "data", 1, 4), sharedProps("store", {data: append(5)}, 5));
    assert.deepEqual(dash.props("store").data, ["mine", 5]);
});

test("a Patch that cannot be applied stops nothing", async () => {
    const {window, dash, say} = await page();
    await say(sharedProps("slider", {value: patch(["Append", [], {value: 1}])}, 1), sharedProps("slider", {value: 8}, 2));
    assert.equal(dash.props("slider").value, 8);
    assert.equal(window.said.length, 1);
});

test("a request that was made before the server's newest value came is an echo as well", async () => {
    const {dash, clock, window, sent} = await page();
    window.socket.say(sharedProps("slider", {value: 4}, 1));
    await clock.run();
    const late = {...dash.props("slider")};
    window.socket.say(sharedProps("slider", {value: 5}, 2));
    await clock.pass(20);
    const inputs = [{id: "slider", property: "value", value: late.value}];
    const payload = {output: SLIDER.output, inputs, changedPropIds: ["slider.value"]};
    dash.port.postMessage({type: "callback_request", rendererId: "dash", requestId: "late", payload});
    assert.deepEqual(sent(), []);
});

test("while the page's own change is pending, values wait; then the newest in the server's order is shown", async () => {
    const {dash, say, change, sent} = await page();
    await change("slider", {value: 10});
    await say(sharedProps("slider", {value: 4}, 1));
    assert.equal(dash.props("slider").value, 10);
    await say(changed("slider", "value", 1, 2));
    assert.equal(dash.props("slider").value, 10);
    await change("slider", {value: 11});
    await change("slider", {value: 12});
    await say(changed("slider", "value", 2, 3), sharedProps("slider", {value: 5}, 5));
    assert.equal(dash.props("slider").value, 12);
    await say(changed("slider", "value", 3, 4));
    assert.equal(dash.props("slider").value, 5);
    assert.equal(sent().length, 3);
});

test("a value that comes again, or too late, is not set", async () => {
    const {dash, say, change} = await page();
    await change("slider", {value: 10});
    await say(changed("slider", "value", 1, 7), sharedProps("slider", {value: 6}, 6), sharedProps("slider", {value: 6}, 7));
    assert.equal(dash.props("slider").value, 10);
});

test("a refused change is taken back, and the value that follows is taken whatever its version", async () => {
    const {dash, say, change, sent} = await page();
    await say(sharedProps("slider", {value: 4}, 5));
    await change("slider", {value: 10});
    await say(changed("slider", "value", 1, 0));
    assert.equal(dash.props("slider").value, 4);
    await say(sharedProps("slider", {value: 4}, 5));
    assert.equal(dash.values.filter(([id]) => id === "slider").length, 2);
    await change("slider", {value: 10});
    await say(changed("slider", "value", 2, 0), sharedProps("slider", {value: 4.5}, 5));
    assert.equal(dash.props("slider").value, 4.5);
    await say(sharedProps("slider", {value: 4.6}, 5));
    assert.equal(dash.props("slider").value, 4.5);
    await change("button", {n_clicks: 1});
    await say(changed("button", "n_clicks", 3, 0));
    assert.equal(dash.props("button").n_clicks, undefined);
    assert.equal(sent().length, 3);
});

test("a change whose request cannot be sent, or is answered without it, is taken back", async () => {
    const parts = await page();
    const {dash, say, change, clock, window} = parts;
    await say(sharedProps("slider", {value: 4}, 5));
    await change("slider", {value: 10});
    await say(sharedProps("slider", {value: 6}, 6), answered(parts, 0));
    assert.equal(dash.props("slider").value, 6);
    await change("slider", {value: 11});
    window.answer = () => ({status: 401});
    window.socket.end(1006);
    await clock.pass(2000);
    assert.equal(dash.props("slider").value, 6);
    dash.change("slider", {value: 12});
    await clock.pass(20);
    assert.equal(dash.props("slider").value, 6);
});

test("a change whose place in the order is told after the answer is shown in that place", async () => {
    const parts = await page();
    const {dash, say, change} = parts;
    await say(sharedProps("slider", {value: 4}, 5));
    await change("slider", {value: 10});
    await say(answered(parts, 0), changed("slider", "value", 1, 6));
    assert.equal(dash.props("slider").value, 10);
    await say(sharedProps("slider", {value: 7}, 7), changed("slider", "value", 1, 8));
    assert.equal(dash.props("slider").value, 7);
});

test("a change that another request still brings is not taken back", async () => {
    const other = {output: "other.children", inputs: [["slider", "value"]]};
    const parts = await page([SLIDER, other]);
    await parts.change("slider", {value: 10});
    await parts.say(sharedProps("slider", {value: 4}, 1), answered(parts, 0));
    assert.equal(parts.dash.props("slider").value, 10);
    await parts.say(changed("slider", "value", 1, 2), answered(parts, 1));
    assert.equal(parts.dash.props("slider").value, 10);
});

test("after a gap what was sent is taken back, versions may begin anew, and what waited of old is dropped", async () => {
    const other = {output: "other.children", inputs: [["slider", "value"]]};
    const {dash, say, change, cut, sent, window, clock} = await page([SLIDER, other, BUTTON]);
    await say(sharedProps("slider", {value: 4}, 100), sharedProps("later", {value: "old"}, 101));
    await change("slider", {value: 10});
    window.socket.end(1006);
    // Asked for while there is no link, by a callback that has not been asked yet.
    dash.change("button", {n_clicks: 1});
    await cut({recovered: false, client: "c2", key: "other"});
    assert.deepEqual(sent(), [[BUTTON.output, {"button.n_clicks": 2}]]);
    assert.equal(dash.props("slider").value, 4);
    await say(sharedProps("slider", {value: 7}, 2), sharedProps("slider", {value: 8}, 3));
    assert.equal(dash.props("slider").value, 8);
    await say(changed("button", "n_clicks", 2, 4), sharedProps("button", {n_clicks: 5}, 5));
    assert.equal(dash.props("button").n_clicks, 5);
    dash.insert("later", {value: "of the tree"});
    await clock.pass(3000);
    assert.equal(dash.props("later").value, "of the tree");
});

test("after a gap a change is not sent that the server may have counted already", async () => {
    const other = {output: "other.children", inputs: [["slider", "value"]]};
    const {dash, window, clock, cut, sent} = await page([SLIDER, other]);
    dash.change("slider", {value: 10});
    // The link breaks between the two requests of one change.
    const {send} = dash;
    dash.send = (callback, changedPropIds) => {
        callback === other && window.socket.end(1006);
        return send.call(dash, callback, changedPropIds);
    };
    await clock.pass(1);
    assert.deepEqual(dash.asked, [SLIDER.output, other.output]);
    await cut({recovered: false, client: "c2", key: "other"});
    assert.deepEqual(sent(), []);
    assert.deepEqual(dash.answers.slice(0, 2), [[SLIDER.output, "error"], [other.output, "error"]]);
    assert.equal(dash.props("slider").value, 3);
});

test("a change is sent again after a resume with the same number", async () => {
    const {change, cut, say, sent, dash} = await page();
    await change("slider", {value: 10});
    await cut({});
    assert.deepEqual(sent(), [[SLIDER.output, {"slider.value": 1}]]);
    await say(changed("slider", "value", 1, 1));
    assert.equal(dash.props("slider").value, 10);
});

test("all values that come right after the welcome set only what is not shown", async () => {
    const {dash, say} = await page();
    await say(sharedProps("slider", {value: 3}, 8), sharedProps("text", {children: "3"}, 9), sharedProps("slider", {value: 3}, 10));
    assert.deepEqual(dash.values, [["text", {children: "3"}], ["slider", {value: 3}]]);
});

test("shared trees go by the carrier, with newer values in them", async () => {
    const {dash, say} = await page();
    await say(sharedProps("slider", {value: 5}, 9));
    const children = tree("outer", {children: [tree("slider", {value: 4}), "text", tree("free", {value: 4})]});
    await say(sharedProps("box", {children}, 7, {components: true, state: 7}));
    const [entry] = dash.log.filter(({how}) => how === "tree");
    const [, {children: shown}] = entry.set;
    assert.deepEqual(shown.props.children.map(item => item.props && item.props.value), [5, undefined, 4]);
});

test("newer values are laid into a component that a number stands before", async () => {
    const {dash, say} = await page();
    await say(sharedProps("slider", {value: 5}, 9));
    await say(sharedProps("box", {children: [1, tree("slider", {value: 4})]}, 7, {components: true, state: 7}));
    const [entry] = dash.log.filter(({how}) => how === "tree");
    const [, {children: shown}] = entry.set;
    assert.equal(shown[1].props.value, 5);
});

test("a tree's values are echoes when the renderer asks for callbacks inside it", async () => {
    const {dash, say, sent, clock} = await page([{output: "text.children", inputs: [["late", "value"]]}]);
    await say({...setProps("box", {children: tree("late", {value: 4})}, true), state: 3});
    dash.insert("late", {value: 4});
    await clock.pass(20);
    assert.deepEqual([dash.asked, sent()], [["text.children"], []]);
    dash.change("late", {value: 5});
    await clock.pass(20);
    assert.deepEqual(sent(), [["text.children", {"late.value": 1}]]);
});

test("of what came without a tree nothing is known, and the server decides", async () => {
    const callback = {output: "text.children", inputs: [["made", "value"]]};
    const {dash, clock, sent, say} = await page([callback]);
    dash.insert("made", {value: 4});
    await clock.pass(20);
    dash.change("made", {value: 5});
    await clock.pass(20);
    assert.deepEqual(sent(), [[callback.output, {}], [callback.output, {"made.value": 1}]]);
    await say(changed("made", "value", 1, 1), sharedProps("made", {value: 6}, 2));
    assert.equal(dash.props("made").value, 6);
});

test("the page's own change that is pending is shown in a tree that brings its component anew, and asked for once", async () => {
    const {dash, say, change, sent, clock} = await page();
    await change("slider", {value: 10});
    const payload = {status: "ok", data: {multi: true, response: {box: {children: tree("slider", {value: 3})}}}};
    const requestId = dash.ask("regular.children");
    await say({type: "callback_response", requestId, payload, state: 5});
    const {children} = dash.props("box");
    assert.equal(children.props.value, 10);
    dash.insert("slider", {value: 10});
    await clock.pass(20);
    assert.equal(sent().filter(([output]) => output === SLIDER.output).length, 1);
    await say(changed("slider", "value", 1, 6));
    assert.equal(dash.props("slider").value, 10);
});

test("a callback that a removed component triggers has changed nothing", async () => {
    const {dash, clock, sent} = await page();
    dash.send(SLIDER, []);
    await clock.pass(20);
    assert.deepEqual([sent(), dash.answers], [[], [[SLIDER.output, "prevent_update"]]]);
});

test("values for components that are not there keep their version", async () => {
    const {dash, say, clock, sent} = await page([{output: "text.children", inputs: [["late", "value"]]}]);
    await say(sharedProps("late", {value: 8}, 8));
    await say({...setProps("box", {children: tree("late", {value: 7})}, true), state: 7});
    dash.insert("late", {value: 7});
    await clock.pass(2000);
    assert.equal(dash.props("late").value, 8);
    await say(sharedProps("late", {value: 7}, 7));
    assert.equal(dash.props("late").value, 8);
    assert.deepEqual(sent(), []);
});

test("requests of other callbacks are sent as they are", async () => {
    const {dash, window} = await page();
    dash.ask("regular.children");
    const [request] = window.socket.ofType("callback_request");
    assert.equal("changes" in request, false);
});

test("properties of components that have gone are forgotten when there are many, but for what is pending", async () => {
    const callback = {output: "text.children", inputs: [["mine", "value"]]};
    const {dash, shared, say, change, clock} = await page([callback], {...LAYOUT, mine: {value: 1}});
    await change("mine", {value: 2});
    const mine = dash.layout.get("mine");
    dash.layout.delete("mine");
    for (let n = 0; n < 3000; n += 1) {
        dash.mount(`t${n}`);
        await say(sharedProps(`t${n}`, {x: n}, n + 1));
        dash.layout.delete(`t${n}`);
    }
    assert.ok(shared.components.size <= 1001, `${shared.components.size} are known`);
    dash.layout.set("mine", mine);
    await say(sharedProps("mine", {value: 9}, 4000), sharedProps("slider", {value: 9}, 4001));
    assert.deepEqual([dash.props("mine").value, dash.props("slider").value], [2, 9]);
    await say(changed("mine", "value", 1, 3500));
    await clock.run();
    assert.equal(dash.props("mine").value, 9);
});

test("a page that comes back tells how many messages have come, with those that give changes their place", async () => {
    const {window, clock, say, change} = await page();
    await change("slider", {value: 4});
    await say(changed("slider", "value", 1, 1), sharedProps("slider", {value: 5}, 2));
    window.socket.end(1006);
    await clock.pass(1000);
    window.socket.open();
    assert.equal(window.socket.sent[0].received, 2);
});

test("Patches of a value that waits are put together", async () => {
    const list = {output: "n.children", inputs: [["store", "data"]]};
    const {dash, say, change} = await page([list], {store: {data: [0]}});
    await say(sharedProps("store", {data: [1]}, 1));
    await change("store", {data: ["mine"]});
    await say(sharedProps("store", {data: [2]}, 2));
    await say(sharedProps("store", {data: patch(["Append", [], {value: 3}])}, 3), changed("store", "data", 1, 0));
    assert.deepEqual(dash.props("store").data, [2, 3]);
});

/** A page with a value that waits no more, before anything else happens. */
async function freed() {
    const parts = await page();
    await parts.say(sharedProps("slider", {value: 4}, 1));
    await parts.change("slider", {value: 10});
    await parts.say(sharedProps("slider", {value: 5}, 2));
    parts.shared.settle(changed("slider", "value", 1, 1).payload);
    return parts;
}

test("what waited is handed over once, however often it may be", async () => {
    const {delivery, shared, clock, dash} = await freed();
    for (let n = 0; n < 50; n += 1) {
        shared.settle(changed("slider", "value", 1, 1).payload);
    }
    assert.equal(delivery.queue.length, 1);
    await clock.run();
    assert.equal(dash.props("slider").value, 5);
});

test("what waited is handed over when its component comes back that had gone meanwhile", async () => {
    const {dash, clock, shared} = await freed();
    const slider = dash.layout.get("slider");
    dash.layout.delete("slider");
    await clock.run();
    dash.layout.set("slider", slider);
    shared.hands.onfree();
    await clock.run();
    assert.equal(dash.props("slider").value, 5);
});

/** Have a tree wait for the carrier, and all that comes after it. */
async function stalled(more) {
    const parts = await page(undefined, undefined, more);
    parts.dash.slots = 0;
    await parts.say(setProps("box", {children: tree("one")}, true), setProps("box", {children: tree("two")}, true));
    return parts;
}

test("what is shown again replaces nothing that comes before it", async () => {
    const {dash, clock, window, shared, change} = await stalled();
    shared.prepare(sharedProps("slider", {value: 4}, 1));
    await change("slider", {value: 10});
    shared.prepare(sharedProps("slider", {value: 5}, 3));
    window.socket.say(sharedProps("slider", {value: 6}, 4), changed("slider", "value", 1, 2));
    for (let n = 0; n < 1100; n += 1) {
        window.socket.say(setProps("text", {title: n}));
    }
    dash.slots = Infinity;
    dash.load();
    await clock.pass(5000);
    assert.equal(dash.props("slider").value, 6);
});

test("after a gap what was on its way to the renderer is dropped, since its versions are of old", async () => {
    const {dash, clock, say, cut} = await stalled();
    await say(sharedProps("slider", {value: "old"}, 100));
    await cut({recovered: false, client: "c2", key: "other"});
    await say(sharedProps("slider", {value: "new"}, 2));
    await clock.pass(30000);
    assert.equal(dash.props("slider").value, "new");
});

test("a tree replaces what was kept for components in it and is older", async () => {
    const {dash, clock, say} = await page();
    await say(sharedProps("late", {value: 3}, 3));
    await say({...setProps("box", {children: tree("late", {value: 4})}, true), state: 5});
    dash.insert("late", {value: 4});
    await clock.pass(3000);
    assert.equal(dash.props("late").value, 4);
});

test("an answer that comes after its request was given up is newer than what is known before it", async () => {
    const {dash, clock, say, delivery} = await page();
    await say(sharedProps("slider", {value: 8}, 8));
    const requestId = dash.ask("regular.children");
    delivery.restart();
    await clock.pass(5000);
    const payload = {status: "ok", data: {multi: true, response: {box: {children: tree("slider", {value: 9})}}}};
    await say({type: "callback_response", requestId, payload, state: 9});
    assert.equal(dash.props("box").children.props.value, 9);
});

test("after a gap a callback that may run again is asked again, with the change of one that may not", async () => {
    const other = {output: "other.children", inputs: [["slider", "value"]]};
    const {change, cut, sent} = await page([SLIDER, other], LAYOUT, {config: {retry: [other.output]}});
    await change("slider", {value: 10});
    await cut({recovered: false, client: "c2", key: "other"});
    assert.deepEqual(sent(), [[other.output, {"slider.value": 1}]]);
});

test("a wildcard is for ids with its keys and no others", async () => {
    const [one, other] = [{type: "x", index: 1}, {type: "x", index: 1, part: 2}];
    const texts = [one, other].map(id => JSON.stringify(id, Object.keys(id).sort()));
    const callback = {output: "all.children", inputs: [[[one], "value"]]};
    const {shared} = await page([callback], {[texts[0]]: {value: 1}, [texts[1]]: {value: 1}});
    assert.deepEqual(texts.map(text => [...shared.inputs.of(text)]), [["value"], []]);
});

test("a change names what listens to it and has components that are not on the page", async () => {
    const callbacks = [
        SLIDER,
        {output: "..far.children...count.children..", inputs: [["slider", "value"]]},
        {output: "near.children", inputs: [["slider", "value"], ["gone", "value"]]},
        {output: "a hash of one without output", inputs: [["slider", "value"]]},
        {output: "other.children", inputs: [["button", "n_clicks"]]},
    ];
    const {change, window} = await page(callbacks, {...LAYOUT, near: {}});
    await change("slider", {value: 4});
    const [{elsewhere}] = window.socket.ofType("callback_request").filter(({payload}) => payload.output === SLIDER.output);
    assert.deepEqual(elsewhere, ["..far.children...count.children..", "near.children"]);
});

test("with MATCH the components beside the one that has changed are looked for, with ALL none are", async () => {
    const {live} = require("./fakes.js");
    const outputs = ['{"index":["MATCH"],"type":"text"}.children', '{"index":["ALL"],"type":"text"}.children'];
    const inputs = new live.Inputs(outputs);
    const slider = {id: '{"index":["MATCH"],"type":"slider"}', property: "value"};
    inputs.learn(outputs.map(output => ({output, inputs: [slider]})));
    const asked = [];
    const isHere = id => asked.push(id) && id.includes("slider");
    assert.deepEqual(inputs.elsewhere('{"index":7,"type":"slider"}', "value", isHere), [outputs[0]]);
    assert.ok(asked.includes('{"index":7,"type":"text"}'));
    assert.deepEqual(inputs.elsewhere('{"index":7,"type":"slider"}', "other", isHere), []);
});
