"use strict";

/** Browsers, servers and renderers for the tests of the client. Time passes only when a test says so. */

const fs = require("node:fs");
const path = require("node:path");

const CLIENT = path.join(__dirname, "../../../flash/live/client");
for (const file of fs.readdirSync(CLIENT).sort()) {
    require(path.join(CLIENT, file));
}
const live = globalThis.FlashLive;

const settle = () => new Promise(resolve => setImmediate(resolve));

/** Timers, tasks and dates. */
class Clock {
    constructor() {
        this.now = 1000000;
        /** How far the date is set wrong. */
        this.wrongBy = 0;
        this.timers = new Map();
        this.tasks = [];
        this.lastId = 0;
    }

    setTimeout(called, milliseconds = 0) {
        // Browsers run at once what is set for later than this.
        const wait = milliseconds < 2 ** 31 ? milliseconds : 1;
        this.timers.set(++this.lastId, {called, due: this.now + wait});
        return this.lastId;
    }

    clearTimeout(id) {
        this.timers.delete(id);
    }

    /** Run what is due now: tasks one by one, with the microtasks after each. */
    async run() {
        await settle();
        while (this.tasks.length > 0) {
            this.tasks.shift()();
            await settle();
        }
    }

    /** Let time pass. */
    async pass(milliseconds) {
        const end = this.now + milliseconds;
        await this.run();
        for (;;) {
            const [id, timer] = [...this.timers].reduce(
                (first, next) => (first[1] && first[1].due <= next[1].due ? first : next),
                [null, null]
            );
            if (id === null || timer.due > end) {
                break;
            }
            this.now = Math.max(this.now, timer.due);
            this.timers.delete(id);
            timer.called();
            await this.run();
        }
        this.now = end;
    }
}

class FakeSocket {
    constructor(window, url) {
        Object.assign(this, {window, url, readyState: 0, sent: [], closedWith: null});
        window.sockets.push(this);
    }

    send(text) {
        this.sent.push(JSON.parse(text));
    }

    close(code) {
        this.readyState = 3;
        this.closedWith = this.closedWith === null ? code : this.closedWith;
    }

    // What the server does.

    open() {
        this.readyState = 1;
        this.onopen();
    }

    say(...messages) {
        messages.forEach(message => this.onmessage && this.onmessage({data: JSON.stringify(message)}));
    }

    end(code) {
        this.readyState = 3;
        this.onclose && this.onclose({code});
    }

    welcome(more = {}) {
        this.open();
        this.say(welcome(more));
    }

    ofType(type) {
        return this.sent.filter(message => message.type === type);
    }
}

class FakeEventSource extends EventTarget {
    constructor(window, url) {
        super();
        Object.assign(this, {url, closed: false});
        window.sources.push(this);
    }

    get stream() {
        return new URL(this.url, "http://app").searchParams.get("stream");
    }

    close() {
        this.closed = true;
    }

    opened() {
        const event = new Event("open");
        event.data = "{}";
        this.dispatchEvent(event);
    }

    headers() {
        this.dispatchEvent(new Event("open"));
    }

    say(entry) {
        this.onmessage && this.onmessage({data: JSON.stringify(entry)});
    }

    fail() {
        this.onerror && this.onerror({});
    }
}

class FakeElement {
    constructor(document) {
        Object.assign(this, {document, attributes: {}, className: "", textContent: "", dataset: {}});
    }

    setAttribute(name, value) {
        this.attributes[name] = value;
    }

    appendChild(child) {
        this.document.children.push(child);
    }

    remove() {
        this.document.children.splice(this.document.children.indexOf(this), 1);
    }
}

class FakeDocument extends EventTarget {
    constructor() {
        super();
        this.hidden = false;
        this.baseURI = "http://app/page?a=1";
        this.children = [];
        this.documentElement = new FakeElement(this);
        this.body = new FakeElement(this);
        this.adoptedStyleSheets = [];
        this.config = {end_id: "signed"};
        /** What has an id, by it. */
        this.elements = new Map();
        this.activeElement = null;
    }

    getElementById(id) {
        return id === "_dash-config" ? {textContent: JSON.stringify(this.config)} : this.elements.get(id) || null;
    }

    createElement() {
        return new FakeElement(this);
    }

    show(isShown) {
        this.hidden = !isShown;
        this.dispatchEvent(new Event("visibilitychange"));
    }
}

/** What the tabs of one browser share. */
class FakeBrowser {
    constructor(clock = new Clock()) {
        this.clock = clock;
        this.channels = new Set();
        this.waiting = [];
        this.holder = null;
        this.locks = {request: (name, options, called) => this._request(options, called)};
    }

    _request({signal, steal}, called) {
        return new Promise((resolve, reject) => {
            const request = {called, resolve, reject};
            if (steal) {
                this.holder && this.holder.reject(aborted());
                this.holder = null;
                this.waiting.unshift(request);
            } else {
                signal.addEventListener("abort", () => {
                    if (this.waiting.includes(request)) {
                        this.waiting.splice(this.waiting.indexOf(request), 1);
                        reject(aborted());
                    }
                });
                this.waiting.push(request);
            }
            this._grant();
        });
    }

    async _grant() {
        if (this.holder || this.waiting.length === 0) {
            return;
        }
        const request = (this.holder = this.waiting.shift());
        await null;
        request.resolve(await request.called());
        if (this.holder === request) {
            this.holder = null;
            this._grant();
        }
    }
}

const aborted = () => Object.assign(new Error("aborted"), {name: "AbortError"});

/** A tab's window. `answer(request)` is the server's answer to a fetch; requests are kept in `requests`. */
class FakeWindow extends EventTarget {
    constructor(browser = new FakeBrowser()) {
        super();
        const {clock} = browser;
        const window = this;
        this.clock = clock;
        this.chance = 0.5;
        this.sockets = [];
        this.sources = [];
        this.requests = [];
        this.observers = [];
        this.frames = [];
        this.said = [];
        this.reloads = 0;
        this.answer = () => ({status: 200, body: {ticket: "a ticket"}});
        this.document = new FakeDocument();
        this.navigator = {onLine: true, locks: browser.locks};
        this.location = {
            protocol: "http:", host: "app", origin: "http://app", pathname: "/page", search: "?a=1",
            reload: () => (this.reloads += 1),
        };
        this.console = {
            warn: (...args) => this.said.push(["warn", ...args]),
            error: (...args) => this.said.push(["error", ...args]),
        };
        this.Date = {now: () => clock.now + clock.wrongBy};
        this.performance = {now: () => clock.now};
        this.Math = {random: () => this.chance};
        Object.assign(this, {crypto: globalThis.crypto, AbortController, Headers, Response});
        this.setTimeout = (called, milliseconds) => clock.setTimeout(called, milliseconds);
        this.clearTimeout = id => clock.clearTimeout(id);
        this.requestAnimationFrame = called => this.frames.push(called) && called;
        this.cancelAnimationFrame = asked => (this.frames = this.frames.filter(called => called !== asked));
        this.MessageChannel = function () {
            this.port1 = {};
            this.port2 = {postMessage: () => clock.tasks.push(() => this.port1.onmessage())};
        };
        this.MutationObserver = function (called) {
            this.observe = () => window.observers.push(called);
            this.disconnect = () => window.observers.splice(window.observers.indexOf(called), 1);
        };
        this.WebSocket = function (url) {
            return new FakeSocket(window, url);
        };
        this.EventSource = function (url) {
            return new FakeEventSource(window, url);
        };
        this.BroadcastChannel = function () {
            browser.channels.add(this);
            this.close = () => browser.channels.delete(this);
            this.postMessage = data =>
                browser.channels.forEach(channel => {
                    if (channel !== this) {
                        clock.tasks.push(() => browser.channels.has(channel) && channel.onmessage({data}));
                    }
                });
        };
        this.CSSStyleSheet = function () {
            this.replaceSync = rules => (this.rules = rules);
        };
    }

    async fetch(url, options = {}) {
        const request = {url: String(url), ...options, method: options.method || "GET"};
        this.requests.push(request);
        const answer = await new Promise((resolve, reject) => {
            request.signal && request.signal.addEventListener("abort", () => reject(new Error("aborted")));
            Promise.resolve(this.answer(request)).then(resolve, reject);
        });
        if (answer === null || answer === undefined) {
            throw new TypeError("Failed to fetch");
        }
        const {status, body, headers = {}, type = "basic"} = answer;
        const json = async () => JSON.parse(JSON.stringify(body));
        const response = {status, type, ok: status >= 200 && status < 300, json, headers: new Headers(headers)};
        return Object.assign(response, {clone: () => response});
    }

    get socket() {
        return this.sockets[this.sockets.length - 1];
    }

    get source() {
        return this.sources[this.sources.length - 1];
    }

    /** What was posted, as lists of messages. */
    get posts() {
        return this.requests.filter(({method}) => method === "POST").map(({body}) => JSON.parse(body));
    }

    happen(type, more = {}) {
        this.dispatchEvent(Object.assign(new Event(type), more));
    }

    drawFrame() {
        this.frames.splice(0).forEach(called => called());
    }
}

/** The part of Dash's renderer that talks to the worker. Its components are in `layout`, by the text of their ids. */
class FakeRenderer {
    constructor(window, ids = []) {
        this.window = window;
        this.layout = new Map();
        this.log = [];
        this.pending = new Map();
        this.count = 0;
        this.port = null;
        /** So many requests are open at once. */
        this.slots = Infinity;
        this.blocked = false;
        ["_flash_carrier", ...ids].forEach(id => this.mount(id));
        window.dash_component_api = {getLayout: id => this._getLayout(id)};
        window.dash_clientside = {set_props: (id, props) => this._setProps(id, props)};
    }

    mount(id, props = {}) {
        const text = typeof id === "string" ? id : JSON.stringify(id, Object.keys(id).sort());
        this.layout.set(text, {props: {id, ...props}});
    }

    /** Open the port, as Dash does at load or at the first request. */
    connect() {
        this.port = new this.window.SharedWorker("/worker.js", {name: "dash-ws-worker"}).port;
        this.port.onmessage = ({data}) => this._hear(data);
        this.port.start();
        this.port.postMessage({type: "connect", rendererId: "dash", payload: {}});
        return this;
    }

    /** Fire the callbacks that Dash fires when the layout is there. */
    load() {
        this._carry();
        return this;
    }

    /** Ask for a callback. Its answer is put into `log`. */
    ask(output, inputs = [{id: "button", property: "n_clicks", value: 1}]) {
        const requestId = `dash-${++this.count}`;
        const answered = new Promise(resolve => this.pending.set(requestId, resolve));
        this.port.postMessage({type: "callback_request", rendererId: "dash", requestId, payload: {output, inputs}});
        // Dash applies an answer some microtasks after it has come.
        answered
            .then(() => null)
            .then(() => null)
            .then(async () => this._apply(output, await answered));
        return requestId;
    }

    props(id) {
        return this.layout.get(id).props;
    }

    get values() {
        return this.log.filter(entry => entry.set).map(entry => entry.set);
    }

    _carry() {
        this.blocked = this.pending.size >= this.slots;
        if (!this.blocked) {
            // Values are read when a slot is free.
            this.ask("carrier", [{id: "_flash_carrier", property: "data", value: this.props("_flash_carrier").data}]);
        }
    }

    _apply(output, payload) {
        this.log.push({answer: output, ...payload});
        const response = (payload.data && payload.data.response) || {};
        Object.entries(response).forEach(([id, props]) => this._set(id, props, "tree"));
    }

    _set(id, props, how) {
        if (this.layout.has(id)) {
            Object.assign(this.props(id), props);
            this.log.push({set: [id, props], how});
        }
    }

    _hear(message) {
        if (message.type === "callback_response") {
            const resolve = this.pending.get(message.requestId);
            this.pending.delete(message.requestId);
            resolve && resolve(message.payload);
            this.blocked && this._carry();
        } else if (message.type === "set_props") {
            this._set(message.payload.componentId, message.payload.props, "set_props");
        } else {
            if (message.type === "disconnected") {
                this.pending.forEach(resolve => resolve({status: "prevent_update"}));
                this.pending.clear();
            }
            this.log.push({heard: message.type, ...message});
        }
    }

    _getLayout(id) {
        const text = typeof id === "string" ? id : JSON.stringify(id, Object.keys(id).sort());
        if (this.layout.has(text)) {
            return this.layout.get(text);
        }
        if (typeof id === "object") {
            return {props: {id: "the whole layout"}};
        }
        throw new TypeError("Cannot read properties of undefined");
    }

    _setProps(id, props) {
        Object.assign(this.props(id), props);
        if (id === "_flash_carrier") {
            // Dash waits a timer for other changes before it asks.
            this.window.setTimeout(() => this._carry(), 0);
        }
    }
}

const CONFIG = {
    socket: "/_dash-ws-callback",
    live: "/_flash/live",
    callbacks: "/_dash-update-component",
    carrier: "_flash_carrier",
    indicator: true,
    onGap: "callbacks",
    retry: [],
};

function welcome(more = {}) {
    return {
        type: "welcome", version: 1, client: "c1", key: "secret", recovered: true,
        epoch: "e", heartbeat: 25, renew: 900, limit: 1000, now: 1000000, ...more,
    };
}

function setProps(componentId, props, components) {
    const message = {type: "set_props", payload: {componentId, props}};
    return components ? {...message, components: true} : message;
}

function component(id, children = null) {
    return {type: "Div", namespace: "dash_html_components", props: {id, children}};
}

function patch(...operations) {
    return {
        __dash_patch_update: "__dash_patch_update",
        operations: operations.map(([operation, location, params = {}]) => ({operation, location, params})),
    };
}

module.exports = {
    live, settle, Clock, FakeBrowser, FakeWindow, FakeRenderer, CONFIG, welcome, setProps, component, patch,
};
