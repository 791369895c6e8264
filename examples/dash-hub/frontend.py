"""The page of dash_hub's example, with two lines changed; and it finds its backend on a hub too."""

import os
from urllib.parse import urljoin

from dash import Input, Output, State, dcc, html

from flash import Flash
from flash.remote import InputReceiver, Receiver, api_callback

# A whole address, or a path on the hub that hosts this page.
BACKEND = urljoin(os.environ.get("FLASH_HUB_URL", ""), os.environ.get("BACKEND_URL", "http://127.0.0.1:8000/"))

app = Flash(__name__)
app.layout = html.Div(
    [
        dcc.Input(id="num_1", type="number"),
        dcc.Input(id="num_2", type="number"),
        html.Button("Send Data", id="button"),
        html.Div(id="response-output"),
        # Flash needs none, and its interval has no effect: the answer is pushed.
        Receiver(id="receiver", interval=1000, n_intervals=0),
    ]
)


@api_callback(
    f"{BACKEND}receive-data/",
    Output("response-output", "children"),
    InputReceiver("receiver"),
    Input("button", "n_clicks"),
    State("num_1", "value"),
    State("num_2", "value"),
)
def trigger_thread(data, n_clicks, num_1, num_2):
    # Note: `data` is supplied by the backend.
    return f"{num_1} * {num_2} = {data['num_3']}"


if __name__ == "__main__":
    app.run(debug=True, port=8081)
