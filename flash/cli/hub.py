"""``flash hub``: serve many apps, from a folder or a ``hub.toml``."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from ..exceptions import FlashError
from ..hub.config import FILE, SIGN_INS, HubFile, folder_alone, read_file
from ._extras import needing

if TYPE_CHECKING:
    from ..hub.hub import Hub

#: The folder that is served when no other is named, and there is no ``hub.toml``.
FOLDER = "apps"

#: The flags that stand for keys of ``hub.toml``; a flag counts more.
_KEYS = ("title", "home", "url", "host", "port", "trusted_proxies", "max_starting", "leave_children", "reload")


@click.command("hub")
@click.argument("target", required=False, type=click.Path(path_type=Path), metavar="[FOLDER | HUB.TOML]")
@click.option("--host", help="The address to listen on, or unix:PATH.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="The port.  [env: PORT; default: 8050]")
@click.option("--title", help="The heading of the start page.")
@click.option("--home", type=click.Path(file_okay=False), help="The folder for all that is kept.  [default: .hub]")
@click.option("--url", help="Where apps find the hub.  [default: where it listens]")
@click.option("--reload/--no-reload", default=None, help="Restart an app when its code changes.")
@click.option("--watch/--no-watch", default=True, help="Follow files as they come and go.  [default: --watch]")
@click.option("--sign-in", type=click.Choice(list(SIGN_INS)), help="How visitors sign in.  [default: none]")
@click.option("--users", type=click.Path(), help="The file of users, for password and basic.")
@click.option("--trusted-proxy", "trusted_proxies", multiple=True, help="Believe this proxy's headers. Repeatable.")
@click.option("--max-starting", type=click.IntRange(1), help="How many apps start at once.  [default: 4]")
@click.option("--leave-children/--end-children", default=None, help="Leave the apps running for the next hub.")
@click.option("--certfile", type=click.Path(), help="Serve by TLS, with HTTP/2, with this certificate.")
@click.option("--keyfile", type=click.Path(), help="The key of the certificate.")
def command(target: Path | None, watch: bool, **flags: Any) -> None:
    """Serve many apps of any kind.

    FOLDER holds them: each *.py, */app.py, package with create_app, or */index.html is one. HUB.TOML says more about
    them, and about the hub. Without either, ./hub.toml is taken, or else ./apps.
    """
    try:
        _serve(target or _usual_target(), watch, flags)
    except FlashError as error:
        raise click.ClickException(str(error)) from error


def _usual_target() -> Path:
    for name in (FILE, FOLDER):
        if Path(name).exists():
            return Path(name)
    raise click.ClickException(f"There is no {FILE} and no folder {FOLDER}/ here. Name one: flash hub path/to/{FILE}")


def _serve(target: Path, watch: bool, flags: dict[str, Any]) -> None:
    with needing("hub"):
        from ..hub.build import hub_of, mount_all
        from ..hub.watch import Watcher
    read = _reader(target, flags)
    file = read()
    config = file.config
    _show_log()
    hub = hub_of(file)
    mounted = mount_all(hub, file)
    if watch:
        hub.beside(Watcher(hub, read, mounted, reload=config.reload).run)
    options = {**config.server, **{name: flags[name] for name in ("certfile", "keyfile") if flags[name]}}
    host = config.host or "127.0.0.1"
    port = int(os.environ.get("PORT", "8050")) if config.port is None else config.port
    _show_apps(hub, host, port, tls="certfile" in options)
    hub.run(host, port, **options)


def _reader(target: Path, flags: dict[str, Any]) -> Callable[[], HubFile]:
    """What reads the file, now and whenever it changes, with the flags in it."""
    chosen = {name: flags[name] for name in _KEYS if flags[name] not in (None, ())}
    if "home" in chosen:
        chosen["home"] = os.path.abspath(chosen["home"])
    if flags["sign_in"] is not None:
        chosen["signin"] = {"kind": flags["sign_in"]}
        if flags["users"] is not None:
            chosen["signin"]["users"] = os.path.abspath(flags["users"])
    elif flags["users"] is not None:
        raise click.UsageError("--users goes together with --sign-in password or --sign-in basic.")

    def read() -> HubFile:
        file = folder_alone(target) if target.is_dir() else read_file(target)
        return msgspec.structs.replace(file, config=msgspec.structs.replace(file.config, **chosen))

    return read


def _show_log() -> None:
    """Let the hub's log be seen, unless somebody has configured one."""
    log = logging.getLogger("flash")
    if not log.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("[%(asctime)s] %(levelname)s: %(message)s"))
        log.addHandler(handler)
    logging.getLogger("flash.hub").setLevel(logging.INFO)


def _show_apps(hub: Hub, host: str, port: int, *, tls: bool) -> None:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
    place = host if host.startswith("unix:") else f"{'https' if tls else 'http'}://{shown}:{port}"
    click.echo(f"{hub.title} on {place}/")
    width = max((len(mount.spec.path) for mount in hub.mounts.values()), default=0)
    for mount in hub.mounts.values():
        click.echo(f"  {mount.spec.path:<{width}}  {mount.spec.title}{'' if mount.spec.on else ' (off)'}")
    if not hub.mounts:
        click.echo("  No apps yet.")
