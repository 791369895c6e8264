"""The ``flash`` command. Each module of this package that is not private is one of its commands."""

from __future__ import annotations

import importlib
import pkgutil
import platform
from importlib.metadata import version

import click

from .._version import __version__


class Commands(click.Group):
    """Finds commands by their modules, and imports one when it is called.

    The command ``flash name`` is the object ``command`` of the module ``flash.cli.name``.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f".{cmd_name}", __package__).command
        return command


def _versions() -> str:
    others = ", ".join(f"{name} {version(name)}" for name in ("dash", "quart", "hypercorn"))
    return f"flash {__version__} ({others}, python {platform.python_version()})"


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message=_versions())
def main() -> None:
    """Live, asynchronous dashboards: serve and manage Flash apps."""
