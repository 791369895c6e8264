"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const {sharedPage, sharedProps, changed, sent} = require("./shared_fakes.js");

const CALLBACKS = [
    {output: "text.children", inputs: [["field", "value"]]},
    {output: "level.children", inputs: [["slider", "value"]]},
];

/** An element with those inside of it. */
class Element {
    constructor(tagName, more = {}, ...children) {
        Object.assign(this, {tagName, children, value: "", ...more});
    }

    contains(other) {
        return other === this || this.children.some(child => child.contains(other));
    }
}

async function page(field = new Element("INPUT", {type: "text", value: "old"}), values = {}) {
    const layout = {field: {value: "old"}, slider: {value: 3}, text: {}, level: {}, ...values};
    const parts = await sharedPage(CALLBACKS, layout);
    const {clock, dash, window} = parts;
    const {document} = window;
    const thumb = new Element("SPAN");
    const slider = new Element("DIV", {}, thumb);
    document.elements.set("field", field);
    document.elements.set("slider", slider);
    const happen = async (type, more = {}) => {
        const event = new Event(type);
        Object.entries(more).forEach(([name, value]) => Object.defineProperty(event, name, {value}));
        document.dispatchEvent(event);
        await clock.pass(5);
    };
    return {
        ...parts, field, thumb, slider, document, happen,
        say: async (...messages) => {
            window.socket.say(...messages);
            await clock.pass(20);
        },
        shown: (id = "field") => dash.props(id).value,
    };
}

/** Type into a field that tells Dash nothing yet, as one with debounce=True. */
async function typing(text, field, values) {
    const parts = await page(field, values);
    parts.document.activeElement = parts.field;
    parts.field.value = text;
    await parts.happen("input");
    return parts;
}

test("a word that is half typed is not overwritten; without a commit the newest value is shown when the field is left", async () => {
    const {say, shown, document, happen, field, clock} = await typing("hal");
    await say(sharedProps("field", {value: "one"}, 1), sharedProps("field", {value: "two"}, 2));
    await clock.pass(10000);
    assert.equal(shown(), "old");
    document.activeElement = null;
    field.value = "old";
    await happen("focusout");
    assert.equal(shown(), "two");
});

test("what is committed when the field is left counts, and is shown by its place in the order", async () => {
    for (const [version, end] of [[3, "half"], [1, "two"]]) {
        const parts = await typing("half");
        const {say, shown, document, happen, dash} = parts;
        await say(sharedProps("field", {value: "two"}, 2));
        document.addEventListener("focusout", () => dash.change("field", {value: "half"}), {once: true});
        document.activeElement = null;
        await happen("focusout");
        assert.deepEqual(sent(parts), [["text.children", {"field.value": 1}]]);
        assert.equal(shown(), "half");
        await say(changed("field", "value", 1, version));
        assert.equal(shown(), end);
    }
});

test("a field in which nobody has typed takes values, and so do properties that it does not show", async () => {
    const {say, shown, dash, document, field} = await page();
    document.activeElement = field;
    await say(sharedProps("field", {value: "new", n_submit: 3}, 1));
    assert.equal(shown(), "new");
    field.value = "new and";
    await say(sharedProps("field", {value: "newer", n_submit: 4}, 2));
    assert.deepEqual([shown(), dash.props("field").n_submit], ["new", 4]);
});

test("the field may be inside the element that has the id, may be a number's or a text that can be edited", async () => {
    const inner = new Element("TEXTAREA", {value: "typed"});
    const outer = await typing("", new Element("DIV", {}, inner));
    outer.document.activeElement = inner;
    await outer.say(sharedProps("field", {value: "new"}, 1));
    assert.equal(outer.shown(), "old");
    for (const [text, value, isHeld] of [["3.0", 3, false], ["31", 3, true], ["", null, false], ["5", [1, 5], false]]) {
        const {say, shown} = await typing(text, new Element("INPUT", {type: "number"}), {field: {value}});
        await say(sharedProps("field", {value: 8}, 1));
        assert.equal(shown() !== 8, isHeld, text);
    }
    const editable = new Element("DIV", {isContentEditable: true, textContent: "typed"});
    const {say, shown} = await typing("", editable);
    await say(sharedProps("field", {value: "new"}, 1));
    assert.equal(shown(), "old");
});

test("a checkbox and a button that have the focus take values", async () => {
    for (const element of [new Element("INPUT", {type: "checkbox", value: "on"}), new Element("BUTTON")]) {
        const {say, shown} = await typing("on", element);
        await say(sharedProps("field", {value: "new"}, 1));
        assert.equal(shown(), "new");
    }
});

test("when the text is what the property is, values are taken again, without leaving the field", async () => {
    const {say, shown, field, happen, clock} = await typing("ol");
    await say(sharedProps("field", {value: "two"}, 1));
    field.value = "old";
    await happen("input");
    assert.equal(shown(), "two");
    field.value = "x";
    await say(sharedProps("field", {value: "three"}, 2));
    // No event tells that a script has changed the text.
    field.value = "two";
    await clock.pass(1000);
    assert.equal(shown(), "three");
});

test("while a pointer that went down inside a component is down, its values wait, and others do not", async () => {
    const {say, shown, happen, thumb, document, window, clock} = await page();
    await happen("pointerdown", {pointerId: 1, target: thumb});
    await say(sharedProps("slider", {value: 4}, 1), sharedProps("field", {value: "new"}, 2));
    await clock.pass(10000);
    assert.deepEqual([shown("slider"), shown()], [3, "new"]);
    // The thumb takes the focus from what had it; the window hears of that too.
    const blurred = new Event("blur");
    Object.defineProperty(blurred, "target", {value: thumb});
    window.dispatchEvent(blurred);
    await clock.pass(1000);
    assert.equal(shown("slider"), 3);
    await happen("pointerup", {pointerId: 2});
    assert.equal(shown("slider"), 3);
    await happen("pointerup", {pointerId: 1});
    assert.equal(shown("slider"), 4);
    for (const [letGo, version] of [
        [() => happen("pointercancel", {pointerId: 1}), 5],
        [() => happen("pointermove", {pointerId: 1, buttons: 0}), 6],
        [async () => window.happen("blur"), 7],
    ]) {
        await happen("pointerdown", {pointerId: 1, target: thumb});
        await happen("pointermove", {pointerId: 1, buttons: 1});
        await say(sharedProps("slider", {value: version}, version));
        assert.equal(shown("slider"), version - 1);
        await letGo();
        await clock.pass(20);
        assert.equal(shown("slider"), version);
    }
    assert.equal(document.activeElement, null);
});

test("a slider that is let go of commits its value after that, and the newest in the order is shown", async () => {
    const parts = await page();
    const {say, shown, happen, thumb, document, dash, clock} = parts;
    await happen("pointerdown", {pointerId: 1, target: thumb});
    await say(sharedProps("slider", {value: 4}, 1));
    document.addEventListener("pointerup", () => dash.change("slider", {value: 9}), {once: true});
    await happen("pointerup", {pointerId: 1});
    await clock.pass(20);
    assert.deepEqual([shown("slider"), sent(parts)], [9, [["level.children", {"slider.value": 1}]]]);
    await say(changed("slider", "value", 1, 2));
    await clock.pass(2000);
    assert.equal(shown("slider"), 9);
});

test("while nothing waits, no timer runs", async () => {
    const {say, happen, thumb, clock, shared} = await page();
    assert.equal(shared.timer, null);
    await happen("pointerdown", {pointerId: 1, target: thumb});
    await say(sharedProps("slider", {value: 4}, 1));
    assert.notEqual(shared.timer, null);
    await happen("pointerup", {pointerId: 1});
    await clock.pass(600);
    assert.equal(shared.timer, null);
});

test("another tab's value leaves the caret where it is in the text", async () => {
    const field = new Element("INPUT", {type: "text", value: "old text", selectionStart: 4, selectionEnd: 4, selectionDirection: "none"});
    const ranges = [];
    field.setSelectionRange = (...range) => ranges.push(range);
    const {say, shown, document, clock, window} = await page(field, {field: {value: "old text"}});
    document.activeElement = field;
    await say(sharedProps("field", {value: "my old text"}, 1));
    assert.equal(shown(), "my old text");
    field.value = "my old text";
    window.frames.splice(0).forEach(frame => frame());
    assert.deepEqual(ranges, [[7, 7, "none"]]);
    field.selectionStart = field.selectionEnd = 0;
    await say(sharedProps("field", {value: "my old text!"}, 2));
    field.value = "my old text!";
    window.frames.splice(0).forEach(frame => frame());
    assert.deepEqual(ranges[1], [0, 0, "none"]);
    await clock.pass(100);
});
