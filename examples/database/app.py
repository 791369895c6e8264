"""Asynchronous pages over a database, which is opened when the server starts and closed when it ends."""

from __future__ import annotations

from database import notes

from flash import Flash, dcc, get_relative_path, html, page_container

app = Flash(__name__, use_pages=True, title="Notes")
app.server.before_serving(notes.open)
app.server.after_serving(notes.close)
app.layout = html.Main(
    [html.P(dcc.Link("Notes", href=get_relative_path("/"))), page_container],
    style={"fontFamily": "system-ui", "maxWidth": "36rem", "margin": "3rem auto", "padding": "0 1rem"},
)

if __name__ == "__main__":
    app.run()
