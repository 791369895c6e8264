"""All notes, and a form for one more."""

from __future__ import annotations

from database import notes

from flash import Input, Output, State, callback, dcc, get_relative_path, html, no_update, register_page


async def title() -> str:
    return f"Notes ({await notes.count()})"


register_page(__name__, path="/", title=title)

BLOCK = {"display": "block", "width": "100%", "boxSizing": "border-box", "marginBottom": "0.5rem"}


async def layout() -> list:
    return [
        html.H1("Notes"),
        html.Label("Title", htmlFor="title"),
        dcc.Input(id="title", style=BLOCK, maxLength=100),
        html.Label("Text", htmlFor="body"),
        dcc.Textarea(id="body", style=BLOCK),
        html.Button("Save", id="save"),
        html.P(id="message", role="status"),
        html.Ul(await links(), id="notes"),
    ]


async def links() -> list[html.Li]:
    return [html.Li(dcc.Link(note.title, href=get_relative_path(f"/note/{note.number}"))) for note in await notes.all()]


@callback(
    Output("notes", "children"),
    Output("message", "children"),
    Output("title", "value"),
    Output("body", "value"),
    Input("save", "n_clicks"),
    Input("title", "n_submit"),
    State("title", "value"),
    State("body", "value"),
    prevent_initial_call=True,
)
async def save(_clicks: int | None, _submits: int | None, title: str | None, body: str | None):
    if not title or not title.strip():
        return no_update, "A note needs a title.", no_update, no_update
    await notes.add(title.strip(), body or "")
    return await links(), "Saved.", "", ""
