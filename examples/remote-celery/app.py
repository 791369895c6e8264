"""A page whose work is done by Celery: a task is called by its name, shows how far it is, and can be stopped."""

from __future__ import annotations

import os

from celery import Celery

from flash import Flash, Input, Output, State, dcc, html
from flash.remote import Remote, api_callback

REDIS = os.environ.get("REDIS_URL", "redis://localhost:6379/0")

# No tasks here: the workers have them.
jobs = Remote.celery(Celery("dashboard", broker=REDIS, backend=REDIS), timeout=120)

app = Flash(__name__, title="Primes", update_title=None)
app.layout = html.Main(
    [
        html.H1("Counting primes"),
        html.P("A Celery worker counts. The page stays usable, and closing it ends the work."),
        html.Div(
            [
                html.Label(
                    ["Below", dcc.Input(id="below", type="number", value=400_000_000, min=2, max=1_000_000_000)]
                ),
                html.Button("Count", id="start"),
                html.Button("Stop", id="stop", disabled=True),
            ]
        ),
        html.Progress(id="bar", max="100", value="0", **{"aria-labelledby": "title"}),
        html.P(id="title", role="status"),
        html.P(id="answer"),
    ]
)


@api_callback(
    jobs / "primes.count",
    Output("answer", "children"),
    inputs={"below": State("below", "value"), "click": Input("start", "n_clicks")},
    send=["below"],
    progress=[Output("bar", "value"), Output("title", "children")],
    progress_default=["0", ""],
    running=[(Output("start", "disabled"), True, False), (Output("stop", "disabled"), False, True)],
    cancel=Input("stop", "n_clicks"),
    on_error=lambda error: getattr(error, "summary", "That did not work."),
)
def show(data, below, click):
    """Called with what the task has returned."""
    return f"There are {data['primes']:,} primes below {data['below']:,}."


if __name__ == "__main__":
    app.run()
