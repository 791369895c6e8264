(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /** Component trees, in whatever they stand. */
    live.trees = {
        /**
         * A value in which the properties of components are changed.
         * @param {*} value It is not changed.
         * @param {function(string, Object): Object} change Called with the id and the properties of each component that
         * has an id, before those inside of it; returns its properties.
         * @returns {*} The value itself where nothing has changed.
         */
        map(value, change) {
            if (Array.isArray(value)) {
                return mappedList(value, change);
            }
            if (value === null || typeof value !== "object") {
                return value;
            }
            const {props} = value;
            if (isComponent(value) && !isNothing(props.id)) {
                return mappedObject(withProps(value, change(live.textOfId(props.id), props)), change);
            }
            return mappedObject(value, change);
        },
    };

    function isComponent({namespace, props}) {
        return typeof namespace === "string" && props !== null && typeof props === "object";
    }

    function isNothing(id) {
        return id === undefined || id === null;
    }

    function withProps(component, props) {
        return props === component.props ? component : {...component, props};
    }

    function mappedList(list, change) {
        if (list.every(item => typeof item === "number")) {
            // The data of figures, which is long, and holds no component.
            return list;
        }
        const mapped = list.map(item => live.trees.map(item, change));
        return mapped.some((item, index) => item !== list[index]) ? mapped : list;
    }

    function mappedObject(object, change) {
        let mapped = object;
        for (const [key, inner] of Object.entries(object)) {
            const other = live.trees.map(inner, change);
            if (other !== inner) {
                mapped = mapped === object ? {...object} : mapped;
                mapped[key] = other;
            }
        }
        return mapped;
    }
})();
