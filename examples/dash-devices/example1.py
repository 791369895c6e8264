"""Two sliders and two text fields. One of each is shared by all tabs, the other is every tab's own.

After example1 of dash_devices.
"""

from __future__ import annotations

from flash import Flash, Input, Output, dcc, html

app = Flash(__name__, title="Shared and regular", update_title=None)


def controls(kind: str) -> html.Section:
    """A slider and a text field, each with what its callback returns."""
    return html.Section(
        [
            html.H2(kind.capitalize()),
            html.P(["Slider", html.Output(id=f"{kind}-slider-output")]),
            dcc.Slider(0, 10, 1, value=5, id=f"{kind}-slider", updatemode="drag", allow_direct_input=False),
            html.P(["Text", html.Output(id=f"{kind}-input-output")]),
            dcc.Input(value="", id=f"{kind}-input", placeholder="Type here", autoComplete="off"),
        ]
    )


app.layout = html.Main(
    [
        html.H1("Shared and regular"),
        html.P("Open this page in a second window: what is shared moves there too, while you drag and as you type."),
        html.Div([controls("shared"), controls("regular")], className="side-by-side"),
    ]
)


@app.callback_shared(Output("shared-slider-output", "children"), Input("shared-slider", "value"))
def shared_slider(value):
    """Runs once for each change, whoever makes it, and everybody sees what it returns."""
    return value


@app.callback(Output("regular-slider-output", "children"), Input("regular-slider", "value"))
def regular_slider(value):
    return value


@app.callback_shared(Output("shared-input-output", "children"), Input("shared-input", "value"))
def shared_input(value):
    return value


@app.callback(Output("regular-input-output", "children"), Input("regular-input", "value"))
def regular_input(value):
    return value


if __name__ == "__main__":
    app.run()
