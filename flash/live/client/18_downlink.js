(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    const FIRST_EVENT_MS = 3000;
    /** The server answers a poll within 25 s. */
    const POLL_MS = 35000;

    /**
     * What the server sends to a browser that cannot use WebSockets: one stream of server-sent events, or polls where
     * a proxy gathers the stream.
     *
     * Handlers: `onopen({name, kind})`, where `kind` is "stream" or "poll", `onentry(entry)` and `onclose()`.
     */
    live.Downlink = class Downlink {
        /**
         * @param {Window} window
         * @param {live.Log} log
         * @param {string} url The address below which the server streams and answers polls.
         */
        constructor(window, log, url) {
            this.window = window;
            this.url = url;
            this.hear = log.guarded("A message of the server could not be read.", entry => this.onentry(entry));
            /** Whether something between keeps streams: then there is no use in trying again. */
            this.gathered = false;
            this.name = null;
            this.source = null;
            this.request = null;
            this.timer = null;
            this.onopen = this.onentry = this.onclose = () => {};
        }

        /** Begin to listen, under a new name. Does nothing while it listens. */
        open() {
            if (this.name === null) {
                this.name = live.randomId(this.window);
                if (this.gathered) {
                    this._poll();
                } else {
                    this._stream();
                }
            }
        }

        /** Listen no more. No handler is called any more, until it is opened again. */
        close() {
            this.name = null;
            this._end();
        }

        _stream() {
            const source = new this.window.EventSource(`${this.url}/stream?stream=${this.name}`);
            source.addEventListener("open", event => {
                // Browsers have an event "open" of their own, for the headers, which a proxy may pass on while it
                // keeps the rest.
                if (event.data !== undefined) {
                    this.window.clearTimeout(this.timer);
                    this.timer = null;
                    this.onopen({name: this.name, kind: "stream"});
                }
            });
            source.onmessage = event => this.hear(JSON.parse(event.data));
            source.onerror = () => (this.timer === null ? this._lose() : this._pollInstead());
            this.source = source;
            this.timer = this.window.setTimeout(() => {
                this.gathered = true;
                this._pollInstead();
            }, FIRST_EVENT_MS);
        }

        _pollInstead() {
            this.close();
            // Under another name: the server closes the first one when it learns that nobody reads it.
            this.name = live.randomId(this.window);
            this._poll();
        }

        async _poll() {
            const {name} = this;
            let asked = this._ask();
            this.onopen({name, kind: "poll"});
            for (;;) {
                const entries = await asked;
                if (name !== this.name) {
                    return;
                }
                if (entries === null) {
                    this._lose();
                    return;
                }
                asked = this._ask();
                entries.forEach(this.hear);
            }
        }

        /** One poll. Returns its entries, or null when the server is not to be had. */
        async _ask() {
            const {window} = this;
            const request = new window.AbortController();
            const timer = window.setTimeout(() => request.abort(), POLL_MS);
            this.request = request;
            try {
                const response = await window.fetch(`${this.url}/poll?stream=${this.name}`, {
                    credentials: "same-origin",
                    cache: "no-store",
                    signal: request.signal,
                });
                const entries = response.ok ? await response.json() : null;
                return Array.isArray(entries) ? entries : null;
            } catch (unreachable) {
                return null;
            } finally {
                window.clearTimeout(timer);
            }
        }

        _lose() {
            this.close();
            this.onclose();
        }

        _end() {
            this.window.clearTimeout(this.timer);
            this.timer = null;
            if (this.source) {
                this.source.onmessage = this.source.onerror = null;
                this.source.close();
                this.source = null;
            }
            if (this.request) {
                this.request.abort();
                this.request = null;
            }
        }
    };
})();
