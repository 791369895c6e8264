(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /**
     * Runs functions one by one, each in a task of its own, in their order.
     *
     * By MessageChannel: timers are held back in hidden pages, messages are not.
     */
    live.Macrotasks = class Macrotasks {
        /** @param {Window} window */
        constructor(window) {
            this.waiting = [];
            this.channel = new window.MessageChannel();
            this.channel.port1.onmessage = () => this.waiting.shift()();
        }

        /**
         * Run a function in the next task that is free.
         * @param {Function} called It must not throw.
         */
        run(called) {
            this.waiting.push(called);
            this.channel.port2.postMessage(null);
        }
    };
})();
