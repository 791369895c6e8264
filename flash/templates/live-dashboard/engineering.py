"""Engineering: what the page shows, computed from clean tables: measures, numbers and figures.

No function here knows a page or a schedule, so each can be tested with a table of a few rows. Figures are dictionaries,
as ``dcc.Graph`` takes them, and made within a millisecond; Plotly's own figures can be returned as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

#: From which value on a measure is marked. It is also served to the page's visitors, as everything in ``assets``.
LIMITS = pd.read_csv(Path(__file__).parent / "assets" / "static_data" / "limits.csv", index_col="measure")

UNITS = {"Processors": "%", "Memory": "%", "Disk": "MB/s", "Network": "MB/s"}
COLORS = {"Processors": "#4c6ef5", "Memory": "#0ca678", "Disk": "#f08c00", "Network": "#ae3ec9"}
MARKED = "#e03131"
GRID = "#dee2e6"

#: The layout that all figures begin with.
STYLE = {
    "margin": {"l": 56, "r": 8, "t": 8, "b": 40},
    "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
    "plot_bgcolor": "white",
}
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


def load_figure(table: pd.DataFrame) -> dict[str, Any]:
    """All measures over time, percentages above and traffic below, with the limits of the former."""
    at = [moment.isoformat() for moment in table["at"]]
    lines = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": at,
            "y": table[name].round(2).tolist(),
            "yaxis": "y" if unit == "%" else "y2",
            "line": {"color": COLORS[name]},
        }
        for name, unit in UNITS.items()
    ]
    layout = {
        "yaxis": {"title": {"text": "%"}, "range": [0, 103], "domain": [0.44, 1], "gridcolor": GRID},
        "yaxis2": {"title": {"text": "MB/s"}, "rangemode": "tozero", "domain": [0, 0.38], "gridcolor": GRID},
        "xaxis": {"anchor": "y2", "gridcolor": GRID},
        "shapes": [limit_line(name, limit) for name, limit in LIMITS["limit"].items()],
        "hovermode": "x unified",
        # What was zoomed and switched off stays so when the figure is drawn anew.
        "uirevision": "load",
    }
    return {"data": lines, "layout": STYLE | layout}


def limit_line(name: str, limit: float) -> dict[str, Any]:
    """A dotted line across the percentages."""
    ends = {"xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": limit, "y1": limit}
    return {"type": "line", **ends, "line": {"color": COLORS[name], "dash": "dot", "width": 1}}


def disks_figure(disks: pd.DataFrame) -> dict[str, Any]:
    """How full each disk is, as bars."""
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": disks["disk"].tolist(),
            "x": disks[name].round(1).tolist(),
            "marker": {"color": color},
        }
        for name, color in {"used": COLORS["Processors"], "free": GRID}.items()
    ]
    layout = {
        "barmode": "stack",
        "xaxis": {"title": {"text": "GB"}, "gridcolor": GRID},
        "yaxis": {"automargin": True},
        "uirevision": "disks",
    }
    return {"data": bars, "layout": STYLE | layout}
