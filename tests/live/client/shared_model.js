"use strict";

/** Pages of one app and its server, with a network between that a test moves step by step. */

const {live, FakeBrowser, FakeWindow, CONFIG, welcome, setProps} = require("./fakes.js");
const {AskingRenderer, tree, sharedProps, changed} = require("./shared_fakes.js");

const CALLBACKS = [
    {output: "text.children", inputs: [["slider", "value"]]},
    {output: "other.children", inputs: [["slider", "value"]]},
    {output: "count.children", inputs: [["button", "n_clicks"], ["field", "value"]]},
];
const LAYOUT = {
    slider: {value: 0}, button: {n_clicks: 0}, field: {value: ""}, text: {}, other: {}, count: {}, box: {},
};
const PLACES = [["slider", "value"], ["button", "n_clicks"], ["field", "value"]];
const OUTPUTS = CALLBACKS.map(({output}) => output.split("."));

/** Numbers that look random, and are the same for the same seed. */
function randomOf(seed) {
    let state = seed * 2654435761 + 1;
    return function random(below) {
        state = (Math.imul(state ^ (state >>> 15), 2246822519) + 374761393) | 0;
        return ((state ^ (state >>> 13)) >>> 0) % below;
    };
}

/** The order of all changes, as the server keeps it. */
class Server {
    constructor(random) {
        this.random = random;
        this.pages = [];
        this.version = 0;
        this.store = new Map();
        /** How often each change of a page was counted: by its page and number. */
        this.counted = new Map();
        this.refused = new Set();
    }

    hear(page, {type, requestId, payload, changes}) {
        if (type !== "callback_request") {
            return;
        }
        page.push({type: "ack", requestId});
        if (page.known.requests.has(requestId)) {
            return;
        }
        page.known.requests.add(requestId);
        const isRefused = this.random(12) === 0;
        for (const [text, number] of Object.entries(changes)) {
            this._change(page, payload, text, number, isRefused);
        }
        this._run(payload, Object.keys(changes));
        page.push({type: "callback_response", requestId, payload: {status: "prevent_update"}});
    }

    /** All values, for a page of which nothing is known. */
    all() {
        return [...this.store].sort(([, one], [, other]) => one.version - other.version).map(([text]) => this._message(text));
    }

    /** The process ends, and another one counts versions anew. */
    restart() {
        this.version = 0;
        this.store.forEach(stored => (stored.version = ++this.version));
    }

    get(id, property) {
        const stored = this.store.get(`${id}.${property}`);
        return stored === undefined ? LAYOUT[id][property] : stored.value;
    }

    /** A tree with a slider, as it is made now. */
    tree() {
        return {...setProps("box", {children: tree("slider", {value: this.get("slider", "value")})}, true), state: this.version};
    }

    _change(page, payload, text, number, isRefused) {
        const [id, property] = text.split(".");
        const name = `${page.name} ${number}`;
        if (page.known.numbers.has(number)) {
            return;
        }
        page.known.numbers.add(number);
        if (isRefused) {
            this.refused.add(name);
            page.push(changed(id, property, number, 0));
            this.store.has(text) && page.push(this._message(text));
            return;
        }
        const {value} = payload.inputs.find(input => input.id === id && input.property === property);
        this.counted.set(name, (this.counted.get(name) || 0) + 1);
        this._set(text, value, page);
        page.push(changed(id, property, number, this.version));
    }

    _run({output, inputs}, changes) {
        if (changes.length > 0) {
            this._set(output, inputs.map(({id, property}) => this.get(id, property)).join(), null);
        }
    }

    _set(text, value, asker) {
        this.version += 1;
        this.store.set(text, {value, version: this.version});
        this.pages.filter(page => page !== asker).forEach(page => page.push(this._message(text)));
    }

    _message(text) {
        const [id, property] = text.split(".");
        const {value, version} = this.store.get(text);
        return sharedProps(id, {[property]: value}, version);
    }
}

/** The renderer of a page, which shows the trees that it gets. */
class TreeRenderer extends AskingRenderer {
    _set(id, props, how) {
        super._set(id, props, how);
        live.trees.map(props, (inner, innerProps) => {
            this.insert(inner, innerProps);
            return innerProps;
        });
    }
}

/** One tab, with its network. */
class Page {
    constructor(name, server, clock) {
        Object.assign(this, {name, server, clock});
        this.window = new FakeWindow(new FakeBrowser(clock));
        this.client = live.start(this.window, {...CONFIG, shared: CALLBACKS.map(({output}) => output)});
        this.dash = new TreeRenderer(this.window, [], CALLBACKS);
        Object.entries(LAYOUT).forEach(([id, props]) => this.dash.mount(id, props));
        /** What the server knows of the page's client, and what it has sent it. */
        this.known = null;
        /** How many messages have gone up and down the open link. */
        this.up = this.down = 0;
        this.linked = null;
        /** What the user has changed, by callback, and was not asked for yet. */
        this.touched = new Set();
        this.faults = [];
        this._watchRequests();
        this._element();
    }

    async load() {
        const {window, dash} = this;
        const dependencies = CALLBACKS.map(({output, inputs}) => ({
            output, inputs: inputs.map(([id, property]) => ({id, property})),
        }));
        window.answer = ({url}) => ({
            status: 200,
            body: {
                "/_dash-layout": tree("all", {children: Object.entries(LAYOUT).map(([id, props]) => tree(id, props))}),
                "/_dash-dependencies": dependencies,
            }[url] || {ticket: "a ticket"},
        });
        await window.fetch("/_dash-layout");
        await window.fetch("/_dash-dependencies");
        this.open(false);
        dash.connect().load();
    }

    /** Open the link that the page has asked for. */
    open(isGap) {
        const {socket} = this.window;
        if (socket === this.linked || socket.closedWith !== null) {
            return;
        }
        socket.open();
        const [{type, received}] = socket.sent;
        const recovered = type === "hello" || !isGap;
        if (type === "hello" || isGap) {
            this.known = {client: `${this.name}-${this.clock.now}`, sent: [], requests: new Set(), numbers: new Set()};
            this.server.all().forEach(message => this.known.sent.push(message));
            this.down = 0;
        } else {
            const isNumbered = message => message.type !== "ack";
            this.known.sent = this.known.sent.filter(isNumbered);
            this.down = received;
        }
        this.up = 1;
        this.linked = socket;
        socket.say(welcome({recovered, client: this.known.client, heartbeat: 100000}));
    }

    get isLinked() {
        return this.linked === this.window.socket && this.linked.readyState === 1;
    }

    cut() {
        this.isLinked && this.window.socket.end(1006);
    }

    /** The server sends a message. */
    push(message) {
        this.known.sent.push(message);
    }

    /** The next message of the page arrives. Returns whether there was one. */
    moveUp() {
        const message = this.isLinked && this.window.socket.sent[this.up];
        if (!message) {
            return false;
        }
        this.up += 1;
        this.server.hear(this, message);
        return true;
    }

    /** The next message of the server arrives. */
    moveDown() {
        const message = this.isLinked && this.known.sent[this.down];
        if (!message) {
            return false;
        }
        this.down += 1;
        this.window.socket.say(message);
        return true;
    }

    /** The user changes something. */
    change(id, property, value) {
        const text = `${id}.${property}`;
        const isWaiting = [...this.touched].some(touched => touched.endsWith(` ${text}`));
        if (isWaiting || value === this.dash.props(id)[property]) {
            return;
        }
        for (const {output, inputs} of CALLBACKS) {
            if (inputs.some(input => input.join(".") === text)) {
                this.touched.add(`${output} ${text}`);
            }
        }
        this.dash.change(id, {[property]: value});
    }

    /** Type into the field without a commit. */
    type(text) {
        const {document} = this.window;
        document.activeElement = document.elements.get("field");
        document.activeElement.value = text;
        document.dispatchEvent(new Event("input"));
    }

    /** Leave the field, which commits what it shows. */
    leaveField() {
        const {document} = this.window;
        const field = document.activeElement;
        if (field !== null) {
            document.activeElement = null;
            document.dispatchEvent(new Event("focusout"));
            this.change("field", "value", field.value);
        }
    }

    press(isDown) {
        const event = new Event(isDown ? "pointerdown" : "pointerup");
        const target = this.window.document.elements.get("slider");
        Object.defineProperties(event, {pointerId: {value: 1}, target: {value: target}});
        this.window.document.dispatchEvent(event);
    }

    shown(id, property) {
        return this.dash.props(id)[property];
    }

    /** The numbers of changes whose requests have failed visibly. */
    get failed() {
        return new Set(this.dash.failed.map(number => `${this.name} ${number}`));
    }

    /** Hold each request against what the user has done. */
    _watchRequests() {
        const {dash, client, touched} = this;
        const ask = client.shared.ask.bind(client.shared);
        dash.failed = [];
        dash.issued = new Set();
        client.shared.ask = request => {
            const {output, changedPropIds} = request.payload;
            const byUser = changedPropIds.filter(text => touched.delete(`${output} ${text}`));
            const answer = ask(request);
            const changes = (answer && answer.changes) || {};
            if (Object.keys(changes).sort().join() !== byUser.sort().join()) {
                this.faults.push(`${this.name} ${output}: the user changed [${byUser}], sent ${JSON.stringify(changes)}`);
            }
            Object.values(changes).forEach(number => dash.issued.add(number));
            return answer;
        };
        const fail = client._fail.bind(client);
        client._fail = (request, ...more) => {
            dash.failed.push(...Object.values(request.changes || {}));
            fail(request, ...more);
        };
    }

    _element() {
        const {elements} = this.window.document;
        const field = {tagName: "INPUT", type: "text", value: "", contains: other => other === field};
        const slider = {tagName: "DIV", contains: other => other === slider};
        elements.set("field", field);
        elements.set("slider", slider);
    }
}

module.exports = {CALLBACKS, PLACES, OUTPUTS, randomOf, Server, Page};
