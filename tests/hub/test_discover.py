"""The apps of a folder: found by their source, described by it, and never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flash.exceptions import ConfigurationError
from flash.hub.discover import Declaration, Skipped, discover
from flash.hub.source import read_source

SALES = {"title": "Sales", "description": "By region and month."}


def found(folder: Path) -> dict[str, Declaration]:
    return {each.spec().name: each for each in discover(folder) if isinstance(each, Declaration)}


def test_the_kinds_of_apps(tmp_path: Path) -> None:
    for name, text in {
        "script.py": "import dash\napp = dash.Dash()\nif __name__ == '__main__':\n    app.run()",
        "sales/app.py": "app = 1",
        "sales/helper.py": "app = 1",
        "package/__init__.py": "def create_app(): ...",
        "site/index.html": "<title>Our  site</title><meta name=description content='What we do.'>",
        "_private.py": "app = 1",
        ".hidden.py": "app = 1",
        "_notes/app.py": "app = 1",
        "helper.py": "def clean(frame): return frame",
        "test_sales.py": "app = 1",
        "conftest.py": "app = 1",
        "data/sales.csv": "1",
        "tools/clean.py": "x = 1",
        "notes.txt": "app = 1",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    apps = found(tmp_path)
    assert {name: each.target for name, each in apps.items()} == {
        "script": f"{tmp_path}/script.py",
        "sales": f"{tmp_path}/sales/app.py",
        "package": f"{tmp_path}/package/__init__.py:create_app",
        "site": f"{tmp_path}/site",
    }
    assert (apps["site"].spec().title, apps["site"].spec().description) == ("Our site", "What we do.")
    skipped = {each.path.name: each for each in discover(tmp_path) if isinstance(each, Skipped)}
    assert set(skipped) == {"helper.py", "test_sales.py", "conftest.py", "tools"}
    assert not any(each.broken for each in skipped.values())
    assert "has no app: no app, application" in skipped["helper.py"].reason
    assert "has no app.py" in skipped["tools"].reason


@pytest.mark.parametrize(
    "source",
    [
        "from flask import Flask\nshop = Flask(__name__)\nshop.run()",
        "from fastapi import FastAPI\nif True:\n    api = FastAPI()",
        "def create_app(): ...",
        "async def app(scope, receive, send): ...",
        "application: object = None",
        "hub = {}",
        "import uvicorn\nuvicorn.run('other:app')",
        "import dash\ndef main():\n    dash.Dash().run()\nif __name__ == '__main__':\n    main()",
        "import bottle\nwith open('x') as server: ...",
    ],
)
def test_what_is_an_app(tmp_path: Path, source: str) -> None:
    (tmp_path / "one.py").write_text(source)
    assert read_source(tmp_path / "one.py").is_app


@pytest.mark.parametrize(
    "source",
    [
        "",
        "from app import app\nx = app.layout",
        "import dash\ndef make_table(): return dash.Dash()",
        "import subprocess\nsubprocess.run(['ls'])",
        "import asyncio\nasyncio.run(main())",
        "def helper():\n    app = 1",
        "hub = Hub()",
    ],
)
def test_what_is_no_app(tmp_path: Path, source: str) -> None:
    (tmp_path / "one.py").write_text(source)
    assert not read_source(tmp_path / "one.py").is_app


@pytest.mark.parametrize(
    ("source", "own"),
    [
        ('"""Sales.\n\nBy region\nand month.\n\nRun it: python sales.py\n"""', SALES),
        ('"""Sales: by region and month."""', SALES),
        (
            '"""Sales: by region and month."""\nhub = {"title": "All", "tags": ["a"]}',
            SALES | {"title": "All", "tags": ["a"]},
        ),
        ('hub = dict(title="no")', None),
        ("import dash\napp = dash.Dash(title='Sales')", {"title": "Sales"}),
        (f'"""{"long " * 20}"""', {"description": ("long " * 20).strip()}),
    ],
)
def test_what_a_file_says_about_itself(tmp_path: Path, source: str, own: dict[str, Any] | None) -> None:
    path = tmp_path / "one.py"
    path.write_text(source + "\napp = 1\nraise SystemExit('This was run.')")
    if own is None:
        with pytest.raises(ConfigurationError, match=r"one.py, line 1: hub = ... is read without running the file"):
            read_source(path)
    else:
        assert read_source(path).own == own


def test_any_field_can_be_said(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "app.py").write_text(
        'hub: dict = {"prefix": "/team/x", "isolation": "inline", "access": ["ops"], "picture": "x.png", "name": "x"}'
    )
    spec = found(tmp_path)["x"].spec()
    assert (spec.path, spec.isolation, spec.access) == ("/team/x/", "inline", ("ops",))
    assert spec.picture == str(tmp_path / "shop" / "x.png")


def test_a_thumbnail_is_the_picture(tmp_path: Path) -> None:
    (tmp_path / "shop" / "assets").mkdir(parents=True)
    (tmp_path / "shop" / "app.py").write_text("app = 1")
    (tmp_path / "shop" / "assets" / "thumbnail.png").touch()
    assert found(tmp_path)["shop"].spec().picture == str(tmp_path / "shop" / "assets" / "thumbnail.png")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("app = (", "line 1 is no Python"),
        ("hub = {'title': name}\napp = 1", "line 1: hub = ... is read without running"),
        ("hub = {'titel': 'x'}\napp = 1", "no field 'titel'. Did you mean 'title'"),
        ("hub = {'prefix': '/_hub/x'}\napp = 1", "is no prefix for an app"),
    ],
)
def test_a_broken_file_is_told_and_the_others_are_found(tmp_path: Path, source: str, reason: str) -> None:
    (tmp_path / "broken.py").write_text(source)
    (tmp_path / "whole.py").write_text("app = 1")
    broken, whole = discover(tmp_path)
    assert isinstance(broken, Skipped) and broken.broken
    assert "broken.py" in broken.reason and reason in broken.reason
    assert isinstance(whole, Declaration)
