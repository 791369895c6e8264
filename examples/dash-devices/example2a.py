"""The thermostat of example 2, whose text is made in each browser, and whose readings are pushed without a callback.

After example2a of dash_devices.
"""

from __future__ import annotations

from thermostat import Thermostat, cycle, figure, panel

from flash import Flash, Input, Output, html

app = Flash(__name__, title="Thermostat", update_title=None)


def push(temperatures: list[float], count: int) -> None:
    app.push_mods({"graph": {"figure": figure(temperatures)}, "progress": {"value": cycle(count)}})


thermostat = Thermostat(push)


def layout() -> html.Main:
    """Called for each page: what was pushed to others is not shared, so a new page begins with what there is."""
    return panel(list(thermostat.temperatures), thermostat.count)


app.layout = layout


@app.callback_shared(None, Input("slider", "value"))
def turn(degrees):
    thermostat.target = degrees


# It runs in every browser whose slider moves, by hand or because another tab has moved it, and asks no server.
app.clientside_callback("(degrees) => `${degrees} °F`", Output("target", "children"), Input("slider", "value"))


@app.callback_connect
async def first_or_last(client, connect):
    if not app.clients:
        thermostat.switch_off()
    elif connect:
        thermostat.switch_on()


if __name__ == "__main__":
    app.run()
