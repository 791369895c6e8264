(function () {
    "use strict";
    const components = (globalThis.flash_components = globalThis.flash_components || {});

    const FIRST_MS = 500;
    const LONGEST_MS = 30000;
    /** A socket that has been open so long was a good one: the waiting begins anew. */
    const GOOD_MS = 5000;
    const MOST_WAITING = 100;

    /** A WebSocket that is opened again when it is lost. */
    components.Socket = class Socket {
        /**
         * @param {Window} window
         * @param {Object} options
         * @param {string} options.url Relative to the page, or absolute.
         * @param {?string[]} options.protocols
         * @param {Function} options.onmessage Gets each message event.
         * @param {Function} options.onstate Gets what is known of the socket whenever that changes.
         * @param {Function} options.onerror Gets a sentence, and the event if there was one.
         */
        constructor(window, {url, protocols, reconnect = true, onmessage, onstate, onerror}) {
            Object.assign(this, {window, protocols, onmessage, onstate, onerror});
            /** May be changed at any time. */
            this.reconnect = reconnect;
            this.url = url;
            this.waiting = [];
            this.failures = 0;
            this.timer = null;
            this.socket = null;
            this.isEnded = false;
            this._retryNow = () => this._hurry();
            window.addEventListener("online", this._retryNow);
            window.document.addEventListener("visibilitychange", this._retryNow);
            this._open();
        }

        /**
         * Send a text now, or when the socket is open. When too many wait it is refused.
         * @param {string} text
         */
        send(text) {
            if (this.socket && this.socket.readyState === 1) {
                this.socket.send(text);
            } else if (this.waiting.length < MOST_WAITING) {
                this.waiting.push(text);
            } else {
                this.onerror(`A message was not sent: ${MOST_WAITING} others wait for the socket to open.`);
            }
        }

        /** Close it for good. Nothing is reported any more. */
        close() {
            this.isEnded = true;
            this.window.clearTimeout(this.timer);
            this.window.removeEventListener("online", this._retryNow);
            this.window.document.removeEventListener("visibilitychange", this._retryNow);
            if (this.socket) {
                this.socket.close(1000);
            }
        }

        _open() {
            this.timer = null;
            let socket;
            try {
                socket = new this.window.WebSocket(this._address(), this.protocols || []);
            } catch (error) {
                // The address or a protocol has a wrong form: another attempt would fail alike.
                this.onerror(error.message);
                this.onstate({readyState: 3, url: this.url, code: null, reason: error.message, wasClean: false});
                return;
            }
            this.socket = socket;
            socket.onopen = event => this._opened(socket, event);
            socket.onmessage = event => this.isEnded || this.onmessage(event);
            socket.onerror = event => this.isEnded || this.onerror("The socket has failed.", event);
            socket.onclose = event => this._closed(socket, event);
            this.onstate({readyState: 0, url: socket.url});
        }

        _address() {
            const address = new this.window.URL(this.url, this.window.document.baseURI);
            address.protocol = address.protocol.replace(/^http/, "ws");
            return address.href;
        }

        _opened(socket, event) {
            if (this.isEnded) {
                return;
            }
            this.openedAt = this.window.Date.now();
            this.onstate({readyState: 1, url: socket.url, protocol: socket.protocol, ...origin(event)});
            this.waiting.splice(0).forEach(text => socket.send(text));
        }

        _closed(socket, event) {
            if (this.isEnded) {
                return;
            }
            const {code, reason, wasClean} = event;
            this.onstate({readyState: 3, url: socket.url, code, reason, wasClean, ...origin(event)});
            if (this.openedAt && this.window.Date.now() - this.openedAt >= GOOD_MS) {
                this.failures = 0;
            }
            this.openedAt = null;
            if (this.reconnect) {
                this.timer = this.window.setTimeout(() => this._open(), this._wait());
            }
        }

        /** Doubled after each failure, and by chance down to half of that, so that pages do not come back all at once. */
        _wait() {
            const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(this.failures, 10));
            this.failures += 1;
            return (longest * (1 + this.window.Math.random())) / 2;
        }

        /** The network is back, or somebody looks: no reason to wait any longer. */
        _hurry() {
            if (this.timer !== null && !this.window.document.hidden) {
                this.window.clearTimeout(this.timer);
                this._open();
            }
        }
    };

    function origin({isTrusted, timeStamp}) {
        return {isTrusted, timeStamp};
    }

    const MANY = 100;

    /**
     * Runs functions one by one, each after the renderer has had the time to take up what the one before has set: it
     * looks for what has changed after a timer of 0 ms, and again after what that has begun.
     *
     * When many wait, or the page is hidden and its timers are slow, they come without that pause.
     */
    components.Turns = class Turns {
        /** @param {Window} window */
        constructor(window) {
            this.window = window;
            this.waiting = [];
            this.isBusy = false;
            this.channel = new window.MessageChannel();
            this.channel.port1.onmessage = () => this._next();
        }

        /**
         * Run a function when it is its turn.
         * @param {Function} called
         */
        run(called) {
            this.waiting.push(called);
            if (!this.isBusy) {
                this.isBusy = true;
                this._next();
            }
        }

        /** Forget what waits, for good. */
        end() {
            this.waiting = [];
            this.channel.port1.close();
        }

        _next() {
            const called = this.waiting.shift();
            if (!called) {
                this.isBusy = false;
                return;
            }
            called();
            if (this.waiting.length > MANY || this.window.document.hidden) {
                this.channel.port2.postMessage(null);
            } else {
                this.window.setTimeout(() => this.window.setTimeout(() => this._next()));
            }
        }
    };
})();
