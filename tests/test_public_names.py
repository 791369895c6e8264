"""``from flash import X`` for every public name of Dash, and a constructor that takes what Dash's takes."""

from __future__ import annotations

import inspect
import types
from typing import Any

import dash
import pytest

import flash
from flash import Flash, _dash
from flash.exceptions import ConfigurationError

#: What Flash has in place of Dash's.
OWN = {
    *("CeleryManager", "DiskcacheManager", "Output", "callback", "callback_context", "ctx", "dependencies"),
    *("clientside_callback", "exceptions", "register_page"),
}
#: Submodules that ``import dash`` does not load; other tests of this process may have.
LOADED_LATER = {"mcp", "testing"}


def public(module: types.ModuleType) -> set[str]:
    """The names that a module offers."""
    return {name for name in dir(module) if name.isidentifier() and not name.startswith("_")} - LOADED_LATER


def test_every_public_name_of_dash_can_be_imported() -> None:
    assert public(dash) - public(flash) == set()
    assert set(dash.__all__) | {
        "Flash",
        "PageContainer",
        "Service",
        "callback_shared",
        "event_callback",
        "stream_props",
    } == set(flash.__all__)


@pytest.mark.parametrize("name", sorted(public(dash) - OWN))
def test_a_name_is_dashs_own_object(name: str) -> None:
    assert getattr(flash, name) is getattr(dash, name)


def test_exceptions_are_dashs_and_flashs() -> None:
    for name in vars(dash.exceptions):
        if not name.startswith("_"):
            assert getattr(flash.exceptions, name) is getattr(dash.exceptions, name)
    assert issubclass(flash.exceptions.ConfigurationError, flash.exceptions.FlashError)


def test_the_constructor_takes_all_that_dashs_takes() -> None:
    ours, theirs = (inspect.signature(each).parameters for each in (Flash, _dash.OriginalDash))
    assert set(theirs) <= set(ours)
    own = {"callback_threads", "max_content_length", "flask_compat", "live", "identify", "server_service"}
    storage = {"shared_storage"}  # Of Dash 4.5 too, where None means none and a value of its own the default.
    assert set(ours) - set(theirs) - storage == own
    assert all(ours[name].default == theirs[name].default for name in set(theirs) - storage)


def test_every_argument_means_what_it_means_to_dash() -> None:
    given: dict[str, Any] = {
        "name": "given",
        "assets_folder": "pictures",
        "url_base_pathname": "/base/",
        "title": "Title",
        "update_title": None,
        "suppress_callback_exceptions": True,
        "prevent_initial_callbacks": True,
        "meta_tags": [{"name": "a", "content": "b"}],
        "external_scripts": ["https://example.org/a.js"],
        "csrf_token_name": "token",
        "websocket_callbacks": True,
        "health_endpoint": "health",
        "description": "Described",
    }
    ours, theirs = Flash(**given), _dash.OriginalDash(backend="quart", **given)
    assert dict(ours.config) == dict(theirs.config)
    assert ours.title == theirs.title


def test_the_name_is_that_of_the_module_that_constructs_the_app() -> None:
    module: dict[str, Any] = {"__name__": "somebodys_app"}
    exec("from flash import Flash\nclass Mine(Flash): pass\napp = Flash()\nmine = Mine()", module)
    assert module["app"].config.name == module["mine"].config.name == module["app"].server.name == "somebodys_app"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"backend": "flask"}, "cannot use backend='flask'"),
        ({"backend": "fastapi"}, "cannot use backend='fastapi'"),
        ({"backend": type("Mine", (), {})}, "cannot use backend="),
        ({"server": object()}, "Pass a quart.Quart app"),
        ({"callback_threads": 0}, "callback_threads must be a number of threads"),
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Flash("refused", **arguments)


def test_quart_is_accepted_by_name_and_by_class() -> None:
    for backend in (None, "quart", "Quart", dash.backends.get_backend("quart")):
        assert Flash("accepted", backend=backend).backend.server_type == "quart"
    assert Flash("accepted", use_async=True) is not None


def test_positional_arguments_are_dashs() -> None:
    app = Flash("positional", True, None, "pictures")
    assert app.config.assets_folder.endswith("pictures")


def test_plain_dash_keeps_its_flask_server() -> None:
    assert type(_dash.OriginalDash("plain").server).__module__ == "flask.app"
