"""``flash check``: what cannot work, or may do harm, on a hub. No app is run for it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..exceptions import FlashError
from ..hub.config import FILE, folder_alone
from ._extras import needing

if TYPE_CHECKING:
    from ..hub.finding import Finding

_COLORS = {"error": "red", "warning": "yellow", "note": "cyan"}


@click.command("check")
@click.argument("target", default=FILE, type=click.Path(exists=True, path_type=Path), metavar="HUB.TOML")
@click.option("--json", "as_json", is_flag=True, help="Write the findings as JSON: level, app, text, advice.")
def command(target: Path, as_json: bool) -> None:
    """Check a hub: prefixes, names, targets, ids in browsers' storage, names of modules, secrets.

    HUB.TOML is the file, or a folder of apps. The exit code is 1 when there are errors.
    """
    with needing("hub"):
        from ..hub.check import check_file, check_path
    try:
        findings = check_file(folder_alone(target)) if target.is_dir() else check_path(target)
    except FlashError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(each) for each in findings], indent=2))
    else:
        _show(findings)
    if any(each.level == "error" for each in findings):
        raise SystemExit(1)


def _show(findings: list[Finding]) -> None:
    for each in findings:
        level = click.style(f"{each.level:<8}", fg=_COLORS[each.level])
        click.echo(f"{level} {f'{each.app}: ' if each.app else ''}{each.text}")
        click.echo(f"         {each.advice}")
    counts = [sum(each.level == level for each in findings) for level in _COLORS]
    words = [
        f"{count} {level}{'s' if count != 1 else ''}" for count, level in zip(counts, _COLORS, strict=True) if count
    ]
    click.echo(", ".join(words) or "Nothing was found.")
