(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    const MOST_PROPERTIES = 1000;
    const MOST_CHARACTERS = 1024 * 1024;

    /**
     * Keeps what was set on components that are not on the page, until they are.
     *
     * Of each property the newest value and all Patches after it. Beyond its bounds the property that was set longest
     * ago is dropped.
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
         * @param {{payload: {componentId: string, props: Object}, components: ?boolean}} message
         */
        park(message) {
            const {componentId, props} = message.payload;
            for (const [property, value] of Object.entries(props)) {
                this._put(componentId, property, value, Boolean(message.components));
            }
            while (this.places.size > MOST_PROPERTIES || this.characters > MOST_CHARACTERS) {
                this._remove(this.places.keys().next().value);
                this.log.warn("too much was sent for components that are not on the page; the oldest is dropped.");
            }
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
            return taken.map(({property, value, components}) => ({
                type: "set_props",
                payload: {componentId, props: {[property]: value}},
                components,
            }));
        }

        _put(componentId, property, value, components) {
            const key = JSON.stringify([componentId, property]);
            if (!live.patch.isPatch(value)) {
                this._remove(key);
            }
            const place = this.places.get(key) || this._newPlace(key, componentId);
            const characters = JSON.stringify(value).length;
            place.kept.push({property, value, components, order: this.order++});
            place.characters += characters;
            this.characters += characters;
        }

        _newPlace(key, componentId) {
            const place = {componentId, kept: [], characters: 0};
            this.places.set(key, place);
            this.ids.set(componentId, (this.ids.get(componentId) || 0) + 1);
            return place;
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
})();
