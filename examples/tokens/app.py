"""A text that is written word by word, as language models do, with a count that keeps up and a button that stops it."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator

from flash import Flash, Input, Output, Patch, State, callback, dcc, html

# What the smallest of language models has read.
READ = """
the loop never waits for a thread and the thread never waits for the loop . a server that waits for nobody answers
everybody . nobody waits for a server that answers . the browser asks the server and the server asks the database . the
database sleeps while the loop turns . a callback that yields is never late . the thread sleeps and the browser dreams
of a database that answers . every tab dreams of the server that never sleeps . a loop that turns in the browser is
never late for a callback . nobody asks the thread what it dreams of . every callback turns into a tab while the
database waits for a browser .
""".split()
WORDS = 120
PAUSE = 0.05

FOLLOWERS = defaultdict(list)
for word, follower in zip(READ, READ[1:] + READ[:1], strict=True):
    FOLLOWERS[word].append(follower)

app = Flash(__name__, title="Tokens", update_title=None)
app.layout = html.Main(
    [
        html.H1("Word by word"),
        html.Div(
            [
                dcc.Input(id="first", value="every", placeholder="The first word", debounce=True, maxLength=30),
                html.Button("Write", id="write"),
                html.Button("Stop", id="stop", disabled=True),
            ]
        ),
        # It hides the text until the first item is there, and not while it grows.
        dcc.Loading(html.P(id="text", **{"aria-live": "off"}), type="dot"),
        html.P("0 words", id="count", role="status"),
    ]
)


@callback(
    Output("text", "children"),
    Input("write", "n_clicks"),
    State("first", "value"),
    running=[(Output("stop", "disabled"), False, True), (Output("text", "className"), "writing", "")],
    cancel=[Input("stop", "n_clicks"), Input("first", "value")],
    prevent_initial_call=True,
)
async def write(clicks, first):
    """The first item is a whole value, and those that follow add to it: only the new word travels."""
    yield []
    async for word in model((first or "").strip().lower()):
        more = Patch()
        more.append(word)
        yield more


@callback(Output("count", "children"), Input("text", "children"), prevent_initial_call=True)
async def count(words):
    """Listens to the text as to any other, and is called while it grows."""
    number = len([word for word in words or [] if word.strip(" .")])
    return "1 word" if number == 1 else f"{number} words"


async def model(word: str) -> AsyncIterator[str]:
    """Words of which each has been seen to follow the one before it. It thinks longest about the first."""
    await asyncio.sleep(10 * PAUSE)
    before = "."
    for written in range(WORDS):
        shown = word.capitalize() if before == "." else word
        yield shown if word == "." or not written else f" {shown}"
        before, word = word, random.choice(FOLLOWERS.get(word) or READ)
        await asyncio.sleep(random.uniform(0, 2 * PAUSE))


if __name__ == "__main__":
    app.run()
