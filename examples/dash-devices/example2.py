"""A thermostat for all tabs. Whoever turns it turns it for everybody; its driver pushes what it measures from a thread.

After example2 of dash_devices.
"""

from __future__ import annotations

from thermostat import Thermostat, cycle, figure, panel

from flash import Flash, Input, Output, dcc

app = Flash(__name__, title="Thermostat", update_title=None)


def push(temperatures: list[float], count: int) -> None:
    """What is pushed to the input of a shared callback runs it: once, whatever the number of tabs."""
    app.push_mods({"readings": {"data": {"temperatures": temperatures, "count": count}}})


thermostat = Thermostat(push)
app.layout = [panel([70.0] * 20, 0), dcc.Store(id="readings")]


@app.callback_shared(Output("target", "children"), Input("slider", "value"))
def turn(degrees):
    thermostat.target = degrees
    return f"{degrees} °F"


@app.callback_shared(
    Output("graph", "figure"), Output("progress", "value"), Input("readings", "data"), prevent_initial_call=True
)
def show(readings):
    """Its outputs are shared: a tab that opens later finds them in its layout."""
    return figure(readings["temperatures"]), cycle(readings["count"])


@app.callback_connect
async def first_or_last(client, connect):
    if not app.clients:
        thermostat.switch_off()
    elif connect:
        thermostat.switch_on()


if __name__ == "__main__":
    app.run()
