(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    const OPEN_MS = 3000;
    const WELCOME_MS = 10000;
    /** The same where no WebSocket has worked yet: some proxies take one and pass nothing on. */
    const FIRST_WELCOME_MS = 3000;
    /** Bytes a second that a link carries at least. The server counts on the same. */
    const SLOWEST = 128 * 1024;
    /** A hidden or frozen page runs its timers late; what has come meanwhile is heard first. */
    const LATE_MS = 2000;
    const SLACK_MS = 10000;
    const WAKE_MS = 300;
    const PROBE_MS = 5000;
    const REDIRECTED_MS = 60000;
    /** Timers that are set for longer run at once. */
    const LONGEST_MS = 2 ** 31 - 1;

    /**
     * The close codes after which the page stays away, or comes back slowly. All others: it comes back. 1000 may
     * be a proxy's, and 4409 due to a late `resume` of this page itself: neither ends a page that is open.
     */
    const CLOSED = new Set([4001]);
    const SIGNED_OUT = 4401;
    const TOO_LARGE = 1009;
    const ABNORMAL = 1006;
    const SLOWLY = new Set([1000, 1008, 4409, 4429]);

    /**
     * The way to the server: it opens a transport, greets, notices when it is dead, and comes back for ever.
     *
     *     connecting ──welcome──▶ connected ──lost──▶ reconnecting or offline ──welcome──▶ connected
     *                                 │                   │
     *                                 └──refused──▶ signed-out or closed ──retry()──▶ reconnecting
     *
     * It needs from its owner: `greeting(ticket)`, the first message of each link, and the handlers
     * `onwelcome(welcome)`, `onmessage(message)`, `onrefused(message)`, `ontoolarge()` and `onstop(status)`.
     */
    live.Link = class Link {
        /**
         * @param {Object} parts
         * @param {Window} parts.window
         * @param {live.Log} parts.log
         * @param {live.State} parts.state
         * @param {live.Tickets} parts.tickets
         * @param {Object} parts.transports Functions that make a transport: `websocket` and `fallback`.
         */
        constructor({window, log, state, tickets, transports}) {
            Object.assign(this, {window, log, state, tickets, transports});
            this.backoff = new live.Backoff(window);
            this.transport = null;
            /** The transport that was open last, while none is: the page may be left without another one. */
            this.lost = null;
            this.welcome = null;
            this.timers = {};
            /** Counts attempts; an answer that belongs to an earlier one is out of date. */
            this.turn = 0;
            this.stopped = false;
            this.paused = false;
            /** Whether the page has said goodbye since it was connected last: the server keeps nothing for it. */
            this.hasLeft = false;
            /** Whether the page has been connected or has failed to be: then it is reconnecting. */
            this.hasFailed = false;
            /**
             * What the server has asked for when it said goodbye, in milliseconds, and the time before which it is not
             * there.
             */
            this.retryAfter = null;
            this.awayUntil = 0;
            this.kind = "websocket";
            /** How often in a row the WebSocket has not got through, and how often it may. */
            this.misses = 0;
            this.missesAllowed = 1;
        }

        /** Connect for the first time: at once, since the server asks itself whether this page may. */
        start() {
            this._open(null);
        }

        /** @returns {boolean} Whether messages can be sent now. */
        get isOpen() {
            return this.welcome !== null;
        }

        /**
         * Send messages, if the link is open. What must arrive is sent again by the owner after the next welcome.
         * @param {...Object} messages
         */
        send(...messages) {
            if (this.isOpen && messages.length > 0) {
                this.transport.send(messages);
            }
        }

        /**
         * The network has come or gone, or somebody looks at the page: try again soon, or see whether the link still
         * lives.
         */
        wake() {
            if (this.isOpen) {
                this._probe();
                return;
            }
            if (!this.stopped && !this.paused) {
                this._announce();
            }
            if (this.timers.again) {
                const away = this.awayUntil - this.window.performance.now();
                this._againIn(Math.max(away, 0) + this.window.Math.random() * WAKE_MS);
            }
        }

        /** Try again now, whatever was before. */
        retry() {
            if (!this.isOpen) {
                this.stopped = this.paused = false;
                this._attempt();
            }
        }

        /**
         * Say goodbye until `unpause()`: the browser keeps the page in its back-forward cache. The user has left it, so
         * nobody is to see them here; who comes back arrives anew.
         */
        pause() {
            if (!this.stopped) {
                this._sayGoodbye();
                this.paused = this.hasLeft = true;
                this._drop();
                this._announce();
            }
        }

        /** Connect again after `pause()`. */
        unpause() {
            if (this.paused) {
                this.retry();
            }
        }

        /** Say goodbye: the page is being left for good. */
        leave() {
            this._sayGoodbye();
            this._drop();
            this.stopped = true;
        }

        _sayGoodbye() {
            // A browser ends the stream of a page that is loaded again before it tells the page.
            [this.lost, this.transport].filter(Boolean).forEach(transport => transport.leave());
            this.lost = null;
        }

        /**
         * Close the link and stay away.
         * @param {string} status "signed-out" or "closed".
         */
        stop(status) {
            this._drop();
            this.stopped = true;
            this.state.change({status, transport: null});
            this.onstop(status);
        }

        async _attempt() {
            this._drop();
            if (!this.stopped) {
                this._announce();
            }
            this.backoff.tries();
            const turn = this.turn;
            const answer = await this.tickets.fetch();
            if (turn === this.turn) {
                this._go(answer);
            }
        }

        _go({ticket, signedOut, redirected}) {
            this.stopped = false;
            if (signedOut) {
                this._signOut(redirected);
            } else if (ticket === null) {
                // The server is away, which is why the WebSocket failed too.
                this.misses = 0;
                this._again();
            } else {
                if (this.isDoubtful) {
                    this.kind = "fallback";
                }
                this._open(ticket);
            }
        }

        /** Whether it may be the WebSocket that does not get through, while all else does. */
        get isDoubtful() {
            return this.kind === "websocket" && this.misses >= this.missesAllowed;
        }

        /** The portal of a network and a page that stands in for the server redirect too, and are over some day. */
        _signOut(redirected) {
            this.stop("signed-out");
            if (redirected) {
                this._againIn(REDIRECTED_MS);
            }
        }

        _open(ticket) {
            this._drop();
            const transport = this.transports[this.kind]();
            this.transport = transport;
            transport.onopen = () => {
                this._awaitWelcome();
                this._clear("open");
                transport.send([this.greeting(ticket)]);
            };
            // Each message for itself: those after it in the frame are counted by the server too.
            transport.onmessage = this.log.guarded("A message of the server could not be dealt with.", message =>
                this._receive(message)
            );
            transport.onclose = code => this._lose(code);
            transport.onrefused = message => this.onrefused(message);
            if (this.kind === "websocket") {
                this._after("open", OPEN_MS, () => this._doubt());
            }
            transport.open();
        }

        _awaitWelcome() {
            if (this.kind === "websocket" && this.missesAllowed === 1) {
                this._after("welcome", FIRST_WELCOME_MS, () => this._doubt());
            } else {
                this._after("welcome", WELCOME_MS, () => this._lose(ABNORMAL));
            }
        }

        /**
         * The WebSocket has not opened, or nothing comes. Where a ticket can be had meanwhile, it is the WebSocket that
         * does not get through.
         */
        async _doubt() {
            const {transport} = this;
            const answer = await this.tickets.fetch();
            if (transport === this.transport && this.timers.welcome === undefined && !this.isOpen) {
                this.misses = this.missesAllowed;
                this._go(answer);
            }
        }

        _receive(message) {
            this.heardAt = this.window.performance.now();
            if (message.type === "large") {
                // Nothing else comes while it arrives.
                this.heardAt += (message.bytes / SLOWEST) * 1000;
            } else if (message.type === "welcome") {
                this._welcome(message);
            } else if (message.type === "bye") {
                this.retryAfter = message.retry;
            } else {
                this.onmessage(message);
            }
        }

        _welcome(welcome) {
            this._clear("welcome");
            this.lost = null;
            this.welcome = welcome;
            this.backoff.succeeded();
            // It gets through from here, so one failure alone is no reason to do without a WebSocket.
            this.misses = 0;
            this.missesAllowed = 2;
            this.hasFailed = true;
            this.transport.welcomed(welcome);
            this._watch(welcome.heartbeat * 1000 + SLACK_MS);
            this.tickets.renewEvery(welcome.renew, ({ticket, signedOut, redirected}) =>
                signedOut ? this._signOut(redirected) : this.send({type: "ticket", ticket})
            );
            this.onwelcome(welcome);
            this.hasLeft = false;
            const ahead = welcome.now - this.window.Date.now();
            this.state.change({status: "connected", client: welcome.client, transport: this.transport.name, ahead});
        }

        /** Notice a link over which nothing comes any more. */
        _watch(silence) {
            const check = lateness => {
                const left = this.heardAt + silence - this.window.performance.now();
                if (left > 0) {
                    this._after("silence", left, check);
                } else if (lateness > LATE_MS) {
                    this._after("silence", LATE_MS, check);
                } else {
                    this._lose(ABNORMAL);
                }
            };
            this._after("silence", silence, check);
        }

        /** Ask the server whether it is there. Anything that it says will do. */
        _probe() {
            const askedAt = this.window.performance.now();
            this.send({type: "heartbeat"});
            this._after("probe", PROBE_MS, () => this.heardAt < askedAt && this._lose(ABNORMAL));
        }

        _lose(code) {
            if (this.kind === "fallback") {
                // The network may be another one by now.
                this.kind = "websocket";
                this.misses = 0;
                this.missesAllowed = 1;
            } else if (!this.isOpen) {
                // With any other code it is the server that closed the WebSocket, so that it got through.
                this.misses = code === ABNORMAL ? this.misses + 1 : 0;
            }
            if (CLOSED.has(code)) {
                this.stop("closed");
            } else if (code === SIGNED_OUT) {
                this.stop("signed-out");
            } else {
                if (code === TOO_LARGE) {
                    this.ontoolarge();
                }
                this._again({slowly: SLOWLY.has(code)});
            }
        }

        _again({slowly = false} = {}) {
            this.lost = this.isOpen ? this.transport : this.lost;
            this._drop();
            // While it is in doubt how the server can be reached, the page is still connecting.
            this.hasFailed = this.hasFailed || !this.isDoubtful;
            this._announce();
            const wait = this.backoff.next({retry: this.retryAfter, slowly});
            this.awayUntil = this.window.performance.now() + (this.retryAfter || 0);
            this.retryAfter = null;
            // Doubts are settled at once.
            this._againIn(this.isDoubtful ? 0 : wait);
        }

        _againIn(milliseconds) {
            this._after("again", milliseconds, () => this._attempt());
        }

        _drop() {
            this.turn += 1;
            Object.keys(this.timers).forEach(name => this._clear(name));
            this.tickets.stop();
            this.welcome = null;
            if (this.transport) {
                this.transport.close();
                this.transport = null;
            }
        }

        _announce() {
            const waiting = this.hasFailed ? "reconnecting" : "connecting";
            const status = this.window.navigator.onLine === false ? "offline" : waiting;
            this.state.change({status, transport: null});
        }

        /** Call something later; it learns how many milliseconds too late it is called. */
        _after(name, milliseconds, called) {
            this._clear(name);
            const wait = Math.min(milliseconds, LONGEST_MS);
            const due = this.window.performance.now() + wait;
            this.timers[name] = this.window.setTimeout(() => {
                delete this.timers[name];
                called(this.window.performance.now() - due);
            }, wait);
        }

        _clear(name) {
            this.window.clearTimeout(this.timers[name]);
            delete this.timers[name];
        }
    };
})();
