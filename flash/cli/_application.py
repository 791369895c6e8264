"""Finding the app that a command is about."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import click
import dash
from quart import Quart

from ..app import Flash
from ..exceptions import ConfigurationError
from ..targets import Target, attribute_of, import_target, made_by


def load_app(target: Target) -> Flash:
    """Import the app that ``target`` names.

    Without an attribute, ``app``, ``application``, ``create_app`` and ``make_app`` are tried. The attribute is a Flash
    app or a function that makes one.

    Raises:
        click.ClickException: There is no such app; it says how to name the right one.
    """
    try:
        module = import_target(target)
        attribute, value = attribute_of(target, vars(module), _apps_in(module, target))
        return _as_app(value, f"{target.written}:{attribute}")
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error


def _as_app(value: Any, target: str) -> Flash:
    if isinstance(value, Flash):
        return value
    if isinstance(value, dash.Dash):
        raise ConfigurationError(
            f"{target} is a plain dash.Dash app. Change its import, from dash import ... to from flash import ..., "
            "and Dash(...) to Flash(...)."
        )
    if isinstance(value, Quart):
        raise ConfigurationError(
            f"{target} is a Quart server. Name the Flash app that it carries: running that one serves all of it."
        )
    if callable(value) and not isinstance(value, type):
        return _as_app(made_by(value, target), f"{target}()")
    raise ConfigurationError(f"{target} is no Flash app, but a {type(value).__name__}.")


def _apps_in(module: ModuleType, target: Target) -> str:
    names = [name for name, value in vars(module).items() if isinstance(value, Flash)]
    if names:
        return f"Did you mean {target.written}:{names[0]}?"
    return "Write flash run module:attribute, where the attribute is a Flash app or a function that makes one."
