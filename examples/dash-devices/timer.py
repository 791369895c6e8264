"""How long a callback takes, there and back, as the browser sees it: over HTTP and over the live connection.

After timer of dash_devices. benchmarks/seed.py of Flash measures the same without a hand, and compares servers.
"""

from __future__ import annotations

from flash import Flash, Input, Output, Service, State, dcc, html

ASK = "(value) => ({value, at: performance.now()})"
# The first answer comes while the page is still being built: it is not counted.
SHOW = """({value, at}, times) => {
    const all = times ? [...times, performance.now() - at] : [];
    const mean = all.reduce((sum, time) => sum + time, 0) / all.length;
    return [
        value,
        all.length ? `${all.at(-1).toFixed(1)} ms` : "–",
        all.length ? `${mean.toFixed(1)} ms on average, ${all.length} times` : "Move the slider.",
        all,
    ];
}"""

app = Flash(__name__, title="Round trip", update_title=None)


def stopwatch(transport: str, title: str) -> html.Section:
    """A slider whose value goes to the server and back, and the time that this takes."""
    app.clientside_callback(ASK, Output(f"{transport}-asked", "data"), Input(f"{transport}-slider", "value"))
    app.callback(
        Output(f"{transport}-answer", "data"),
        Input(f"{transport}-asked", "data"),
        service=Service(transport=transport),
        prevent_initial_call=True,
    )(echo)
    app.clientside_callback(
        SHOW,
        Output(f"{transport}-echo", "children"),
        Output(f"{transport}-time", "children"),
        Output(f"{transport}-mean", "children"),
        Output(f"{transport}-times", "data"),
        Input(f"{transport}-answer", "data"),
        State(f"{transport}-times", "data"),
        prevent_initial_call=True,
    )
    return html.Section(
        [
            html.H2(title),
            html.Output(id=f"{transport}-time", className="large"),
            html.P(["Slider", html.Output(id=f"{transport}-echo")]),
            dcc.Slider(0, 100, 1, value=5, id=f"{transport}-slider", marks=None, allow_direct_input=False),
            html.Small(id=f"{transport}-mean"),
            *(dcc.Store(id=f"{transport}-{name}") for name in ("asked", "answer", "times")),
        ]
    )


async def echo(asked):
    return asked


app.layout = html.Main(
    [
        html.H1("Round trip"),
        html.P("From the change of a slider to the answer of its callback."),
        html.Div([stopwatch("http", "HTTP"), stopwatch("live", "Live")], className="side-by-side"),
    ]
)

if __name__ == "__main__":
    app.run()
