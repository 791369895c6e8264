"""The dashboard, as browsers ask for it, while its sources run."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from flash import data
from flash.data import SourceError

import engineering
import reading
import schedule
from app import create_app

OUTPUTS = [
    {"id": "load", "property": "figure"},
    {"id": "numbers", "property": "children"},
    {"id": "loading", "property": "display"},
    {"id": "disks", "property": "figure"},
    {"id": "machine-badge", "property": "children"},
    {"id": "disks-badge", "property": "children"},
    {"id": "shown", "property": "data"},
]


@pytest.fixture
def client(users):
    """A browser's place before the dashboard."""
    return create_app(users).server.test_client()


@pytest.fixture
def running():
    """The sources run, and have been read for the first time."""
    data.start()
    until(lambda: schedule.load.version and schedule.disk_table.version)
    yield
    data.stop()


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def poll(client, headers, shown, minutes=5):
    """What a page asks every two seconds. None: there is nothing new."""
    body = {
        "output": f"..{'...'.join('{id}.{property}'.format(**each) for each in OUTPUTS)}..",
        "outputs": OUTPUTS,
        "inputs": [
            {"id": "tick", "property": "n_intervals", "value": 1},
            {"id": "minutes", "property": "value", "value": minutes},
        ],
        "state": [{"id": "shown", "property": "data", "value": shown}],
        "changedPropIds": ["tick.n_intervals"],
    }
    answer = client.post("/_dash-update-component", json=body, headers=headers)
    assert answer.status_code in (200, 204), answer.text
    return answer.json["response"] if answer.status_code == 200 else None


def test_who_has_not_signed_in_gets_nothing(client, signed_in):
    for path in ("/", "/_dash-layout", "/_dash-dependencies", "/assets/style.css", "/assets/static_data/limits.csv"):
        assert client.get(path).status_code == 401, path
        assert client.get(path, headers=signed_in).status_code == 200, path
    assert client.post("/_dash-update-component", json={}).status_code == 401


def test_before_the_first_reading_the_screen_stays(client, signed_in, monkeypatch):
    for each in (schedule.load, schedule.disk_table, schedule.machine, schedule.disks):
        monkeypatch.setattr(each, "get", lambda: data.Snapshot("nothing"))
    answer = poll(client, signed_in, {})
    assert "loading" not in answer and "load" not in answer
    assert answer["machine-badge"]["children"]["props"]["children"] == "Not read yet"


def test_a_page_gets_what_is_new_and_nothing_twice(client, signed_in, running):
    first = poll(client, signed_in, {})
    assert first["loading"]["display"] == "auto" and first["disks"]["figure"]["data"]
    shown = first["shown"]["data"]
    version = schedule.load.version
    schedule.machine.refresh()
    until(lambda: schedule.load.version > version)
    second = poll(client, signed_in, shown)
    assert len(second["load"]["figure"]["data"]) == 4 and len(second["numbers"]["children"]) == 4
    assert "disks" not in second
    # Between two ticks there is nothing to tell, and another span of time is drawn at once.
    schedule_stands_still = schedule.load.version
    again = poll(client, signed_in, second["shown"]["data"])
    assert again is None or schedule.load.version > schedule_stands_still
    assert poll(client, signed_in, second["shown"]["data"], minutes=30)["load"]["figure"]


def test_what_many_ask_for_is_drawn_once(client, signed_in, running, monkeypatch):
    drawn, real = [], engineering.load_figure

    def draw(table):
        drawn.append(len(table))
        time.sleep(0.05)
        return real(table)

    monkeypatch.setattr(engineering, "load_figure", draw)
    before = schedule.load.version
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: poll(client, signed_in, {}), range(10)))
    assert all(answer["load"]["figure"]["data"] for answer in answers)
    assert len(drawn) <= 1 + schedule.load.version - before


def test_when_reading_fails_the_data_stay_and_the_page_says_why(client, signed_in, running, monkeypatch):
    before = schedule.machine.get()

    def fail():
        raise SourceError("The machine does not answer.")

    monkeypatch.setattr(reading, "read_machine", fail)
    monkeypatch.setattr(schedule.machine, "settings", replace(schedule.machine.settings, retry=0))
    with pytest.raises(SourceError, match="does not answer"):
        schedule.machine.refresh()
    until(lambda: schedule.machine.get().error)
    answer = poll(client, signed_in, {})
    text = answer["machine-badge"]["children"]["props"]["children"]
    assert "The machine does not answer." in text and schedule.machine.get().error.id in text
    assert answer["load"]["figure"]["data"] and schedule.machine.version >= before.version
