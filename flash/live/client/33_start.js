(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /**
     * Put the parts together and connect.
     * @param {Window} window
     * @param {Object} config `{socket, live, callbacks, carrier, indicator, onGap, retry, shared}`, by the server.
     * @returns {live.Client}
     */
    live.start = function (window, config) {
        const log = new live.Log(window);
        const rendererId = live.randomId(window);
        const state = new live.State(window, log);
        const renderer = new live.Renderer(window);
        const worker = new live.Worker(log);
        const carrier = new live.Carrier(config.carrier, renderer, worker);
        const tasks = new live.Macrotasks(window);
        const hands = new live.Hands(window, log);
        const inputs = new live.Inputs(config.shared || []);
        const shared = new live.Shared({window, log, tasks, renderer, hands, inputs});
        const delivery = new live.Delivery({window, log, tasks, worker, renderer, carrier, shared});
        const posts = () => new live.Posts(window, `${config.live}/send`);
        const tickets = new live.Tickets(window, config.live);
        const stream = new live.SharedStream(window, log, config.live);
        const transports = {
            websocket: () => new live.Socket(window, log, socketUrl(window, config), posts()),
            fallback: () => new live.Fallback(window, stream, posts()),
        };
        const link = new live.Link({window, log, state, tickets, transports});
        const parts = {window, config, rendererId, state, renderer, worker, carrier, shared, delivery, link};
        const client = new live.Client(parts);

        live.connection = state;
        state.onretry = () => link.retry();
        delivery.onloss = () => state.change({recovered: false});
        worker.install(window);
        live.nameHttpCallbacks(window, config.callbacks, rendererId, () => client.identity);
        if (!inputs.empty) {
            live.readHttpAnswers(window, config.callbacks, shared, log);
            hands.start();
        }
        show(window, config, state);
        new live.Presence({window, log, state, link, shared: stream, delivery}).start();
        link.start();
        return client;
    };

    /**
     * An id that nobody else has: 32 hexadecimal digits.
     * @param {Window} window
     * @returns {string}
     */
    live.randomId = function (window) {
        const bytes = window.crypto.getRandomValues(new Uint8Array(16));
        return Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");
    };

    function show(window, config, state) {
        const indicator = new live.Indicator(window);
        state.subscribe(current => indicator.mark(current));
        if (config.indicator) {
            state.subscribe(current => indicator.show(current));
        }
    }

    function socketUrl({location}, {socket}) {
        return `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${socket}`;
    }

    // Under Node the tests start it.
    const script = typeof document === "undefined" ? null : document.currentScript;
    if (script && script.dataset.config && !live.connection) {
        const start = new live.Log(globalThis).guarded("The live connection could not be started.", live.start);
        start(globalThis, JSON.parse(script.dataset.config));
    }
})();
