"""``hub.toml``: a hub and its apps, written in a file."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..exceptions import ConfigurationError
from .discover import Declaration, Skipped, absolute_paths, described, discover, target_in
from .spec import Spec

#: The name of the file that is looked for.
FILE = "hub.toml"

#: The kinds of sign-in, and the classes of :mod:`flash.hub.signin` whose arguments are the other keys of ``[signin]``.
SIGN_INS = {
    "none": "NoSignIn",
    "password": "PasswordFile",
    "basic": "Basic",
    "forwarded": "Forwarded",
    "oidc": "OIDC",
}

_VARIABLE = re.compile(r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})")


class HubConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a ``hub.toml`` says, with the environment's values in it and its paths absolute.

    Attributes:
        title: The heading of the start page.
        home: The folder for all that outlives the hub; ``.hub`` beside the file when None.
        url: Where apps find the hub: ``"http://127.0.0.1:8050"``; None: where it listens.
        host: The address to listen on, or ``unix:/path/of/socket``.
        port: The port to listen on.
        signin: How visitors sign in: ``kind``, and what that kind takes.
        trusted_proxies: Addresses and networks whose ``X-Forwarded-*`` headers are believed.
        metrics_token: A bearer token that may read the metrics, beside administrators.
        discover: Folders whose apps are found, and served as they come and go.
        max_starting: How many apps start at once.
        leave_children: Whether the apps' processes stay when the hub ends, for the next one to take over.
        reload: Whether an app restarts when its code changes.
        server: Settings of Hypercorn: ``certfile``, ``graceful_timeout`` ...
        app: The apps that are written one by one: ``target``, ``prefix``, and the other fields of
            :class:`flash.hub.spec.Spec`.
    """

    title: str | None = None
    home: str | None = None
    url: str | None = None
    host: str | None = None
    port: int | None = None
    signin: dict[str, Any] | None = None
    trusted_proxies: tuple[str, ...] | None = None
    metrics_token: str | None = None
    discover: tuple[str, ...] = ()
    max_starting: int | None = None
    leave_children: bool | None = None
    reload: bool = False
    server: dict[str, Any] = {}
    app: tuple[dict[str, Any], ...] = ()


class HubFile(msgspec.Struct, frozen=True, kw_only=True):
    """A ``hub.toml``, or the folder of apps that stands for one.

    Attributes:
        path: The file; None for a folder alone.
        folder: What paths are relative to.
        config: What it says.
        raw: What it says before the environment's values were put in.
    """

    path: Path | None
    folder: Path
    config: HubConfig
    raw: dict[str, Any]

    def found(self) -> Iterator[Declaration | Skipped]:
        """All apps: those written in the file, then those of its folders; and what was skipped there.

        An app of a folder that the file names too is one app: what the file says counts more.

        Raises:
            ConfigurationError: A declaration cannot be what it is, or there is no such folder.
        """
        written = [self.written(number) for number in range(len(self.config.app))]
        yield from written
        places = {each.place for each in written}
        for folder in self.config.discover:
            for found in discover(Path(folder)):
                if isinstance(found, Skipped) or found.place not in places:
                    yield found

    def declarations(self) -> list[Declaration]:
        """The apps alone. Raises what :meth:`found` raises."""
        return [each for each in self.found() if isinstance(each, Declaration)]

    def written(self, number: int) -> Declaration:
        """One of the apps that are written in the file, counted from 0.

        Raises:
            ConfigurationError: It cannot be what it is; the sentence names the file and the app.
        """
        fields = dict(self.config.app[number])
        where = f"{self.path}, app {fields.get('name') or fields.get('prefix') or number + 1}"
        _refuse_unknown(fields, {"target", *Spec.__struct_fields__}, where)
        if not fields.get("target"):
            raise ConfigurationError(f'{where} has no target. Write target = "apps/sales.py", for example.')
        target = _located(fields.pop("target"), self.folder, where)
        if isinstance(target, tuple) or not os.path.isabs(target):
            fields.setdefault("cwd", ".")  # Commands run, and modules are found, beside the file.
        own = described(target) if isinstance(target, str) else {}
        declaration = Declaration(target, where, absolute_paths(fields, self.folder), own)
        declaration.spec()
        return declaration


def read_file(path: Path, environment: Mapping[str, str] = os.environ) -> HubFile:
    """Read a ``hub.toml``.

    Args:
        path: The file.
        environment: Stands for ``${NAME}`` and ``${NAME:-default}`` in strings; ``$$`` is a dollar sign.

    Raises:
        ConfigurationError: It cannot be read, a key is unknown or of the wrong kind, or a variable is not set.

    Example:
        >>> read_file(Path("hub.toml")).config.title
        'Analytics'
    """
    path = path.absolute()
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise ConfigurationError(f"{path} is no TOML: {error}.") from None
    _refuse_unknown(raw, HubConfig.__struct_fields__, str(path))
    try:
        # Not strict: what comes from the environment is text, and may stand for a number.
        config = msgspec.convert(_filled(raw, environment, str(path), ""), HubConfig, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{path}: {error}.") from None
    return HubFile(path=path, folder=path.parent, config=_with_paths(config, path.parent), raw=raw)


def folder_alone(folder: Path) -> HubFile:
    """A folder of apps, without a file that says more."""
    folder = folder.absolute()
    return HubFile(path=None, folder=Path.cwd(), config=HubConfig(discover=(str(folder),)), raw={})


def _refuse_unknown(fields: Mapping[str, Any], known: Any, where: str) -> None:
    for name in fields:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"There are {', '.join(sorted(known))}."
            raise ConfigurationError(f"{where} has a key {name!r}, which means nothing here. {hint}")


def _filled(value: Any, environment: Mapping[str, str], where: str, key: str) -> Any:
    """A value with the environment's in it."""
    if isinstance(value, dict):
        return {
            name: _filled(each, environment, where, f"{key}.{name}" if key else name) for name, each in value.items()
        }
    if isinstance(value, list):
        return [_filled(each, environment, where, f"{key}[{place}]") for place, each in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replaced(match: re.Match[str]) -> str:
        dollar, name, default = match.groups()
        if dollar:
            return "$"
        found = environment.get(name) or default
        if found is None:
            raise ConfigurationError(
                f"{where}: {key} needs the environment variable {name}, which is not set. Set it, or write "
                f"${{{name}:-default}}."
            )
        return found

    return _VARIABLE.sub(replaced, value)


def _with_paths(config: HubConfig, folder: Path) -> HubConfig:
    signin = config.signin
    if signin is not None and isinstance(signin.get("users"), str):
        signin = {**signin, "users": os.path.normpath(folder / signin["users"])}
    return msgspec.structs.replace(
        config,
        home=os.path.normpath(folder / (config.home or ".hub")),
        discover=tuple(os.path.normpath(folder / each) for each in config.discover),
        signin=signin,
    )


def _located(written: Any, folder: Path, where: str) -> str | tuple[str, ...]:
    """A target with its path absolute; modules and commands stay as they are."""
    if isinstance(written, list) and written and all(isinstance(word, str) for word in written):
        return tuple(written)
    if not isinstance(written, str):
        raise ConfigurationError(
            f'{where}: target is a text such as "apps/sales.py", or the words of a command: '
            f'["streamlit", "run", "x.py"], and not {written!r}.'
        )
    file, attribute = written, ""
    if not written.endswith(".py") and ":" in written[2:]:
        file, _, attribute = written.rpartition(":")
    if file.endswith(".py"):
        return os.path.normpath(folder / file) + (f":{attribute}" if attribute else "")
    if not attribute and (folder / file).is_dir():
        return target_in(folder / file) or os.path.normpath(folder / file)
    if "/" in file or "\\" in file:
        return os.path.normpath(folder / file)
    return written
