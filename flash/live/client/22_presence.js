(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /** Tells the link when the page is left, hidden, shown and back, and when the network comes and goes. */
    live.Presence = class Presence {
        /**
         * @param {Object} parts
         * @param {Window} parts.window
         * @param {live.Log} parts.log
         * @param {live.State} parts.state
         * @param {live.Link} parts.link
         * @param {live.SharedStream} parts.shared
         * @param {live.Delivery} parts.delivery
         */
        constructor({window, log, state, link, shared, delivery}) {
            Object.assign(this, {window, log, state, link, shared, delivery});
        }

        /** Begin to listen to the browser. */
        start() {
            const {window} = this;
            this._on(window, "pagehide", event => this._leave(event.persisted));
            this._on(window, "pageshow", event => event.persisted && this._comeBack());
            this._on(window, "online", () => this.link.wake());
            this._on(window, "offline", () => this.link.wake());
            this._on(window.document, "visibilitychange", () => !window.document.hidden && this._show());
        }

        _on(target, type, handler) {
            const sentence = `The browser's event ${type} could not be dealt with.`;
            target.addEventListener(type, this.log.guarded(sentence, handler));
        }

        /**
         * The page may come back out of the browser's back-forward cache, which takes no page with open connections.
         */
        _leave(isKept) {
            if (isKept) {
                this.link.pause();
            } else {
                this.link.leave();
            }
            this.shared.leave();
            this.delivery.leave();
        }

        _comeBack() {
            this.link.unpause();
            this._show();
        }

        /** Somebody looks at the page again, and has perhaps signed in elsewhere. */
        _show() {
            if (this.state.state.status === "signed-out") {
                this.link.retry();
            } else {
                this.link.wake();
            }
        }
    };
})();
