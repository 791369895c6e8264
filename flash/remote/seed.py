"""What dash_hub's pages name besides ``api_callback``: a receiver in the layout, and its place among the arguments."""

from __future__ import annotations

from dataclasses import dataclass

from dash import dcc


def Receiver(id: str, interval: float = 1000, n_intervals: int = 0) -> dcc.Store:
    """The component that dash_hub needs to ask for answers. Here they are pushed, and it does nothing.

    Args:
        id: What :class:`InputReceiver` names.
        interval: Accepted, and without effect: nothing is asked for at an interval.
        n_intervals: The same.

    Example:
        >>> app.layout = html.Div([html.Div(id="out"), Receiver(id="receiver", interval=1000)])
    """
    return dcc.Store(id=id)


@dataclass(frozen=True, slots=True)
class InputReceiver:
    """The place of the backend's answer among the arguments of a remote callback's function.

    Attributes:
        component_id: The id of the :func:`Receiver`.

    Example:
        >>> @api_callback(url, Output("out", "children"), InputReceiver("receiver"), Input("go", "n_clicks"))
        ... def show(data, clicks):
        ...     return data["answer"]
    """

    component_id: str
