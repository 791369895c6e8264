"""``hub.toml``: what it says, with the environment in it, and sentences for what it cannot say."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from flash.exceptions import ConfigurationError
from flash.hub import Hub, Spec, signin
from flash.hub.build import hub_of, mount_all
from flash.hub.config import SIGN_INS, HubConfig, HubFile, folder_alone, read_file
from flash.hub.discover import Skipped

Write = Callable[..., HubFile]

PAGE = (Path(__file__).parents[2] / "docs" / "hub-toml.md").read_text()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a ``hub.toml``, and read it in an environment."""

    def write(text: str, **environment: str) -> HubFile:
        (tmp_path / "hub.toml").write_text(text)
        return read_file(tmp_path / "hub.toml", environment)

    return write


def test_all_kinds_of_targets(write: Write, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<title>Reports</title>")
    (tmp_path / "sales").mkdir()
    (tmp_path / "sales" / "app.py").write_text("app = 1")
    file = write(
        """
        title = "Analytics"
        [[app]]
        target = "apps/sales.py:create_app"
        prefix = "/sales"
        memory = "1G"
        cwd = "data"
        python = "venv/bin/python"
        picture = "pictures/sales.png"
        [[app]]
        target = "ops.dashboard:create_app"
        [[app]]
        target = "site"
        [[app]]
        target = "sales"
        name = "folder"
        [[app]]
        target = ["streamlit", "run", "x.py", "--server.port={port}"]
        prefix = "/st"
        python = "python3"
        """
    )
    sales, module, site, folder, command = file.declarations()
    assert file.config.title == "Analytics"
    assert sales.target == f"{tmp_path}/apps/sales.py:create_app"
    assert (sales.prefix, sales.spec().memory) == ("/sales", 1 << 30)
    assert sales.options["cwd"] == str(tmp_path / "data")
    assert sales.options["python"] == str(tmp_path / "venv/bin/python")
    assert sales.options["picture"] == str(tmp_path / "pictures/sales.png")
    assert (module.target, module.spec().path) == ("ops.dashboard:create_app", "/dashboard/")
    assert (site.target, site.spec().title) == (str(tmp_path / "site"), "Reports")
    assert folder.target == str(tmp_path / "sales" / "app.py")
    # A command runs beside the file that names it.
    assert command.target == ("streamlit", "run", "x.py", "--server.port={port}")
    assert command.options == {"cwd": str(tmp_path), "python": "python3"}


def test_the_environment_stands_in_strings(write: Write) -> None:
    text = """
        port = "${PORT:-8050}"
        metrics_token = "${TOKEN}"
        [signin]
        kind = "oidc"
        client_secret = "$$${TOKEN}"
        [[app]]
        target = "x.py"
        env = { DB = "${DB:-sqlite://}/sales" }
    """
    file = write(text, TOKEN="abc", PORT="")
    assert (file.config.port, file.config.metrics_token) == (8050, "abc")
    assert file.config.signin == {"kind": "oidc", "client_secret": "$abc"}
    assert file.declarations()[0].spec().env == {"DB": "sqlite:///sales"}
    assert write(text, TOKEN="abc", PORT="99").config.port == 99
    with pytest.raises(ConfigurationError, match=r"hub.toml: metrics_token needs the environment variable TOKEN"):
        write(text)


def test_paths_are_relative_to_the_file(write: Write, tmp_path: Path) -> None:
    file = write('home = "../state"\ndiscover = ["apps/"]\n[signin]\nkind = "password"\nusers = "users.txt"')
    assert file.config.home == str(tmp_path.parent / "state")
    assert file.config.discover == (str(tmp_path / "apps"),)
    assert file.config.signin == {"kind": "password", "users": str(tmp_path / "users.txt")}
    assert write("").config.home == str(tmp_path / ".hub")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('titel = "x"', r"hub.toml has a key 'titel', which means nothing here. Did you mean 'title'\?"),
        ("port = []", r"hub.toml: Expected `int \| null`, got `array` - at `\$.port`"),
        ("port = ", "hub.toml is no TOML"),
        ('[[app]]\ntarget = "x.py"\nprefixx = "/x"', r"hub.toml, app 1 has a key 'prefixx'.* mean 'prefix'\?"),
        ('[[app]]\ntarget = "x.py"\n[[app]]\nprefix = "/x"', "hub.toml, app /x has no target"),
        ('[[app]]\ntarget = 3\nname = "three"', "hub.toml, app three: target is a text"),
        ('[[app]]\ntarget = "x.py"\nmemory = "lots"', "hub.toml, app 1: memory='lots' is no amount"),
        ('[[app]]\ntarget = "x.py"\nprefix = "/_hub"', "hub.toml, app /_hub: '/_hub' is no prefix"),
        ('discover = ["nowhere"]', "There is no folder .*nowhere with apps"),
    ],
)
def test_what_cannot_be_is_one_sentence(write: Write, text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        write(text).declarations()


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere.toml cannot be read: No such file"):
        read_file(tmp_path / "nowhere.toml")


def test_the_file_says_more_about_an_app_of_a_folder(write: Write, tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "sales.py").write_text(
        '"""Sales. By region."""\nhub = {"tags": ["finance"]}\ndef create_app(): ...'
    )
    (tmp_path / "apps" / "other.py").write_text("app = 1")
    (tmp_path / "apps" / "helper.py").write_text("x = 1")
    file = write(
        'discover = ["apps"]\n[[app]]\ntarget = "apps/sales.py:create_app"\ntitle = "Our sales"\naccess = ["finance"]'
    )
    sales, other = file.declarations()
    assert sales.spec().title == "Our sales"
    assert sales.spec().tags == ("finance",)
    assert sales.spec().access == ("finance",)
    assert other.spec().path == "/other/"
    assert [each.path.name for each in file.found() if isinstance(each, Skipped)] == ["helper.py"]


def test_a_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "sales.py").write_text("app = 1")
    monkeypatch.chdir(tmp_path)
    file = folder_alone(Path("apps"))
    assert [each.target for each in file.declarations()] == [str(tmp_path / "apps" / "sales.py")]
    assert (file.folder, file.config.home) == (tmp_path, None)


def rows(heading: str) -> dict[str, str]:
    """The rows of a table in docs/hub-toml.md: what stands in the first column, and the second."""
    part = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]*?) ?\|", part, re.MULTILINE))


def test_every_key_is_described() -> None:
    assert set(rows("The hub")) == set(HubConfig.__struct_fields__)
    assert set(rows("Apps")) == set(Spec.__struct_fields__)
    kinds = rows("Sign-in")
    assert set(kinds) == set(SIGN_INS)
    for kind, keys in kinds.items():
        arguments = inspect.signature(getattr(signin, SIGN_INS[kind])).parameters
        assert [key for key in re.findall(r"`(\w+)`", keys) if key != "trusted_proxies"] == list(arguments), kind


def test_the_defaults_are_described() -> None:
    hub = {name: each.default for name, each in inspect.signature(Hub).parameters.items()}
    app = dict(zip(Spec.__struct_fields__[-len(Spec.__struct_defaults__) :], Spec.__struct_defaults__, strict=True))
    for heading, defaults in (("The hub", hub), ("Apps", app)):
        described = {name: text.strip("`").removesuffix(" seconds") for name, text in rows(heading).items()}
        for name, default in defaults.items():
            if isinstance(default, bool):
                assert described[name] == str(default).lower(), name
            elif isinstance(default, (int, float)) or (isinstance(default, str) and default):
                assert described[name] == (default if isinstance(default, str) else f"{default:g}"), name


def test_the_page_s_own_example_is_read(write: Write, tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    example = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    sales, old = write(example[1], SALES_DB="x").declarations()
    assert (sales.spec().path, old.spec().path) == ("/sales/", "/old/")


def test_a_hub_is_made_of_it(write: Write, tmp_path: Path) -> None:
    (tmp_path / "users.txt").touch()
    (tmp_path / "module.py").write_text("def create_app(): ...")
    file = write(
        """
        title = "Analytics"
        max_starting = 2
        leave_children = true
        url = "http://10.0.0.1:80"
        [signin]
        kind = "password"
        users = "users.txt"
        [[app]]
        target = "module:create_app"
        access = ["finance"]
        """
    )
    hub = hub_of(file)
    assert (hub.title, hub.folders.home, hub.url, hub.leave_children) == (
        "Analytics",
        tmp_path / ".hub",
        "http://10.0.0.1:80",
        True,
    )
    assert isinstance(hub.signin, signin.PasswordFile)
    assert list(mount_all(hub, file)) == ["module"]
    mount = hub["module"]
    # A module is found beside the file.
    assert (mount.spec.cwd, mount.spec.access) == (str(tmp_path), ("finance",))
