(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /** A POST that the server refused. The status is 0 when it wanted to send the page elsewhere, to sign in. */
    live.PostRefused = class PostRefused extends Error {
        /** @param {number} status */
        constructor(status) {
            super(`The server answered a message with the status ${status}.`);
            this.status = status;
        }
    };

    /** Sends messages by POST, one after the other: two at once may overtake each other. */
    live.Posts = class Posts {
        /**
         * @param {Window} window
         * @param {string} url Where messages are taken.
         */
        constructor(window, url) {
            this.window = window;
            this.url = url;
            this.last = Promise.resolve();
        }

        /**
         * Send messages after those before them have been answered.
         * @param {Object[]} messages
         * @param {Object} query By name: the stream or the client, or both.
         * @param {?string} key The client's secret.
         * @returns {Promise<Object[]>} The messages of the answer.
         * @throws {live.PostRefused} The server refused.
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
            this._fetch(messages, query, key, true).catch(() => undefined);
        }

        async _post(messages, query, key) {
            const response = await this._fetch(messages, query, key, false);
            if (!response.ok) {
                throw new live.PostRefused(response.status);
            }
            return response.json();
        }

        _fetch(messages, query, key, keepalive) {
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
                body: JSON.stringify(messages),
                keepalive,
            });
        }
    };
})();
