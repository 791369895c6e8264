"""The settings of ``run()``: what is taken, and what is refused with which sentence."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from pathlib import Path
from typing import Any

import pytest
from hypercorn.config import Config

from flash.exceptions import ConfigurationError
from flash.server.settings import HYPERCORN_SETTINGS, OWN_SETTINGS, Settings, read_settings

from .run_programs import simple_app


def settings(debug: bool = False, host: str = "127.0.0.1", **options: Any) -> Settings:
    return read_settings(host, 8050, debug, options)


def test_every_setting_of_hypercorn_is_known() -> None:
    public = {name for name in {**vars(Config), **Config.__annotations__} if not name.startswith("_")}
    methods = {name for name in public if callable(getattr(Config, name, None)) and name != "logger_class"}
    about_the_app_or_the_process = {
        "application_path", "cert_reqs", "daemon", "debug", "log", "ssl_enabled", "use_reloader", "workers",
    }  # fmt: skip
    assert set(HYPERCORN_SETTINGS) == public - methods - about_the_app_or_the_process


@pytest.mark.parametrize(
    ("host", "bind"),
    [
        ("0.0.0.0", "0.0.0.0:8050"),
        ("::1", "[::1]:8050"),
        ("[::]", "[::]:8050"),
        ("unix:/run/app.sock", "unix:/run/app.sock"),
    ],
)
def test_hosts(host: str, bind: str) -> None:
    assert settings(host=host).config.bind == [bind]


def test_settings_reach_the_server() -> None:
    given = settings(keep_alive_timeout=30, server_names="example.org", bind=("a:1", "b:2"), threaded=True)
    assert given.config.keep_alive_timeout == 30
    assert given.config.server_names == ["example.org"]
    assert given.config.bind == ["a:1", "b:2"]
    assert settings().config.grace == 10
    assert settings(graceful_timeout=3).config.grace == 3


def test_debug_means_reloading_unless_said_otherwise() -> None:
    assert settings(debug=True).use_reloader
    assert not settings(debug=True, use_reloader=False).use_reloader
    assert settings(use_reloader=True).use_reloader
    assert not settings().use_reloader


def test_requests_are_logged_when_asked_for() -> None:
    assert settings().config.accesslog is None
    assert read_settings("::", 1, True, {}, log_requests=True).config.accesslog == "-"
    assert settings(accesslog="requests.log").config.accesslog == "requests.log"
    assert settings(accesslog=logging.getLogger("requests")).config.accesslog is logging.getLogger("requests")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"keep_alive_timout": 3}, "no setting 'keep_alive_timout'. Did you mean 'keep_alive_timeout'"),
        ({"worker": 3}, "Did you mean 'workers'"),
        ({"processes": 3}, "Did you mean 'workers'"),
        ({"ssl_certfile": "x"}, "Did you mean 'certfile'"),
        ({"quux": 3}, "no setting 'quux'. It takes those of Dash's run"),
        ({"application_path": "x:y"}, "no setting 'application_path'"),
        ({"backlog": "100"}, "backlog takes a whole number, not '100'"),
        ({"backlog": True}, "backlog takes a whole number, not True"),
        ({"backlog": -1}, "backlog cannot be negative"),
        ({"include_date_header": 1}, "include_date_header takes True or False, not 1"),
        ({"server_names": [1]}, "server_names takes a list of strings"),
        ({"read_timeout": "x"}, "read_timeout takes a whole number or None"),
        ({"loglevel": "loud"}, "none of logging's levels"),
        ({"worker_class": "trio"}, "Flash runs on 'asyncio' or 'uvloop'"),
        ({"workers": 0}, "workers=0 serves nothing"),
        ({"workers": "2"}, "workers takes a whole number"),
        ({"workers": 2, "use_reloader": True}, "do not go together"),
        ({"max_requests": 100}, "needs workers=2"),
        ({"keyfile": "key.pem"}, "without certfile"),
        ({"certfile": "nowhere.pem"}, "certfile='nowhere.pem': there is no such file"),
        ({"certfile": __file__}, "cannot be used"),
        ({"ssl_context": "ad-hoc"}, "ssl_context takes an ssl.SSLContext, 'adhoc' or a pair"),
        ({"ssl_context": "adhoc", "certfile": "x"}, "pass one of them"),
        ({"insecure_bind": "127.0.0.1:80"}, "listen beside TLS"),
        ({"exclude_patterns": 3}, "exclude_patterns takes a list of strings"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(**options)
    assert sentence in str(caught.value)


def test_a_context_of_the_users_is_the_one_that_is_used() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    config = settings(ssl_context=context).config
    assert config.ssl_enabled
    assert config.create_ssl_context() is context


@pytest.mark.parametrize(
    ("bind", "sentence"),
    [
        ("localhost", "names no host and port"),
        ("no.such.host.invalid:80", "cannot be resolved"),
        ("192.0.2.1:8050", "no address of this machine"),
        ("unix:/no/such/folder/app.sock", "Cannot listen on unix:/no/such/folder/app.sock"),
    ],
)
def test_addresses_that_cannot_be_had(bind: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        settings(bind=bind).config.create_sockets()


def test_a_file_in_the_place_of_a_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(ConfigurationError, match="already in use"):
        settings(bind=f"unix:{path}").config.create_sockets()
    assert path.read_text() == "data"


def test_workers_are_refused_where_they_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run_on_a_loop() -> None:
        simple_app().run(workers=2)

    with pytest.raises(ConfigurationError, match="no running event loop"):
        asyncio.run(run_on_a_loop())
    monkeypatch.delattr(os, "fork")
    with pytest.raises(ConfigurationError, match="hypercorn --workers 2 module:app"):
        simple_app().run(workers=2)


def test_own_settings_are_named_once() -> None:
    assert not set(OWN_SETTINGS) & set(HYPERCORN_SETTINGS)
