(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /** A tab that was frozen runs its timers late; what has come meanwhile is heard first. */
    const LATE_MS = 500;
    /** Tabs that take over at the same time would open a stream each. */
    const SPREAD_MS = 500;

    /**
     * One downlink for all tabs of a browser, which has few connections to a server over HTTP/1.1.
     *
     * The tabs elect a holder. It listens, and passes on what belongs to the others by a channel. A holder that does not
     * answer is frozen or gone, and another tab takes over. Where tabs cannot elect one each listens for itself.
     *
     * A tab that needs the stream sets `listener`, an object with `onstream(stream)`, `onentry(entry)`, which returns
     * whether the entry is the tab's own, and `onlost()`.
     */
    live.SharedStream = class SharedStream {
        /**
         * @param {Window} window
         * @param {live.Log} log
         * @param {string} url The address below which the server streams.
         */
        constructor(window, log, url) {
            this.window = window;
            this.log = log;
            this.name = `flash-live:${url}`;
            this.downlink = new live.Downlink(window, log, url);
            this.downlink.onopen = stream => this._tell({type: "stream", stream});
            this.downlink.onclose = () => this._tell({type: "stream", stream: null});
            this.downlink.onentry = entry => this._pass(entry);
            this.listener = null;
            this.stream = null;
            /** The name of the stream that the listener knows. */
            this.known = null;
            /** The name of a stream that this page can use no more. */
            this.spent = null;
            this.holds = false;
            this.joined = false;
            this.channel = null;
            this.election = null;
            /** Runs while the holder owes an answer. */
            this.timer = null;
        }

        /**
         * Use the stream. The holder is asked for it each time, since it may be frozen or gone.
         * @param {Object} listener
         */
        listen(listener) {
            this.listener = listener;
            this.known = null;
            if (!this.joined) {
                this._join();
            }
            this._ask();
        }

        /**
         * Have another stream opened, since this one may still bring what was sent before.
         * @param {string} name
         */
        renew(name) {
            this._tell({type: "spent", name});
            this._ask();
        }

        /** Leave the holding to another tab: the page is being left. */
        leave() {
            this.listener = null;
            this.stream = null;
            this.holds = false;
            this.joined = false;
            this._answered();
            this.downlink.close();
            this._leaveElection();
        }

        _join() {
            const {BroadcastChannel, navigator} = this.window;
            this.joined = true;
            if (!BroadcastChannel) {
                this._holdAlone();
                return;
            }
            const channel = new BroadcastChannel(this.name);
            channel.onmessage = this.log.guarded("A message of another tab could not be read.", event =>
                this._hearOther(event.data)
            );
            this.channel = channel;
            this.election = navigator.locks
                ? new live.LockElection(this.window, this.name)
                : new live.ClaimElection(this.window, message => channel.postMessage(message));
            this.election.onheld = () => this._hold();
            this.election.onlost = () => this._yield();
            this.election.ondenied = () => this._holdAlone();
            this.election.enter();
        }

        _leaveElection() {
            if (this.channel) {
                this.election.leave();
                this.election = null;
                this.channel.close();
                this.channel = null;
            }
        }

        _hold() {
            this.holds = true;
            this._tell({type: "stream", stream: null});
            this.downlink.open();
        }

        /** Another tab has taken over. */
        _yield() {
            this.holds = false;
            this.downlink.close();
            this._change(null);
            // The others may have heard of this tab's stream after the new one.
            this._ask();
        }

        _holdAlone() {
            this._leaveElection();
            this._hold();
        }

        /** Ask the holder for the stream; without an answer take over. */
        _ask() {
            if (this.election) {
                this._takeOverAfter(this.election.patience);
            }
            this._tell({type: "wanted", at: this.window.Date.now()});
        }

        _takeOverAfter(milliseconds, isSecond = false) {
            const {window} = this;
            const wait = milliseconds + window.Math.random() * SPREAD_MS;
            const due = window.Date.now() + wait;
            window.clearTimeout(this.timer);
            this.timer = window.setTimeout(() => {
                if (!isSecond && window.Date.now() - due > LATE_MS) {
                    this._takeOverAfter(0, true);
                } else if (this.listener && !this.holds) {
                    this.election.takeOver();
                }
            }, wait);
        }

        _answered() {
            this.window.clearTimeout(this.timer);
            this.timer = null;
        }

        /** Tell all tabs, this one too. */
        _tell(message) {
            if (this.channel) {
                this.channel.postMessage(message);
            }
            this._hear(message);
        }

        _hearOther(message) {
            if (message.type === "left") {
                this._takeOverAfter(0);
            } else if (message.type !== "stream" || !this.holds) {
                this.election.hear(message);
                this._hear(message);
            }
        }

        _hear(message) {
            switch (message.type) {
                case "stream":
                    this._answered();
                    this._change(message.stream);
                    break;
                case "entry":
                    this._take(message.entry);
                    break;
                case "wanted":
                    this._want(message.at);
                    break;
                case "spent":
                    if (this.holds && this.stream && this.stream.name === message.name) {
                        this.downlink.close();
                        this._tell({type: "stream", stream: null});
                    }
                    break;
            }
        }

        /** Answer at once, with or without a stream: who is not answered takes over, and has done so if it is late. */
        _want(askedAt) {
            const isLate = this.election && this.window.Date.now() - askedAt > this.election.patience;
            if (this.holds && !isLate) {
                this._tell({type: "stream", stream: this.stream});
                this.downlink.open();
            }
        }

        _change(stream) {
            const name = stream && stream.name;
            this.stream = stream;
            if (this.known !== null && this.known !== name) {
                this.known = null;
                if (this.listener) {
                    this.listener.onlost();
                }
            }
            if (stream && this.known !== name && this.listener) {
                this.known = name;
                this.listener.onstream(stream);
            }
        }

        _pass(entry) {
            if (!this._take(entry) && this.channel) {
                this.channel.postMessage({type: "entry", entry});
            }
        }

        _take(entry) {
            return this.listener !== null && this.listener.onentry(entry);
        }
    };
})();
