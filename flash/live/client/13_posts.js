(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    const PATIENCE_MS = 30000;
    /** Bytes a second that a POST carries at least. */
    const SLOWEST = 16 * 1024;

    /** A POST that the server refused. The status is 0 when it wanted to send the page elsewhere, to sign in. */
    live.PostRefused = class PostRefused extends Error {
        /** @param {number} status */
        constructor(status) {
            super(`The server answered a message with the status ${status}.`);
            this.status = status;
        }
    };

    /** Sends the messages of one link by POST, one after the other: two at once may overtake each other. */
    live.Posts = class Posts {
        /**
         * @param {Window} window
         * @param {string} url Where messages are taken.
         */
        constructor(window, url) {
            this.window = window;
            this.url = url;
            this.last = Promise.resolve();
            /** Ends the POST that is on its way. */
            this.request = null;
            this.closed = false;
        }

        /**
         * Send messages after those before them have been answered.
         * @param {Object[]} messages
         * @param {Object} query By name: the stream or the client, or both.
         * @param {?string} key The client's secret.
         * @returns {Promise<Object[]>} The messages of the answer.
         * @throws {live.PostRefused} The server refused.
         * @throws {Error} The server is not to be had or does not answer in time, or `close()` was called.
         */
        send(messages, query, key) {
            const answer = this.last.then(() => this._post(messages, query, key));
            this.last = answer.catch(() => undefined);
            return answer;
        }

        /**
         * Send messages while the page is being left. Nobody waits for the answer.
         * @param {Object[]} messages
         * @param {Object} query
         * @param {?string} key
         */
        sendLast(messages, query, key) {
            const body = JSON.stringify(messages);
            this._fetch(body, query, key, {keepalive: true}).catch(() => undefined);
        }

        /**
         * Give up what waits and what is on its way: a `resume` that arrives late would end the links after it.
         */
        close() {
            this.closed = true;
            if (this.request) {
                this.request.abort();
            }
        }

        async _post(messages, query, key) {
            if (this.closed) {
                throw new Error("The link was closed before this was sent.");
            }
            const {window} = this;
            const body = JSON.stringify(messages);
            const request = new window.AbortController();
            const timer = window.setTimeout(() => request.abort(), patienceFor(body));
            this.request = request;
            try {
                const response = await this._fetch(body, query, key, {signal: request.signal});
                if (!response.ok) {
                    throw new live.PostRefused(response.status);
                }
                return await response.json();
            } finally {
                window.clearTimeout(timer);
                this.request = null;
            }
        }

        _fetch(body, query, key, options) {
            const headers = {"Content-Type": "application/json"};
            if (key) {
                headers["Flash-Key"] = key;
            }
            return this.window.fetch(`${this.url}?${new URLSearchParams(query)}`, {
                method: "POST",
                credentials: "same-origin",
                cache: "no-store",
                redirect: "manual",
                headers,
                body,
                ...options,
            });
        }
    };

    /** The milliseconds that a POST may take. */
    function patienceFor(body) {
        return PATIENCE_MS + (new TextEncoder().encode(body).length / SLOWEST) * 1000;
    }
})();
