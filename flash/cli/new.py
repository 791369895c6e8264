"""``flash new``: write a project to begin with."""

from __future__ import annotations

import json
import re
import secrets
from pathlib import Path

import click

from .._version import __version__
from ..hub.signin.passwords import hash_of
from ..hub.signin.users import UserFile
from ._extras import needing

#: What can be written: a folder for each kind of project.
TEMPLATES = Path(__file__).parent.parent / "templates"

#: Who may sign in to a new dashboard.
FIRST_USER = "admin"

_NAME = re.compile(r"[a-z][a-z0-9-]*\Z")


@click.group("new")
def command() -> None:
    """Write a project to begin with."""


@command.command("hub")
@click.argument("name")
@click.option("--title", help="The heading of its start page.  [default: the name]")
def hub(name: str, title: str | None) -> None:
    """A hub with two apps, tests, and what serving it takes.

    NAME is the folder to write; its last part also names the system's service.
    """
    folder = _new_folder(name)
    write(TEMPLATES / "hub", folder, _words(folder, title))
    click.echo(f"Written to {folder}. Next:\n\n  cd {folder}\n  flash hub development.toml")


@command.command("live-dashboard")
@click.argument("name")
@click.option("--title", help="Its heading.  [default: the name]")
@click.option("--flask", is_flag=True, help="For Dash on Flask, served by waitress; open pages ask for new data.")
def live_dashboard(name: str, title: str | None, flask: bool) -> None:
    """A dashboard over data that are read by a schedule, with sign-in, logs, tests and a Dockerfile.

    NAME is the folder to write. The password of its first user is shown once.
    """
    folder = _new_folder(name)
    password = secrets.token_urlsafe(12)
    with needing("hub"):
        import argon2  # noqa: F401
    words = _words(folder, title)
    write(TEMPLATES / "live-dashboard", folder, words)
    if flask:
        write(TEMPLATES / "live-dashboard-flask", folder, words)
    UserFile(folder / "users.txt").put(FIRST_USER, hash_of(password))
    click.echo(
        f"Written to {folder}. Next:\n\n  cd {folder}\n  pip install -r requirements.txt\n  python server.py\n\n"
        f"Sign in as {FIRST_USER} with the password {password}\n"
        f"It is kept nowhere and not shown again. To set another one: flash user password {FIRST_USER}"
    )


def _new_folder(name: str) -> Path:
    """The folder of a project that is not there yet.

    Raises:
        click.ClickException: Its name cannot be one, or something is there.
    """
    folder = Path(name)
    if not _NAME.match(folder.name):
        raise click.ClickException(f"{folder.name!r} is no name: take lower-case letters, digits and '-'.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise click.ClickException(f"{folder} exists already. Choose another name, or remove it.")
    return folder


def _words(folder: Path, title: str | None) -> dict[str, str]:
    """What stands for the words of all templates.

    ``title`` is for text; ``escaped`` is the same as it stands between the quotes of Python, TOML and JSON.
    """
    title = title or folder.name.replace("-", " ").capitalize()
    return {
        "name": folder.name,
        "title": title,
        "escaped": json.dumps(title, ensure_ascii=False)[1:-1],
        "version": __version__,
    }


def write(template: Path, folder: Path, words: dict[str, str]) -> None:
    """Copy a template, with ``{{word}}`` replaced in its files.

    Args:
        template: The folder to copy. ``__name__`` in the name of a file is replaced too, and ``dot.`` becomes ``.``.
        folder: The folder to write. A file that is there already is replaced: one template can be laid over another.
        words: What stands for each word.
    """
    for source in sorted(template.rglob("*")):
        # What tools have left in the template is none of it.
        if source.is_dir() or any(re.match(r"\.|__pycache__", part) for part in source.relative_to(template).parts):
            continue
        name = source.name.replace("__name__", words["name"])
        target = folder / source.parent.relative_to(template) / re.sub(r"^dot\.", ".", name)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        target.write_text(re.sub(r"\{\{(\w+)\}\}", lambda word: words.get(word[1], word[0]), text), encoding="utf-8")
