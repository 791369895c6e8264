"""Reading, preprocessing and engineering: each for itself, on a few rows."""

from __future__ import annotations

import pandas as pd
import pytest
from flash.data import SourceError

import engineering
import preprocess
import reading


def test_the_machine_is_read_in_one_row():
    first, second = reading.read_machine(), reading.read_machine()
    assert list(first) == ["at", "busy", "total", "memory", "disk", "network"]
    assert len(first) == 1 and 0 < first["memory"][0] <= 100
    assert (second["total"] >= first["total"]).all() and (second["at"] > first["at"]).all()


def test_disks_are_read_and_nothing_of_no_disk(monkeypatch):
    disks = reading.read_disks()
    assert (disks["used"] + disks["free"] > 0).any()

    def refuse(mount):
        raise PermissionError(mount)

    monkeypatch.setattr("psutil.disk_usage", refuse)
    with pytest.raises(SourceError, match="No disk"):
        reading.read_disks()


def test_the_history_grows_and_forgets(history):
    first, rest = history[:1], history[1:]
    assert preprocess.with_new(None, first).equals(first)
    grown = preprocess.with_new(preprocess.with_new(None, rest), first)
    assert grown.equals(history)
    assert preprocess.with_new(grown, rest).equals(history)
    late = history[:1].assign(at=history["at"][3] + preprocess.KEPT)
    assert list(preprocess.with_new(grown, late)["at"]) == [late["at"][0]]


def test_disks_come_in_gigabytes_and_once():
    read = pd.DataFrame({"disk": ["/", "/again", "/none"], "used": [5e9, 5e9, 0], "free": [1e9, 1e9, 0]})
    assert preprocess.gigabytes(read).to_dict("records") == [{"disk": "/", "used": 5.0, "free": 1.0}]


def test_measures_are_what_happened_between_two_readings(history):
    table = engineering.measures(history)
    assert list(table["at"]) == list(history["at"][1:])
    assert list(table["Processors"]) == [50.0, 100.0, 50.0]
    assert list(table["Memory"]) == [41.0, 42.0, 43.0]
    assert list(table["Disk"]) == [1.0, 0.0, 2.0]
    assert list(table["Network"]) == [0.0, 0.1, 0.0]


def test_a_restart_of_the_machine_is_left_out(history):
    history.loc[2:, ["busy", "total"]] -= 1000
    assert list(engineering.measures(history)["Processors"]) == [50.0, 50.0]


def test_numbers_mark_what_is_beyond_its_limit(history):
    table = engineering.measures(history)
    assert engineering.numbers(table)[0] == ("Processors", "50.0 %", "100.0 %", False)
    assert engineering.numbers(table[:2])[0] == ("Processors", "100.0 %", "100.0 %", True)
    assert engineering.numbers(engineering.measures(history[:1])) == []


def test_figures_show_the_chosen_time(history):
    table = engineering.measures(history)
    latest = engineering.latest(table, 5)
    assert latest.equals(table)
    late = pd.concat([table, table[:1].assign(at=table["at"].iloc[-1] + pd.Timedelta("6min"))], ignore_index=True)
    assert len(engineering.latest(late, 5)) == 1
    figure = engineering.load_figure(table)
    assert [line["name"] for line in figure["data"]] == list(engineering.UNITS)
    assert figure["data"][0]["y"] == [50.0, 100.0, 50.0]
    assert [line["y0"] for line in figure["layout"]["shapes"]] == list(engineering.LIMITS["limit"])
    assert engineering.load_figure(engineering.latest(table[:0], 5))["data"][0]["y"] == []


def test_the_disks_figure_stacks_used_and_free():
    figure = engineering.disks_figure(pd.DataFrame({"disk": ["/"], "used": [5.0], "free": [1.0]}))
    assert [(bar["name"], bar["x"]) for bar in figure["data"]] == [("used", [5.0]), ("free", [1.0])]
