(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    const DELAY_MS = 1500;
    const TEXTS = {
        reconnecting: "Reconnecting ...",
        offline: "Offline",
        "signed-out": "Signed out",
        closed: "Connection closed",
    };
    // `:where` counts for nothing against the rules of the page.
    const RULES = `
        :where(.flash-live) {
            position: fixed; left: 12px; bottom: 12px; z-index: 2147483000; pointer-events: none;
            padding: 4px 10px; border: 1px solid #767676; border-radius: 4px;
            font: 13px/1.4 system-ui, sans-serif; color: #1f1f1f; background: #ffffff;
        }
        @media (prefers-color-scheme: dark) {
            :where(.flash-live) { color: #f2f2f2; background: #262626; border-color: #8c8c8c; }
        }
        @media print { :where(.flash-live) { display: none; } }
    `;

    /** Shows the state of the connection: as an attribute of the document, and in a corner while something is wrong. */
    live.Indicator = class Indicator {
        /** @param {Window} window */
        constructor(window) {
            this.window = window;
            this.element = null;
            this.timer = null;
        }

        /**
         * Mark the document for the page's style sheets: `<html data-flash-live="connected">`.
         * @param {{status: string}} state
         */
        mark({status}) {
            this.window.document.documentElement.setAttribute("data-flash-live", status);
        }

        /**
         * Show a state in the corner, unless it is soon over.
         * @param {{status: string}} state
         */
        show({status}) {
            this.window.clearTimeout(this.timer);
            if (!(status in TEXTS)) {
                this._remove();
            } else if (this.element) {
                this._fill(status);
            } else {
                this.timer = this.window.setTimeout(() => this._add(status), DELAY_MS);
            }
        }

        _add(status) {
            const {document} = this.window;
            if (!document.body) {
                this.show({status});
                return;
            }
            this._style();
            this.element = document.createElement("div");
            this.element.setAttribute("role", "status");
            this.element.setAttribute("aria-live", "polite");
            document.body.appendChild(this.element);
            this._fill(status);
        }

        _fill(status) {
            this.element.className = `flash-live flash-live--${status}`;
            this.element.textContent = TEXTS[status];
        }

        _remove() {
            if (this.element) {
                this.element.remove();
                this.element = null;
            }
        }

        /**
         * By a constructed style sheet: a Content-Security-Policy may forbid style elements and attributes. In browsers
         * without them the state is shown without style.
         */
        _style() {
            const {CSSStyleSheet, document} = this.window;
            if (this.sheet) {
                return;
            }
            try {
                const sheet = new CSSStyleSheet();
                sheet.replaceSync(RULES);
                document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
                this.sheet = sheet;
            } catch (unsupported) {
                // The text says it all.
            }
        }
    };
})();
