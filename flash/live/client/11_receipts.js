(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    const NUMBERED = new Set(["set_props", "callback_response", "get_props_request", "changed"]);
    const MOST_UNTOLD = 32;
    const LONGEST_UNTOLD_MS = 5000;

    /** Counts the server's numbered messages, and tells it now and then how many have come. */
    live.Receipts = class Receipts {
        /**
         * @param {Window} window
         * @param {Function} tell Called with the count, to tell the server.
         */
        constructor(window, tell) {
            this.window = window;
            this.tell = tell;
            this.received = 0;
            this.told = 0;
            this.timer = null;
        }

        /**
         * Count a message, if its type is one that is counted.
         * @param {{type: string}} message
         */
        count(message) {
            if (!NUMBERED.has(message.type)) {
                return;
            }
            this.received += 1;
            if (this.received - this.told >= MOST_UNTOLD) {
                this._tellNow();
            } else if (this.timer === null) {
                this.timer = this.window.setTimeout(() => this._tellNow(), LONGEST_UNTOLD_MS);
            }
        }

        /**
         * The count, by a message that tells the server.
         * @returns {number}
         */
        take() {
            this.told = this.received;
            this.window.clearTimeout(this.timer);
            this.timer = null;
            return this.received;
        }

        /** Count from the beginning: the server has welcomed a new client. */
        reset() {
            this.received = 0;
            this.take();
        }

        _tellNow() {
            this.tell(this.take());
        }
    };
})();
