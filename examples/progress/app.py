"""A long job that reports how far it is: a callback that yields, a button that stops it, buttons that follow it."""

from __future__ import annotations

import asyncio
import random

from flash import Flash, Input, Output, callback, html

BOOKS = [
    "The Time Machine",
    "Frankenstein",
    "Middlemarch",
    "Dracula",
    "Emma",
    "Moby-Dick",
    "Kim",
    "Walden",
    "Persuasion",
    "The Moonstone",
    "Silas Marner",
    "Treasure Island",
]
LOOKS = 10

app = Flash(__name__, title="Progress", update_title=None)
app.layout = html.Main(
    [
        html.H1("Counting words"),
        html.P("Each tab has a job of its own: start it in two tabs at once."),
        html.Div([html.Button("Start", id="start"), html.Button("Stop", id="stop", disabled=True)]),
        html.Progress(id="bar", max="100", value="0", **{"aria-labelledby": "title"}),
        html.P("Nothing read yet", id="title", role="status"),
        html.Ol(id="found"),
    ]
)


@callback(
    Output("bar", "value"),
    Output("title", "children"),
    Output("found", "children"),
    Input("start", "n_clicks"),
    running=[
        (Output("start", "disabled"), True, False),
        (Output("stop", "disabled"), False, True),
        (Output("bar", "className"), "running", ""),
    ],
    cancel=Input("stop", "n_clicks"),
    prevent_initial_call=True,
)
async def count_words(clicks):
    """Each ``yield`` is what a ``return`` would be: one value for each output."""
    found: list[html.Li] = []
    try:
        for number, title in enumerate(BOOKS):
            words = 0
            for part in range(LOOKS):
                yield percent(number + part / LOOKS), f"{number + 1} of {len(BOOKS)}: {title}", found
                words += await count_part()
            found = [*found, html.Li([title, html.B(f"{words:,} words")])]
        yield percent(len(BOOKS)), "All books read", found
    finally:
        # Here too when the button stops it, and when its tab is closed.
        print(f"Read {len(found)} of {len(BOOKS)} books.", flush=True)


async def count_part() -> int:
    """A tenth of a book; here time passes and chance counts."""
    await asyncio.sleep(random.uniform(0.02, 0.1))
    return random.randint(4_000, 25_000)


def percent(books: float) -> str:
    return f"{100 * books / len(BOOKS):.1f}"


if __name__ == "__main__":
    app.run()
