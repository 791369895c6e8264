"use strict";

process.env.TZ = "Europe/Prague";

const assert = require("node:assert");
const {test} = require("node:test");

require("../../../flash/components/client/age.js");
const {describeAge} = globalThis.flash_components;

const AT = Date.UTC(2026, 10, 21, 8, 0);
const MINUTE = 60000;
const HOUR = 60 * MINUTE;

/** What is said of data that is so many milliseconds old. */
function described(old, state = {}, options = {}) {
    const whole = {at: AT, staleAfter: null, error: null, errorId: null, running: false, next: null, ...state};
    return describeAge(whole, {now: AT + old, running: false, ...options});
}

test("the age is said in words", () => {
    const ages = [0, 4999, 5000, 59999, MINUTE, 3 * MINUTE, HOUR, 25 * HOUR, 49 * HOUR].map(old => described(old).age);
    assert.deepEqual(ages, [
        "Updated just now", "Updated just now", "Updated 5 seconds ago", "Updated 59 seconds ago",
        "Updated 1 minute ago", "Updated 3 minutes ago", "Updated 1 hour ago", "Updated 1 day ago", "Updated 2 days ago",
    ]);
    assert.equal(described(0).kind, "fresh");
    assert.equal(described(0).message, null);
});

test("data of the near future are new", () => {
    assert.equal(described(-3 * MINUTE).age, "Updated just now");
});

test("it is stale from the second on that the source says", () => {
    const [before, after] = [5 * MINUTE, 5 * MINUTE + 1].map(old => described(old, {staleAfter: 300}));
    assert.deepEqual([before.kind, before.message], ["fresh", null]);
    assert.deepEqual([after.kind, after.message, after.age], ["stale", "Out of date", "Updated 5 minutes ago"]);
});

test("it is looked at again when the text may change, and when it gets stale", () => {
    assert.equal(described(30000).changesIn, 1000);
    assert.equal(described(MINUTE).changesIn, 10000);
    assert.equal(described(5 * MINUTE - 20, {staleAfter: 300}).changesIn, 21);
    assert.equal(described(6 * MINUTE, {staleAfter: 300}).changesIn, 10000);
    assert.equal(described(0, {at: null, staleAfter: 300}).changesIn, 10000);
});

test("a failure says what is shown instead", () => {
    const error = "The run took longer than 120 s.";
    const failed = described(HOUR, {error, errorId: "abc", staleAfter: 60});
    assert.equal(failed.kind, "failed");
    assert.match(failed.message, /^Out of date · The run took longer than 120 s\. Showing the data of 0?9:00( AM)?\.$/);
    const early = described(HOUR, {error, staleAfter: 2 * 3600});
    assert.match(early.message, /^The run took longer than 120 s\. Showing the data of 0?9:00( AM)?\.$/);
    assert.equal(failed.age, null);
    assert.equal(failed.detail, "Error abc");
    assert.match(described(30 * HOUR, {error}).message, /Showing the data of .*21.*9:00/);
    assert.deepEqual(
        [described(0, {at: null, error}).message, described(0, {at: null, error}).kind], [error, "failed"]
    );
});

test("before the first data there is none", () => {
    const empty = described(0, {at: null, staleAfter: 60});
    assert.deepEqual([empty.kind, empty.age, empty.message, empty.title], ["empty", null, "No data yet", null]);
});

test("while it runs all else stays", () => {
    const running = {running: true};
    const stale = described(HOUR, {staleAfter: 60}, running);
    assert.deepEqual(
        [stale.kind, stale.age, stale.message, stale.progress],
        ["running", "Updated 1 hour ago", "Out of date", "Updating ..."]
    );
    assert.match(described(HOUR, {error: "No."}, running).message, /^No\. Showing/);
});

test("the title has the whole time in the user's zone, and the next run", () => {
    const title = described(0, {next: AT + HOUR}).title.split("\n");
    assert.match(title[0], /November 21, 2026.*9:00:00.*(GMT\+1|CET)/);
    assert.match(title[1], /^Next: 10:00/);
});

test("words can be others, in another language", () => {
    const options = {language: "cs", labels: {updated: "Aktualizováno {age}", stale: "Zastaralé"}};
    const stale = described(3 * MINUTE, {staleAfter: 60}, options);
    assert.deepEqual([stale.age, stale.message], ["Aktualizováno před 3 minutami", "Zastaralé"]);
    assert.equal(described(3 * MINUTE, {}, {language: "en_US"}).age, "Updated 3 minutes ago");
    assert.equal(described(3 * MINUTE, {}, {labels: {updated: "{age} {other}"}}).age, "3 minutes ago {other}");
});

test("an error text is text", () => {
    assert.match(described(0, {error: "{time} $& <b>"}).message, /^\{time\} \$& <b> Showing/);
});
