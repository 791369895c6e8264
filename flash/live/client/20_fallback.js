(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    const OPEN_MS = 10000;
    const CODE_OF_STATUS = {401: 4401, 413: 1009, 429: 1008, 503: 1012};
    const ABNORMAL = 1006;
    const REJECTED = 4001;
    const SIGNED_OUT = 4401;

    /**
     * A transport without WebSockets: the browser's stream down, POSTs up. See `live.Socket` for what transports have
     * in common.
     */
    live.Fallback = class Fallback {
        /**
         * @param {Window} window
         * @param {live.SharedStream} shared
         * @param {live.Posts} posts This link's own.
         */
        constructor(window, shared, posts) {
            Object.assign(this, {window, shared, posts});
            this.name = "stream";
            this.stream = null;
            this.welcome = null;
            this.outgoing = [];
            this.isPosting = false;
            /** What came before it was known who we are: in part it may be ours. */
            this.early = [];
            this.timer = null;
            this._detach();
        }

        /** Wait for the browser's stream. `onopen` or `onclose` follows. */
        open() {
            this.timer = this.window.setTimeout(() => this._lose(ABNORMAL), OPEN_MS);
            this.shared.listen(this);
        }

        /**
         * Send messages.
         * @param {Object[]} messages
         */
        send(messages) {
            this.outgoing.push(...messages);
            this._post();
        }

        /**
         * The server has welcomed the page on this link.
         * @param {{client: string, key: string, limit: number}} welcome
         */
        welcomed(welcome) {
            this.welcome = welcome;
        }

        /** Listen and send no more. No handler is called any more. */
        close() {
            this._detach();
            this.window.clearTimeout(this.timer);
            this.outgoing = [];
            this.posts.close();
            if (this.shared.listener === this) {
                this.shared.listener = null;
            }
        }

        /** Say goodbye: the page is being left. */
        leave() {
            if (this.welcome) {
                this.posts.sendLast([{type: "bye"}], {client: this.welcome.client}, this.welcome.key);
            }
            this.close();
        }

        /**
         * There is a stream. For `live.SharedStream`.
         * @param {{name: string, kind: string}} stream
         */
        onstream({name, kind}) {
            if (name === this.shared.spent) {
                // It may still bring what the last link of this page was sent, and that will be sent again.
                this.shared.renew(name);
                return;
            }
            this.window.clearTimeout(this.timer);
            this.stream = name;
            this.name = kind;
            this.onopen();
        }

        /** The stream is closed. For `live.SharedStream`. */
        onlost() {
            if (this.stream !== null) {
                this._lose(ABNORMAL);
            }
        }

        /**
         * Something has come for one of the tabs. For `live.SharedStream`.
         * @param {{client: string, messages: Object[], close: ?number}} entry
         * @returns {boolean} Whether it was this tab's.
         */
        onentry(entry) {
            if (this.stream === null) {
                return false;
            }
            if (this.welcome === null) {
                this.early.push(entry);
                return false;
            }
            if (entry.client !== this.welcome.client) {
                return false;
            }
            entry.messages.forEach(message => this.onmessage(message));
            if (entry.close) {
                this._lose(entry.close);
            }
            return true;
        }

        async _post() {
            if (this.isPosting || this.outgoing.length === 0) {
                return;
            }
            this.isPosting = true;
            const messages = this._batch();
            try {
                this._hear(await this.posts.send(messages, this._query(), this.welcome && this.welcome.key));
            } catch (error) {
                this._fail(error, messages);
            }
            this.isPosting = false;
            this._post();
        }

        /** As many of the messages that wait as one POST may hold, and one at least. */
        _batch() {
            const limit = this.welcome ? this.welcome.limit : 0;
            let size = 0;
            let count = 0;
            do {
                size += JSON.stringify(this.outgoing[count]).length;
                count += 1;
            } while (count < this.outgoing.length && size < limit);
            return this.outgoing.splice(0, count);
        }

        _query() {
            if (this.welcome) {
                return {client: this.welcome.client};
            }
            // From now on the server may send on this stream what it would have to send again.
            this.shared.spent = this.stream;
            return {stream: this.stream};
        }

        _hear(answers) {
            answers.forEach(message => this.onmessage(message));
            const early = this.early;
            this.early = [];
            early.forEach(entry => this.onentry(entry));
        }

        _fail(error, messages) {
            const status = error instanceof live.PostRefused ? error.status : null;
            if (status === 413 && messages.length === 1) {
                this.onrefused(messages[0]);
            } else if (status === 0 || status === 401) {
                this._lose(SIGNED_OUT);
            } else if (status === 403) {
                this._lose(this.welcome ? SIGNED_OUT : REJECTED);
            } else {
                this._lose(CODE_OF_STATUS[status] || ABNORMAL);
            }
        }

        _lose(code) {
            const {onclose} = this;
            this.close();
            onclose(code);
        }

        _detach() {
            this.onopen = this.onmessage = this.onclose = this.onrefused = () => {};
        }
    };
})();
