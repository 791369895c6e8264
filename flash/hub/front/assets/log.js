// A log as it is written: it stays at its end until somebody scrolls up.
"use strict";

(() => {
    const MOST = 5000;
    const log = document.getElementById("log");
    const down = document.getElementById("down");
    const element = log.closest("[data-app]");
    const name = element.dataset.app;

    const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 24;
    const toEnd = () => {
        log.scrollTop = log.scrollHeight;
    };

    const lineOf = pieces => {
        const line = document.createElement("span");
        line.className = "line";
        for (const [text, style] of pieces) {
            const piece = document.createElement("span");
            piece.className = style;
            piece.textContent = text;
            line.append(piece);
        }
        line.append("\n");
        return line;
    };

    const add = lines => {
        const follows = atEnd();
        log.append(...lines.map(lineOf));
        while (log.childElementCount > MOST) {
            log.firstElementChild.remove();
        }
        document.getElementById("nothing").hidden = log.childElementCount > 0;
        follows && toEnd();
        down.hidden = follows;
    };

    log.addEventListener("scroll", () => {
        down.hidden = down.hidden || atEnd();
    });
    down.addEventListener("click", () => {
        toEnd();
        log.focus();
    });
    toEnd();

    // Each connect begins with the log's end, so nothing that was written meanwhile is missed.
    listen(() => `/_hub/apps/${name}/log/events`, {
        whole({lines}) {
            const follows = atEnd();
            const {scrollTop} = log;
            log.replaceChildren();
            add(lines);
            follows ? toEnd() : log.scrollTo(0, scrollTop);
        },
        lines({lines}) {
            add(lines);
        },
    });
    listen(() => `/_hub/events?app=${name}`, {
        apps({apps}) {
            apps.forEach(card => showApp(element, card));
        },
        app(card) {
            showApp(element, card);
        },
    });
})();
