"""A hub from its ``hub.toml``."""

from __future__ import annotations

import difflib
import inspect
import logging
import typing
from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

import msgspec

from ..exceptions import ConfigurationError
from . import signin
from .config import SIGN_INS, HubFile
from .discover import Declaration, Skipped
from .hub import Hub

logger = logging.getLogger("flash.hub")

#: The keys of ``hub.toml`` that are arguments of :class:`flash.hub.hub.Hub` as they are.
_ARGUMENTS = ("title", "home", "url", "trusted_proxies", "max_starting", "metrics_token", "leave_children")


def hub_of(file: HubFile) -> Hub:
    """The hub that a ``hub.toml`` describes, without its apps.

    Raises:
        ConfigurationError: Something in it cannot work.
    """
    chosen = {name: getattr(file.config, name) for name in _ARGUMENTS}
    arguments: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    return Hub(signin=signin_of(file), **arguments)


def mount_all(hub: Hub, file: HubFile) -> dict[str, Declaration]:
    """Mount all apps that a ``hub.toml`` declares, and those of its folders; returns them by name.

    A file of a folder that is broken, or has no app, is logged and left out.

    Raises:
        ConfigurationError: An app that is written in the file cannot be mounted.
    """
    mounted = {}
    for found in file.found():
        if isinstance(found, Skipped):
            logger.log(logging.ERROR if found.broken else logging.INFO, "%s", found.reason)
            continue
        try:
            name = hub.mount(found.target, found.prefix, **found.options).spec.name
        except ConfigurationError as error:
            if not found.discovered:
                raise ConfigurationError(f"{found.where}: {error}") from None
            logger.error("%s cannot be served: %s", found.where, error)
            continue
        mounted[name] = found
    return mounted


def signin_of(file: HubFile) -> signin.SignIn | None:
    """The sign-in that a ``hub.toml`` describes.

    Raises:
        ConfigurationError: There is no such kind, or it takes something else.
    """
    fields = dict(file.config.signin or {})
    if not fields:
        return None
    kind = fields.pop("kind", None)
    if kind not in SIGN_INS:
        raise ConfigurationError(f"{file.path}: signin.kind is one of {', '.join(SIGN_INS)}, and not {kind!r}.")
    if kind == "forwarded":
        fields.setdefault("trusted", file.config.trusted_proxies or ())
    make: Any = getattr(signin, SIGN_INS[kind])
    _refuse_keys(fields, make, f"{file.path}: a sign-in of kind {kind!r}")
    try:
        return cast(signin.SignIn, make(**_typed(fields, make)))
    except (ConfigurationError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"{file.path}: the sign-in cannot be made so: {error}") from None


def _refuse_keys(fields: Mapping[str, Any], make: Any, what: str) -> None:
    known = inspect.signature(make).parameters
    for name in fields:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"It takes {', '.join(known) or 'nothing else'}."
            raise ConfigurationError(f"{what} has no key {name!r}. {hint}")
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in fields:
            raise ConfigurationError(f"{what} needs the key {name!r}.")


def _typed(fields: Mapping[str, Any], make: Any) -> dict[str, Any]:
    """The arguments, checked; numbers may be text, which is what the environment holds."""
    kinds = typing.get_type_hints(make.__init__)
    return {name: msgspec.convert(value, _kind(kinds[name]), strict=False) for name, value in fields.items()}


def _kind(hint: Any) -> Any:
    """What TOML has for an argument."""
    if hint is float or typing.get_origin(hint) is None:
        return hint
    if typing.get_origin(hint) in (Iterable, Collection):
        return list[str]
    is_table = any(typing.get_origin(each) is Mapping for each in typing.get_args(hint))
    return dict[str, str] if is_table else str
