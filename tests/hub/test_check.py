"""``flash check``: what clashes is found without running any app, and comes with what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from flash.cli import main
from flash.hub.check import PROCESS_ONLY, check_path
from flash.hub.finding import Finding
from flash.hub.spec import spec_of

Check = Callable[..., list[Finding]]

#: An app that must not be run for any of this.
APP = "raise SystemExit('This was run.')\ndef create_app(): ...\n"


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Write a project, and check its ``hub.toml``."""

    def check(toml: str, files: dict[str, str] | None = None, **environment: str) -> list[Finding]:
        for name, text in {**(files or {}), "hub.toml": toml}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return check_path(tmp_path / "hub.toml", environment)

    return check


def apps(*tables: str) -> str:
    return "\n".join(f"[[app]]\n{table}" for table in tables)


def told(findings: list[Finding], level: str) -> str:
    return "\n".join(f"{each.app}: {each.text} -> {each.advice}" for each in findings if each.level == level)


def test_a_project_without_clashes(check: Check) -> None:
    files = {"apps/sales.py": APP, "apps/site/index.html": "<title>Site</title>", "apps/_draft.py": "x ="}
    assert check('discover = ["apps"]', files) == []


def test_names_and_prefixes(check: Check) -> None:
    findings = check(
        apps(
            'target = "a.py"\nprefix = "/team"',
            'target = "b.py"\nprefix = "/team"\nname = "b"',
            'target = "c.py"\nprefix = "/team/c"\nname = "b"',
            'target = "d.py"\nprefix = "/teams"',
            'target = "e.py"\nprefix = "/"',
        ),
        dict.fromkeys(["a.py", "b.py", "c.py", "d.py", "e.py"], APP),
    )
    errors = told(findings, "error")
    assert "Two apps have the prefix '/team/'" in errors
    assert "Two apps are called 'b'" in errors
    assert errors.count("\n") == 1
    notes = told(findings, "note")
    assert "'/team/c/' lies below '/team/'" in notes
    assert "/teams" not in notes


def test_targets_that_are_not_there(check: Check, tmp_path: Path) -> None:
    findings = check(
        apps(
            'target = "gone.py"',
            'target = "shop.py:create_ap"\nname = "typo"',
            'target = "helper.py"',
            'target = "no_such_module_at_all:app"',
            'target = "package.module:create_app"\nname = "fine"',
            'target = "package.module:nothing"\nname = "nothing"',
            'target = "star.py:anything"\nname = "star"',
            'target = "json:app"\nname = "installed"',
            'target = ["no-such-command", "{port}"]\nprefix = "/x"',
            f'target = ["{Path(sys.executable).as_posix()}", "x.py"]\nprefix = "/command"',
            'target = "empty/"\nname = "empty"',
            'target = "nowhere/"\nname = "nowhere"',
        ),
        {
            "shop.py": APP,
            "helper.py": "x = 1",
            "star.py": "from shop import *",
            "package/module.py": APP,
            "empty/notes.txt": "",
        },
    )
    errors = {each.app: each.text for each in findings if each.level == "error"}
    assert set(errors) == {"gone", "typo", "helper", "no_such_module_at_all", "nothing", "x", "nowhere"}
    assert f"There is no {tmp_path}/gone.py" in errors["gone"]
    assert "has no 'create_ap'" in errors["typo"]
    assert "has no app" in errors["helper"]
    assert "There is no command 'no-such-command'" in errors["x"]
    assert "empty has no index.html" in told(findings, "warning")
    assert "gets its port by the environment variable PORT alone" in told(findings, "note")


def test_what_an_app_runs_in(check: Check, tmp_path: Path) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    findings = check(
        apps(
            'target = "a.py"\npython = "venv/bin/python"\ncwd = "data"\npicture = "a.png"',
            'target = "b.py"\npython = "./python"',
            f'target = "c.py"\npython = "{Path(sys.executable).as_posix()}"',
            'target = "c:create_app"\nname = "inline"\nmemory = "1G"\nenv = { X = "1" }',
            'target = "c.py"\nname = "closed"\naccess = ["finance"]',
        ),
        dict.fromkeys(["a.py", "b.py", "c.py"], APP),
    )
    errors = told(findings, "error")
    assert f"a: There is no interpreter '{tmp_path}/venv/bin/python'" in errors
    assert f"a: There is no folder {tmp_path}/data, its cwd" in errors
    assert f"b: The interpreter '{tmp_path}/python' has no flash" in errors
    assert "inline: It runs in the hub's process, which has one memory for all" in errors
    assert "which has one env for all" in errors
    assert "closed: It is for certain roles or users, and this hub knows nobody" in errors
    assert errors.count("\n") == 5
    assert f"a: There is no picture {tmp_path}/a.png" in told(findings, "warning")


def test_what_only_a_process_can_have_is_what_the_hub_refuses() -> None:
    from flash.exceptions import ConfigurationError
    from flash.hub.inline import InlineHost

    values = {"env": {"A": "b"}, "memory": "1G", "python": "python"}
    for name in PROCESS_ONLY:
        with pytest.raises(ConfigurationError, match=name):
            InlineHost(spec_of("x:app", None, {name: values[name], "isolation": "inline"}), "x:app")


def test_ids_in_the_browsers_storage(check: Check) -> None:
    page = """
from dash import dcc
def create_app(): ...
layout = [
    dcc.Store("basket", storage_type="local"),
    dcc.Store(id={"index": 1, "type": "tab"}, storage_type="session"),
    dcc.Store(id="memory"),
    dcc.Store(id=f"basket-{1}", storage_type="local"),
    dcc.Dropdown(id="country", persistence=True),
    dcc.Dropdown(id="town", persistence="x", persistence_type="memory"),
]
"""
    other = """
from dash import dcc
def create_app(): ...
layout = [dcc.Store(id="basket", storage_type="local"), dcc.Store(id="memory"), dcc.Input(id="town", persistence=True)]
"""
    pages = """
from dash import dcc
layout = [
    dcc.Store(id={"type": "tab", "index": 1}, storage_type="session"),
    dcc.Input(persistence=1, id="country"),
    dcc.Store(id="basket", storage_type="session"),
]
"""
    findings = check(
        'discover = ["apps"]',
        {"apps/one.py": page, "apps/two.py": other, "apps/three/app.py": APP, "apps/three/pages/home.py": pages},
    )
    findings += check(
        apps('target = "beside/four.py"', 'target = "apps/two.py"'),
        {"beside/four.py": APP, "beside/pages/home.py": other},
    )
    warnings = told(findings, "warning")
    assert "four (home.py, line 4), two (two.py, line 4)" in warnings
    assert warnings.count("\n") == 4
    assert 'The id "basket" keeps its value in the browser\'s local storage' in warnings
    assert "one (one.py, line 5), two (two.py, line 4)" in warnings
    assert '{"index": 1, "type": "tab"} keeps its value in the browser\'s session storage' in warnings
    assert '"country" keeps its value in the browser\'s local storage' in warnings
    assert "three (home.py, line 5)" in warnings


def test_names_of_modules(check: Check) -> None:
    findings = check(
        apps(
            'target = "one/app.py"\nisolation = "inline"',
            'target = "two/app.py"\nisolation = "inline"',
            'target = "three/app.py"',
            'target = "four.py"',
        ),
        {
            "one/app.py": "import data\n" + APP,
            "one/data.py": "",
            "two/app.py": "from data import x\n" + APP,
            "two/data.py": "x = 1",
            "three/app.py": "import data\n" + APP,
            "three/data.py": "",
            "four.py": "import flask\n" + APP,
            "flask.py": "import calendar",
            "calendar.py": "",
            "json.py": "",
        },
    )
    notes = told(findings, "note")
    assert "one, two run in the hub's process, and each has a module 'data' of its own" in notes
    assert "three" not in notes
    warnings = told(findings, "warning")
    # What nobody imports does no harm.
    assert warnings.count("\n") == 1
    assert "flask.py has the name of a module that is installed" in warnings
    assert "calendar.py has the name" in warnings


def test_what_single_apps_do(check: Check, tmp_path: Path) -> None:
    code = """
import dash, flask
from flash import Flash
server = flask.Flask(__name__)
server.secret_key = "dash"
server.config["SECRET_KEY"] = os.environ["KEY"]
server.config.update(SECRET_KEY="flask", SESSION_COOKIE_NAME="own")
server.config["SESSION_COOKIE_NAME"] = "flash-hub"
app = dash.Dash(server=server, url_base_pathname="/sales/")
app.enable_dev_tools(debug=True)
app.callback_shared()
if __name__ == "__main__":
    app.run(debug=True)
"""
    findings = check(
        apps('target = "sales.py"', 'target = "sales.py"\nname = "again"\nprefix = "/again"'), {"sales.py": code}
    )
    first = [each for each in findings if each.app == "sales"]
    lines = {int(each.text.partition("line ")[2].split(":")[0]): each for each in first if "line " in each.text}
    assert {line: each.level for line, each in lines.items()} == {
        5: "warning",
        7: "warning",
        8: "error",
        9: "note",
        10: "warning",
        13: "note",
    }
    assert "url_base_pathname does not count" in lines[9].text
    assert "served as sales, again" in told(findings, "note")


def test_an_app_on_a_server_of_the_user_s_keeps_its_place(check: Check) -> None:
    code = """
import dash, flask
server = flask.Flask(__name__)
dash.Dash(__name__, server=server, routes_pathname_prefix="/chart/")
dash.Dash(__name__, server, url_base_pathname="/table/")
dash.Dash(__name__, server, routes_pathname_prefix="/map/", requests_pathname_prefix="/elsewhere/map/")
dash.Dash(__name__, True, url_base_pathname="/own/")
"""
    notes = told(check(apps('target = "sales.py"'), {"sales.py": code}), "note")
    assert notes.count("\n") == 1, notes
    assert "line 6: requests_pathname_prefix does not count" in notes
    assert "line 7: url_base_pathname does not count" in notes


def test_a_command_is_told_its_place_by_its_own_variables(check: Check) -> None:
    command = f'target = ["{Path(sys.executable).as_posix()}", "-m", "flash", "run", "x:app", "--port", "{{port}}"]'
    env = 'env = { DASH_REQUESTS_PATHNAME_PREFIX = "/x/", DASH_ROUTES_PATHNAME_PREFIX = "/" }'
    assert check(apps(f'{command}\nprefix = "/x"\n{env}')) == []


def test_the_hub_itself(check: Check) -> None:
    toml = """
host = "0.0.0.0"
metrics_token = "abc"
[[app]]
target = "sales.py"
env = { API_KEY = "${KEY:-none}", PASSWORD = "${PASSWORD}", DASH_APP_NAME = "x", REGION = "north" }
"""
    findings = check(
        toml, {"sales.py": APP}, KEY="1", PASSWORD="2", DASH_URL_BASE_PATHNAME="/x/", FLASH_HUB_SECRET="short"
    )
    warnings = told(findings, "warning")
    assert "listens on all networks" in warnings
    assert "metrics_token is written out" in warnings and '"${METRICS_TOKEN}"' in warnings
    assert "app[1].env.API_KEY is written out" in warnings
    assert "The environment has DASH_URL_BASE_PATHNAME='/x/'" in warnings
    assert "Its env has DASH_APP_NAME" in warnings
    assert warnings.count("\n") == 4
    assert "FLASH_HUB_SECRET is too short" in told(findings, "error")


def test_sign_in(check: Check, tmp_path: Path) -> None:
    toml = '[signin]\nkind = "password"\nusers = "users.txt"\n' + apps(
        'target = "sales.py"\naccess = ["finance", "user:bob"]'
    )
    findings = check(toml, {"sales.py": APP})
    assert f"There is no file {tmp_path}/users.txt" in told(findings, "error")
    assert "FLASH_HUB_SECRET is not set" in told(findings, "note")

    (tmp_path / "users.txt").write_text("ann:$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo:admin,ops\n")
    findings = check(toml)
    assert told(findings, "error") == ""
    assert "has 'finance', 'user:bob', which access or managers name" in told(findings, "warning")

    assert "needs the addresses of the proxy" in told(check('[signin]\nkind = "forwarded"'), "error")
    trusted = 'trusted_proxies = ["10.0.0.1"]\n[signin]\nkind = "forwarded"\nuser = "X-User"\nadmins = ["ann"]'
    assert told(check(trusted), "error") == ""
    assert "Expected `array`, got `str`" in told(check(trusted.replace('["ann"]', '"ann"')), "error")
    assert "needs the key 'client_id'" in told(check('[signin]\nkind = "oidc"\nissuer = "https://x.test"'), "error")
    oidc = '[signin]\nkind = "oidc"\nissuer = "https://x.test"\nclient_id = "hub"\nidle = "${IDLE}"\n'
    oidc += 'role_names = { staff = "ops" }'
    assert told(check(oidc, IDLE="60"), "error") == ""
    assert "Expected `float`" in told(check(oidc, IDLE="long"), "error")
    assert "signin.kind is one of none, password" in told(check('[signin]\nkind = "passwort"'), "error")
    assert "has no key 'user'. Did you mean 'users'?" in told(check('[signin]\nkind = "basic"\nuser = "x"'), "error")


def test_all_mistakes_are_told_at_once(check: Check) -> None:
    findings = check(
        'discover = ["apps", "nowhere"]\n' + apps('target = "a.py"\nmemory = "x"', 'prefix = "/b"'),
        {"apps/broken.py": "app = (", "apps/helper.py": "x = 1"},
    )
    errors = told(findings, "error")
    for text in ("memory='x'", "app /b has no target", "There is no folder", "broken.py, line 1 is no Python"):
        assert text in errors
    assert "helper.py has no app" in told(findings, "note")
    assert "There are no apps" in told(findings, "warning")
    # The worst comes first.
    levels = [each.level for each in findings]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)


def test_the_command(check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check(apps('target = "a.py"'), {"apps/whole.py": APP})
    failed = CliRunner().invoke(main, ["check"])
    assert failed.exit_code == 1
    assert failed.output.startswith("error    a: ")
    assert "1 error" in failed.output
    (finding,) = json.loads(CliRunner().invoke(main, ["check", "hub.toml", "--json"]).output)
    assert (finding["level"], finding["app"]) == ("error", "a")

    assert CliRunner().invoke(main, ["check", "apps"]).output == "Nothing was found.\n"
    assert CliRunner().invoke(main, ["check", "nowhere.toml"]).exit_code == 2
