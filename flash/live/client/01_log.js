(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /** What the client tells developers. It is silent while all is well, since tests demand an empty console. */
    live.Log = class Log {
        /** @param {Window} window */
        constructor(window) {
            this.console = window.console;
            this.told = new Set();
        }

        /**
         * Say once that something is not as it should be.
         * @param {string} sentence
         */
        warn(sentence) {
            if (!this._isTold(sentence)) {
                this.console.warn(`Flash: ${sentence}`);
            }
        }

        /**
         * Say once that something has failed.
         * @param {string} sentence
         * @param {*} error What was thrown.
         */
        error(sentence, error) {
            if (!this._isTold(sentence)) {
                this.console.error(`Flash: ${sentence}`, error);
            }
        }

        /**
         * A function that calls another one and lets nothing out: the client must never break the page that it serves.
         * @param {string} sentence What to say when it throws.
         * @param {Function} called
         * @returns {Function} It returns what `called` returns, or undefined.
         */
        guarded(sentence, called) {
            return (...args) => {
                try {
                    return called(...args);
                } catch (error) {
                    this.error(sentence, error);
                    return undefined;
                }
            };
        }

        _isTold(sentence) {
            const told = this.told.has(sentence);
            this.told.add(sentence);
            return told;
        }
    };
})();
