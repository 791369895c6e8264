"""The parts that the pages are made of."""

from __future__ import annotations

from typing import Any

import figures

from flash import dcc, html


def heading(title: str, lead: Any) -> html.Div:
    """The head of a page."""
    return html.Div([html.H1(title), html.P(lead, className="lead")], className="heading")


def card(*children: Any, title: str | None = None, note: str | None = None, className: str = "") -> html.Section:
    """A white sheet with an optional title and a note under it."""
    head = [html.H2(title)] if title else []
    if note:
        head.append(html.P(note, className="note"))
    return html.Section([*head, *children], className=f"card {className}".strip())


def graph(*, label: str, height: int = 360, **props: Any) -> html.Div:
    """A graph of a given height, with words for those who cannot see it."""
    # Without a figure Plotly would show axes until the callback's has come.
    props.setdefault("figure", figures.empty())
    component = dcc.Graph(config=figures.GRAPH_CONFIG, style={"height": "100%"}, **props)
    return html.Div(component, style={"height": f"{height}px"}, role="img", **{"aria-label": label})


def tile(label: str, value: str, detail: str, image: str | None = None) -> html.Div:
    """One number, what it is, and how it came about."""
    text = [html.Span(label, className="tile-label"), html.Strong(value), html.Span(detail, className="tile-detail")]
    picture = [html.Img(src=image, alt="")] if image else []
    return html.Div([html.Div(text), *picture], className="tile")


def field(label: str, control: Any, *, className: str = "") -> html.Div:
    """A control under its name."""
    return html.Div([html.Div(label, className="field-label"), control], className=f"field {className}".strip())
