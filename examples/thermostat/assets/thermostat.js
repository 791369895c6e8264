// What everybody sees. A slider that shows anything else was moved by hand.
let known = null;

window.dash_clientside = window.dash_clientside || {};
window.dash_clientside.thermostat = {
  /** The server has a new value: show it. */
  show(target) {
    known = target;
    return target;
  },

  /** The slider has moved: tell the server, unless that is where the value came from. */
  turn(value) {
    if (value === known) {
      return window.dash_clientside.no_update;
    }
    known = value;
    return value;
  },
};
