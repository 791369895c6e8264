(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    const VERSION = 1;
    /** So many requests are kept while there is no link. */
    const MOST_WAITING = 100;
    const LOST = "The connection was lost while this was running. It may or may not have been done.";
    const TOO_LARGE = "This is more than the server takes. It was not sent.";
    const TOO_MANY = "Too many callbacks wait for the connection.";
    const STOPPED = {
        "signed-out": "You are signed out, so this was not sent or its result was lost.",
        closed: "The connection is closed, so this was not sent or its result was lost.",
    };

    /**
     * The browser's end of the live connection: passes messages between the renderer and the server, and loses none in
     * silence.
     */
    live.Client = class Client {
        /**
         * @param {Object} parts
         * @param {Window} parts.window
         * @param {Object} parts.config What the server has written to the script's `data-config`.
         * @param {string} parts.rendererId The name of this page.
         * @param {live.State} parts.state
         * @param {live.Renderer} parts.renderer
         * @param {live.Worker} parts.worker
         * @param {live.Carrier} parts.carrier
         * @param {live.Shared} parts.shared
         * @param {live.Delivery} parts.delivery
         * @param {live.Link} parts.link
         */
        constructor(parts) {
            Object.assign(this, parts);
            this.requests = new live.Requests();
            this.receipts = new live.Receipts(this.window, received => this.link.send({type: "ack", received}));
            /** The name and the secret that the server gave to this page, or null. */
            this.identity = null;
            /** Counts greetings, so that one which the network brings twice is told from another. */
            this.attempts = 0;
            this.worker.onmessage = message => this._hearRenderer(message);
            Object.assign(this.link, {
                greeting: ticket => this._greeting(ticket),
                onwelcome: welcome => this._welcome(welcome),
                onmessage: message => this._hearServer(message),
                onrefused: message => this._fail(message, TOO_LARGE),
                ontoolarge: () => this._failLargest(),
                onstop: status => this.requests.unanswered().forEach(request => this._fail(request, STOPPED[status])),
            });
        }

        _greeting(ticket) {
            const {pathname, search} = this.window.location;
            this.attempts += 1;
            const greeting = {
                version: VERSION,
                rendererId: this.rendererId,
                path: pathname + search,
                attempt: this.attempts,
            };
            const endId = this.renderer.endId();
            if (endId) {
                greeting.endId = endId;
            }
            if (!this.identity) {
                const {state} = this.shared;
                return state ? {type: "hello", ...greeting, state} : {type: "hello", ...greeting};
            }
            const resume = {type: "resume", ...greeting, ...this.identity, received: this.receipts.take()};
            return ticket ? {...resume, ticket} : resume;
        }

        _welcome({client, key, recovered}) {
            const isGap = this.identity !== null && !recovered;
            if (this.identity === null || isGap) {
                this.receipts.reset();
            }
            this.identity = {client, key};
            if (isGap && !this.link.hasLeft && this.config.onGap === "reload") {
                this.window.location.reload();
                return;
            }
            if (isGap) {
                this._closeGap();
            }
            this._pass(...this.requests.unacknowledged());
        }

        /** Messages were lost. What waits for them is told, and what can begin anew does. */
        _closeGap() {
            const {retry = []} = this.config;
            const lost = this.requests.lose(retry);
            const unsent = this.requests.unanswered().filter(({payload}) => !retry.includes(payload.output));
            this._beginAnew();
            [...lost, ...this.shared.perhapsCounted(lost, unsent)].forEach(request => this._fail(request, LOST));
            this.delivery.restart();
            this.state.gap();
        }

        /** The server sends all shared values: what waits of them is out of date. */
        _beginAnew() {
            this.delivery.forgetShared();
            this.shared.beginAnew();
        }

        _hearRenderer(message) {
            switch (message.type) {
                case "connect":
                    // At once, so that requests wait here and not in the renderer.
                    this.worker.post({type: "connected"});
                    break;
                case "callback_request":
                    this.delivery.mount();
                    if (this.carrier.owns(message)) {
                        this.carrier.park(message);
                        break;
                    }
                    this._ask(message);
                    break;
                case "get_props_response":
                    this._send(message);
                    break;
            }
        }

        _ask(message) {
            const request = this.shared.ask(message);
            if (request === null) {
                const {requestId} = message;
                this.delivery.push({type: "callback_response", requestId, payload: {status: "prevent_update"}});
            } else {
                this._send(request);
            }
        }

        _send(message) {
            const named = {...message, rendererId: this.rendererId};
            const refusal = message.type === "callback_request" ? this._refusal() : null;
            if (refusal) {
                this._fail(named, refusal);
            } else {
                this.requests.add(named);
                this._pass(named);
            }
        }

        /** Why a request cannot even wait to be sent, or null. */
        _refusal() {
            const isFull = !this.link.isOpen && this.requests.unanswered().length >= MOST_WAITING;
            return STOPPED[this.state.state.status] || (isFull ? TOO_MANY : null);
        }

        _pass(...messages) {
            if (this.link.isOpen) {
                messages.forEach(({requestId}) => this.requests.sent(requestId));
                this.link.send(...messages);
            }
        }

        _hearServer(message) {
            this.receipts.count(message);
            switch (message.type) {
                case "ack":
                    this.requests.acknowledge(message.requestId);
                    break;
                case "heartbeat":
                    this.link.send({type: "heartbeat_ack", received: this.receipts.take()});
                    break;
                case "callback_response":
                    this.shared.end(this.requests.forget(message.requestId), this.requests.unanswered());
                    this.delivery.push(message);
                    break;
                case "changed":
                    this.shared.settle(message.payload);
                    break;
                case "set_props":
                case "get_props_request":
                case "error":
                    this.delivery.push(message);
                    break;
            }
        }

        /** Answer a request that the server will not answer. */
        _fail(request, message) {
            this.requests.forget(request.requestId);
            this.shared.end(request, this.requests.unanswered());
            if (request.type === "callback_request") {
                const payload = {status: "error", message};
                this.delivery.push({type: "callback_response", requestId: request.requestId, payload});
            }
        }

        /** A frame was too large for a server on the way. It was the largest, since the others have passed before. */
        _failLargest() {
            const sizes = this.requests.unacknowledged().map(message => [JSON.stringify(message).length, message]);
            if (sizes.length > 0) {
                const [, largest] = sizes.reduce((one, other) => (other[0] > one[0] ? other : one));
                this._fail(largest, TOO_LARGE);
            }
        }
    };
})();
