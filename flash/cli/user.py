"""``flash user``: the users of a hub, in a file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..exceptions import FlashError
from ..hub.signin.passwords import hash_of
from ..hub.signin.users import UserFile, checked_name

#: The file, when no other is named.
FILE = "users.txt"

#: A shorter password is accepted only when it is not typed by a person who can be told.
SHORTEST = 8


@click.group("user")
def command() -> None:
    """Edit the users of a hub: a file of names, hashed passwords and roles.

    A hub that runs takes in what has changed within a second. Passwords are asked for; in scripts, --password-stdin
    reads one from the standard input.
    """


def _with_file(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--file", type=click.Path(dir_okay=False, path_type=Path), default=FILE, show_default=True, help="The file."
    )(function)


def _with_stdin(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--password-stdin", is_flag=True, help="Read the password from the standard input.")(function)


@command.command()
@click.argument("name")
@click.option("--roles", default="", help="Roles, separated by commas: admin,finance.")
@_with_stdin
@_with_file
def add(name: str, roles: str, password_stdin: bool, file: Path) -> None:
    """Add a user. The role admin may do everything on the hub."""
    _tell(lambda: UserFile(file).refuse_taken(checked_name(name)))
    hashed = _asked(password_stdin)
    _tell(lambda: UserFile(file).put(name, hashed, roles.split(",")))
    click.echo(f"{name} can sign in.")


@command.command()
@click.argument("name")
@_with_stdin
@_with_file
def password(name: str, password_stdin: bool, file: Path) -> None:
    """Give a user another password. All sessions of the user end."""
    _tell(lambda: UserFile(file).known(name))
    hashed = _asked(password_stdin)
    _tell(lambda: UserFile(file).change(name, password=hashed))
    click.echo(f"{name} has another password.")


@command.command()
@click.argument("name")
@click.argument("roles")
@_with_file
def roles(name: str, roles: str, file: Path) -> None:
    """Give a user these roles in the place of the old ones: admin,finance, or "" for none."""
    _tell(lambda: UserFile(file).change(name, roles=roles.split(",")))
    click.echo(f"{name} has the roles {roles}." if roles.strip(" ,") else f"{name} has no roles.")


@command.command()
@click.argument("name")
@_with_file
def remove(name: str, file: Path) -> None:
    """Remove a user. All sessions of the user end."""
    _tell(lambda: UserFile(file).remove(name))
    click.echo(f"{name} is removed.")


@command.command("list")
@_with_file
def list_users(file: Path) -> None:
    """Show the users and their roles."""
    for user in sorted(_tell(UserFile(file).read).values(), key=lambda user: user.name.casefold()):
        click.echo(f"{user.name}\t{', '.join(sorted(user.roles))}".rstrip())


def _asked(from_stdin: bool) -> str:
    """The hash of a password that somebody types twice, or of a line of the standard input."""
    if from_stdin:
        given = sys.stdin.readline().rstrip("\r\n")
    else:
        given = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        if len(given) < SHORTEST:
            raise click.ClickException(f"Take at least {SHORTEST} characters: several words are easy to remember.")
    hashed: str = _tell(lambda: hash_of(given))
    return hashed


def _tell(work: Callable[[], Any]) -> Any:
    """Do something, and show errors of Flash as sentences."""
    try:
        return work()
    except FlashError as error:
        raise click.ClickException(str(error)) from error
