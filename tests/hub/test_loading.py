"""Loading whatever an author wrote: files, modules, factories, and scripts that serve by a server of their choice."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import flask
import pytest
from quart import Quart

from flash import Flash
from flash.exceptions import ConfigurationError
from flash.hub.capture import captured, resolved
from flash.hub.kinds import application_of
from flash.hub.loading import load_and_serve, load_object
from flash.hub.prefixes import mounted_at
from flash.targets import Target

FLASK = "import flask\napp = flask.Flask(__name__)\n"
ASGI = "from quart import Quart\napp = Quart(__name__)\n"

#: Scripts that serve ``app``, and nothing else.
SCRIPTS = {
    "flask": FLASK + "app.run(debug=True, port=1)",
    "quart": ASGI + "app.run(port=1)",
    "dash": "import dash\napp = dash.Dash(__name__)\napp.run(debug=True)",
    "flash": "from flash import Flash\napp = Flash(__name__)\napp.run(workers=2)",
    "werkzeug": FLASK + "from werkzeug.serving import run_simple\nrun_simple('0.0.0.0', 1, app)",
    "waitress": FLASK + "import waitress\nwaitress.serve(app, threads=4)",
    "waitress by name": FLASK + "from waitress import serve\nserve(app, listen='*:1')",
    "wsgiref": FLASK
    + "from wsgiref.simple_server import make_server\nwith make_server('127.0.0.1', 0, app) as server:\n"
    "    server.serve_forever()",
    "uvicorn": ASGI + "import uvicorn\nuvicorn.run(app, port=1)",
    "uvicorn by its server": ASGI + "import uvicorn\nuvicorn.Server(uvicorn.Config(app)).run()",
    "uvicorn on a loop": ASGI + "import asyncio, uvicorn\nasyncio.run(uvicorn.Server(uvicorn.Config(app)).serve())",
    "uvicorn by its own name": ASGI + "import uvicorn\nif __name__ == '__main__':\n    uvicorn.run('{name}:app')",
    "hypercorn": ASGI + "import asyncio\nfrom hypercorn.asyncio import serve\nfrom hypercorn.config import Config\n"
    "asyncio.run(serve(app, Config()))",
    "a task": ASGI + "import asyncio\nasyncio.run(app.run_task(port=1))",
    "a function": FLASK + "def main():\n    app.run()\nif __name__ == '__main__':\n    main()",
    "in a block": FLASK + "try:\n    app.run()\nexcept BaseException:\n    app = None",
}


class Noted:
    """Serves nothing, and notes what it should have served."""

    def __init__(self) -> None:
        self.apps: list[Any] = []

    def serve(self, target: Any) -> None:
        self.apps.append(target)

    async def serve_here(self, target: Any, until: Any = None) -> None:
        self.apps.append(target)


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What running a script changes is put back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("module_"):
            del sys.modules[name]


def written(source: str) -> str:
    name = f"module_{uuid.uuid4().hex}"
    Path(f"{name}.py").write_text(source.replace("{name}", name))
    return name


def served(source: str, suffix: str = ".py") -> Any:
    """What is served when a target of this source is."""
    noted = Noted()
    load_and_serve(written(source) + suffix, noted)
    assert len(noted.apps) == 1
    return noted.apps[0]


@pytest.mark.parametrize("way", SCRIPTS)
def test_a_script_is_served_by_whatever_it_serves_by(way: str) -> None:
    app = served(SCRIPTS[way])
    assert app is sys.modules["__main__"].app  # type: ignore[attr-defined]


def test_a_script_is_main() -> None:
    app = served(
        "import flask, sys\nfrom dataclasses import dataclass\n@dataclass\nclass Row:\n    x: 'int'\n"
        "app = flask.Flask(__name__)\napp.facts = (__name__, sys.argv, sys.modules['__main__'].Row is Row, __file__)\n"
        "if __name__ == '__main__':\n    app.run()\n"
    )
    name, argv, is_main, file = app.facts
    assert (name, argv, is_main) == ("__main__", [file], True)


def test_a_script_finds_the_modules_beside_it(tmp_path: Path) -> None:
    other = written("import flask\napp = flask.Flask('beside')")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    Path(f"{other}.py").rename(folder / f"{other}.py")
    (folder / "main_script.py").write_text(f"from {other} import app\napp.run()")
    noted = Noted()
    load_and_serve(str(folder / "main_script.py"), noted)
    assert noted.apps[0].name == "beside"


def test_a_file_of_a_package_may_import_from_it(tmp_path: Path) -> None:
    package = tmp_path / f"module_{uuid.uuid4().hex}"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text("NAME = 'parts'")
    (package / "app.py").write_text("import flask\nfrom .parts import NAME\napp = flask.Flask(NAME)")
    noted = Noted()
    load_and_serve(str(package / "app.py"), noted)
    assert noted.apps[0].name == "parts"


def test_a_file_that_serves_nothing_is_searched() -> None:
    assert served(FLASK).import_name == "__main__"
    assert served("import flask\nserver = flask.Flask('s')").name == "s"
    assert served("import flask\nfrom flask import request\nsite = flask.Flask('only')").name == "only"
    assert served("import flask\ndef create_app(mode='prod'):\n    return flask.Flask(mode)").name == "prod"
    assert served("import flask\nasync def make_app():\n    return flask.Flask('async')").name == "async"


def test_a_dash_app_goes_before_its_server() -> None:
    assert isinstance(served("from flash import Flash\napp = Flash(__name__)\nserver = app.server"), Flash)


def test_a_module_is_imported_and_its_run_does_nothing() -> None:
    source = "import flask\napp = flask.Flask(__name__)\nother = flask.Flask('other')\napp.run()"
    assert served(source, "").name.startswith("module_")
    assert served(source, ":other").name == "other"
    assert served(source, ".py:other").name == "other"


def test_factories_are_called() -> None:
    source = "import flask\ndef make():\n    return flask.Flask('made')\nclass Site:\n    make = staticmethod(make)"
    assert served(source, ":make()").name == "made"
    assert served(source, ".py:make").name == "made"


@pytest.mark.parametrize(
    ("source", "suffix", "says"),
    [
        ("x = 3", ".py", "has no app or application. Write file.py:attribute"),
        ("import flask\na = flask.Flask('a')\nb = flask.Flask('b')", ".py", "has several apps: a, b"),
        ("import flask\nshop = flask.Flask('a')", ":shp", "Did you mean module_"),
        ("def create_app():\n    return 1 / 0", ".py", r"create_app\(\) failed with ZeroDivisionError"),
        ("1 / 0", ".py", "failed with ZeroDivisionError"),
        ("import sys\nsys.exit(2)", ".py", "ended before it served an app: 2"),
    ],
)
def test_what_cannot_be_loaded_is_one_sentence(source: str, suffix: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        served(source, suffix)


def test_missing_files_and_modules_are_named() -> None:
    for target in ("nowhere.py", "nowhere.py:app", "module_nowhere"):
        with pytest.raises(ConfigurationError, match="nowhere"):
            load_and_serve(target, Noted())


def test_all_is_put_back_afterwards() -> None:
    before = flask.Flask.run, Quart.run, Flash.run, sys.meta_path[:]
    with captured(Noted()):
        assert flask.Flask.run is not before[0]
    assert (flask.Flask.run, Quart.run, Flash.run, sys.meta_path[:]) == before


def test_what_is_imported_later_is_captured_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.split(".")[0] == "waitress"]:
        monkeypatch.delitem(sys.modules, name)
    noted = Noted()
    with captured(noted):
        import waitress

        waitress.serve(flask)
    assert noted.apps == [flask]
    assert waitress.serve.__module__ == "waitress" and not hasattr(waitress.serve, "__wrapped__")


def test_names_of_apps_are_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    name = written("class Holder:\n    app = 'held'\ndef make():\n    return 'made'")
    monkeypatch.syspath_prepend(".")
    assert resolved(f"{name}:Holder.app") == "held"
    assert resolved(f"{name}:make", factory=True) == "made"
    main = ModuleType("__main__")
    main.__dict__.update(__file__=f"{name}.py", Holder=ModuleType("x"))
    main.Holder.app = "of main"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert resolved(f"{name}:Holder.app") == "of main"


def test_a_folder_is_served_as_static_pages(tmp_path: Path) -> None:
    noted = Noted()
    load_and_serve(str(tmp_path), noted)
    assert application_of(noted.apps[0], "/x").kind == "static"


def test_the_prefix_is_that_of_the_hub_while_loading() -> None:
    name = written("import dash\napp = dash.Dash(__name__, url_base_pathname='/own/')")
    with mounted_at("/sales"):
        app = load_object(Target.parse(f"{name}.py:app"))
    assert app.config.requests_pathname_prefix == "/sales/"
