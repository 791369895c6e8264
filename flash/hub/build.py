"""A hub from its ``hub.toml``."""

from __future__ import annotations

import difflib
import inspect
import logging
from typing import Any

from ..exceptions import ConfigurationError
from . import signin
from .config import HubFile
from .discover import Declaration, Skipped
from .hub import Hub

logger = logging.getLogger("flash.hub")

#: The keys of ``hub.toml`` that are arguments of :class:`flash.hub.hub.Hub` as they are.
_ARGUMENTS = ("title", "home", "url", "trusted_proxies", "max_starting", "metrics_token", "leave_children")

#: The kinds of sign-in, and the classes of :mod:`flash.hub.signin` whose arguments are the other keys of ``[signin]``.
SIGN_INS = {
    "none": "NoSignIn",
    "password": "PasswordFile",
    "basic": "Basic",
    "forwarded": "Forwarded",
    "oidc": "OIDC",
}


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
            if found.written:
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
    make: Any = getattr(signin, SIGN_INS[kind])
    known = list(inspect.signature(make).parameters)
    for name in fields:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"It takes {', '.join(known) or 'nothing else'}."
            raise ConfigurationError(f"{file.path}: a sign-in of kind {kind!r} has no key {name!r}. {hint}")
    try:
        sign_in: signin.SignIn = make(**fields)
    except TypeError as error:
        raise ConfigurationError(f"{file.path}: a sign-in of kind {kind!r} cannot be made so: {error}.") from None
    return sign_in
