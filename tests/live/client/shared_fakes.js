"use strict";

/** A renderer with callbacks, as far as shared ones need it. */

const {live, FakeWindow, FakeRenderer, CONFIG, welcome} = require("./fakes.js");

const textOf = id => (typeof id === "string" ? id : JSON.stringify(id, Object.keys(id).sort()));

/**
 * Asks for callbacks as Dash does: after whatever has changed a property, one timer later, with the values of then.
 * `callbacks` are `{output, inputs}`; an input is `[id, property]`, or `[[id, ...], property]` for a wildcard.
 */
class AskingRenderer extends FakeRenderer {
    constructor(window, ids, callbacks) {
        super(window, ids);
        this.callbacks = callbacks;
        /** What has changed for each callback that will be asked for. */
        this.requested = new Map();
        /** The ids of sliders, which derive `drag_value`. */
        this.sliders = new Set();
        /** The requests that were sent to the worker, by their output. */
        this.asked = [];
        /** Answers as `[output, status]`, in their order. */
        this.answers = [];
    }

    /** The user, or a script of the page, changes properties. */
    change(id, props) {
        Object.assign(this.props(textOf(id)), props);
        this.notify(textOf(id), props);
    }

    /** Put a component on the page as a callback's answer does: callbacks that listen to it are asked for. */
    insert(id, props) {
        this.mount(id, props);
        this.notify(textOf(id), props);
    }

    notify(id, props) {
        for (const callback of this.callbacks) {
            const changed = callback.inputs
                .filter(([ids, property]) => property in props && [ids].flat().some(one => textOf(one) === id))
                .map(([, property]) => `${id}.${property}`);
            if (changed.length > 0) {
                this._request(callback, changed);
            }
        }
    }

    _request(callback, changed) {
        if (this.requested.has(callback)) {
            changed.forEach(text => this.requested.get(callback).add(text));
            return;
        }
        this.requested.set(callback, new Set(changed));
        this.window.setTimeout(() => {
            const changedPropIds = [...this.requested.get(callback)];
            this.requested.delete(callback);
            this.send(callback, changedPropIds);
        }, 0);
    }

    /** Ask for a callback now. */
    send({output, inputs}, changedPropIds) {
        const entry = (id, property) => ({id, property, value: this.layout.has(textOf(id)) ? this.props(textOf(id))[property] : null});
        const values = inputs.map(([ids, property]) =>
            Array.isArray(ids) ? ids.map(id => entry(id, property)) : entry(ids, property)
        );
        const requestId = `dash-${++this.count}`;
        this.pending.set(requestId, ({status}) => this.answers.push([output, status]));
        this.asked.push(output);
        const payload = {output, inputs: values, changedPropIds};
        this.port.postMessage({type: "callback_request", rendererId: "dash", requestId, payload});
        return requestId;
    }

    _set(text, props, how) {
        const id = live.textOfId(text);
        super._set(id, props, how);
        if (this.layout.has(id) && id !== "_flash_carrier") {
            this.notify(id, props);
            if (this.sliders.has(id) && "value" in props && this.props(id).drag_value !== props.value) {
                this.window.setTimeout(() => this.change(id, {drag_value: props.value}), 0);
            }
        }
    }
}

const wildcard = id => JSON.stringify(Object.fromEntries(Object.keys(id).sort().map(key => [key, key === "type" ? id[key] : ["ALL"]])));

/** The callbacks as `_dash-dependencies` names them. */
const dependencies = callbacks =>
    callbacks.map(({output, inputs}) => ({
        output,
        inputs: inputs.map(([ids, property]) => ({id: Array.isArray(ids) ? wildcard(ids[0]) : textOf(ids), property})),
    }));

/**
 * A page whose layout has come and is connected.
 * @param {Object[]} callbacks All are shared.
 * @param {Object} layout Properties by id.
 */
async function sharedPage(callbacks, layout, {config = {}, state = "epoch.0.digest", onServer = null} = {}) {
    const window = new FakeWindow();
    const client = live.start(window, {...CONFIG, ...config, shared: callbacks.map(({output}) => output)});
    const dash = new AskingRenderer(window, [], callbacks);
    const components = Object.entries(layout).map(([id, props]) => tree(id, props));
    window.answer = ({url, method}) => {
        if (url === "/_dash-dependencies") {
            return {status: 200, body: dependencies(callbacks)};
        }
        if (url === "/_dash-layout") {
            return {status: 200, body: tree("all", {children: components}), headers: {"Flash-State": state}};
        }
        return (onServer && onServer({url, method})) || {status: 200, body: {ticket: "a ticket"}};
    };
    await window.fetch("/_dash-layout");
    await window.fetch("/_dash-dependencies");
    Object.entries(layout).forEach(([id, props]) => {
        dash.mount(id.startsWith("{") ? JSON.parse(id) : id, props);
    });
    window.socket.welcome();
    dash.connect().load();
    await window.clock.run();
    return {window, client, dash, clock: window.clock, delivery: client.delivery, shared: client.shared};
}

function tree(id, props = {}) {
    return {type: "X", namespace: "n", props: {...props, id: id.startsWith("{") ? JSON.parse(id) : id}};
}

/** A shared value of the server. */
const sharedProps = (componentId, props, version, more = {}) => ({
    type: "set_props",
    payload: {componentId, props},
    versions: Object.fromEntries(Object.keys(props).map(property => [property, version])),
    ...more,
});

const changed = (componentId, property, change, version) => ({
    type: "changed", payload: {componentId, property, change, version},
});

/** What was sent for shared callbacks on the link that is open: `[output, changes]`. */
const sent = ({window}) => window.socket.ofType("callback_request").map(({payload, changes}) => [payload.output, changes]);

module.exports = {AskingRenderer, sharedPage, tree, sharedProps, changed, sent, welcome};
