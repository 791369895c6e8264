"""Engineering: what the page shows, computed from clean tables: measures, numbers and figures.

No function here knows a page or a schedule, so each can be tested with a table of a few rows.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

#: From which value on a measure is marked. It is also served to the page's visitors, as everything in ``assets``.
LIMITS = pd.read_csv(Path(__file__).parent / "assets" / "static_data" / "limits.csv", index_col="measure")

UNITS = {"Processors": "%", "Memory": "%", "Disk": "MB/s", "Network": "MB/s"}
COLORS = {"Processors": "#4c6ef5", "Memory": "#0ca678", "Disk": "#f08c00", "Network": "#ae3ec9"}
MARKED = "#e03131"
MEGABYTE = 1e6


def measures(history: pd.DataFrame) -> pd.DataFrame:
    """How busy the machine was between each two readings.

    Args:
        history: Counters, as ``reading.read_machine`` reads them, the oldest first.

    Returns:
        ``at``, and a column for each of ``UNITS``. One row fewer than there were readings, and another one fewer where
        a counter began anew: the machine was restarted.
    """
    steps = history[["busy", "total", "disk", "network"]].diff()
    seconds = history["at"].diff().dt.total_seconds()
    table = pd.DataFrame(
        {
            "at": history["at"],
            "Processors": 100 * steps["busy"] / steps["total"].where(steps["total"] > 0),
            "Memory": history["memory"],
            "Disk": steps["disk"] / seconds / MEGABYTE,
            "Network": steps["network"] / seconds / MEGABYTE,
        }
    )
    whole = (steps >= 0).all(axis=1) & (seconds > 0)
    return table[whole].fillna(0.0).reset_index(drop=True)


def latest(table: pd.DataFrame, minutes: int) -> pd.DataFrame:
    """The rows of the last minutes."""
    if table.empty:
        return table
    return table[table["at"] > table["at"].iloc[-1] - pd.Timedelta(minutes=minutes)]


def numbers(table: pd.DataFrame) -> list[tuple[str, str, str, bool]]:
    """Name, newest value and highest value of each measure, and whether the newest is beyond its limit."""
    found = []
    for name, unit in UNITS.items() if len(table) else ():
        now, highest = table[name].iloc[-1], table[name].max()
        marked = name in LIMITS.index and now >= LIMITS.at[name, "limit"]
        found.append((name, f"{now:.1f} {unit}", f"{highest:.1f} {unit}", bool(marked)))
    return found


def load_figure(table: pd.DataFrame) -> go.Figure:
    """All measures over time, percentages above and traffic below, with the limits of the former."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.6, 0.4])
    for name, unit in UNITS.items():
        line = go.Scatter(x=table["at"], y=table[name], name=name, mode="lines", line={"color": COLORS[name]})
        figure.add_trace(line, row=1 if unit == "%" else 2, col=1)
    for name, limit in LIMITS["limit"].items():
        figure.add_hline(limit, line={"color": COLORS[name], "dash": "dot", "width": 1}, row=1, col=1)
    figure.update_yaxes(title="%", range=[0, 103], row=1, col=1)
    figure.update_yaxes(title="MB/s", rangemode="tozero", row=2, col=1)
    # What was zoomed and switched off stays so when the figure is drawn anew.
    return styled(figure).update_layout(uirevision="load", hovermode="x unified")


def disks_figure(disks: pd.DataFrame) -> go.Figure:
    """How full each disk is, as bars."""
    figure = go.Figure(
        [
            go.Bar(y=disks["disk"], x=disks["used"], name="used", orientation="h", marker_color=COLORS["Processors"]),
            go.Bar(y=disks["disk"], x=disks["free"], name="free", orientation="h", marker_color="#dee2e6"),
        ]
    )
    return styled(figure).update_layout(
        barmode="stack", xaxis_title="GB", legend_traceorder="normal", uirevision="disks"
    )


def styled(figure: go.Figure) -> go.Figure:
    """A figure in the dashboard's looks."""
    margin = {"l": 56, "r": 8, "t": 8, "b": 40}
    legend = {"orientation": "h", "y": 1.02, "yanchor": "bottom"}
    return figure.update_layout(template="plotly_white", margin=margin, legend=legend)
