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
            /** The callbacks as the renderer knows them, with the ids of their inputs and outputs. */
            this.declared = [];
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
            this.declared = dependencies
                .filter(({output}) => this.callbacks.has(output))
                .map(({output, inputs}) => ({output, inputs, ids: [...inputs.map(({id}) => id), ...outputIds(output)]}));
            this.declared.forEach(({inputs}) => inputs.forEach(({id, property}) => this._add(id, property)));
        }

        /**
         * The callbacks that listen to a property and that the renderer does not ask for: some of their components are
         * not on the page.
         * @param {string} componentId
         * @param {string} property
         * @param {function(string): boolean} isHere Whether a component is on the page.
         * @returns {string[]} Their ids.
         */
        elsewhere(componentId, property, isHere) {
            return this.declared
                .filter(({inputs, ids}) => {
                    const wanted = inputs.find(input => input.property === property && matched(input.id, componentId));
                    const match = wanted && matched(wanted.id, componentId);
                    return match && !ids.map(id => concrete(id, match)).every(id => id === null || isHere(id));
                })
                .map(({output}) => output);
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

    /** What MATCH stands for when an id or a pattern is that of a component; null when it is not. */
    function matched(id, componentId) {
        if (!id.startsWith("{") || !componentId.startsWith("{")) {
            return id === componentId ? {} : null;
        }
        const pattern = JSON.parse(id);
        const found = JSON.parse(componentId);
        const keys = Object.keys(pattern).sort();
        const values = keys.map(key => (isWildcard(pattern[key]) ? null : pattern[key]));
        return isOf({keys, values}, found) ? found : null;
    }

    /** The component that an id or a pattern names beside another one; null when it may be several, or none. */
    function concrete(id, match) {
        if (!id.startsWith("{")) {
            return id;
        }
        const pattern = JSON.parse(id);
        for (const key of Object.keys(pattern).filter(each => isWildcard(pattern[each]))) {
            if (pattern[key][0] !== "MATCH" || !(key in match)) {
                return null;
            }
            pattern[key] = match[key];
        }
        return live.textOfId(pattern);
    }

    /** The ids of the outputs in a callback's id: `a.x`, `..a.x...b.y..`, or a hash for none. */
    function outputIds(output) {
        const names = output.startsWith("..") && output.endsWith("..") ? output.slice(2, -2).split("...") : [output];
        return names.filter(name => name.includes(".")).map(name => name.slice(0, name.lastIndexOf(".")).replace(/\\\./g, "."));
    }

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
