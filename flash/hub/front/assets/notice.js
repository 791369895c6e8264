// A page in an app's place: it follows what the app does, and gives way to it as soon as it runs.
"use strict";

(() => {
    const element = document.querySelector(".notice[data-app]");
    const name = element.dataset.app;
    const show = card => {
        const before = element.dataset.state;
        showApp(element, card);
        if (card.state !== before && card.state === "running") {
            location.reload();
        }
    };
    listen(() => `/_hub/events?app=${name}`, {
        apps({apps}) {
            apps.forEach(show);
        },
        app: show,
    });
})();
