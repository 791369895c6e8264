(function () {
    "use strict";
    const components = (globalThis.flash_components = globalThis.flash_components || {});

    const MINUTE = 60;
    const UNITS = [
        ["day", 86400],
        ["hour", 3600],
        ["minute", MINUTE],
        ["second", 1],
    ];
    const JUST_NOW = 5;
    const SECOND_MS = 1000;
    /** Timers of a computer that has slept come late: none is long. */
    const LONGEST_MS = 10000;

    const LABELS = {
        updated: "Updated {age}",
        now: "just now",
        stale: "Out of date",
        showing: "Showing the data of {time}.",
        empty: "No data yet",
        running: "Updating ...",
        next: "Next: {time}",
        error_id: "Error {id}",
    };

    /**
     * What there is to say of data of a certain age.
     * @param {Object} state Of the source: `{at, staleAfter, error, errorId, running, next}`.
     * @param {Object} options
     * @param {number} options.now The server's clock, in milliseconds since 1970.
     * @param {boolean} options.running Whether to say that it runs.
     * @param {?Object} options.labels Texts in place of the English ones.
     * @param {?string} options.language Of the words for the age. Times are written as the browser does it.
     * @returns {Object} `kind`: "running", "failed", "empty", "stale" or "fresh"; the texts `age`, `message`, `progress`,
     *     `title` and `detail`, null where there is none; `changesIn`, the milliseconds until one of them may change.
     */
    components.describeAge = function describeAge(state, {now, running, labels, language}) {
        const texts = {...LABELS, ...labels};
        const seconds = hasData(state) ? Math.max(0, (now - state.at) / SECOND_MS) : null;
        const failing = state.error !== null && state.error !== undefined;
        const staleIn = leftUntilStale(state, now);
        const isStale = staleIn !== null && staleIn < 0;
        const condition = failing ? "failed" : seconds === null ? "empty" : isStale ? "stale" : "fresh";
        return {
            kind: running ? "running" : condition,
            // A failure names the time of the data itself.
            age: seconds === null || failing ? null : fill(texts.updated, {age: ago(seconds, texts, language)}),
            message: messageOf(condition, isStale, state, texts, now),
            progress: running ? texts.running : null,
            title: titleOf(state, texts, now),
            detail: failing && state.errorId ? fill(texts.error_id, {id: state.errorId}) : null,
            changesIn: changesIn(seconds, staleIn),
        };
    };

    function hasData({at}) {
        return at !== null && at !== undefined;
    }

    /** The milliseconds until it is stale, negative when it is; null when it never is. */
    function leftUntilStale(state, now) {
        const {at, staleAfter} = state;
        return hasData(state) && typeof staleAfter === "number" ? at + staleAfter * SECOND_MS - now : null;
    }

    function messageOf(condition, isStale, state, texts, now) {
        if (condition === "failed") {
            const showing = hasData(state) ? fill(texts.showing, {time: timeOf(state.at, now)}) : "";
            const reason = [state.error, showing].filter(Boolean).join(" ");
            return isStale ? `${texts.stale} · ${reason}` : reason;
        }
        return {empty: texts.empty, stale: texts.stale}[condition] || null;
    }

    function titleOf(state, texts, now) {
        const updated = hasData(state)
            ? new Date(state.at).toLocaleString(undefined, {dateStyle: "long", timeStyle: "long"})
            : null;
        const next = typeof state.next === "number" ? fill(texts.next, {time: timeOf(state.next, now)}) : null;
        return [updated, next].filter(Boolean).join("\n") || null;
    }

    function ago(seconds, texts, language) {
        if (seconds < JUST_NOW) {
            return texts.now;
        }
        const [unit, length] = UNITS.find(([, each]) => seconds >= each);
        return wordsFor(language).format(-Math.floor(seconds / length), unit);
    }

    function wordsFor(language) {
        try {
            return new Intl.RelativeTimeFormat(language || "en");
        } catch (error) {
            // A page may name a language as browsers do not know it: "en_US".
            return new Intl.RelativeTimeFormat("en");
        }
    }

    /** The time of day; with the date where it is another day than today. */
    function timeOf(at, now) {
        const time = {hour: "2-digit", minute: "2-digit"};
        const isToday = new Date(at).toDateString() === new Date(now).toDateString();
        return new Date(at).toLocaleString(undefined, isToday ? time : {...time, day: "numeric", month: "short"});
    }

    function changesIn(seconds, staleIn) {
        const step = seconds !== null && seconds < MINUTE ? SECOND_MS : LONGEST_MS;
        return staleIn !== null && staleIn >= 0 ? Math.min(step, staleIn + 1) : step;
    }

    function fill(template, values) {
        return template.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
    }
})();
