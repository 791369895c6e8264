"""What is written about one app of a hub: where it is, under which prefix, who may use it, how it runs."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from ..exceptions import ConfigurationError

#: A name or a prefix that the hub needs for itself.
RESERVED = "_hub"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")
_PREFIX = re.compile(r"(/[A-Za-z0-9][A-Za-z0-9._~-]*)*/?\Z")
_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SPANS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One app of a hub, as ``hub.toml`` and ``hub.mount`` describe it.

    Attributes:
        target: ``"apps/sales.py"``, ``"package.module:create_app"``, a folder of static pages, or the words of a
            command. None for an object that was handed to ``hub.mount``.
        prefix: Where the app is found: ``"/sales"``, or ``""`` for the root.
        name: What the hub calls it: lower-case letters, digits, ``-`` and ``_``.
        title: The heading of its card.
        description: A sentence or two below it.
        tags: Words to search by.
        picture: An image file for its card.
        hidden: Whether it has no card.
        order: Its place on the start page; those without one follow by title.
        isolation: ``"process"``, ``"inline"``, or ``"auto"``: files, scripts and commands in processes of their own.
        access: ``"public"``, ``"signed-in"``, or the roles and users (``"user:ann"``) that may use it.
        managers: The roles and users, beside administrators, who may switch it and read its log.
        env: Environment variables of its process.
        cwd: The folder its process runs in; that of its file when None.
        python: The interpreter that runs it; the hub's own when None.
        memory: Bytes of memory that its processes may hold.
        max_body: Bytes of a request body; None leaves the limit to the app.
        max_requests: How many of its requests and connections may run at once.
        timeout: Seconds that it has to begin an answer; None for no limit.
        on: Whether it is switched on when the hub first sees it.
        on_demand: Whether its first request starts it, rather than the hub.
        idle_timeout: Seconds without use after which its process sleeps; None for never.
        start_timeout: Seconds it has to become ready.
        drain_timeout: Seconds running requests have when it is switched off.
        ready: A path that answers when a command is ready; None for an open port.
        strip: Whether a command gets paths without the prefix; None: unless ``{prefix}`` stands in it.
        spa: Whether a static folder answers unknown paths with its ``index.html``.
        allowed_origins: Further origins whose pages may send to it: ``"https://example.com"``, or ``"*"``.
    """

    target: str | tuple[str, ...] | None
    prefix: str
    name: str
    title: str
    description: str = ""
    tags: tuple[str, ...] = ()
    picture: str | None = None
    hidden: bool = False
    order: int | None = None
    isolation: Literal["auto", "inline", "process"] = "auto"
    access: str | tuple[str, ...] = "signed-in"
    managers: tuple[str, ...] = ()
    env: dict[str, str] = {}
    cwd: str | None = None
    python: str | None = None
    memory: int | None = None
    max_body: int | None = None
    max_requests: int = 1000
    timeout: float | None = None
    on: bool = True
    on_demand: bool = False
    idle_timeout: float | None = None
    start_timeout: float = 60.0
    drain_timeout: float = 10.0
    ready: str | None = None
    strip: bool | None = None
    spa: bool = False
    allowed_origins: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The prefix with its slash: ``"/sales/"``."""
        return self.prefix + "/"


def spec_of(target: Any, prefix: str | None, options: Mapping[str, Any]) -> Spec:
    """Check what was written about an app, and fill in what was left out.

    Args:
        target: As :class:`Spec` says; an object stands for itself.
        prefix: Where it is to be found; None derives it from the name.
        options: The other fields of :class:`Spec`, sizes as ``"512M"`` and spans of time as ``"30m"`` if wanted.

    Raises:
        ConfigurationError: A field is unknown or cannot be what it is.

    Example:
        >>> spec_of("apps/sales.py", None, {"memory": "1G"}).path
        '/sales/'
    """
    fields = dict(options)
    _refuse_unknown(fields)
    written = target if isinstance(target, str) else tuple(target) if isinstance(target, (list, tuple)) else None
    prefix = None if prefix is None else _checked_prefix(prefix)
    name = fields.pop("name", None) or _name_of(prefix, written, target)
    if not isinstance(name, str) or not _NAME.match(name) or name == RESERVED:
        raise ConfigurationError(
            f"An app cannot be called {name!r}: pass name= with lower-case letters, digits, '-' and '_'."
        )
    for field in ("memory", "max_body"):
        fields[field] = _size(field, fields.get(field))
    for field in ("idle_timeout", "start_timeout", "drain_timeout", "timeout"):
        if field in fields:
            fields[field] = _span(field, fields[field])
    try:
        return msgspec.convert(
            {
                **fields,
                "target": written,
                "prefix": f"/{name}" if prefix is None else prefix,
                "name": name,
                "title": fields.get("title") or name.replace("-", " ").replace("_", " ").capitalize(),
            },
            Spec,
        )
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"The app {name!r} cannot be declared so: {error}.") from None


def _refuse_unknown(fields: Mapping[str, Any]) -> None:
    known = set(Spec.__struct_fields__) - {"target", "prefix"}
    for field in fields:
        if field not in known:
            close = difflib.get_close_matches(field, known, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"It takes {', '.join(sorted(known))}."
            raise ConfigurationError(f"An app of a hub has no field {field!r}. {hint}")


def _name_of(prefix: str | None, written: Any, target: Any) -> str:
    if prefix and prefix.strip("/"):
        stem = prefix.strip("/").replace("/", "-")
    elif isinstance(written, str):
        path = Path(written.rpartition(":")[0] if ":" in written[2:] else written)
        file = path.stem if path.suffix in (".py", ".html") else path.name.rpartition(".")[2]
        stem = path.parent.name if file in ("app", "index", "__init__") and path.parent.name else file
    elif prefix is not None:
        stem = "home"
    else:
        stem = str(getattr(target, "__name__", "") or getattr(target, "title", "") or "")
    return re.sub(r"[^a-z0-9_-]+", "-", stem.lower()).strip("-_")


def _checked_prefix(prefix: str) -> str:
    if not isinstance(prefix, str) or not _PREFIX.match(prefix) or prefix.split("/")[1:2] == [RESERVED]:
        raise ConfigurationError(
            f"{prefix!r} is no prefix for an app. Write a path like '/sales' or '/team/sales'; "
            f"'/{RESERVED}' is the hub's."
        )
    return prefix.rstrip("/")


def _size(field: str, value: Any) -> Any:
    """Bytes from ``512``, ``"512M"`` or ``"1.5G"``."""
    return value if value is None else round(_amount(field, value, _SIZES, "'512M' or '2G'"))


def _span(field: str, value: Any) -> Any:
    """Seconds from ``90``, ``"90s"`` or ``"30m"``."""
    return value if value is None else _amount(field, value, _SPANS, "'90s' or '30m'")


def _amount(field: str, value: Any, units: Mapping[str, float], like: str) -> float:
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", str(value))
    written = match[2] if match else "?"
    unit = written if written in units else written.upper().removesuffix("B").removesuffix("I")
    if match is None or unit not in units or isinstance(value, bool):
        raise ConfigurationError(f"{field}={value!r} is no amount. Write a number, or {like}.")
    return float(match[1]) * units[unit]
