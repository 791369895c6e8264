"""``flash run``: serve an app, with every setting of ``app.run()`` as a flag."""

from __future__ import annotations

import inspect
import os
import ssl
import types
import typing
from collections.abc import Callable
from typing import Any

import click

from ..app import Flash
from ..exceptions import FlashError
from ..server.reload import Reloader, can_reload
from ..server.settings import HYPERCORN_SETTINGS, read_settings
from ..targets import Target
from ._application import load_app

#: Settings whose values are Python objects; what they do, ``--logconfig FILE`` does from here.
WITHOUT_FLAG = {"logconfig_dict", "logger_class"}

_SCALARS: dict[Any, click.ParamType[Any]] = {int: click.INT, float: click.FLOAT, str: click.STRING}


class RunCommand(click.Command):
    """Shows the flags of ``run()``, of the dev tools and of Hypercorn under headings of their own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {"Options": [], "Dev tools": [], "Hypercorn's settings": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                name = parameter.name or ""
                dev_tools = name.startswith("dev_tools_")
                generated = name in HYPERCORN_SETTINGS and name not in _DESCRIBED
                groups["Dev tools" if dev_tools else "Hypercorn's settings" if generated else "Options"].append(record)
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records)


_DESCRIBED = {
    "bind": "Listen here instead of at host and port: HOST:PORT, [IPv6]:PORT or unix:PATH. May be repeated.",
    "certfile": "Serve by TLS, with HTTP/2, with this certificate.",
    "keyfile": "The key of the certificate.",
    "graceful_timeout": "Seconds that running callbacks have to finish when the server ends.  [default: 10]",
}


def _hypercorn_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for name, kind in reversed(HYPERCORN_SETTINGS.items()):
        if name not in WITHOUT_FLAG:
            command = _option_for(name, kind)(command)
    return command


def _dev_tool_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for name, parameter in reversed(list(inspect.signature(Flash.run).parameters.items())):
        if name.startswith("dev_tools_"):
            kind = next(each for each in typing.get_args(parameter.annotation) if each is not type(None))
            command = _option_for(name, kind)(command)
    return command


def _option_for(name: str, kind: Any) -> Callable[..., Any]:
    """A flag for one setting, named after it and taking its type."""
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    flag = "--" + name.replace("_", "-")
    options: dict[str, Any] = {"default": None, "help": _DESCRIBED.get(name)}
    if bool in kinds:
        return click.option(f"{flag}/--no-{flag[2:]}", name, **options)
    if list[str] in kinds:
        return click.option(flag, name, multiple=True, **options)
    flags = next((each for each in kinds if each in (ssl.VerifyMode, ssl.VerifyFlags)), None)
    if flags is not None:
        names = click.Choice([member.name or "" for member in flags])
        return click.option(
            flag, name, type=names, callback=lambda context, option, value: value and flags[value], **options
        )
    scalar = next(_SCALARS[each] for each in kinds if each in _SCALARS)
    return click.option(flag, name, type=scalar, **options)


@click.command("run", cls=RunCommand)
@click.argument("target", metavar="MODULE:APP")
@click.option("--host", help="The address to listen on, or unix:PATH.  [env: HOST; default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="The port.  [env: PORT; default: 8050]")
@click.option("--debug/--no-debug", default=None, help="Dev tools and restarts on code changes.  [env: DASH_DEBUG]")
@click.option("--workers", type=click.IntRange(1), help="Serve by this many processes.  [default: 1]")
@click.option("--use-reloader/--no-use-reloader", default=None, help="Restart when code changes.  [default: --debug]")
@click.option("--extra-files", multiple=True, type=click.Path(), help="Also restart when this file changes.")
@click.option("--exclude-patterns", multiple=True, help="Do not restart for files like this.")
@click.option("--ssl-context", type=click.Choice(["adhoc"]), help="Serve by TLS with a self-signed certificate.")
@click.option("--proxy", help="SERVED::PROXIED, the URL that the banner shows behind a proxy.  [env: DASH_PROXY]")
@_dev_tool_options
@_hypercorn_options
def command(target: str, host: str | None, port: int | None, debug: bool | None, **options: Any) -> None:
    """Serve a Flash app.

    MODULE:APP is where the app is found: package.module:app, path/to/app.py:app, or a function that makes it,
    module:create_app. Without :APP, the names app, application, create_app and make_app are tried.
    """
    chosen = {name: value for name, value in options.items() if value is not None and value != ()}
    try:
        _run(Target.parse(target), host or _default_host(), port or int(os.environ.get("PORT", "8050")), debug, chosen)
    except FlashError as error:
        raise click.ClickException(str(error)) from error


def _run(target: Target, host: str, port: int, debug: bool | None, options: dict[str, Any]) -> None:
    debug = os.environ.get("DASH_DEBUG", "").lower() == "true" if debug is None else debug
    server_options = {name: value for name, value in options.items() if not _is_dashs(name)}
    settings = read_settings(host, port, debug, server_options)
    if settings.use_reloader and can_reload():
        # The app is imported by the process that serves it alone, so that a mistake in it ends only that one.
        raise SystemExit(Reloader(settings, target.folder).run())
    app = load_app(target)
    try:
        app.run(host=host, port=port, debug=debug, **options)
    except FlashError:
        raise
    except Exception as error:
        if error is not app.backend.startup_error or debug:
            raise
        raise click.ClickException(f"The app could not start: {type(error).__name__}: {error}") from error


def _is_dashs(name: str) -> bool:
    return name == "proxy" or name.startswith("dev_tools_")


def _default_host() -> str:
    # Conda sets HOST to the kind of machine; Dash ignores it there too.
    return "127.0.0.1" if "CONDA_PREFIX" in os.environ else os.environ.get("HOST", "127.0.0.1")
