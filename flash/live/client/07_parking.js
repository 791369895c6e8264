(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    const MOST_PROPERTIES = 1000;
    const MOST_CHARACTERS = 1024 * 1024;
    const MOST_HOLES = 10000;

    /**
     * Keeps what was set on components that are not on the page, until they are.
     *
     * Of each property the newest value and all Patches after it. Beyond its bounds the property that was set longest
     * ago is dropped, and Patches of it are too, until it gets a full value: what they change is not there. To drop a
     * value that all tabs share is no loss: the server lays it over the trees that bring its component.
     */
    live.Parking = class Parking {
        /** @param {live.Log} log */
        constructor(log) {
            this.log = log;
            /** By id and property; the oldest first. */
            this.places = new Map();
            /** How many places each id has. */
            this.ids = new Map();
            this.characters = 0;
            this.order = 0;
            /** The ids of properties that were dropped, by id and property; the oldest first. */
            this.holes = new Map();
            /** Called when something was dropped. */
            this.onloss = () => {};
        }

        /** @returns {boolean} Whether nothing is kept. */
        get empty() {
            return this.places.size === 0;
        }

        /**
         * Whether something is kept for a component.
         * @param {string} componentId
         * @returns {boolean}
         */
        holds(componentId) {
            return this.ids.has(componentId);
        }

        /**
         * Keep what a message sets.
         * @param {{payload: {componentId: string, props: Object}, components: ?boolean, versions: ?Object}} message
         */
        park({payload: {componentId, props}, components, versions = {}, state}) {
            for (const [property, value] of Object.entries(props)) {
                const version = versions[property];
                this._put(componentId, {property, value, components: Boolean(components), version, state});
            }
            while (this.places.size > MOST_PROPERTIES || this.characters > MOST_CHARACTERS) {
                const [key, {componentId, isShared}] = this.places.entries().next().value;
                this._remove(key);
                this._punch(key, componentId);
                if (!isShared) {
                    this._tell();
                }
            }
        }

        /**
         * Drop what a message sets.
         * @param {{payload: {componentId: string, props: Object}}} message
         */
        lose({payload: {componentId, props}}) {
            Object.keys(props).forEach(property => this._punch(keyOf(componentId, property), componentId));
            this._tell();
        }

        /** Forget the values that all tabs share: the server sends all of them again. */
        forgetShared() {
            [...this.places].filter(([, place]) => place.isShared).forEach(([key]) => this._remove(key));
        }

        /**
         * A message without the Patches of properties that were dropped.
         * @param {{payload: {componentId: string, props: Object}}} message
         * @returns {?Object} The message itself where there are none; null where nothing else is in it.
         */
        withoutTorn(message) {
            if (this.holes.size === 0) {
                return message;
            }
            const {componentId, props} = message.payload;
            const isTorn = ([property, value]) =>
                live.patch.isPatch(value) && this.holes.has(keyOf(componentId, property));
            const all = Object.entries(props);
            const left = all.filter(entry => !isTorn(entry));
            left.filter(([, value]) => !live.patch.isPatch(value)).forEach(([property]) =>
                this.holes.delete(keyOf(componentId, property))
            );
            if (left.length === all.length) {
                return message;
            }
            return left.length > 0 ? {...message, payload: {componentId, props: Object.fromEntries(left)}} : null;
        }

        /**
         * Forget what is kept for the components of a tree, which is newer.
         * @param {*} tree
         * @param {?number} state The version for which it was made; shared values may be newer.
         */
        replace(tree, state = 0) {
            if (this.places.size + this.holes.size === 0) {
                return;
            }
            const ids = idsIn(tree, new Set());
            const isReplaced = ({componentId, version = 0}) => ids.has(live.textOfId(componentId)) && version <= state;
            [...this.places].filter(([, place]) => isReplaced(place)).forEach(([key]) => this._remove(key));
            [...this.holes].filter(([, hole]) => isReplaced(hole)).forEach(([key]) => this.holes.delete(key));
        }

        /** Forget all: the page is being left. */
        clear() {
            this.places.clear();
            this.ids.clear();
            this.holes.clear();
            this.characters = 0;
        }

        /**
         * Take out what is kept for a component.
         * @param {string} componentId
         * @returns {Object[]} `set_props` messages, in the order in which they came.
         */
        take(componentId) {
            const taken = [];
            for (const [key, place] of this.places) {
                if (place.componentId === componentId) {
                    taken.push(...place.kept);
                    this._remove(key);
                }
            }
            taken.sort((one, other) => one.order - other.order);
            return taken.map(({property, value, components, version, state}) => ({
                type: "set_props",
                payload: {componentId, props: {[property]: value}},
                components,
                versions: version === undefined ? undefined : {[property]: version},
                state,
            }));
        }

        _put(componentId, {property, value, components, version, state}) {
            const key = keyOf(componentId, property);
            if (!live.patch.isPatch(value)) {
                this._remove(key);
            }
            const place = this.places.get(key) || this._newPlace(key, componentId);
            const characters = JSON.stringify(value).length;
            place.kept.push({property, value, components, version, state, order: this.order++});
            place.isShared = version !== undefined;
            place.version = version;
            place.characters += characters;
            this.characters += characters;
        }

        _newPlace(key, componentId) {
            const place = {componentId, kept: [], characters: 0, isShared: false};
            this.places.set(key, place);
            this.ids.set(componentId, (this.ids.get(componentId) || 0) + 1);
            return place;
        }

        _punch(key, componentId) {
            this.holes.set(key, {componentId});
            if (this.holes.size > MOST_HOLES) {
                this.holes.delete(this.holes.keys().next().value);
            }
        }

        _tell() {
            this.log.warn("too much was sent for components that are not on the page; the oldest is dropped.");
            this.onloss();
        }

        _remove(key) {
            const place = this.places.get(key);
            if (!place) {
                return;
            }
            this.places.delete(key);
            this.characters -= place.characters;
            const left = this.ids.get(place.componentId) - 1;
            if (left > 0) {
                this.ids.set(place.componentId, left);
            } else {
                this.ids.delete(place.componentId);
            }
        }
    };

    function keyOf(componentId, property) {
        return JSON.stringify([componentId, property]);
    }

    /** The texts of the ids of all components in a value, added to a set. */
    function idsIn(value, ids) {
        if (value !== null && typeof value === "object") {
            if (value.namespace && value.props && value.props.id !== undefined) {
                ids.add(live.textOfId(value.props.id));
            }
            Object.values(value).forEach(inner => idsIn(inner, ids));
        }
        return ids;
    }
})();
