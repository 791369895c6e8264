"""The hub's files: all apps are found, and nothing of them clashes."""

from __future__ import annotations

from pathlib import Path

import pytest

from flash.hub.check import check_path
from flash.hub.config import read_file

ROOT = Path(__file__).parent.parent
SECRETS = {"METRICS_TOKEN": "m" * 32, "REVIEWS_SECRET_KEY": "r" * 32, "FLASH_HUB_SECRET": "f" * 32}


@pytest.mark.parametrize("name", ["hub.toml", "development.toml"])
def test_all_apps_are_served(name):
    apps = {app.spec().path for app in read_file(ROOT / name, SECRETS).declarations()}
    assert {"/stock/", "/reviews/"} <= apps


@pytest.mark.parametrize("name", ["hub.toml", "development.toml"])
def test_nothing_clashes(name):
    findings = check_path(ROOT / name, SECRETS)
    # Who may sign in is no part of the project.
    assert [each for each in findings if each.level != "note" and "users.txt" not in each.text] == []
