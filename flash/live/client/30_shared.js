(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /** So often it is looked whether a value may be shown that waits, beside all that happens meanwhile. */
    const LOOK_MS = 500;
    /** When so many properties are known, those are forgotten whose component is not on the page. */
    const MANY = 1000;

    /**
     * What all tabs share, as this page knows it: tells a change of the user's from the echo of a value that the server
     * has set, holds values back while the user has the property in hand, and keeps newer values in older trees.
     */
    live.Shared = class Shared {
        /**
         * @param {Object} parts
         * @param {Window} parts.window
         * @param {live.Log} parts.log
         * @param {live.Macrotasks} parts.tasks
         * @param {live.Renderer} parts.renderer
         * @param {live.Hands} parts.hands
         * @param {live.Inputs} parts.inputs
         */
        constructor({window, log, tasks, renderer, hands, inputs}) {
            Object.assign(this, {window, log, renderer, hands, inputs});
            /** Places by property, by the text of their component's id. */
            this.components = new Map();
            this.pruneAt = MANY;
            /** Counts the page's changes. */
            this.changes = 0;
            /** What the server said of the state that the page's layout was made with, or null. */
            this.state = null;
            /** The layout, when it came before it was known what is shared: `{tree, state}`. */
            this.early = null;
            this.timer = null;
            /** Called with messages for the renderer. */
            this.onshow = () => {};
            hands.onfree = () => this._heldPlaces().length > 0 && tasks.run(() => this._release());
        }

        /**
         * Learn which callbacks and properties are shared.
         * @param {Object[]} dependencies All callbacks of the app, as the renderer gets them.
         */
        learn(dependencies) {
            this.inputs.learn(dependencies);
            if (this.early !== null) {
                const {tree, state} = this.early;
                this.early = null;
                this.lay(tree, state);
            }
        }

        /**
         * The renderer asks for a callback.
         * @param {{payload: Object}} request
         * @returns {?Object} The message for the server, or null: it asks because the server has set what has changed.
         */
        ask(request) {
            const {output, outputs, inputs = [], changedPropIds = []} = request.payload;
            if (!this.inputs.callbacks.has(output)) {
                return request;
            }
            const values = valuesOf(inputs);
            const callback = JSON.stringify([output, outputs]);
            const changed = changedPropIds
                .map(text => ({text, place: this._placeOf(text)}))
                .map(({text, place}) => ({text, place, value: values.get(`${place.componentId}.${place.property}`)}))
                .filter(({place, value}) => !place.isEcho(callback, value, this._current(place, value)));
            const changes = {};
            for (const {text, place, value} of changed) {
                const number = place.change(callback, value, () => (this.changes += 1));
                if (number !== null) {
                    changes[text] = number;
                }
            }
            if (changed.length === 0) {
                return null;
            }
            const isHere = id => this.renderer.find(id) !== null;
            const elsewhere = changed.flatMap(({place}) => this.inputs.elsewhere(place.componentId, place.property, isHere));
            return {...request, changes, ...(elsewhere.length > 0 ? {elsewhere: [...new Set(elsewhere)]} : {})};
        }

        /**
         * A message that is about to be given to the renderer, without the values that must wait or are out of date.
         * @param {{payload: {componentId: string, props: Object}}} message
         * @returns {?Object} The message, or null where nothing of it is left.
         */
        prepare(message) {
            const {payload, versions, state, again} = message;
            if (this.inputs.empty && !versions) {
                return message;
            }
            const id = live.textOfId(payload.componentId);
            const props = {};
            for (const [property, value] of Object.entries(payload.props)) {
                if (again) {
                    this._showAgain(this._place(id, property), props);
                } else if (versions && property in versions) {
                    this._take(this._place(id, property), value, versions[property], message, props);
                } else {
                    props[property] = value;
                }
            }
            if (Object.keys(props).length === 0) {
                return null;
            }
            this._derive(id, props);
            const laid = message.components ? this.lay(props, state) : props;
            return {...message, payload: {componentId: payload.componentId, props: laid}};
        }

        /**
         * A callback's answer that is about to be given to the renderer, with the newest shared values in its trees.
         * @param {{payload: {data: ?Object}}} message
         * @returns {Object} The message.
         */
        answer(message) {
            const {data} = message.payload || {};
            if (this.inputs.empty || !data) {
                return message;
            }
            return {...message, payload: {...message.payload, data: this.layAnswer(data, message.state)}};
        }

        /**
         * What an answer holds, with the newest shared values in its trees.
         * @param {{response: ?Object, sideUpdate: ?Object}} data
         * @param {?number} state The version for which the trees were made.
         * @returns {Object}
         */
        layAnswer(data, state) {
            for (const part of [data.response, data.sideUpdate]) {
                Object.entries(part || {}).forEach(([id, props]) => this._derive(live.textOfId(id), props || {}));
            }
            return this.lay(data, state);
        }

        /**
         * A tree that is about to be shown, with the newest shared values in it.
         * @param {*} tree Any value that may hold components.
         * @param {?number} state The version for which it was made; null when the server does not say.
         * @returns {*}
         */
        lay(tree, state) {
            if (this.inputs.empty) {
                return tree;
            }
            if (!this.inputs.known) {
                this.early = {tree, state};
            }
            return live.trees.map(tree, (id, props) => this._mount(id, props, state || 0));
        }

        /**
         * The server has given the page's changes of a property their place in the order, or has refused them.
         * @param {{componentId: string, property: string, change: number, version: number}} payload
         */
        settle({componentId, property, change, version}) {
            this._place(live.textOfId(componentId), property).settle(change, version);
            this._release();
        }

        /**
         * A request is over. Changes that still have no place in the server's order will have none, unless another
         * request brings them.
         * @param {?Object} request The message that was sent.
         * @param {Object[]} others The requests that are not over.
         */
        end(request, others) {
            const changes = Object.entries((request && request.changes) || {});
            if (changes.length === 0) {
                return;
            }
            const isBrought = ([text, number]) => others.some(other => (other.changes || {})[text] === number);
            changes
                .filter(change => !isBrought(change))
                .forEach(([text, number]) => this._placeOf(text).lose(number));
            this._release();
        }

        /** The server sends all values, whose versions say nothing of those that are known. */
        beginAnew() {
            this._places().forEach(place => place.forgetVersions());
        }

        /**
         * Those requests that were not sent, and whose changes were sent with a lost one: the server may have counted
         * them.
         * @param {Object[]} lost Requests that the server may have run.
         * @param {Object[]} kept Requests that were not sent.
         * @returns {Object[]}
         */
        perhapsCounted(lost, kept) {
            const sent = new Set(lost.flatMap(request => Object.values(request.changes || {})));
            return kept.filter(request => Object.values(request.changes || {}).some(number => sent.has(number)));
        }

        /**
         * A message that this has handed over cannot be given to the renderer: its component has gone.
         * @param {{payload: {componentId: string, props: Object}}} message
         */
        postpone({payload: {componentId, props}}) {
            Object.keys(props).forEach(property => (this._place(componentId, property).queued = false));
        }

        /** Take a value of the server. It goes into `props` when it may be shown now. */
        _take(place, value, version, {components, state}, props) {
            const current = this._current(place);
            const isPerhapsShown = place.version === 0 || place.open;
            let isNew = false;
            try {
                isNew = place.take(value, version, {components, state}, current);
            } catch (error) {
                this.log.error(`A Patch for ${place.componentId} could not be applied.`, error);
            }
            if (isNew) {
                this._show(place, current, isPerhapsShown, props);
            }
        }

        /** What waited may be shown, or must wait again. */
        _showAgain(place, props) {
            place.queued = false;
            if (place.held) {
                this._show(place, this._current(place), true, props);
            }
        }

        _show(place, current, isPerhapsShown, props) {
            if (this._mustWait(place, current)) {
                this._watch();
                return;
            }
            const {value} = place.latest;
            place.show();
            if (!isPerhapsShown || !live.isEqual(current, value)) {
                this.hands.keepCaret(place.componentId);
                props[place.property] = value;
            }
        }

        _mustWait(place, current) {
            const {componentId, property} = place;
            return place.own.length > 0 || this._isUnasked(place) || this.hands.hold(componentId, property, current);
        }

        /** Whether the page has changed what shared callbacks listen to, and the renderer has not asked for them yet. */
        _isUnasked(place) {
            const {componentId, property, shown} = place;
            const isInput = shown !== null && this.inputs.of(componentId).has(property);
            return isInput && place.isUnasked(this._current(place, shown.value), this.window.performance.now());
        }

        /** Hand over again what waits and need wait no more. */
        _release() {
            for (const place of this._heldPlaces()) {
                const {componentId, property, latest} = place;
                if (!place.queued && !this._mustWait(place, this._current(place))) {
                    place.queued = true;
                    const payload = {componentId, props: {[property]: latest.value}};
                    const {components, state} = latest;
                    this.onshow({type: "set_props", payload, components, state, again: true});
                }
            }
            this._watch();
        }

        /** Look again later, while something waits on the page. */
        _watch() {
            const isWaiting = this._heldPlaces().some(({componentId}) => this.renderer.find(componentId));
            if (this.timer === null && isWaiting) {
                this.timer = this.window.setTimeout(() => {
                    this.timer = null;
                    this._release();
                }, LOOK_MS);
            }
        }

        /** The properties that a component gets in a tree. */
        _mount(id, props, state) {
            const laid = {};
            const known = this.components.get(id);
            for (const property of new Set([...this.inputs.of(id), ...(known ? known.keys() : [])])) {
                const place = this._place(id, property);
                // What the user has just changed is not overwritten by a tree either.
                const value = this._isUnasked(place) ? this._current(place) : place.mount(props[property], state);
                if (value !== props[property]) {
                    laid[property] = value;
                }
            }
            const all = Object.keys(laid).length > 0 ? {...props, ...laid} : props;
            this._derive(id, all);
            this._watch();
            return all;
        }

        /** A slider that gets a `value` takes it for its `drag_value` too, by itself. */
        _derive(id, props) {
            if (props.value !== undefined && this.inputs.of(id).has("drag_value")) {
                this._place(id, "drag_value").derived = {value: props.value};
            }
        }

        /** What the layout holds now. */
        _current({componentId, property}, otherwise = undefined) {
            const component = this.renderer.find(componentId);
            return component === null ? otherwise : component.props[property];
        }

        _placeOf(text) {
            const [id, property] = parted(text);
            return this._place(id, property);
        }

        _place(id, property) {
            const ofComponent = this.components.get(id) || new Map();
            const place = ofComponent.get(property) || new live.Place(id, property);
            this.components.set(id, ofComponent.set(property, place));
            if (this.components.size > this.pruneAt) {
                this._prune(id);
            }
            return place;
        }

        _prune(used) {
            for (const [id, ofComponent] of this.components) {
                const isPending = [...ofComponent.values()].some(({own}) => own.length > 0);
                if (id !== used && !isPending && !this.renderer.find(id)) {
                    this.components.delete(id);
                }
            }
            this.pruneAt = Math.max(MANY, 2 * this.components.size);
        }

        _places() {
            return [...this.components.values()].flatMap(ofComponent => [...ofComponent.values()]);
        }

        _heldPlaces() {
            return this._places().filter(({held}) => held);
        }
    };

    /** The values of a request's inputs, by place. Those of a wildcard are a list. */
    function valuesOf(inputs) {
        const all = inputs.flat().filter(Boolean);
        return new Map(all.map(({id, property, value}) => [`${live.textOfId(id)}.${property}`, value]));
    }

    /** An id and a property, from their text. Ids may have dots, properties have none. */
    function parted(text) {
        const dot = text.lastIndexOf(".");
        return [live.textOfId(text.slice(0, dot)), text.slice(dot + 1)];
    }
})();
