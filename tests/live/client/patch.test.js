"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const {live, patch} = require("./fakes.js");

const apply = (value, ...operations) => live.patch.apply(value, patch(...operations));

test("each operation of Dash's Patch does what the renderer does", () => {
    const cases = [
        [{a: 1}, ["Assign", ["a"], {value: 2}], {a: 2}],
        [null, ["Assign", ["a", "b"], {value: 2}], {a: {b: 2}}],
        [{a: [1, 2, 3]}, ["Assign", ["a", -1], {value: 9}], {a: [1, 2, 9]}],
        [1, ["Assign", [], {value: 2}], 2],
        [{a: {b: 1, c: 2}}, ["Merge", ["a"], {value: {c: 3}}], {a: {b: 1, c: 3}}],
        [[1], ["Extend", [], {value: [2, 3]}], [1, 2, 3]],
        [{a: 1, b: 2}, ["Delete", ["a"]], {b: 2}],
        [[1, 2, 3], ["Delete", [1]], [1, 3]],
        [{a: [1, 2]}, ["Delete", ["a", -1]], {a: [1]}],
        [{a: 1}, ["Delete", ["b", "c"]], {a: 1}],
        [[1, 3], ["Insert", [], {index: 1, value: 2}], [1, 2, 3]],
        [[1, 3], ["Insert", [], {index: -1, value: 2}], [1, 2, 3]],
        [[1], ["Append", [], {value: 2}], [1, 2]],
        [[2], ["Prepend", [], {value: 1}], [1, 2]],
        [{a: 5}, ["Add", ["a"], {value: 2}], {a: 7}],
        [{a: 5}, ["Sub", ["a"], {value: 2}], {a: 3}],
        [{a: 5}, ["Mul", ["a"], {value: 2}], {a: 10}],
        [{a: 5}, ["Div", ["a"], {value: 2}], {a: 2.5}],
        [[1, 2], ["Clear", []], []],
        [{a: {b: 1}}, ["Clear", ["a"]], {a: {}}],
        ["text", ["Clear", []], ""],
        [[1, 2], ["Reverse", []], [2, 1]],
        [[{a: 1}, {a: 2}, {a: 1}], ["Remove", [], {value: {a: 1}}], [{a: 2}]],
    ];
    for (const [value, operation, expected] of cases) {
        assert.deepEqual(apply(value, operation), expected, operation[0]);
    }
});

test("operations build on each other and change no value in place", () => {
    const value = {items: [1], n: 0};
    const patched = apply(value, ["Append", ["items"], {value: 2}], ["Assign", ["n"], {value: 2}]);
    assert.deepEqual(patched, {items: [1, 2], n: 2});
    assert.deepEqual(value, {items: [1], n: 0});
});

test("what cannot be applied says so", () => {
    assert.throws(() => apply(null, ["Append", [], {value: 1}]), TypeError);
    assert.throws(() => apply({}, ["constructor", []]), /There is no Patch operation constructor/);
});

test("a Patch is told from other values", () => {
    assert.equal(live.patch.isPatch(patch()), true);
    [null, undefined, 1, "__dash_patch_update", [], {}].forEach(value => assert.equal(live.patch.isPatch(value), false));
});
