"""What ``run()`` and ``flash run`` take: every setting of Hypercorn by its name, and a few of Flash's own."""

from __future__ import annotations

import difflib
import importlib.util
import logging
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypercorn.config import Config

from ..exceptions import ConfigurationError
from .listen import ServerConfig
from .tls import configure_tls

#: What Flash sets differently from Hypercorn: seconds for running requests, and for the app's own shutdown.
DEFAULTS: dict[str, Any] = {"graceful_timeout": 10.0, "shutdown_timeout": 5.0}

#: Settings of Flash's own, beside Hypercorn's.
OWN_SETTINGS = ("workers", "use_reloader", "extra_files", "exclude_patterns", "ssl_context")

#: What apps pass to Flask's server that has no meaning here and does no harm.
IGNORED = {
    "load_dotenv",
    "passthrough_errors",
    "reloader_interval",
    "reloader_type",
    "threaded",
    "use_debugger",
    "use_evalex",
}

#: Attributes of Hypercorn's Config that are no settings of a server that is given its app.
_NO_SETTINGS = {"application_path", "cert_reqs", "daemon", "debug", "log", "ssl_enabled", "use_reloader", "workers"}

_ELSEWHERE = {
    "processes": "workers",
    "reload": "use_reloader",
    "ssl_certfile": "certfile",
    "ssl_keyfile": "keyfile",
    "timeout_graceful_shutdown": "graceful_timeout",
    "timeout_keep_alive": "keep_alive_timeout",
}


def _hypercorn_settings() -> dict[str, Any]:
    """The names of Hypercorn's settings with the types that they take."""
    kinds = typing.get_type_hints(Config)
    for name, value in vars(Config).items():
        if isinstance(value, property):
            if value.fget is not None:
                kinds[name] = typing.get_type_hints(value.fget)["return"]
        elif isinstance(value, list):
            kinds.setdefault(name, list[str])
        elif isinstance(value, (bool, int, float, str, type)):
            kinds.setdefault(name, type(value))
    return {
        name: kind
        for name, kind in sorted(kinds.items())
        if not name.startswith("_") and name not in _NO_SETTINGS and kind is not None
    }


#: Every setting of Hypercorn that ``run()`` takes, with its type.
HYPERCORN_SETTINGS: dict[str, Any] = _hypercorn_settings()


@dataclass(frozen=True)
class Settings:
    """What one run was asked for, checked."""

    config: ServerConfig
    workers: int
    use_reloader: bool
    #: Files beside the app's code whose change restarts it.
    extra_files: tuple[Path, ...] = ()
    #: Patterns (as :mod:`fnmatch` reads them) of files whose change does not.
    exclude_patterns: tuple[str, ...] = ()


def read_settings(
    host: str, port: int, debug: bool, options: Mapping[str, Any], *, log_requests: bool = False
) -> Settings:
    """Check the arguments of one run.

    Args:
        host: An address, a name, or ``unix:/path/to/socket``.
        port: The port; without meaning for a unix socket.
        debug: Whether the app restarts when its code changes, if ``use_reloader`` does not say otherwise.
        options: Hypercorn's settings and Flash's own, by name.
        log_requests: Whether requests are logged, if ``accesslog`` does not say otherwise.

    Raises:
        ConfigurationError: A setting is unknown, has the wrong type, or does not go together with another.

    Example:
        >>> read_settings("::1", 8050, False, {"keep_alive_timeout": 30}).config.bind
        ['[::1]:8050']
    """
    wanted = {**DEFAULTS, **{name: value for name, value in options.items() if name not in IGNORED}}
    _refuse_unknown(wanted)
    own = {name: wanted.pop(name) for name in OWN_SETTINGS if name in wanted}
    for name, value in wanted.items():
        _check(name, value, HYPERCORN_SETTINGS[name])
    config = ServerConfig()
    config.bind = [address(host, port)]
    config.accesslog = "-" if log_requests else None
    for name, value in wanted.items():
        setattr(config, name, _as_list(value) if HYPERCORN_SETTINGS[name] == list[str] else value)
    # Flash ends requests itself when the time is over, gently; what is then left, Hypercorn cuts off.
    config.grace, config.graceful_timeout = config.graceful_timeout, config.graceful_timeout + 2
    configure_tls(config, own.get("ssl_context"))
    _check_together(config)
    return _with_own_settings(config, debug, own)


def address(host: str, port: int) -> str:
    """Host and port as Hypercorn writes them.

    Example:
        >>> address("::", 8050)
        '[::]:8050'
    """
    if host.startswith(("unix:", "fd://")):
        return host
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def _with_own_settings(config: ServerConfig, debug: bool, own: dict[str, Any]) -> Settings:
    workers = 1 if own.get("workers") is None else own["workers"]
    reloads = debug if own.get("use_reloader") is None else own["use_reloader"]
    _check("workers", workers, int)
    _check("use_reloader", reloads, bool)
    if workers < 1:
        raise ConfigurationError(f"workers={workers} serves nothing: pass at least 1.")
    if workers > 1 and reloads:
        raise ConfigurationError(
            f"workers={workers} and restarts on code changes do not go together. Leave out workers while you develop, "
            "or pass use_reloader=False (--no-use-reloader)."
        )
    if config.max_requests is not None and workers == 1:
        raise ConfigurationError(
            "max_requests ends a worker so that a new one takes its place: it needs workers=2 or more."
        )
    extra = [str(each) if isinstance(each, Path) else each for each in _as_list(own.get("extra_files") or [])]
    excluded = _as_list(own.get("exclude_patterns") or [])
    _check("extra_files", extra, list[str])
    _check("exclude_patterns", excluded, list[str])
    return Settings(config, workers, reloads, tuple(Path(each).resolve() for each in extra), tuple(excluded))


def _refuse_unknown(wanted: Mapping[str, Any]) -> None:
    known = [*HYPERCORN_SETTINGS, *OWN_SETTINGS, "host", "port", "debug"]
    for name in wanted:
        if name in HYPERCORN_SETTINGS or name in OWN_SETTINGS:
            continue
        close = difflib.get_close_matches(name, known, n=1)
        likely = _ELSEWHERE.get(name) or (close[0] if close else None)
        raise ConfigurationError(
            f"run() has no setting {name!r}. "
            + (f"Did you mean {likely!r}?" if likely else "It takes those of Dash's run() and Hypercorn's settings.")
        )


def _check(name: str, value: Any, kind: Any) -> None:
    if not _fits(value, kind):
        raise ConfigurationError(f"{name} takes {_described(kind)}, not {value!r}.")
    if isinstance(value, (int, float)) and value < 0:
        raise ConfigurationError(f"{name} cannot be negative, and is {value!r}.")


def _fits(value: Any, kind: Any) -> bool:
    if isinstance(kind, types.UnionType):
        return any(_fits(value, each) for each in typing.get_args(kind))
    if kind == list[str]:
        return isinstance(value, str) or (isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value))
    if kind in (int, float):
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    return isinstance(value, kind)


def _described(kind: Any) -> str:
    if isinstance(kind, types.UnionType):
        return " or ".join(_described(each) for each in typing.get_args(kind))
    if kind == list[str]:
        return "a list of strings"
    names = {int: "a whole number", float: "a number", bool: "True or False", str: "a string", type(None): "None"}
    return names.get(kind, f"a {getattr(kind, '__name__', kind)}")


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple, set)) else [value]


def _check_together(config: ServerConfig) -> None:
    if not isinstance(logging.getLevelName(config.loglevel.upper()), int):
        raise ConfigurationError(f"loglevel={config.loglevel!r} is none of logging's levels. Use 'INFO' or 'WARNING'.")
    if config.worker_class not in ("asyncio", "uvloop"):
        raise ConfigurationError(f"worker_class={config.worker_class!r}: Flash runs on 'asyncio' or 'uvloop'.")
    if config.worker_class == "uvloop" and importlib.util.find_spec("uvloop") is None:
        raise ConfigurationError("worker_class='uvloop' needs a package that is not installed: pip install uvloop.")
    if (config.insecure_bind or config.quic_bind) and not config.ssl_enabled:
        raise ConfigurationError(
            "insecure_bind and quic_bind listen beside TLS: pass certfile= and keyfile= as well, or use bind= alone."
        )
    if config.quic_bind and importlib.util.find_spec("aioquic") is None:
        raise ConfigurationError("quic_bind needs a package that is not installed: pip install 'hypercorn[h3]'.")
