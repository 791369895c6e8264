(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    const HEADER = "Flash-Renderer";

    /**
     * Has the callbacks that go over HTTP name their page, so that the server knows whose they are.
     * @param {Window} window Its `fetch` is replaced.
     * @param {string} path The path to which the renderer posts its callbacks.
     * @param {string} rendererId The name of this page.
     */
    live.nameHttpCallbacks = function (window, path, rendererId) {
        const {fetch} = window;
        window.fetch = function (resource, options) {
            if (!isCallback(window, path, resource, options)) {
                return fetch.call(this === undefined ? window : this, resource, options);
            }
            const headers = new window.Headers((options && options.headers) || resource.headers || {});
            headers.set(HEADER, rendererId);
            return fetch.call(window, resource, {...options, headers});
        };
    };

    function isCallback(window, path, resource, options) {
        const isRequest = typeof resource === "object" && resource !== null && "url" in resource;
        const method = (options && options.method) || (isRequest && resource.method) || "GET";
        if (String(method).toUpperCase() !== "POST") {
            return false;
        }
        try {
            const url = new URL(isRequest ? resource.url : resource, window.document.baseURI);
            return url.origin === window.location.origin && url.pathname === path;
        } catch (invalidUrl) {
            // fetch() says so better.
            return false;
        }
    }
})();
