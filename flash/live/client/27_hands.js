(function () {
    "use strict";
    const live = (globalThis.FlashLive = globalThis.FlashLive || {});

    /** Inputs into which nobody types. */
    const NOT_TYPED = new Set([
        "button", "checkbox", "color", "file", "hidden", "image", "radio", "range", "reset", "submit",
    ]);

    /** In so many frames the renderer has shown a value. */
    const CARET_FRAMES = 10;

    /**
     * Knows what the user has in hand: the component that a pointer holds, and the text field that is being typed into.
     * Another tab's value must not come between.
     */
    live.Hands = class Hands {
        /**
         * @param {Window} window
         * @param {live.Log} log
         */
        constructor(window, log) {
            this.document = window.document;
            this.window = window;
            this.log = log;
            /** Where each pointer that is down went down, by its id. */
            this.down = new Map();
            /** Called when the user may have let go of something. The page deals with the same event after that. */
            this.onfree = () => {};
        }

        /** Begin to listen to the browser. */
        start() {
            const {document, window} = this;
            const free = () => this.onfree();
            this._on(document, "pointerdown", ({pointerId, target}) => this.down.set(pointerId, target));
            this._on(document, "pointerup", event => this._lift(event));
            this._on(document, "pointercancel", event => this._lift(event));
            // Some browsers tell of no pointerup when they have opened a menu.
            this._on(document, "pointermove", event => event.buttons === 0 && this._lift(event));
            this._on(window, "blur", ({target}) => target === window && this._liftAll());
            ["focusout", "input", "change", "keyup"].forEach(type => this._on(document, type, free));
        }

        /**
         * Whether a property is in the user's hand.
         * @param {string} componentId Its id; of a dict id the JSON with sorted keys.
         * @param {string} property
         * @param {*} value What the property is now.
         * @returns {boolean}
         */
        hold(componentId, property, value) {
            const element = this.document.getElementById(live.textOfId(componentId));
            if (!element) {
                return false;
            }
            return (
                [...this.down.values()].some(target => element.contains(target)) ||
                this._isTyped(element, property, value)
            );
        }

        /**
         * Another tab's value is about to be shown: keep the caret where it is in the text.
         * @param {string} componentId Its id; of a dict id the JSON with sorted keys.
         */
        keepCaret(componentId) {
            const element = this.document.getElementById(live.textOfId(componentId));
            const field = this.document.activeElement;
            if (!element || !element.contains(field) || textOf(field, "value") === null || field.selectionStart === null) {
                return;
            }
            const {value: before, selectionStart, selectionEnd, selectionDirection} = field;
            const keep = framesLeft => {
                if (field.value !== before && field === this.document.activeElement) {
                    const [start, end] = [selectionStart, selectionEnd].map(at => moved(at, before, field.value));
                    field.setSelectionRange(start, end, selectionDirection);
                } else if (framesLeft > 0) {
                    this.window.requestAnimationFrame(() => keep(framesLeft - 1));
                }
            };
            keep(CARET_FRAMES);
        }

        _isTyped(element, property, value) {
            const field = this.document.activeElement;
            if (!field || !element.contains(field)) {
                return false;
            }
            const text = textOf(field, property);
            return text !== null && !isText(text, value);
        }

        _lift({pointerId}) {
            if (this.down.delete(pointerId)) {
                this.onfree();
            }
        }

        _liftAll() {
            this.down.clear();
            this.onfree();
        }

        _on(target, type, handler) {
            const sentence = `The browser's event ${type} could not be dealt with.`;
            target.addEventListener(type, this.log.guarded(sentence, handler), {capture: true, passive: true});
        }
    };

    /** What a field shows of a property, or null when it is no text field for it. */
    function textOf(field, property) {
        const tag = String(field.tagName).toLowerCase();
        if (tag === "textarea" || (tag === "input" && !NOT_TYPED.has(field.type))) {
            return property === "value" ? field.value : null;
        }
        return field.isContentEditable && ["children", "value"].includes(property) ? field.textContent : null;
    }

    /** Where a place in a text is when the text has become another: what comes after the change moves with it. */
    function moved(at, before, after) {
        let same = 0;
        while (same < Math.min(before.length, after.length) && before[same] === after[same]) {
            same += 1;
        }
        return at <= same ? at : Math.max(same, at + after.length - before.length);
    }

    /** Whether a text is what a field shows for a value. A field may be for one of several values. */
    function isText(text, value) {
        if (Array.isArray(value)) {
            return value.some(item => isText(text, item));
        }
        if (value === null || value === undefined) {
            return text === "";
        }
        if (typeof value === "number") {
            return text !== "" && Number(text) === value;
        }
        return typeof value !== "string" || text === value;
    }
})();
