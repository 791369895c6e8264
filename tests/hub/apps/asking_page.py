"""A page whose callbacks ask another app of the hub: by HTTP, over the live connection, in a stream, and as a remote
callback. Flash.
"""

import os
from urllib.parse import urljoin

import httpx

from flash import Flash, Input, Output, dcc, html, set_props
from flash.remote import Remote, api_callback

BACKEND = urljoin(os.environ["FLASH_HUB_URL"], os.environ["BACKEND_URL"])
KINDS = ("http", "live", "stream", "remote")

backend = httpx.AsyncClient(base_url=BACKEND, timeout=None)

app = Flash(__name__, title="Asking", update_title=None)
app.server.after_serving(backend.aclose)
app.layout = html.Div(
    [
        *(dcc.Input(id=kind, debounce=True) for kind in KINDS),
        *(html.P(id=f"{kind}-answer") for kind in KINDS),
        html.Button("Cancel", id="cancel"),
        html.Button("Quick", id="quick"),
        html.P(id="quick-answer"),
        html.P(id="arrived"),
        html.P(id="running"),
    ]
)


async def result_of(name):
    answer = await backend.post(f"work/{name}")
    return answer.json()["result"]


@app.callback(Output("http-answer", "children"), Input("http", "value"), prevent_initial_call=True)
async def by_http(name):
    result = await result_of(name)
    set_props("arrived", {"children": f"{name} by {os.getpid()}"})
    return result


@app.callback(Output("live-answer", "children"), Input("live", "value"), prevent_initial_call=True, websocket=True)
async def over_the_live_connection(name):
    result = await result_of(name)
    set_props("arrived", {"children": f"{name} by {os.getpid()}"})
    return result


@app.callback(
    Output("stream-answer", "children"),
    Input("stream", "value"),
    prevent_initial_call=True,
    cancel=Input("cancel", "n_clicks"),
    running=[(Output("running", "children"), "runs", "over")],
)
async def in_a_stream(name):
    yield f"asking for {name}"
    yield await result_of(name)


@api_callback(
    Remote(BACKEND) / "work",
    Output("remote-answer", "children"),
    inputs={"name": Input("remote", "value")},
    cancel=Input("cancel", "n_clicks"),
    running=[(Output("running", "children"), "runs", "over")],
    app=app,
)
async def on_the_backend(data, name):
    return data["result"]


@app.callback(Output("quick-answer", "children"), Input("quick", "n_clicks"), prevent_initial_call=True)
async def quick(clicks):
    return f"quick {clicks}"
