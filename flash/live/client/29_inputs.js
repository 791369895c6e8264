(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /** The properties that shared callbacks listen to. */
    live.Inputs = class Inputs {
        /** @param {string[]} callbacks The ids of the shared callbacks. */
        constructor(callbacks) {
            this.callbacks = new Set(callbacks);
            /** The properties by the id of their component. */
            this.plain = new Map();
            /** `{keys, values, property}` of each input whose id has wildcards; those are null. */
            this.patterns = [];
            /** Whether it is known which they are. */
            this.known = false;
        }

        /** @returns {boolean} Whether there are no shared callbacks. */
        get empty() {
            return this.callbacks.size === 0;
        }

        /**
         * Learn which they are.
         * @param {Object[]} dependencies All callbacks of the app, as the renderer gets them.
         */
        learn(dependencies) {
            this.known = true;
            this.plain.clear();
            this.patterns = [];
            dependencies
                .filter(({output}) => this.callbacks.has(output))
                .forEach(({inputs}) => inputs.forEach(({id, property}) => this._add(id, property)));
        }

        /**
         * Those of one component.
         * @param {string} componentId Its id; of a dict id the JSON with sorted keys.
         * @returns {Set<string>} The names of the properties.
         */
        of(componentId) {
            const properties = new Set(this.plain.get(componentId));
            if (this.patterns.length > 0 && componentId.startsWith("{")) {
                const id = JSON.parse(componentId);
                this.patterns
                    .filter(pattern => isOf(pattern, id))
                    .forEach(({property}) => properties.add(property));
            }
            return properties;
        }

        _add(id, property) {
            const parsed = id.startsWith("{") ? JSON.parse(id) : null;
            if (parsed !== null && Object.values(parsed).some(isWildcard)) {
                const keys = Object.keys(parsed).sort();
                const values = keys.map(key => (isWildcard(parsed[key]) ? null : parsed[key]));
                this.patterns.push({keys, values, property});
                return;
            }
            const text = live.textOfId(id);
            this.plain.set(text, (this.plain.get(text) || new Set()).add(property));
        }
    };

    /** A wildcard is written as a list of its name. */
    function isWildcard(value) {
        return Array.isArray(value);
    }

    function isOf({keys, values}, id) {
        const own = Object.keys(id).sort();
        return (
            own.length === keys.length &&
            keys.every((key, index) => own[index] === key && (values[index] === null || values[index] === id[key]))
        );
    }
})();
