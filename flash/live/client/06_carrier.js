(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /**
     * Brings component trees to the page so that the callbacks inside them run, which `set_props` does not do.
     *
     * The layout holds a hidden Store, and the app a callback without outputs that listens to it. Its request is kept
     * here and never sent. Answered with values for any component, it makes the renderer treat them as a callback's
     * result. Then the Store is changed, so that the next request comes.
     */
    live.Carrier = class Carrier {
        /**
         * @param {string} storeId The id of the hidden Store.
         * @param {live.Renderer} renderer
         * @param {live.Worker} worker
         */
        constructor(storeId, renderer, worker) {
            this.storeId = storeId;
            this.renderer = renderer;
            this.worker = worker;
            this.parked = null;
            this.parkedRound = 0;
            /** Whether the Store must be changed for the next request to come. */
            this.spent = false;
            this.rounds = 0;
        }

        /**
         * Whether a request is there to be answered. One that was asked before the Store changed last does not count:
         * the renderer drops it, and its answer, when the next one comes.
         * @returns {boolean}
         */
        get ready() {
            return this.parked !== null && this.parkedRound === this.rounds;
        }

        /**
         * Whether a request is the carrier's.
         * @param {{payload: {inputs: ?Array}}} request
         * @returns {boolean}
         */
        owns(request) {
            const inputs = (request.payload && request.payload.inputs) || [];
            return inputs.length === 1 && Boolean(inputs[0]) && inputs[0].id === this.storeId;
        }

        /**
         * Keep a request until something is to be delivered.
         * @param {{requestId: string}} request
         */
        park(request) {
            this.worker.unanswered.delete(request.requestId);
            if (this.parked !== null) {
                // The renderer has dropped the older one, as it does when a callback is asked for twice.
                this._answer({status: "prevent_update"});
            }
            this.parked = request.requestId;
            this.parkedRound = request.payload.inputs[0].value || 0;
            this.spent = false;
        }

        /**
         * Set properties whose values hold components.
         * @param {string} componentId A component that is on the page.
         * @param {Object} props Values, and Patches, which are resolved.
         */
        deliver(componentId, props) {
            const old = this.renderer.find(componentId).props;
            const values = {};
            for (const [property, value] of Object.entries(props)) {
                values[property] = live.patch.isPatch(value) ? live.patch.apply(old[property], value) : value;
            }
            this._answer({status: "ok", data: {multi: true, response: {[componentId]: values}}});
            this.spent = true;
        }

        /**
         * Change the Store, so that the next request comes. Not in the task that answered the last one: it is applied
         * after that.
         */
        rearm() {
            this.spent = false;
            this.rounds += 1;
            this.renderer.setProps(this.storeId, {data: this.rounds});
        }

        /** The renderer has forgotten the request that is parked. */
        forget() {
            this.parked = null;
            this.spent = true;
        }

        _answer(payload) {
            const requestId = this.parked;
            this.parked = null;
            this.worker.post({type: "callback_response", requestId, payload});
        }
    };
})();
