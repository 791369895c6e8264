"""The page of dash_hub's example: two numbers that another server multiplies."""

from __future__ import annotations

import os
from urllib.parse import urljoin

import httpx

from flash import Flash, Input, Output, State, dcc, html

# A whole address, or a path on the hub that hosts this page.
BACKEND = urljoin(os.environ.get("FLASH_HUB_URL", ""), os.environ.get("BACKEND_URL", "http://127.0.0.1:8000/"))

backend = httpx.AsyncClient(base_url=BACKEND)
app = Flash(__name__, title="Two numbers", update_title=None)
app.server.after_serving(backend.aclose)
app.layout = html.Main(
    [
        html.H1("Two numbers"),
        dcc.Input(id="num_1", type="number", value=6),
        " × ",
        dcc.Input(id="num_2", type="number", value=7),
        html.P(html.Button("Send Data", id="button")),
        html.P(id="response-output", role="status"),
    ],
    style={"fontFamily": "system-ui", "maxWidth": "36rem", "margin": "3rem auto", "padding": "0 1rem"},
)


@app.callback(
    Output("response-output", "children"),
    Input("button", "n_clicks"),
    State("num_1", "value"),
    State("num_2", "value"),
    running=[(Output("button", "disabled"), True, False)],
    prevent_initial_call=True,
)
async def multiply(n_clicks, num_1, num_2):
    """Wait for the backend on the loop: no thread waits with it, and the page stays alive."""
    if num_1 is None or num_2 is None:
        return "It takes two numbers."
    try:
        answer = await backend.post("receive-data/", json={"button": n_clicks, "num_1": num_1, "num_2": num_2})
        answer.raise_for_status()
    except httpx.HTTPError:
        return f"The backend at {BACKEND} does not answer."
    return f"{num_1} * {num_2} = {answer.json()['num_3']}"


if __name__ == "__main__":
    app.run()
