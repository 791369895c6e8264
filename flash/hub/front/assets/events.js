// What all pages share that show apps: the stream of events, what is kept up to date by it, and the buttons.
"use strict";

/** Listen to a stream of server-sent events while the page is visible, and again after it broke off.
 *
 * A browser has few connections to one server; pages that nobody looks at hold none.
 *
 * @param {() => string} address - Where the stream is; asked for anew at each connect.
 * @param {Object<string, (data: any) => void>} handlers - What to do with each kind of event.
 */
function listen(address, handlers) {
    const FIRST = 1000;
    const LONGEST = 30000;
    let source = null;
    let pause = FIRST;
    let timer = null;

    const close = () => {
        clearTimeout(timer);
        source?.close();
        source = null;
    };
    const open = () => {
        close();
        source = new EventSource(address());
        source.onopen = () => {
            pause = FIRST;
        };
        source.onerror = () => {
            // The browser itself tries again only when the answer was a stream.
            if (source?.readyState === EventSource.CLOSED) {
                timer = setTimeout(open, pause);
                pause = Math.min(2 * pause, LONGEST);
            }
        };
        for (const [kind, handler] of Object.entries(handlers)) {
            source.addEventListener(kind, ({data}) => handler(JSON.parse(data)));
        }
    };
    const look = () => (document.hidden ? close() : source || open());
    document.addEventListener("visibilitychange", look);
    addEventListener("pagehide", close);
    addEventListener("pageshow", ({persisted}) => persisted && look());
    look();
}

/** Say something to those who use a screen reader. */
function say(text) {
    document.getElementById("said").textContent = text;
}

/** The element that shows an app. */
function shownAs(name) {
    return document.querySelector(`[data-app="${CSS.escape(name)}"]`);
}

/** Show an app as it is now.
 *
 * @param {Element} element - What shows it.
 * @param {object} card - As in the events.
 */
function showApp(element, card) {
    const texts = {
        label: card.label,
        present: card.present,
        used: card.managed?.text ?? "",
        error: card.managed?.error ?? "",
    };
    for (const part of element.querySelectorAll("[data-show]")) {
        const text = texts[part.dataset.show];
        if (part.textContent !== text) {
            part.textContent = text;
        }
    }
    const hide = (selector, hidden) => element.querySelectorAll(selector).forEach(part => (part.hidden = hidden));
    hide(".users", !card.present);
    // Why it ended last is of no more interest once it runs again.
    hide(".error", !card.managed?.error || card.state === "running");
    if (element.dataset.state !== card.state) {
        say(`${card.title}: ${card.label}`);
    }
    Object.assign(element.dataset, {state: card.state, desired: card.desired});
    showButtons(element, card);
}

function showButtons(element, {name, desired}) {
    const on = desired === "on";
    for (const form of element.querySelectorAll("form[data-switch]")) {
        form.action = `/_hub/api/apps/${name}/${on ? "off" : "on"}`;
        form.querySelector("button").setAttribute("aria-checked", String(on));
    }
    element.querySelectorAll("form[data-restart] button").forEach(button => (button.disabled = !on));
}

// Buttons work without leaving the page.
document.addEventListener("submit", async event => {
    const form = event.target;
    const element = form.closest("[data-app]");
    if (form.method !== "post" || !element) {
        return;
    }
    event.preventDefault();
    const button = form.querySelector("button");
    button.setAttribute("aria-busy", "true");
    try {
        const response = await fetch(form.action, {method: "POST", headers: {Accept: "application/json"}});
        const answer = await response.json();
        response.ok ? showApp(element, answer) : say(answer.error);
        if (response.status === 401) {
            location.reload();
        }
    } catch {
        say("The hub cannot be reached.");
    } finally {
        button.removeAttribute("aria-busy");
    }
});
