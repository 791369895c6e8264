"use strict";

window.dash_clientside = window.dash_clientside || {};
window.dash_clientside.demo = {
  /** Marks the menu's link of the open page, for eyes and for screen readers, and starts a new page at its top. */
  mark_open_page(pathname) {
    for (const link of document.querySelectorAll(".menu-link")) {
      if (new URL(link.href).pathname === pathname) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    window.scrollTo(0, 0);
    return pathname;
  },

  /** Starts the clock or stops it. */
  play(_clicks, stopped) {
    return [!stopped, stopped ? "Pause" : "Play"];
  },

  /** The year after, or the first one after the last. */
  next_year(_ticks, year, min, max, step) {
    return year + step > max ? min : year + step;
  },
};
