(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /**
     * What the page may know of its connection. `window.FlashLive.connection` is one.
     *
     * `state` is `{status, recovered, gaps, client, transport, since, ahead}`: `status` is "connecting", "connected",
     * "reconnecting", "offline", "signed-out" or "closed"; `recovered` is false from the time that messages were lost;
     * `gaps` counts how often the server had to begin anew;
     * `transport` is "websocket", "stream", "poll" or null; `since` is when the status has changed, in milliseconds
     * since 1970; `ahead` is by how many milliseconds the server's clock is ahead of the browser's, 0 before it is known.
     */
    live.State = class State {
        /**
         * @param {Window} window
         * @param {live.Log} log
         */
        constructor(window, log) {
            this.window = window;
            this.log = log;
            this.subscribers = new Set();
            this.state = {
                status: "connecting", recovered: true, gaps: 0, client: null, transport: null, since: this._now(), ahead: 0,
            };
            /** The gaps of which somebody may know who says that all is dealt with. */
            this.knownGaps = 0;
            /** Called when somebody asks for an attempt at once. */
            this.onretry = () => {};
        }

        /**
         * Have a function called with the state, now and whenever it changes.
         * @param {Function} subscriber
         * @returns {Function} Call it to unsubscribe.
         */
        subscribe(subscriber) {
            const called = this.log.guarded("A subscriber of the connection's state has failed.", subscriber);
            this.subscribers.add(called);
            called(this.state);
            return () => this.subscribers.delete(called);
        }

        /** Try to connect now, also when the connection was closed or the user signed out. */
        retry() {
            this.onretry();
        }

        /**
         * Say that what was lost has been dealt with. Where more was lost meanwhile, the subscribers are told again that
         * it is not.
         */
        resetRecovered() {
            if (this.knownGaps === this.state.gaps) {
                this.change({recovered: true});
            } else {
                this.knownGaps = this.state.gaps;
                this._tell();
            }
        }

        /** The server has begun anew: messages were lost. For the client itself. */
        gap() {
            const gaps = this.state.gaps + 1;
            if (this.state.recovered) {
                this.knownGaps = gaps;
            }
            this.change({recovered: false, gaps});
        }

        /**
         * Change parts of the state. For the client itself.
         * @param {Object} parts
         */
        change(parts) {
            const old = this.state;
            if (Object.keys(parts).every(name => parts[name] === old[name])) {
                return;
            }
            const isNews = "status" in parts && parts.status !== old.status;
            this.state = Object.freeze({...old, ...parts, since: isNews ? this._now() : old.since});
            this._tell();
        }

        _tell() {
            this.subscribers.forEach(subscriber => subscriber(this.state));
        }

        _now() {
            return this.window.Date.now();
        }
    };
})();
