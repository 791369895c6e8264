(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /**
     * Reads what the renderer gets over HTTP: which callbacks are shared, and trees, into which the newest shared values
     * are laid before the renderer has them.
     * @param {Window} window Its `fetch` is replaced.
     * @param {string} callbacks The path to which the renderer posts its callbacks.
     * @param {live.Shared} shared
     * @param {live.Log} log
     */
    live.readHttpAnswers = function (window, callbacks, shared, log) {
        const {fetch} = window;
        const prefix = callbacks.slice(0, callbacks.lastIndexOf("/"));
        const readers = {
            [callbacks]: readCallback,
            [`${prefix}/_dash-layout`]: readLayout,
            [`${prefix}/_dash-dependencies`]: readDependencies,
        };
        window.fetch = async function (resource, options) {
            const response = await fetch.call(this === undefined ? window : this, resource, options);
            const read = readers[pathOf(window, resource)];
            return read ? replaced(window, shared, log, read, response) : response;
        };
    };

    async function replaced(window, shared, log, read, response) {
        if (!response.ok || response.status === 204) {
            return response;
        }
        try {
            const received = await response.clone().json();
            const state = response.headers.get("Flash-State");
            const other = read(shared, received, state);
            return other === received ? response : new window.Response(JSON.stringify(other), response);
        } catch (error) {
            log.error("An answer of the server could not be read.", error);
            return response;
        }
    }

    function readDependencies(shared, dependencies) {
        shared.learn(dependencies);
        return dependencies;
    }

    function readLayout(shared, layout, state) {
        shared.state = state;
        return shared.lay(layout, versionOf(state));
    }

    function readCallback(shared, data, state) {
        return shared.layAnswer(data, versionOf(state));
    }

    /** The version in `<epoch>.<version>.<digest>`. */
    function versionOf(state) {
        const parts = (state || "").split(".");
        return Number(parts[parts.length - 2]) || 0;
    }

    function pathOf(window, resource) {
        try {
            const isRequest = typeof resource === "object" && resource !== null && "url" in resource;
            const url = new URL(isRequest ? resource.url : resource, window.document.baseURI);
            return url.origin === window.location.origin ? url.pathname : null;
        } catch (invalidUrl) {
            return null;
        }
    }
})();
