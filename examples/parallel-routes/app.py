"""Three page containers in one layout: each is filled by pages of its own."""

from __future__ import annotations

from flash import Flash, PageContainer, dcc, get_relative_path, html, page_container

app = Flash(__name__, title="Shop", use_pages=True)

LINKS = {"Overview": "/", "Orders": "/orders", "Stock": "/stock"}

app.layout = html.Div(
    [
        html.Nav(
            [dcc.Link(name, href=get_relative_path(path), id=f"to-{name.lower()}") for name, path in LINKS.items()]
        ),
        html.Div(
            [
                html.Main(page_container),
                PageContainer("panel", className="panel", id="panel"),
                PageContainer("news", loading="Loading news ...", className="news", id="news"),
            ],
            className="places",
        ),
    ]
)

if __name__ == "__main__":
    app.run()
