(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /**
     * Applies Dash's Patch as the renderer does.
     *
     * The renderer patches only outputs that a callback has declared, so a Patch that holds components, which reaches
     * the page as the answer of the carrier, must be resolved before.
     */
    live.patch = {
        /**
         * Whether a value is a Patch.
         * @param {*} value
         * @returns {boolean}
         */
        isPatch(value) {
            return value !== null && typeof value === "object" && "__dash_patch_update" in value;
        },

        /**
         * The value that a Patch makes of another. Neither is changed.
         * @param {*} value
         * @param {{operations: Array<{operation: string, location: Array, params: Object}>}} patch
         * @returns {*}
         * @throws {Error} The operation is unknown, or there is nothing at its location that it could change.
         */
        apply(value, patch) {
            return patch.operations.reduce((current, {operation, location, params}) => {
                if (!Object.prototype.hasOwnProperty.call(operations, operation)) {
                    throw new Error(`There is no Patch operation ${operation}.`);
                }
                return operations[operation](current, resolved(location, current), params);
            }, value);
        },
    };

    const operations = {
        Assign: (value, path, {value: assigned}) => withAt(value, path, assigned),
        Merge: (value, path, {value: merged}) => changed(value, path, old => ({...old, ...merged})),
        Extend: (value, path, {value: more}) => changed(value, path, old => old.concat(more)),
        Delete: (value, path) => withoutAt(value, path),
        Insert: (value, path, {index, value: inserted}) =>
            changed(value, path, old => {
                const place = fromStart(index, old);
                return [...old.slice(0, place), inserted, ...old.slice(place)];
            }),
        Append: (value, path, {value: appended}) => changed(value, path, old => [...old, appended]),
        Prepend: (value, path, {value: prepended}) => changed(value, path, old => [prepended, ...old]),
        Add: (value, path, {value: added}) => changed(value, path, old => old + added),
        Sub: (value, path, {value: subtracted}) => changed(value, path, old => old - subtracted),
        Mul: (value, path, {value: factor}) => changed(value, path, old => old * factor),
        Div: (value, path, {value: divisor}) => changed(value, path, old => old / divisor),
        Clear: (value, path) => changed(value, path, emptied),
        Reverse: (value, path) => changed(value, path, old => [...old].reverse()),
        Remove: (value, path, {value: removed}) =>
            changed(value, path, old => old.filter(item => !isEqual(item, removed))),
    };

    /** A location whose negative numbers count from the end of their lists, with these resolved. */
    function resolved(location, value) {
        let here = value;
        return location.map(key => {
            const place = fromStart(key, here);
            here = here === null || here === undefined ? undefined : here[place];
            return place;
        });
    }

    function fromStart(key, list) {
        return typeof key === "number" && key < 0 ? list.length + key : key;
    }

    function changed(value, path, change) {
        const old = path.reduce((here, key) => (here === null || here === undefined ? undefined : here[key]), value);
        return withAt(value, path, change(old));
    }

    function withAt(value, path, leaf) {
        if (path.length === 0) {
            return leaf;
        }
        const [key, ...rest] = path;
        const copy = copied(value, key);
        copy[key] = withAt(copy[key], rest, leaf);
        return copy;
    }

    function withoutAt(value, path) {
        const [key, ...rest] = path;
        if (path.length === 0 || value === null || typeof value !== "object" || !(key in value)) {
            return value;
        }
        const copy = copied(value, key);
        if (rest.length > 0) {
            copy[key] = withoutAt(copy[key], rest);
        } else if (Array.isArray(copy)) {
            copy.splice(key, 1);
        } else {
            delete copy[key];
        }
        return copy;
    }

    function copied(value, key) {
        if (Array.isArray(value)) {
            return value.slice();
        }
        if (value !== null && typeof value === "object") {
            return {...value};
        }
        return Number.isInteger(key) ? [] : {};
    }

    function emptied(value) {
        if (Array.isArray(value)) {
            return [];
        }
        return typeof value === "string" ? "" : {};
    }

    function isEqual(one, other) {
        if (one === null || other === null || typeof one !== "object" || typeof other !== "object") {
            return Object.is(one, other);
        }
        const keys = Object.keys(one);
        return (
            Array.isArray(one) === Array.isArray(other) &&
            keys.length === Object.keys(other).length &&
            keys.every(key => key in other && isEqual(one[key], other[key]))
        );
    }
})();
