"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const {live, FakeWindow, setProps, component, patch} = require("./fakes.js");

function parking() {
    const window = new FakeWindow();
    return {window, parking: new live.Parking(new live.Log(window))};
}

const values = messages => messages.map(({payload}) => payload.props);

test("of each property the newest value is kept, and the Patches after it", () => {
    const {parking: place} = parking();
    const [one, two, three] = [1, 2, 3].map(value => patch(["Append", [], {value}]));
    place.park(setProps("a", {x: one}));
    place.park(setProps("a", {x: [0]}));
    place.park(setProps("a", {x: two}));
    place.park(setProps("a", {y: 1}, true));
    place.park(setProps("a", {x: three}));
    const taken = place.take("a");
    assert.deepEqual(values(taken), [{x: [0]}, {x: two}, {y: 1}, {x: three}]);
    assert.deepEqual(taken.map(({components}) => components), [false, false, true, false]);
    assert.equal(place.empty, true);
    assert.equal(place.holds("a"), false);
    assert.equal(place.characters, 0);
});

test("a thousand properties are kept; the oldest goes first, and that is said once", () => {
    const {window, parking: place} = parking();
    for (let n = 0; n < 1010; n += 1) {
        place.park(setProps(`id${n}`, {x: n}));
    }
    assert.equal(place.places.size, 1000);
    assert.equal(place.holds("id9"), false);
    assert.equal(place.holds("id10"), true);
    assert.equal(window.said.length, 1);
    assert.equal(window.said[0][0], "warn");
});

test("a mebibyte is kept; a property that was set again is not the oldest", () => {
    const {parking: place} = parking();
    const large = "x".repeat(400 * 1024);
    place.park(setProps("a", {x: large}));
    place.park(setProps("b", {x: large}));
    place.park(setProps("a", {x: large}));
    place.park(setProps("c", {x: large}));
    assert.deepEqual([...place.ids.keys()].sort(), ["a", "c"]);
});

test("what alone is too large is not kept", () => {
    const {parking: place} = parking();
    place.park(setProps("a", {x: "x".repeat(2 * 1024 * 1024)}));
    assert.equal(place.empty, true);
});

test("components are taken apart from each other", () => {
    const {parking: place} = parking();
    place.park(setProps("a", {x: 1, y: 2}));
    place.park(setProps("b", {x: 3}));
    assert.deepEqual(values(place.take("a")), [{x: 1}, {y: 2}]);
    assert.equal(place.holds("b"), true);
    assert.deepEqual(place.take("unknown"), []);
});

test("Patches of a property that was dropped are dropped too, until it gets a full value", () => {
    const {parking: place} = parking();
    let losses = 0;
    place.onloss = () => (losses += 1);
    const added = patch(["Append", [], {value: 1}]);
    place.park(setProps("a", {x: [], y: 1}));
    for (let n = 0; n < 999; n += 1) {
        place.park(setProps(`id${n}`, {x: n}));
    }
    assert.equal(losses, 1);
    const [torn, mixed, whole] = [setProps("a", {x: added}), setProps("a", {x: added, y: added}), setProps("a", {x: [2]})];
    assert.equal(place.withoutTorn(torn), null);
    assert.deepEqual(place.withoutTorn(mixed).payload.props, {y: added});
    assert.equal(place.withoutTorn(whole), whole);
    assert.equal(place.withoutTorn(torn), torn);
});

test("a tree replaces what is kept for the components in it, and only that", () => {
    const {parking: place} = parking();
    place.park(setProps("kid", {x: 1}));
    place.park(setProps('{"index":1,"type":"\\u00e9"}', {x: 1}));
    place.park(setProps("other", {x: 1}));
    place.lose(setProps("kid", {y: 1}));
    place.replace({children: [component("outer", [component("kid"), component({type: "é", index: 1})])]});
    assert.deepEqual([...place.ids.keys()], ["other"]);
    const patched = setProps("kid", {y: patch(["Append", [], {value: 1}])});
    assert.equal(place.withoutTorn(patched), patched);
});

test("values that all tabs share are dropped without a word, and keep their version", () => {
    const {window, parking: place} = parking();
    let losses = 0;
    place.onloss = () => (losses += 1);
    for (let n = 0; n < 1001; n += 1) {
        place.park({...setProps(`id${n}`, {x: n}), versions: {x: n + 1}, state: 5});
    }
    assert.deepEqual([place.holds("id0"), losses, window.said], [false, 0, []]);
    const added = patch(["Add", [], {value: 1}]);
    assert.equal(place.withoutTorn({...setProps("id0", {x: added}), versions: {x: 2000}}), null);
    const [{versions, state}] = place.take("id7");
    assert.deepEqual([versions, state], [{x: 8}, 5]);
    place.park(setProps("regular", {x: 1}));
    place.forgetShared();
    assert.deepEqual([...place.ids.keys()], ["regular"]);
});

test("a tree does not replace shared values that are newer than it", () => {
    const {parking: place} = parking();
    place.park({...setProps("one", {x: 1}), versions: {x: 4}});
    place.park({...setProps("two", {x: 1}), versions: {x: 6}});
    place.replace({children: [component("one"), component("two")]}, 5);
    assert.deepEqual([...place.ids.keys()], ["two"]);
});
