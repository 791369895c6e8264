"""The data, and the questions the pages ask it.

Everything here is plain Python and blocks while it works. Plain callbacks call it as it is, since Flash runs them in
threads; asynchronous ones hand it to a thread themselves.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import pandas as pd
import plotly.express as px

COMPANIES = {
    "AAPL": "Apple",
    "AMZN": "Amazon",
    "FB": "Facebook",
    "GOOG": "Google",
    "MSFT": "Microsoft",
    "NFLX": "Netflix",
}


@cache
def world() -> pd.DataFrame:
    """Population, life expectancy and income of 142 countries, every five years from 1952 to 2007."""
    frame = px.data.gapminder()
    # The data set gives both Koreas one code.
    frame.loc[frame["country"] == "Korea, Dem. Rep.", "iso_alpha"] = "PRK"
    return frame


@cache
def prices() -> pd.DataFrame:
    """Weekly prices of six companies in 2018 and 2019, one column each; the first week is 1."""
    frame = px.data.stocks()
    return frame.assign(date=pd.to_datetime(frame["date"])).set_index("date")


@cache
def years() -> list[int]:
    return sorted(int(year) for year in world()["year"].unique())


class Country(NamedTuple):
    """A country and the rows of the years."""

    code: str
    name: str
    continent: str
    rows: pd.DataFrame


@cache
def countries() -> dict[str, str]:
    """The name of each country by its ISO code, in the order of the names."""
    pairs = world()[["iso_alpha", "country"]].drop_duplicates().sort_values("country")
    return dict(pairs.itertuples(index=False, name=None))


def country(code: str) -> Country | None:
    """A country by its ISO code; None when there is none of that code."""
    rows = world()[world()["iso_alpha"] == code.upper()]
    if rows.empty:
        return None
    first = rows.iloc[0]
    return Country(code.upper(), first["country"], first["continent"], rows)


@cache
def by_year(measure: str) -> pd.Series:
    """A measure of the whole world for each year: a sum for ``pop``, else a mean weighted by population."""
    frame = world()
    if measure == "pop":
        return frame.groupby("year")["pop"].sum()
    weighted = (frame[measure] * frame["pop"]).groupby(frame["year"]).sum()
    return weighted / by_year("pop")


@cache
def by_continent(measure: str) -> pd.DataFrame:
    """A measure for each year and continent: a sum for ``pop``, else a mean weighted by population."""
    frame = world()
    keys = [frame["year"], frame["continent"]]
    people = frame["pop"].groupby(keys).sum().unstack()
    if measure == "pop":
        return people
    return (frame[measure] * frame["pop"]).groupby(keys).sum().unstack() / people


@cache
def gains() -> pd.DataFrame:
    """The years of life that each country has gained from 1952 to 2007, most first."""
    frame = world().pivot(index=["iso_alpha", "country", "continent"], columns="year", values="lifeExp").reset_index()
    frame["gain"] = frame[years()[-1]] - frame[years()[0]]
    return frame.sort_values("gain", ascending=False)


def indexed(companies: list[str], first: int, last: int) -> pd.DataFrame:
    """Prices of a range of weeks, with its first week at 100."""
    window = prices()[companies].iloc[first : last + 1]
    return window / window.iloc[0] * 100


def correlations(companies: list[str], first: int, last: int) -> pd.DataFrame:
    """How far the weekly changes of each pair of companies go together, from -1 to 1."""
    return prices()[companies].iloc[first : last + 1].pct_change().corr()


def deepest_falls(companies: list[str], first: int, last: int) -> pd.Series:
    """The largest fall of each company from a peak, as a share of the peak."""
    window = prices()[companies].iloc[first : last + 1]
    return (window / window.cummax() - 1).min()
