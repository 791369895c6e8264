(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /** What Dash's renderer shows, read and set by the functions that it offers to every page. */
    live.Renderer = class Renderer {
        /** @param {Window} window */
        constructor(window) {
            this.window = window;
        }

        /**
         * A component that is on the page.
         * @param {string} componentId Its id; of a dict id the JSON with sorted keys.
         * @returns {?{props: Object}} The component as the layout holds it, or null.
         */
        find(componentId) {
            const api = this.window.dash_component_api;
            if (!api || !api.getLayout) {
                return null;
            }
            const id = parsedId(componentId);
            try {
                const component = api.getLayout(id);
                // For some dict ids that are not there Dash returns the whole layout, and for all other unknown ids it
                // throws.
                return component && textOf(component.props.id) === textOf(id) ? component : null;
            } catch (unknownId) {
                return null;
            }
        }

        /**
         * Set properties as a clientside callback would: what listens to them runs.
         * @param {string} componentId
         * @param {Object} props
         * @returns {boolean} Whether the component is there.
         */
        setProps(componentId, props) {
            if (!this.find(componentId)) {
                return false;
            }
            this.window.dash_clientside.set_props(parsedId(componentId), props);
            return true;
        }

        /** @returns {?string} The id that the server gave to this load of the page, signed. */
        endId() {
            const element = this.window.document.getElementById("_dash-config");
            if (!element) {
                return null;
            }
            try {
                return JSON.parse(element.textContent).end_id || null;
            } catch (notJson) {
                return null;
            }
        }
    };

    /**
     * The text of an id: the same for ids that are the same, whatever the order of their keys.
     * @param {string|Object} id As components have it, or as messages do.
     * @returns {string}
     */
    live.textOfId = id => textOf(typeof id === "string" ? parsedId(id) : id);

    /** Two ids are the same when their texts are. */
    function textOf(id) {
        return typeof id === "object" && id !== null ? JSON.stringify(id, Object.keys(id).sort()) : id;
    }

    function parsedId(componentId) {
        if (!componentId.startsWith("{")) {
            return componentId;
        }
        try {
            return JSON.parse(componentId);
        } catch (notJson) {
            return componentId;
        }
    }
})();
