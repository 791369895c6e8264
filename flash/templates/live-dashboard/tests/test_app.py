"""The dashboard, as browsers ask for it, while its sources run."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from dataclasses import replace
from types import SimpleNamespace

import pytest
from flash.data import LiveInput, SourceError

import reading
import schedule
from app import create_app, is_signed_in


@pytest.fixture
def client(users, signed_in, flash_client):
    """A browser's place before the dashboard, and somebody who has signed in. The sources run."""
    client = flash_client(create_app(users), headers=signed_in)
    client.open("/")
    until(lambda: schedule.load.version and schedule.disk_table.version)
    return client


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def status_of(url, headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_who_has_not_signed_in_gets_nothing(users, flash_server, signed_in):
    server = flash_server(create_app(users))
    paths = ("/", "/_dash-layout", "/_dash-dependencies", "/assets/style.css", "/assets/static_data/limits.csv")
    for path in (*paths, "/_flash/live"):
        assert status_of(server.url + path, {}) == 401, path
        assert status_of(server.url + path, signed_in) == 200, path


def test_the_page_shows_the_newest_data(client):
    version = schedule.load.version
    schedule.machine.refresh()
    until(lambda: schedule.load.version > version)
    result = client.call("load.figure", {LiveInput(schedule.load): schedule.load.version, "minutes.value": 5})
    assert [line["name"] for line in result["load.figure"]["data"]] == ["Processors", "Memory", "Disk", "Network"]
    assert len(result["load.figure"]["data"][0]["x"]) > 0
    assert len(result["numbers.children"]) == 4
    assert result["loading.display"] == "auto"
    disks = client.call("disks.figure", {LiveInput(schedule.disk_table): schedule.disk_table.version})
    assert [bar["name"] for bar in disks["disks.figure"]["data"]] == ["used", "free"]


def test_when_reading_fails_the_data_stay(client, monkeypatch):
    def fail():
        raise SourceError("The machine does not answer.")

    monkeypatch.setattr(reading, "read_machine", fail)
    monkeypatch.setattr(schedule.machine, "settings", replace(schedule.machine.settings, retry=0))
    with pytest.raises(SourceError, match="does not answer"):
        schedule.machine.refresh()
    until(lambda: schedule.machine.get().error)
    assert schedule.machine.get().error.reason == "The machine does not answer."
    assert schedule.machine.get().value is not None


def test_only_who_has_signed_in_may_refresh():
    assert is_signed_in(SimpleNamespace(user="ann"))
    assert not is_signed_in(SimpleNamespace(user=None))
