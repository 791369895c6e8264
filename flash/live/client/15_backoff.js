(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    const FIRST_MS = 500;
    const LONGEST_MS = 30000;
    const SLOW_MS = 15000;
    const HIDDEN_MS = 60000;
    /** A link that has lasted so long was a good one. */
    const GOOD_MS = 10000;

    /**
     * How long to wait before the next attempt: doubled after each failure up to half a minute, and by chance anything
     * up to that, so that the pages of a server that was away do not come back all at once.
     */
    live.Backoff = class Backoff {
        /** @param {Window} window */
        constructor(window) {
            this.window = window;
            this.failures = 0;
            this.welcomedAt = null;
            this.triedAt = window.performance.now();
            /** How many links in a row were lost soon. */
            this.soonLost = 0;
        }

        /** An attempt begins. */
        tries() {
            this.triedAt = this.window.performance.now();
        }

        /** It has succeeded. */
        succeeded() {
            this.welcomedAt = this.window.performance.now();
        }

        /**
         * The milliseconds to wait after a link was lost or could not be had.
         * @param {Object} why
         * @param {?number} why.retry What the server has asked for, in milliseconds.
         * @param {?boolean} why.slowly Whether the server has too much to do.
         * @returns {number}
         */
        next({retry = null, slowly = false} = {}) {
            this._forgive();
            const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(this.failures, 10));
            this.failures += 1;
            const {random} = this.window.Math;
            let wait = random() * longest;
            if (retry !== null) {
                wait = retry * (1 + random() / 2);
            } else if (slowly) {
                wait += SLOW_MS;
            }
            const patience = this.window.document.hidden ? this.triedAt + HIDDEN_MS - this.window.performance.now() : 0;
            return Math.max(wait, patience);
        }

        /** After a link the failures before it are forgotten, unless links do not last. */
        _forgive() {
            if (this.welcomedAt !== null) {
                const isGood = this.window.performance.now() - this.welcomedAt >= GOOD_MS;
                this.soonLost = isGood ? 0 : this.soonLost + 1;
                this.failures = this.soonLost;
                this.welcomedAt = null;
            }
        }
    };
})();
