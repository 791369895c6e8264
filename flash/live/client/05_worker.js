(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    const WORKER_NAME = "dash-ws-worker";

    /**
     * Stands in for the SharedWorker through which Dash's renderer talks to its WebSocket.
     *
     * The renderer sees a worker that is connected from the beginning to the end: what it asks meanwhile waits on our
     * side, so that a lost link resolves none of its callbacks.
     */
    live.Worker = class Worker {
        /** @param {live.Log} log */
        constructor(log) {
            this.log = log;
            this.port = null;
            /** Called with each message of the renderer. */
            this.onmessage = () => {};
            /** Ids of the requests that the renderer waits for. */
            this.unanswered = new Set();
        }

        /**
         * Take the place of `window.SharedWorker`, for the renderer's worker and for no other one.
         * @param {Window} window
         */
        install(window) {
            const worker = this;
            const Original = window.SharedWorker;
            const SharedWorker = function (url, options) {
                const name = typeof options === "string" ? options : options && options.name;
                if (name === WORKER_NAME) {
                    return {port: worker._newPort()};
                }
                if (!Original) {
                    throw new Error("This browser has no SharedWorker.");
                }
                return new Original(url, options);
            };
            if (Original) {
                SharedWorker.prototype = Original.prototype;
            }
            window.SharedWorker = SharedWorker;
        }

        /**
         * Hand a message to the renderer.
         * @param {Object} message One that Dash's worker could have posted.
         */
        post(message) {
            if (message.type === "callback_response") {
                this.unanswered.delete(message.requestId);
            }
            const port = this.port;
            if (port && port.onmessage) {
                this.log.guarded("Dash's renderer could not apply a message of the server.", () =>
                    port.onmessage({data: message})
                )();
            }
        }

        /**
         * Have the renderer start its callbacks without inputs again. It also gives up all that it waits for.
         */
        restart() {
            this.unanswered.clear();
            this.post({type: "disconnected", payload: {reason: "messages of the server were lost"}});
            this.post({type: "connected"});
        }

        _newPort() {
            const port = {
                onmessage: null,
                start() {},
                close: () => {
                    if (this.port === port) {
                        this.port = null;
                    }
                },
                postMessage: this.log.guarded("A message of Dash's renderer could not be sent.", message =>
                    this._receive(message)
                ),
            };
            this.port = port;
            return port;
        }

        _receive(message) {
            if (message.type === "callback_request") {
                this.unanswered.add(message.requestId);
            }
            this.onmessage(message);
        }
    };
})();
