(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /**
     * What the page has asked or answered and must arrive: kept until the server has acknowledged it, and a callback's
     * request until it is answered.
     */
    live.Requests = class Requests {
        constructor() {
            /** By request id, in their order. */
            this.kept = new Map();
        }

        /**
         * Keep a message of the renderer.
         * @param {{type: string, requestId: string}} message
         */
        add(message) {
            this.kept.set(message.requestId, {message, acknowledged: false, sent: false});
        }

        /**
         * A message was sent: from now on the server may have it.
         * @param {string} requestId
         */
        sent(requestId) {
            const kept = this.kept.get(requestId);
            if (kept) {
                kept.sent = true;
            }
        }

        /**
         * The server has a message.
         * @param {string} requestId
         */
        acknowledge(requestId) {
            const kept = this.kept.get(requestId);
            if (kept && kept.message.type === "callback_request") {
                kept.acknowledged = true;
            } else {
                this.kept.delete(requestId);
            }
        }

        /**
         * The server has answered a request, or nobody waits for its answer any more.
         * @param {string} requestId
         * @returns {?Object} The request, if it was kept.
         */
        forget(requestId) {
            const kept = this.kept.get(requestId);
            this.kept.delete(requestId);
            return kept ? kept.message : null;
        }

        /** @returns {Object[]} The messages to send after a new link has opened, in their order. */
        unacknowledged() {
            return [...this.kept.values()].filter(kept => !kept.acknowledged).map(kept => kept.message);
        }

        /** @returns {Object[]} All requests that are not answered, in their order. */
        unanswered() {
            return [...this.kept.values()].map(kept => kept.message).filter(isRequest);
        }

        /**
         * The server that knew this page's requests is gone. It may have run what was sent to it, acknowledged or not:
         * only what was never sent, and what may run again, is sent now. Nobody is left who waits for the page's own
         * answers.
         * @param {string[]} retry The outputs of the callbacks that may run again.
         * @returns {Object[]} The requests that are lost. They are forgotten.
         */
        lose(retry) {
            const lost = [];
            for (const [requestId, kept] of this.kept) {
                if (isRequest(kept.message) && (!kept.sent || retry.includes(kept.message.payload.output))) {
                    kept.acknowledged = kept.sent = false;
                    continue;
                }
                this.kept.delete(requestId);
                if (isRequest(kept.message)) {
                    lost.push(kept.message);
                }
            }
            return lost;
        }
    };

    function isRequest(message) {
        return message.type === "callback_request";
    }
})();
