"""Where the data come from: three sources in a chain. Each runs once for all tabs and all processes."""

from __future__ import annotations

import pandas as pd
import plotly.data

from flash.data import source

WORLD = "World"


@source(every="5s", keep=3, max_stale="30s")
def surveys() -> pd.DataFrame:
    """Reading: Gapminder's surveys, as they come with Plotly. Each reading finds one more, as in a table that grows.

    After the last one it begins anew. What it found before, it knows from its own last snapshot.
    """
    table = plotly.data.gapminder()
    years = sorted(table["year"].unique())
    known = surveys.get()
    last = known.value["year"].max() if known else years[-1]
    found = years[: (years.index(last) + 1) % len(years) + 1]
    return table[table["year"].isin(found)]


@source(after=surveys)
def countries(surveys: pd.DataFrame) -> pd.DataFrame:
    """Preprocessing: the columns that are shown, under names that say what is in them."""
    names = {
        "continent": "region",
        "country": "country",
        "year": "year",
        "pop": "population",
        "lifeExp": "life",
        "gdpPercap": "income",
    }
    return surveys[list(names)].rename(columns=names).reset_index(drop=True)


@source(after=countries)
def regions(countries: pd.DataFrame) -> pd.DataFrame:
    """Engineering: each region and the world by year. A large country counts more than a small one."""
    lived = countries.assign(
        life=countries["life"] * countries["population"], income=countries["income"] * countries["population"]
    )
    sums = pd.concat([lived, lived.assign(region=WORLD)]).groupby(["region", "year"], as_index=False)
    table = sums[["population", "life", "income"]].sum()
    return table.assign(life=table["life"] / table["population"], income=table["income"] / table["population"])
