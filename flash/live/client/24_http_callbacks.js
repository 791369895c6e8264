(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /**
     * Has the callbacks that go over HTTP name their page and its client, so that the server knows whose they are.
     * @param {Window} window Its `fetch` is replaced.
     * @param {string} path The path to which the renderer posts its callbacks.
     * @param {string} rendererId The name of this page.
     * @param {function(): ?{client: string, key: string}} identity Returns what the last `welcome` has given, or null.
     */
    live.nameHttpCallbacks = function (window, path, rendererId, identity) {
        const {fetch} = window;
        window.fetch = function (resource, options) {
            if (!isCallback(window, path, resource, options)) {
                return fetch.call(this === undefined ? window : this, resource, options);
            }
            const headers = new window.Headers((options && options.headers) || resource.headers || {});
            Object.entries(names(rendererId, identity())).forEach(([name, value]) => headers.set(name, value));
            return fetch.call(window, resource, {...options, headers});
        };
    };

    function names(rendererId, identity) {
        const page = {"Flash-Renderer": rendererId};
        return identity ? {...page, "Flash-Client": identity.client, "Flash-Key": identity.key} : page;
    }

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
