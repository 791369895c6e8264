(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /** So long a value that the page has changed may wait to be asked for: a renderer whose slots are taken is late. */
    const UNASKED_MS = 1000;

    /**
     * One property of one component that all tabs share, as this page knows it.
     *
     * `latest` is the newest value in the server's order; `shown` is what the page shows, and whether the page itself has
     * changed it to that; `own` are the changes of the page that have no place in the server's order yet.
     */
    live.Place = class Place {
        /**
         * @param {string} componentId Its id; of a dict id the JSON with sorted keys.
         * @param {string} property
         */
        constructor(componentId, property) {
            this.componentId = componentId;
            this.property = property;
            /** `{value, version, components, state}` or null; `version` 0 for a value that came in a tree. */
            this.latest = null;
            /** `{value, isOwn, number, asked, remounted}` or null while nothing is known. */
            this.shown = null;
            /** `{number, value}` of each change that is pending, in their order. */
            this.own = [];
            /** The change that was given up last; its request may have come through all the same. */
            this.lost = null;
            /** Whether the latest value waits to be shown. */
            this.held = false;
            /** Whether it is on its way to the renderer. */
            this.queued = false;
            /** A value that the component may take by itself, as `{value}`, or null. */
            this.derived = null;
            this.unaskedSince = null;
            /** Whether the latest value is taken once more: the server sends it after it has refused a change. */
            this.open = false;
        }

        /** @returns {number} The version of the latest value. */
        get version() {
            return this.latest === null ? 0 : this.latest.version;
        }

        /**
         * Whether a callback is asked for because the server has set the value.
         * @param {string} callback Names the callback.
         * @param {*} value What it is asked with.
         * @param {*} current What the layout holds now.
         * @returns {boolean}
         */
        isEcho(callback, value, current) {
            const {shown} = this;
            if (shown === null) {
                return false;
            }
            if (live.isEqual(value, shown.value)) {
                return !shown.isOwn || (shown.remounted && shown.asked.has(callback));
            }
            if (this.derived !== null && live.isEqual(value, this.derived.value)) {
                return true;
            }
            // The renderer has read it before the newest value of the server came.
            return !shown.isOwn && live.isEqual(current, shown.value);
        }

        /**
         * The page has changed the value, and a callback is asked for.
         * @param {string} callback Names the callback.
         * @param {*} value
         * @param {Function} next Gives the number of a new change.
         * @returns {?number} The number of the change: that of the last one when only the callback is another; null when
         * nothing is known that this could be a change of.
         */
        change(callback, value, next) {
            const {shown} = this;
            if (shown !== null && shown.isOwn && live.isEqual(value, shown.value) && !shown.asked.has(callback)) {
                shown.asked.add(callback);
                return shown.number;
            }
            const number = shown === null ? null : next();
            this.shown = {value, isOwn: true, number, asked: new Set([callback]), remounted: false};
            this.derived = this.unaskedSince = null;
            if (number !== null) {
                this.own.push({number, value});
            }
            return number;
        }

        /**
         * The server has sent a value.
         * @param {*} value The value, or a Patch.
         * @param {number} version
         * @param {Object} more `components` and `state` of the message.
         * @param {*} current What the layout holds now.
         * @returns {boolean} Whether it is the newest. Then it waits to be shown.
         * @throws {Error} The Patch cannot be applied.
         */
        take(value, version, more, current) {
            if (version < this.version || (version === this.version && !this.open)) {
                return false;
            }
            this.open = false;
            const base = this.version > 0 ? this.latest.value : current;
            const whole = live.patch.isPatch(value) ? live.patch.apply(base, value) : value;
            this.latest = {...more, value: whole, version};
            this.held = true;
            return true;
        }

        /** The latest value is shown from now on. */
        show() {
            this.shown = byServer(this.latest.value);
            this.held = false;
            this.unaskedSince = null;
        }

        /**
         * A tree that is about to be shown holds the value.
         * @param {*} value As the tree has it.
         * @param {number} state The version for which the tree was made.
         * @returns {*} The value that it should have: a newer one, if one is known.
         */
        mount(value, state) {
            if (this.own.length > 0) {
                this.shown.remounted = true;
                return this.shown.value;
            }
            if (this.version > state) {
                this.shown = byServer(this.latest.value);
                return this.latest.value;
            }
            this.shown = byServer(value);
            if (this.version === 0) {
                this.latest = {value, version: 0};
            }
            return value;
        }

        /**
         * The server has given the page's changes their place in the order, or has refused them.
         * @param {number} number That of the last of them.
         * @param {number} version 0 when they were refused or lost.
         */
        settle(number, version) {
            const settled = this.own.filter(change => change.number <= number);
            if (settled.length === 0 && this.lost !== null && this.lost.number <= number) {
                settled.push(this.lost);
            }
            if (settled.length === 0) {
                return;
            }
            this.lost = null;
            this.own = this.own.filter(change => change.number > number);
            if (version > this.version) {
                this.latest = {value: settled.pop().value, version};
                this.held = false;
            } else if (version === 0) {
                this.open = true;
            }
            this._compare();
        }

        /**
         * A change of the page will not reach the server.
         * @param {number} number
         */
        lose(number) {
            const lost = this.own.find(change => change.number === number);
            if (lost) {
                this.lost = lost;
                this.own = this.own.filter(change => change !== lost);
                this._compare();
            }
        }

        /** The server counts versions anew. */
        forgetVersions() {
            if (this.latest !== null) {
                this.latest.version = 0;
            }
        }

        /**
         * Whether the page has changed the value, and nothing was asked for yet. The renderer does so a little later.
         * @param {*} current What the layout holds now.
         * @param {number} now In milliseconds.
         * @returns {boolean}
         */
        isUnasked(current, now) {
            const {shown, derived} = this;
            const isKnown = shown === null || live.isEqual(current, shown.value);
            if (isKnown || (derived !== null && live.isEqual(current, derived.value))) {
                this.unaskedSince = null;
                return false;
            }
            this.unaskedSince = this.unaskedSince === null ? now : this.unaskedSince;
            return now - this.unaskedSince < UNASKED_MS;
        }

        /** When nothing is pending any more, the latest value is to be shown. */
        _compare() {
            if (this.own.length === 0 && this.latest !== null && !live.isEqual(this.shown.value, this.latest.value)) {
                this.held = true;
            }
        }
    };

    /**
     * Whether two values are the same JSON.
     * @param {*} one
     * @param {*} other
     * @returns {boolean}
     */
    live.isEqual = function (one, other) {
        if (one === other || (isNothing(one) && isNothing(other))) {
            return true;
        }
        if (isNothing(one) || isNothing(other) || typeof one !== "object" || typeof other !== "object") {
            return false;
        }
        if (Array.isArray(one) || Array.isArray(other)) {
            return (
                Array.isArray(one) && Array.isArray(other) && one.length === other.length &&
                one.every((item, index) => live.isEqual(item, other[index]))
            );
        }
        const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
        return [...keys].every(key => live.isEqual(one[key], other[key]));
    };

    /** A property without a value, and numbers that JSON does not have, are null in JSON. */
    function isNothing(value) {
        return value === undefined || value === null || (typeof value === "number" && !Number.isFinite(value));
    }

    function byServer(value) {
        return {value, isOwn: false, number: null, asked: new Set(), remounted: false};
    }
})();
