"""Three things to wait for: one after the other in a plain callback, at once in an asynchronous one.

Click both buttons. The asynchronous callback answers first, although it is asked last: the plain one waits in a thread
and holds nothing up.
"""

from __future__ import annotations

import asyncio
import time

from flash import Flash, Input, Output, callback, html

WAITS = (1.0, 0.7, 0.5)

app = Flash(__name__, title="Gather")
app.layout = html.Main(
    [
        html.H1("Waiting for three things"),
        html.Button("One after the other", id="plain-start"),
        html.P(id="plain-result", role="status"),
        html.Button("All at once", id="async-start"),
        html.P(id="async-result", role="status"),
    ],
    style={"fontFamily": "system-ui", "maxWidth": "36rem", "margin": "3rem auto", "padding": "0 1rem"},
)


@callback(
    Output("plain-result", "children"),
    Input("plain-start", "n_clicks"),
    running=[(Output("plain-start", "disabled"), True, False)],
    prevent_initial_call=True,
)
def wait_in_turn(_: int) -> str:
    start = time.perf_counter()
    for seconds in WAITS:
        time.sleep(seconds)
    return f"{time.perf_counter() - start:.1f} seconds"


@callback(
    Output("async-result", "children"),
    Input("async-start", "n_clicks"),
    running=[(Output("async-start", "disabled"), True, False)],
    prevent_initial_call=True,
)
async def wait_at_once(_: int) -> str:
    start = time.perf_counter()
    await asyncio.gather(*(asyncio.sleep(seconds) for seconds in WAITS))
    return f"{time.perf_counter() - start:.1f} seconds"


if __name__ == "__main__":
    app.run()
