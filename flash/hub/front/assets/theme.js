// Light or dark: as the system has it, until the visitor chooses otherwise. Runs before anything is painted.
"use strict";

(() => {
    const KEY = "flash-hub-theme";
    const root = document.documentElement;
    const system = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

    const read = () => {
        try {
            return localStorage.getItem(KEY);
        } catch {
            return null; // Storage may be forbidden.
        }
    };

    const write = theme => {
        try {
            theme === null ? localStorage.removeItem(KEY) : localStorage.setItem(KEY, theme);
        } catch {
            // Then it holds for this page.
        }
    };

    const apply = theme => {
        if (theme === "light" || theme === "dark") {
            root.dataset.theme = theme;
        } else {
            delete root.dataset.theme;
        }
    };

    apply(read());
    addEventListener("storage", ({key, newValue}) => key === KEY && apply(newValue));
    addEventListener("DOMContentLoaded", () => {
        const button = document.getElementById("theme");
        button.hidden = false;
        button.addEventListener("click", () => {
            const wanted = (root.dataset.theme || system()) === "dark" ? "light" : "dark";
            // What the system says anyway is not kept, so that the page follows it again.
            const theme = wanted === system() ? null : wanted;
            write(theme);
            apply(theme);
        });
    });
})();
