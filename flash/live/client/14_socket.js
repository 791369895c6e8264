(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    const OPEN = 1;
    /** To be back: the server takes 1000 for a goodbye. */
    const LOST = 3001;
    const ABNORMAL = 1006;

    /**
     * A WebSocket as a transport.
     *
     * Transports have in common: `name`, `open()`, `send(messages)`, `welcomed(welcome)`, `close()`, `leave()`, and the
     * handlers `onopen()`, `onmessage(message)`, `onclose(code)` and `onrefused(message)`.
     */
    live.Socket = class Socket {
        /**
         * @param {Window} window
         * @param {live.Log} log
         * @param {string} url
         * @param {live.Posts} posts This link's own, for messages that are too large for a frame.
         */
        constructor(window, log, url, posts) {
            Object.assign(this, {window, log, url, posts});
            this.name = "websocket";
            this.socket = null;
            this.welcome = {limit: Infinity};
            /** Messages that wait for a POST to be answered; null while none is on its way. */
            this.held = null;
            this._detach();
        }

        /** Open the socket. `onopen` or `onclose` follows. */
        open() {
            try {
                this.socket = new this.window.WebSocket(this.url);
            } catch (forbidden) {
                // By a policy of the page (CSP).
                this.window.setTimeout(() => this._lose(ABNORMAL), 0);
                return;
            }
            const guarded = called => this.log.guarded("A message of the server could not be read.", called);
            this.socket.onopen = guarded(() => this.onopen());
            this.socket.onmessage = guarded(event => this._receive(event.data));
            this.socket.onclose = guarded(event => this._lose(event.code));
        }

        /**
         * Send messages.
         * @param {Object[]} messages
         */
        send(messages) {
            for (const message of messages) {
                if (this.held !== null) {
                    this.held.push(message);
                } else {
                    this._send(message);
                }
            }
        }

        /**
         * The server has welcomed the page on this link.
         * @param {{client: string, key: string, limit: number}} welcome
         */
        welcomed(welcome) {
            this.welcome = welcome;
        }

        /** Close the socket, to come back. No handler is called any more. */
        close() {
            this._close(LOST);
        }

        /** Say goodbye: the page is being left. */
        leave() {
            if (this.socket && this.socket.readyState === OPEN) {
                this.socket.send(JSON.stringify({type: "bye"}));
            }
            this._close(1000);
        }

        _send(message) {
            const text = JSON.stringify(message);
            if (isAbove(text, this.welcome.limit)) {
                this.held = [];
                this._post(message);
            } else if (this.socket.readyState === OPEN) {
                this.socket.send(text);
            }
        }

        async _post(message) {
            const {posts, welcome} = this;
            try {
                const answers = await posts.send([message], {client: welcome.client}, welcome.key);
                answers.forEach(answer => this.onmessage(answer));
            } catch (error) {
                if (!(error instanceof live.PostRefused) || error.status !== 413) {
                    this._lose(ABNORMAL);
                    return;
                }
                this.onrefused(message);
            }
            const {held} = this;
            this.held = null;
            this.send(held);
        }

        _receive(text) {
            const received = JSON.parse(text);
            for (const message of Array.isArray(received) ? received : [received]) {
                this.onmessage(message);
            }
        }

        _lose(code) {
            const {onclose} = this;
            this.close();
            onclose(code);
        }

        _close(code) {
            this._detach();
            this.posts.close();
            if (this.socket) {
                this.socket.close(code);
            }
        }

        _detach() {
            if (this.socket) {
                this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
            }
            this.onopen = this.onmessage = this.onclose = this.onrefused = () => {};
        }
    };

    /** Whether a text has more bytes than may be. A character has three at most, which spares counting most texts. */
    function isAbove(text, limit) {
        return text.length * 3 > limit && new TextEncoder().encode(text).length > limit;
    }
})();
