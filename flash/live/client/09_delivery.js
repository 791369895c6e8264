(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /** When so many messages wait, of each property only the newest value is kept. */
    const MANY = 1000;
    /** How long messages wait for the carrier before answers may go first. */
    const CARRIER_MS = 2000;
    /** So often they wait. Not a time: in a hidden page the carrier comes late, and so do timers. */
    const MOST_WAITS = 5;
    /** The most that waits for the layout. */
    const MOST_EARLY = 1000;
    const MOST_EARLY_CHARACTERS = 1024 * 1024;
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
         * @param {live.Shared} parts.shared
         */
        constructor({window, log, tasks, worker, renderer, carrier, shared}) {
            Object.assign(this, {window, log, tasks, worker, renderer, carrier, shared});
            this.parking = new live.Parking(log);
            this.lookout = new live.Lookout(window, () => this._unpark());
            this.queue = [];
            this.conflateAt = MANY;
            this.mounted = false;
            this.restarting = false;
            /** Requests that the renderer has given up, whose answers still come. */
            this.givenUp = new Set();
            this.deadline = null;
            this.overdue = false;
            this.scheduled = false;
            this.patience = null;
            /** How often in a row the carrier has not come. */
            this.waits = 0;
            /** Characters that wait for the layout. */
            this.early = 0;
            /** Called when messages were dropped. */
            this.onloss = () => {};
            this.parking.onloss = () => this.onloss();
            shared.onshow = message => this.push(message);
        }

        /**
         * Deliver a message after those that wait.
         * @param {Object} message
         */
        push(message) {
            if (message.type === "callback_response" && this.givenUp.delete(message.requestId)) {
                this._asPushes(message).forEach(push => this.push(push));
                return;
            }
            this.queue.push(message);
            if (this.queue.length >= this.conflateAt) {
                this.queue = live.messages.conflated(this.queue);
                this.conflateAt = Math.max(MANY, 2 * this.queue.length);
            }
            if (!this.mounted) {
                this._bound(message);
            }
            this.schedule();
        }

        /** Forget what waits for components: the page is being left. */
        leave() {
            this.parking.clear();
        }

        /** Say that the layout is there: the renderer has asked for a callback. */
        mount() {
            this.mounted = true;
            this.schedule();
        }

        /**
         * Have the renderer start its callbacks without inputs again, as soon as it waits for no answer, and after 5 s
         * in any case. Then it gives up what it waits for; the answers that still come are pushed to their outputs.
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

        /** What an answer holds, as pushes: the renderer waits for it no more. */
        _asPushes({payload: {status, data, message}, state}) {
            if (status === "error") {
                this.log.error(message);
            }
            const parts = status === "ok" ? [data.sideUpdate || {}, data.response] : [];
            return parts.flatMap(Object.entries).map(([componentId, props]) => ({
                type: "set_props",
                payload: {componentId, props},
                components: JSON.stringify(props).includes('"namespace"'),
                state,
            }));
        }

        /** Forget the values that all tabs share: the server sends all of them again. */
        forgetShared() {
            this.queue = live.messages.withoutShared(this.queue);
            this.parking.forgetShared();
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
                this.worker.post(message.type === "callback_response" ? this.shared.answer(message) : message);
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
            const whole = this.parking.withoutTorn(message);
            if (whole !== message) {
                this.queue.splice(0, 1, ...(whole ? [whole] : []));
                return null;
            }
            if (!this.renderer.find(componentId)) {
                if (message.again) {
                    this.shared.postpone(this.queue.shift());
                    return null;
                }
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
            if (message.components && !this.carrier.ready && this.waits < MOST_WAITS) {
                this._wait();
                return false;
            }
            this.queue.shift();
            const prepared = this.shared.prepare(message);
            if (prepared === null) {
                return null;
            }
            if (prepared.components) {
                this._setTrees(prepared);
            } else {
                this.worker.post(prepared);
            }
            return true;
        }

        _setTrees(message) {
            const {componentId, props} = message.payload;
            this.parking.replace(props, message.state);
            if (!this.carrier.ready) {
                this._setPlainly(message);
                return;
            }
            this.waits = 0;
            this.log.guarded(`The components for ${componentId} could not be set.`, () =>
                this.carrier.deliver(componentId, props)
            )();
        }

        /** Set components without the carrier, which does not come: they are shown, and that is all. */
        _setPlainly(message) {
            this.log.warn("the page cannot take components as it should; callbacks inside them do not run by themselves.");
            this.worker.post(message);
            // A request that is there is an old one, and no other comes before the Store has changed.
            this.carrier.spent = this.carrier.parked !== null;
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
                this.waits += 1;
                const place = this.queue.findIndex(message => message.type === "callback_response");
                if (place >= 0) {
                    this.queue.unshift(...this.queue.splice(place, 1));
                }
                this.carrier.spent = !this.carrier.ready;
                this.schedule();
            }, CARRIER_MS);
        }

        /**
         * Nobody takes out what waits for the layout. When it is too much, the oldest is dropped, down to a half, so that
         * the next message finds room. The newest may be as large as it is.
         */
        _bound(message) {
            this.early += sizeOf(message);
            if (!this._isTooMuch(1)) {
                return;
            }
            this.queue = live.messages.conflated(this.queue);
            const sizes = this.queue.map(sizeOf);
            this.early = sizes.reduce((sum, size) => sum + size, 0);
            const part = this._isTooMuch(1) ? 0.5 : 1;
            while (this.queue.length > 1 && this._isTooMuch(part)) {
                this.early -= sizes.shift();
                this._drop(this.queue.shift());
            }
        }

        _isTooMuch(part) {
            return this.queue.length > part * MOST_EARLY || this.early > part * MOST_EARLY_CHARACTERS;
        }

        _drop(message) {
            if (message.type === "set_props") {
                this.parking.lose(message);
            }
            this.onloss();
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
            this.worker.unanswered.forEach(requestId => this.givenUp.add(requestId));
            this.worker.restart();
            this.carrier.forget();
            this.schedule();
        }
    };

    function sizeOf(message) {
        return JSON.stringify(message).length;
    }
})();
