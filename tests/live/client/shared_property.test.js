"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const {Clock} = require("./fakes.js");
const {PLACES, OUTPUTS, randomOf, Server, Page} = require("./shared_model.js");

const SEEDS = 60;
const STEPS = 250;

/** What may happen, as often as it is named. */
const ACTIONS = {
    async up(page) {
        page.moveUp();
    },
    async down(page) {
        page.moveDown();
    },
    async slide(page, random) {
        page.change("slider", "value", random(4));
    },
    async click(page) {
        page.change("button", "n_clicks", page.shown("button", "n_clicks") + 1);
    },
    async type(page, random) {
        page.type(["", "a", "ab", "b"][random(4)]);
    },
    async leave(page) {
        page.leaveField();
    },
    async press(page, random) {
        page.press(random(2) === 0);
    },
    async pass(page, random) {
        await page.clock.pass(random(30));
    },
    async run(page) {
        await page.clock.run();
    },
    async cut(page) {
        page.cut();
    },
    async open(page, random) {
        page.open(random(3) === 0);
    },
    async late(page) {
        // A tree that is made now, and sent after what comes meanwhile.
        page.late = page.server.tree();
    },
    async tree(page) {
        page.late && page.push(page.late);
        page.late = null;
    },
    async restart(page, random) {
        if (random(10) === 0) {
            const {pages} = page.server;
            pages.forEach(each => each.cut());
            page.server.restart();
            pages.forEach(each => (each.restarted = true));
        }
    },
};
const OFTEN = {up: 6, down: 6, slide: 4, click: 3, pass: 6, run: 2, open: 3};
const CHOICES = Object.keys(ACTIONS).flatMap(name => Array(OFTEN[name] || 1).fill(name));

/** Nobody does anything any more, and all that was sent arrives. */
async function calm(server, clock) {
    for (let quiet = 0; quiet < 3; ) {
        let moved = false;
        for (const page of server.pages) {
            page.press(false);
            page.leaveField();
            reopen(page, false);
            while (page.moveUp() || page.moveDown()) {
                moved = true;
            }
        }
        await clock.pass(2500);
        quiet = moved ? 0 : quiet + 1;
    }
}

function reopen(page, isGap) {
    const {linked} = page;
    page.open(isGap || page.restarted);
    page.restarted = page.restarted && linked === page.linked;
}

async function run(seed) {
    const random = randomOf(seed);
    const clock = new Clock();
    const server = new Server(random);
    for (let n = 0; n < 2 + random(2); n += 1) {
        const page = new Page(`page${n}`, server, clock);
        await page.load();
        server.pages.push(page);
    }
    await clock.pass(20);
    for (let step = 0; step < STEPS; step += 1) {
        const name = CHOICES[random(CHOICES.length)];
        const page = server.pages[random(server.pages.length)];
        if (name === "open") {
            reopen(page, random(3) === 0);
        } else {
            await ACTIONS[name](page, random);
        }
    }
    await calm(server, clock);
    return server;
}

test("whatever happens, all pages show the server's values at last, and each change counts once", async () => {
    let changes = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
        const server = await run(seed);
        for (const page of server.pages) {
            assert.deepEqual(page.faults, [], `seed ${seed}`);
            for (const [id, property] of [...PLACES, ...OUTPUTS]) {
                assert.deepEqual(page.shown(id, property), server.get(id, property), `seed ${seed}: ${page.name} ${id}.${property}`);
            }
            for (const number of page.dash.issued) {
                const name = `${page.name} ${number}`;
                const count = server.counted.get(name) || 0;
                const isExcused = server.refused.has(name) || page.failed.has(name);
                assert.ok(count === 1 || (count === 0 && isExcused), `seed ${seed}: ${name} was counted ${count} times`);
                changes += 1;
            }
        }
    }
    assert.ok(changes > 1000, `only ${changes} changes`);
});
