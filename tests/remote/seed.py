"""The example of dash_hub, word for word: its page and its backend."""

PAGE = """\
import dash
from dash import Input, Output, State, dcc, html

from dash_hub.connect_api import Receiver, api_callback, InputReceiver

app = dash.Dash(__name__)
app.layout = html.Div(
    [
        dcc.Input(id="num_1", type="number"),
        dcc.Input(id="num_2", type="number"),
        html.Button("Send Data", id="button"),
        html.Div(id="response-output"),
        # This receiver will check if the callback has finished executing every 'interval' ms.
        Receiver(id="receiver", interval=1000, n_intervals=0),
    ]
)

@api_callback(
    "http://127.0.0.1:8000/receive-data/",
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
    app.run_server(debug=True, port=8081)
"""

BACKEND = """\
from fastapi import FastAPI
from pydantic import BaseModel
app = FastAPI()

class DataModel(BaseModel):
    button : int
    num_1: float
    num_2: float

class ResponseModel(BaseModel):
    num_3: float

@app.post("/receive-data/", response_model=ResponseModel)
async def receive_data(data: DataModel):
    return {"num_3" : data.num_1 * data.num_2}

if __name__ == "__main__":
    import uvicorn
    uvicorn.run(app, host="127.0.0.1", port=8000)
"""

#: What is changed of the page: two imports and what they are called by; and Dash's old name of ``run``.
CHANGES = {
    "import dash\n": "from flash import Flash\n",
    "dash.Dash(": "Flash(",
    "from dash_hub.connect_api import": "from flash.remote import",
    "app.run_server(": "app.run(",
}


def changed_page(backend: str = "http://127.0.0.1:8000", port: int = 8081) -> str:
    """The page with these changes, and the addresses of a test.

    Args:
        backend: Where the backend is served.
        port: Of the page.
    """
    page = PAGE
    for before, after in CHANGES.items():
        assert page.count(before) == 1
        page = page.replace(before, after)
    return page.replace("http://127.0.0.1:8000", backend).replace("port=8081", f"port={port}")
