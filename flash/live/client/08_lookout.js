(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    const HIDDEN_MS = 250;
    const UNSEEN_MS = 1000;

    /**
     * Says when components may have come to the page, at most once a frame.
     *
     * It looks after each change of the document. Some components, such as dcc.Store, change nothing there, so while
     * somebody waits it also looks once a second.
     */
    live.Lookout = class Lookout {
        /**
         * @param {Window} window
         * @param {Function} look Called to look; returns whether to go on looking.
         */
        constructor(window, look) {
            this.window = window;
            this.look = look;
            this.observer = null;
            this.frame = null;
            this.late = null;
            this.timer = null;
        }

        /** Look in the next frame, and at all later occasions until nobody waits any more. */
        start() {
            if (this.observer === null) {
                this.observer = new this.window.MutationObserver(() => this._soon());
                this.observer.observe(this.window.document.documentElement, {childList: true, subtree: true});
            }
            this._soon();
        }

        _soon() {
            if (this.frame !== null) {
                return;
            }
            const look = () => this._look();
            this.frame = this.window.requestAnimationFrame(look);
            // Hidden pages have no frames, and a page can be hidden before its next frame comes.
            this.late = this.window.setTimeout(look, HIDDEN_MS);
        }

        _look() {
            this.window.cancelAnimationFrame(this.frame);
            this.window.clearTimeout(this.late);
            this.window.clearTimeout(this.timer);
            this.frame = null;
            if (this.look()) {
                this.timer = this.window.setTimeout(() => this._soon(), UNSEEN_MS);
            } else if (this.observer !== null) {
                this.observer.disconnect();
                this.observer = null;
            }
        }
    };
})();
