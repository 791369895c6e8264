(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /** So long a tab that holds the stream may leave a question of another tab without an answer. */
    const LOCK_PATIENCE_MS = 3000;
    /** Without locks nobody else can tell whether there is one. */
    const CLAIM_PATIENCE_MS = 2000;

    /**
     * Elects the tab that holds the stream by a lock, which the browser passes on when its tab is closed.
     *
     * Elections have in common: `patience`, in milliseconds, `enter()`, `takeOver()`, `leave()`, `hear(message)` and
     * the handlers `onheld()`, `onlost()` and `ondenied()`, after which there is no election.
     */
    live.LockElection = class LockElection {
        /**
         * @param {Window} window
         * @param {string} name The lock's.
         */
        constructor(window, name) {
            Object.assign(this, {window, name});
            this.patience = LOCK_PATIENCE_MS;
            /** Names the newest request; one that is out of date has nothing to say. */
            this.turn = null;
            this.waiting = null;
            this.release = () => {};
            this.onheld = this.onlost = this.ondenied = () => {};
        }

        /** Hold the stream when all tabs before this one are closed. */
        enter() {
            this.waiting = new this.window.AbortController();
            this._request({signal: this.waiting.signal});
        }

        /** Hold the stream now: the tab that does is frozen. */
        takeOver() {
            this.waiting.abort();
            this._request({steal: true});
        }

        /** Hold it no more, nor wait for it. */
        leave() {
            this.turn = null;
            this.waiting.abort();
            this.release();
        }

        /** The browser tells all there is to know. */
        hear() {}

        async _request(options) {
            const turn = (this.turn = {});
            const held = new Promise(resolve => (this.release = resolve));
            try {
                await this.window.navigator.locks.request(this.name, options, () => this._hold(turn, held));
            } catch (error) {
                this._fail(turn, error);
            }
        }

        _hold(turn, held) {
            if (turn !== this.turn) {
                return undefined;
            }
            this.onheld();
            return held;
        }

        _fail(turn, error) {
            if (turn !== this.turn) {
                return;
            }
            if (error.name === "AbortError") {
                // Another tab has taken over.
                this.enter();
                this.onlost();
            } else {
                this.ondenied();
            }
        }
    };

    /**
     * Elects the tab that holds the stream by claims: browsers have locks for secure pages only. Who asks and is not
     * answered claims; of two that have claimed the later one holds.
     */
    live.ClaimElection = class ClaimElection {
        /**
         * @param {Window} window
         * @param {Function} tell Sends a message to the other tabs; they pass it to `hear()`.
         */
        constructor(window, tell) {
            Object.assign(this, {window, tell});
            this.patience = CLAIM_PATIENCE_MS;
            this.claim = null;
            this.onheld = this.onlost = this.ondenied = () => {};
        }

        /** There is no queue to enter. */
        enter() {}

        /** Hold the stream: nobody else does. */
        takeOver() {
            this.claim = {at: this.window.Date.now(), by: live.randomId(this.window)};
            this.tell({type: "claim", claim: this.claim});
            this.onheld();
        }

        /** Hold it no more. */
        leave() {
            if (this.claim) {
                this.claim = null;
                this.tell({type: "left"});
            }
        }

        /**
         * Another tab has told something.
         * @param {Object} message
         */
        hear({type, claim}) {
            if (type !== "claim" || this.claim === null) {
                return;
            }
            if (isLater(claim, this.claim)) {
                this.claim = null;
                this.onlost();
            } else {
                this.tell({type: "claim", claim: this.claim});
            }
        }
    };

    function isLater(one, other) {
        return one.at > other.at || (one.at === other.at && one.by > other.by);
    }
})();
