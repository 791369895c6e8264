"""One note. Its title comes from the database too."""

from __future__ import annotations

from database import notes

from flash import html, register_page


async def title(number: str = "") -> str:
    note = await notes.find(number)
    return note.title if note else "No such note"


register_page(__name__, path_template="/note/<number>", title=title)


async def layout(number: str = "", **_: str) -> list:
    note = await notes.find(number)
    if note is None:
        return [html.H1("No such note"), html.P("It may have been removed.")]
    return [
        html.H1(note.title),
        html.P(note.body, id="body-of-note", style={"whiteSpace": "pre-wrap"}),
        html.P(html.Small(f"Written {note.written} UTC")),
    ]
