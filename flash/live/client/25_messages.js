(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /** Lists of messages for the renderer, with fewer in them. */
    live.messages = {
        /**
         * Messages without the values that later ones replace. A hidden page is fed faster than its renderer, whose timers
         * are late.
         * @param {Object[]} messages
         * @returns {Object[]}
         */
        conflated(messages) {
            const replaced = new Set();
            const kept = [];
            for (const message of messages.slice().reverse()) {
                // What is shown again is no newer value.
                const isValue = message.type === "set_props" && !message.again;
                kept.push(isValue ? withoutReplaced(message, replaced) : message);
            }
            return kept.reverse().filter(message => message !== null);
        },

        /**
         * Messages without the values that all tabs share.
         * @param {Object[]} messages
         * @returns {Object[]}
         */
        withoutShared(messages) {
            return messages
                .map(message => (message.versions ? keep(message, property => !(property in message.versions)) : message))
                .filter(message => message !== null);
        },
    };

    function withoutReplaced(message, replaced) {
        const {componentId, props} = message.payload;
        const place = property => JSON.stringify([componentId, property]);
        const left = keep(message, property => !replaced.has(place(property)));
        for (const property of left === null ? [] : Object.keys(left.payload.props)) {
            if (!live.patch.isPatch(props[property])) {
                replaced.add(place(property));
            }
        }
        return left;
    }

    /** A message with some of its properties, or null where it has none of them. */
    function keep(message, isKept) {
        const {componentId, props} = message.payload;
        const left = Object.entries(props).filter(([property]) => isKept(property));
        return left.length === 0 ? null : {...message, payload: {componentId, props: Object.fromEntries(left)}};
    }
})();
