(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /**
     * One downlink for all tabs of a browser, which has few connections to a server over HTTP/1.1.
     *
     * The tabs elect a holder by a lock, which the browser passes on when its tab is closed. The holder listens, and
     * passes on what belongs to the others by a channel. Where the browser has no locks each tab listens for itself.
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
            /** The name of a stream that this page can use no more. */
            this.spent = null;
            this.holds = false;
            this.channel = null;
            /** Ends the election and the holding. */
            this.release = null;
        }

        /**
         * Use the stream.
         * @param {Object} listener
         */
        listen(listener) {
            this.listener = listener;
            if (this.release === null) {
                this._join();
            }
            if (this.stream) {
                listener.onstream(this.stream);
            } else {
                this._tell({type: "wanted"});
            }
        }

        /**
         * Have another stream opened, since this one may still bring what was sent before.
         * @param {string} name
         */
        renew(name) {
            this._tell({type: "spent", name});
            this._tell({type: "wanted"});
        }

        /** Leave the holding to another tab: the page is being left. */
        leave() {
            this.listener = null;
            this.stream = null;
            this.holds = false;
            this.downlink.close();
            if (this.release) {
                this.release();
                this.release = null;
            }
            if (this.channel) {
                this.channel.close();
                this.channel = null;
            }
        }

        _join() {
            const {locks} = this.window.navigator;
            if (!locks || !this.window.BroadcastChannel) {
                this.holds = true;
                this.release = () => {};
                return;
            }
            this.channel = new this.window.BroadcastChannel(this.name);
            this.channel.onmessage = this.log.guarded("A message of another tab could not be read.", event =>
                this._hear(event.data)
            );
            const election = new this.window.AbortController();
            const held = new Promise(resolve => {
                this.release = () => {
                    election.abort();
                    resolve();
                };
            });
            locks.request(this.name, {signal: election.signal}, () => this._hold(held)).catch(() => {
                // That is how an election ends that was left.
            });
        }

        _hold(held) {
            if (this.channel === null) {
                return undefined;
            }
            this.holds = true;
            this._tell({type: "stream", stream: null});
            this.downlink.open();
            return held;
        }

        /** Tell all tabs, this one too. */
        _tell(message) {
            if (this.channel) {
                this.channel.postMessage(message);
            }
            this._hear(message);
        }

        _hear(message) {
            switch (message.type) {
                case "stream":
                    this._change(message.stream);
                    break;
                case "entry":
                    this._take(message.entry);
                    break;
                case "wanted":
                    this._want();
                    break;
                case "spent":
                    if (this.holds && this.stream && this.stream.name === message.name) {
                        this.downlink.close();
                        this._tell({type: "stream", stream: null});
                    }
                    break;
            }
        }

        _want() {
            if (!this.holds) {
                return;
            }
            if (this.stream) {
                this._tell({type: "stream", stream: this.stream});
            } else {
                this.downlink.open();
            }
        }

        _change(stream) {
            const isSame = stream && this.stream && stream.name === this.stream.name;
            const hadOne = this.stream !== null;
            this.stream = stream;
            if (!isSame && hadOne && this.listener) {
                this.listener.onlost();
            }
            if (!isSame && stream && this.listener) {
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
