"""A chat: every message reaches every open tab, and who comes late reads what was said before.

Open http://127.0.0.1:8050 in several tabs or browsers.
"""

from __future__ import annotations

import time
from collections import deque
from itertools import count

from flash import Flash, Input, Output, Patch, State, ctx, dcc, html, no_update

KEPT = 200
LONGEST = 1000

app = Flash(__name__, title="Chat", update_title=None)
history: deque[html.Li] = deque(maxlen=KEPT)
numbers = count(1)

app.layout = html.Main(
    [
        html.Header([html.H1("Chat"), html.Ul(id="people", **{"aria-label": "Who is here"})]),
        # The newest message stays in view: the box is turned over, and the list in it back again.
        html.Div(html.Ol(id="messages", role="log"), className="messages"),
        html.Div(
            [
                dcc.Input(id="name", placeholder="Your name", debounce=True, maxLength=20, persistence="name"),
                dcc.Input(id="text", placeholder="Message", maxLength=LONGEST, autoComplete="off", autoFocus=True),
                html.Button("Send", id="send"),
            ],
            className="write",
        ),
    ]
)


@app.callback_connect
async def welcome(client, connect):
    """Show a new tab what was said, and all tabs who is here."""
    if connect:
        client.number = next(numbers)
        client.name = f"Guest {client.number}"
    show_people()
    return {"messages": {"children": list(history)}} if connect else None


# Over the live connection, so that messages arrive in the order in which they were written, and once.
@app.callback(
    Output("text", "value"),
    Input("text", "n_submit"),
    Input("send", "n_clicks"),
    State("text", "value"),
    websocket=True,
    prevent_initial_call=True,
)
async def send(submits, clicks, text):
    if not (text or "").strip():
        return no_update
    said = message(ctx.client, text.strip()[:LONGEST])
    one_more = Patch()
    one_more.append(said)
    if len(history) == KEPT:
        del one_more[0]
    history.append(said)
    app.push_mods({"messages": {"children": one_more}})
    return ""


# At load too: the browser keeps the name.
@app.callback(Input("name", "value"), websocket=True)
async def rename(name):
    ctx.client.name = (name or "").strip()[:20] or f"Guest {ctx.client.number}"
    show_people()


def show_people() -> None:
    app.push_mods({"people": {"children": [html.Li(each.name, style=colour(each)) for each in app.clients]}})


def message(client, text: str) -> html.Li:
    said_at = time.strftime("%H:%M")
    return html.Li([html.B(client.name), html.Time(said_at), html.P(text)], style=colour(client))


def colour(client) -> dict:
    """Everybody has a colour: golden steps around the circle never meet."""
    return {"--hue": round(client.number * 137.5) % 360}


if __name__ == "__main__":
    app.run()
