(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /** When so many messages wait, of each property only the newest value is kept. */
    const MANY = 1000;
    /** How long messages wait for the carrier before answers may go first. */
    const CARRIER_MS = 2000;
    /** How long a restart waits for answers. Some never come, and a busy page waits for one at all times. */
    const RESTART_MS = 5000;

    /**
     * Hands the server's messages to Dash's renderer: in their order, one in each task, from the time that the layout
     * is there.
     *
     * One in each task, because the renderer applies an answer some microtasks later: a newer `set_props` in the same
     * task would be overwritten by it.
     */
    live.Delivery = class Delivery {
        /**
         * @param {Object} parts
         * @param {Window} parts.window
         * @param {live.Log} parts.log
         * @param {live.Macrotasks} parts.tasks
         * @param {live.Worker} parts.worker
         * @param {live.Renderer} parts.renderer
         * @param {live.Carrier} parts.carrier
         */
        constructor({window, log, tasks, worker, renderer, carrier}) {
            Object.assign(this, {window, log, tasks, worker, renderer, carrier});
            this.parking = new live.Parking(log);
            this.lookout = new live.Lookout(window, () => this._unpark());
            this.queue = [];
            this.conflateAt = MANY;
            this.mounted = false;
            this.restarting = false;
            this.deadline = null;
            this.overdue = false;
            this.scheduled = false;
            this.patience = null;
        }

        /**
         * Deliver a message after those that wait.
         * @param {Object} message
         */
        push(message) {
            this.queue.push(message);
            if (this.queue.length >= this.conflateAt) {
                this.queue = conflated(this.queue);
                this.conflateAt = Math.max(MANY, 2 * this.queue.length);
            }
            this.schedule();
        }

        /** Say that the layout is there: the renderer has asked for a callback. */
        mount() {
            this.mounted = true;
            this.schedule();
        }

        /**
         * Have the renderer start its callbacks without inputs again, as soon as it waits for no answer, and after 5 s
         * in any case. Then it gives up what it waits for: the server answers that all the same, and the renderer drops
         * the answers.
         */
        restart() {
            if (!this.restarting) {
                this.restarting = true;
                this.deadline = this.window.setTimeout(() => {
                    this.overdue = true;
                    this.schedule();
                }, RESTART_MS);
            }
            this.schedule();
        }

        /** Go on in the next task, if there is something to do. */
        schedule() {
            if (!this.scheduled && this.mounted) {
                this.scheduled = true;
                this.tasks.run(() => this._step());
            }
        }

        /** Whether the renderer waits for nothing, so that a restart costs it no answer. */
        get _isIdle() {
            return this.worker.unanswered.size === 0 && this.queue.length === 0;
        }

        _step() {
            this.scheduled = false;
            if (this.carrier.spent) {
                this.log.guarded("The carrier could not be armed again.", () => this.carrier.rearm())();
                this.schedule();
            } else if (this.restarting && (this.overdue || this._isIdle)) {
                this._restart();
            } else if (this._deliverNext()) {
                this._patienceOver();
                this.schedule();
                if (!this.parking.empty) {
                    this.lookout.start();
                }
            }
        }

        /** Deliver one message, after parking those whose components are not there. Returns whether there was one. */
        _deliverNext() {
            let isDelivered = null;
            while (isDelivered === null && this.queue.length > 0) {
                isDelivered = this._deliver(this.queue[0]);
            }
            return isDelivered === true;
        }

        /** Deliver the first message. Returns whether that is done or has to wait, or null: the next one may go. */
        _deliver(message) {
            try {
                if (message.type === "set_props") {
                    return this._place(message);
                }
                this.queue.shift();
                this.worker.post(message);
                return true;
            } catch (error) {
                this.log.error("A message of the server could not be delivered.", error);
                // It would stand in the way of all others.
                this.queue = this.queue.filter(other => other !== message);
                return null;
            }
        }

        _place(message) {
            const {componentId} = message.payload;
            if (!this.renderer.find(componentId)) {
                this.parking.park(this.queue.shift());
                this.lookout.start();
                return null;
            }
            if (this.parking.holds(componentId)) {
                this.queue.unshift(...this.parking.take(componentId));
                return null;
            }
            return this._set(message);
        }

        _set(message) {
            const {componentId, props} = message.payload;
            if (!message.components) {
                this.queue.shift();
                this.worker.post(message);
                return true;
            }
            if (!this.carrier.ready) {
                this._wait();
                return false;
            }
            this.queue.shift();
            this.log.guarded(`The components for ${componentId} could not be set.`, () =>
                this.carrier.deliver(componentId, props)
            )();
            return true;
        }

        /**
         * Wait for the carrier. With all of the renderer's slots taken it comes only after an answer, so one goes
         * first.
         */
        _wait() {
            if (this.patience !== null) {
                return;
            }
            this.patience = this.window.setTimeout(() => {
                this.patience = null;
                const place = this.queue.findIndex(message => message.type === "callback_response");
                if (place >= 0) {
                    this.queue.unshift(...this.queue.splice(place, 1));
                }
                this.carrier.spent = !this.carrier.ready;
                this.schedule();
            }, CARRIER_MS);
        }

        _patienceOver() {
            this.window.clearTimeout(this.patience);
            this.patience = null;
        }

        /** Deliver what is kept for components that have come. Returns whether some have not. */
        _unpark() {
            const ready = [...this.parking.ids.keys()].filter(id => this.renderer.find(id));
            const messages = ready.flatMap(id => this.parking.take(id));
            if (messages.length > 0) {
                // They are older than what waits.
                this.queue.unshift(...messages);
                this.schedule();
            }
            return !this.parking.empty;
        }

        _restart() {
            this.window.clearTimeout(this.deadline);
            this.restarting = this.overdue = false;
            this.worker.restart();
            this.carrier.forget();
            this.schedule();
        }
    };

    /**
     * Messages without the values that later ones replace. A hidden page is fed faster than its renderer, whose timers
     * are late.
     */
    function conflated(messages) {
        const replaced = new Set();
        const kept = [];
        for (const message of messages.slice().reverse()) {
            kept.push(message.type === "set_props" ? withoutReplaced(message, replaced) : message);
        }
        return kept.reverse().filter(message => message !== null);
    }

    function withoutReplaced(message, replaced) {
        const {componentId, props} = message.payload;
        const place = property => JSON.stringify([componentId, property]);
        const left = Object.entries(props).filter(([property]) => !replaced.has(place(property)));
        for (const [property, value] of left) {
            if (!live.patch.isPatch(value)) {
                replaced.add(place(property));
            }
        }
        return left.length === 0 ? null : {...message, payload: {componentId, props: Object.fromEntries(left)}};
    }
})();
