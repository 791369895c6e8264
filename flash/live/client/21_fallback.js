(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    const OPEN_MS = 10000;
    const CODE_OF_STATUS = {401: 4401, 413: 1009, 429: 1008, 503: 1012};
    const ABNORMAL = 1006;
    const REJECTED = 4001;
    const SIGNED_OUT = 4401;
    const NOBODY_LISTENS = 409;
    /** What need not arrive in the order in which it was sent, but soon. */
    const BESIDE = new Set(["ack", "heartbeat", "heartbeat_ack", "ticket"]);

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
            /** For what does not wait for a large POST. */
            this.beside = new live.Posts(window, posts.url);
            this.name = "stream";
            this.stream = null;
            this.welcome = null;
            /** The answer to the greeting. */
            this.greeted = null;
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
            const beside = messages.filter(({type}) => BESIDE.has(type));
            if (beside.length > 0) {
                this._sendBy(this.beside, beside);
            }
            this.outgoing.push(...messages.filter(({type}) => !BESIDE.has(type)));
            this._post();
        }

        /**
         * The server has welcomed the page on this link.
         * @param {{client: string, key: string, limit: number}} welcome
         */
        welcomed(welcome) {
            this.welcome = welcome;
            // From now on the server sends on this stream what it would have to send again.
            this.shared.spent = this.stream;
        }

        /** Listen and send no more. No handler is called any more. */
        close() {
            this._detach();
            this.window.clearTimeout(this.timer);
            this.outgoing = [];
            this.posts.close();
            this.beside.close();
            if (this.shared.listener === this) {
                this.shared.listener = null;
            }
        }

        /** Say goodbye: the page is being left. */
        leave() {
            const {posts, greeted} = this;
            const goodbye = ({client, key}) => posts.sendLast([{type: "bye"}], {client}, key);
            if (this.welcome) {
                goodbye(this.welcome);
            } else if (greeted) {
                // The server may have taken the greeting already; whom it welcomes is known from its answer.
                greeted.then(([welcome]) => goodbye(welcome)).catch(() => undefined);
                this.posts = this.beside;
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
            await this._sendBy(this.posts, this._batch());
            this.isPosting = false;
            this._post();
        }

        async _sendBy(posts, messages) {
            const {welcome} = this;
            const query = welcome ? {client: welcome.client} : {stream: this.stream};
            const answer = posts.send(messages, query, welcome && welcome.key);
            this.greeted = this.greeted || answer;
            try {
                this._hear(await answer);
            } catch (error) {
                this._fail(error, messages);
            }
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

        _hear(answers) {
            answers.forEach(message => this.onmessage(message));
            const early = this.early;
            this.early = [];
            early.forEach(entry => this.onentry(entry));
        }

        _fail(error, messages) {
            const status = error instanceof live.PostRefused ? error.status : null;
            if (this.welcome === null && isSpent(messages[0], status)) {
                this.shared.spent = this.stream;
            }
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

    /**
     * Whether a page that was not welcomed needs another stream: nobody listens to this one, or the server may have
     * begun to send on it. What a `hello` has brought is another client's, should it have come.
     */
    function isSpent({type}, status) {
        const isUncertain = status === null || (status >= 500 && status !== 503);
        return status === NOBODY_LISTENS || (type === "resume" && isUncertain);
    }
})();
