// The start page: search, tags, the keyboard, and cards that change by themselves.
"use strict";

(() => {
    const search = document.getElementById("search");
    const cards = () => [...document.querySelectorAll(".card")];
    const visible = () => cards().filter(card => !card.hidden);
    const links = () => [...document.querySelectorAll(".filter .tag")];
    let tag = links().find(link => link.ariaCurrent)?.dataset.tag ?? "";

    // Search and tags.

    const textOf = card =>
        [...card.querySelectorAll("h2, .description, .tags li")].map(part => part.textContent).join(" ").toLowerCase();

    const filter = () => {
        const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
        for (const card of cards()) {
            const text = textOf(card);
            const tagged = !tag || JSON.parse(card.dataset.tags).includes(tag);
            card.hidden = !tagged || !words.every(word => text.includes(word));
        }
        links().forEach(link => link.setAttribute("aria-current", String(link.dataset.tag === tag)));
        const found = visible().length;
        document.getElementById("nothing").hidden = found > 0;
        const query = new URLSearchParams(Object.entries({q: search.value.trim(), tag}).filter(([, value]) => value));
        history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
        return found;
    };

    const filterAndSay = () => {
        const found = filter();
        say(found === 1 ? "1 app" : `${found} apps`);
    };

    search.addEventListener("input", filterAndSay);
    search.form.addEventListener("submit", event => {
        event.preventDefault();
        visible()[0]?.querySelector("a").focus();
    });
    document.addEventListener("click", event => {
        const link = event.target.closest(".filter .tag");
        if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
            event.preventDefault();
            tag = link.dataset.tag;
            filterAndSay();
        }
    });

    // The keyboard.

    const writes = element => element.matches?.("input, textarea, select, [contenteditable]");

    /** The card that is next in a direction: the nearest one of the next row, or the neighbour in the order. */
    const nextTo = (card, key) => {
        const all = visible();
        const at = all.indexOf(card);
        const steps = {ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: all.length - 1};
        if (key in steps) {
            return all[steps[key]];
        }
        const from = card.getBoundingClientRect();
        const down = key === "ArrowDown" ? 1 : -1;
        const rows = all
            .map(each => ({each, box: each.getBoundingClientRect()}))
            .filter(({box}) => (box.top - from.top) * down > 1)
            .sort((one, other) => (one.box.top - other.box.top) * down || Math.abs(one.box.left - from.left) - Math.abs(other.box.left - from.left));
        return rows[0]?.each;
    };

    const KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];
    document.addEventListener("keydown", event => {
        if (event.ctrlKey || event.metaKey || event.altKey) {
            return;
        }
        if (event.key === "/" && !writes(event.target)) {
            event.preventDefault();
            search.select();
        } else if (event.target === search && event.key === "Escape") {
            event.preventDefault();
            search.value = "";
            filterAndSay();
        } else if (event.target === search && event.key === "ArrowDown") {
            event.preventDefault();
            visible()[0]?.querySelector("a").focus();
        } else if (KEYS.includes(event.key) && event.target.matches(".card .open")) {
            event.preventDefault();
            const next = nextTo(event.target.closest(".card"), event.key);
            next ? next.querySelector("a").focus() : event.key === "ArrowUp" && search.focus();
        }
    });

    // What changes.

    let reading = null;

    /** Take the cards from the page as the server has it now; apps have come or gone. */
    const readAgain = () => {
        reading ??= (async () => {
            const response = await fetch("/_hub/", {headers: {Accept: "text/html"}});
            if (!response.ok || response.redirected) {
                location.reload();
                return;
            }
            const page = new DOMParser().parseFromString(await response.text(), "text/html");
            const focused = document.activeElement?.closest?.(".card")?.dataset.app;
            document.getElementById("cards").replaceWith(document.adoptNode(page.getElementById("cards")));
            const tags = page.querySelector(".filter");
            const old = document.querySelector(".filter");
            tags && old ? old.replaceWith(document.adoptNode(tags)) : tags && document.getElementById("cards").before(tags);
            filter();
            focused && shownAs(focused)?.querySelector("a").focus();
        })().finally(() => {
            reading = null;
        });
    };

    listen(() => "/_hub/events", {
        apps({visitor, apps}) {
            if ((visitor ?? "") !== document.body.dataset.visitor) {
                location.reload();
                return;
            }
            const shown = cards().map(card => card.dataset.app);
            apps.forEach(card => shownAs(card.name) && showApp(shownAs(card.name), card));
            if (shown.length !== apps.length || !apps.every(({name}) => shown.includes(name))) {
                readAgain();
            }
        },
        app(card) {
            const element = shownAs(card.name);
            element ? showApp(element, card) : readAgain();
        },
        gone({name}) {
            shownAs(name)?.remove();
            filter();
        },
    });
})();
