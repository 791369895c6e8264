"""``flash new``: write a project to begin with."""

from __future__ import annotations

import re
from pathlib import Path

import click

from .._version import __version__

#: What can be written: a folder for each kind of project.
TEMPLATES = Path(__file__).parent.parent / "templates"

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
    folder = Path(name)
    if not _NAME.match(folder.name):
        raise click.ClickException(f"{folder.name!r} is no name: take lower-case letters, digits and '-'.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise click.ClickException(f"{folder} exists already. Choose another name, or remove it.")
    words = {"name": folder.name, "title": title or folder.name.replace("-", " ").capitalize(), "version": __version__}
    write(TEMPLATES / "hub", folder, words)
    click.echo(f"Written to {folder}. Next:\n\n  cd {folder}\n  flash hub development.toml")


def write(template: Path, folder: Path, words: dict[str, str]) -> None:
    """Copy a template, with ``{{word}}`` replaced in its files.

    Args:
        template: The folder to copy. ``__name__`` in the name of a file is replaced too, and ``dot.`` becomes ``.``.
        folder: The folder to write.
        words: What stands for each word.
    """
    for source in sorted(template.rglob("*")):
        if source.is_dir() or "__pycache__" in source.parts:
            continue
        name = source.name.replace("__name__", words["name"])
        target = folder / source.parent.relative_to(template) / re.sub(r"^dot\.", ".", name)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        target.write_text(re.sub(r"\{\{(\w+)\}\}", lambda word: words.get(word[1], word[0]), text), encoding="utf-8")
