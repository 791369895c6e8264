"""Example 1 with shared callbacks that return nothing: they are there for what they do, here for what they print.

After example1a of dash_devices.
"""

from __future__ import annotations

from flash import Flash, Input, Output, dcc, html

app = Flash(__name__, title="Without output", update_title=None)


def controls(kind: str, title: str, *, answers: bool) -> html.Section:
    """A slider and a text field, each with what its callback returns, if it returns anything."""
    return html.Section(
        [
            html.H2(title),
            html.P(["Slider", html.Output(id=f"{kind}-slider-output") if answers else None]),
            dcc.Slider(0, 10, 1, value=5, id=f"{kind}-slider", updatemode="drag", allow_direct_input=False),
            html.P(["Text", html.Output(id=f"{kind}-input-output") if answers else None]),
            dcc.Input(value="", id=f"{kind}-input", placeholder="Type here", autoComplete="off"),
        ]
    )


app.layout = html.Main(
    [
        html.H1("Without output"),
        html.P("What is shared without an output moves in every window too. Its callback prints where the app runs."),
        html.Div(
            [
                controls("silent", "Shared, no output", answers=False),
                controls("shared", "Shared", answers=True),
                controls("regular", "Regular", answers=True),
            ],
            className="side-by-side",
        ),
    ]
)


# With None as its output a callback runs when somebody changes something, and never before.
@app.callback_shared(None, Input("silent-slider", "value"))
def silent_slider(value):
    print("Slider:", value, flush=True)


@app.callback_shared(None, Input("silent-input", "value"))
def silent_input(value):
    print("Text:", value, flush=True)


@app.callback_shared(Output("shared-slider-output", "children"), Input("shared-slider", "value"))
def shared_slider(value):
    return value


@app.callback_shared(Output("shared-input-output", "children"), Input("shared-input", "value"))
def shared_input(value):
    return value


@app.callback(Output("regular-slider-output", "children"), Input("regular-slider", "value"))
def regular_slider(value):
    return value


@app.callback(Output("regular-input-output", "children"), Input("regular-input", "value"))
def regular_input(value):
    return value


if __name__ == "__main__":
    app.run()
