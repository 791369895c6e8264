"""A page whose work another server does: progress, a button that stops it, typing ahead, and a queue."""

from __future__ import annotations

import os
from urllib.parse import urljoin

from flash import Flash, Input, Output, Patch, State, dcc, html
from flash.remote import Remote, RemoteError, api_callback

# A whole address, or a path on the hub that hosts this page.
numbers = Remote(
    urljoin(os.environ.get("FLASH_HUB_URL", ""), os.environ.get("BACKEND_URL", "http://127.0.0.1:8000")),
    timeout=120,
    idempotent=True,  # Counting twice does no harm: it may be sent again after a lost connection.
)

app = Flash(__name__, title="Remote", update_title=None)
app.layout = html.Main(
    [
        html.H1("Numbers, counted elsewhere"),
        html.H2("How many primes?"),
        html.Div(
            [
                dcc.Input(id="limit", type="number", value=400_000),
                html.Button("Count", id="count"),
                html.Button("Stop", id="stop", disabled=True),
            ]
        ),
        html.Progress(id="bar", max="100", value="0", **{"aria-labelledby": "step"}),
        html.P("Nothing counted yet", id="step"),
        html.P(id="primes", role="status"),
        html.H2("Which factors?"),
        html.P("Each key asks anew. What was asked before is given up."),
        html.Div(dcc.Input(id="number", type="number", value=360)),
        html.P(id="factors", role="status"),
        html.H2("One after the other"),
        html.P("Each click takes the number above. All are answered, in their order."),
        html.Div(html.Button("Keep it", id="keep")),
        html.Ol(id="kept", children=[]),
    ]
)


def explain(error: Exception) -> str:
    """What the page shows of an error. The log has more, with the same id."""
    if not isinstance(error, RemoteError):
        raise error
    if error.reason == "invalid":
        return "Please change it: " + "; ".join(f"{name}: {message}" for name, message in error.fields.items())
    return f"{error.summary} ({error.id})"


@api_callback(
    numbers / "primes",
    Output("primes", "children"),
    inputs=dict(limit=State("limit", "value"), click=Input("count", "n_clicks")),
    send=["limit"],
    progress=[Output("bar", "value"), Output("step", "children")],
    progress_default=["0", ""],
    running=[(Output("count", "disabled"), True, False), (Output("stop", "disabled"), False, True)],
    cancel=Input("stop", "n_clicks"),
    policy="ignore",
    on_error=explain,
)
async def show_primes(data, limit, click):
    return f"{data['found']:,} primes are smaller than {limit:,}."


@api_callback(
    numbers / "factors",
    Output("factors", "children"),
    inputs=dict(number=Input("number", "value")),
    policy="latest",
    on_error=explain,
    prevent_initial_call=False,
)
def show_factors(data, number):
    return f"{number} = {' × '.join(map(str, data['factors']))}"


@api_callback(
    numbers / "factors",
    Output("kept", "children"),
    inputs=dict(number=State("number", "value"), click=Input("keep", "n_clicks")),
    send=["number"],
    policy="queue",
    on_error=lambda error: added(explain(error)),
)
def keep(data, number, click):
    return added(f"{number} has {len(data['factors'])} prime factors.")


def added(text):
    kept = Patch()
    kept.append(html.Li(text))
    return kept


if __name__ == "__main__":
    app.run()
