"""TLS for the server: from files, from a context of the user's, or with a certificate made up for the occasion."""

from __future__ import annotations

import os
import ssl
from typing import Any

from hypercorn.config import Config

from ..exceptions import ConfigurationError
from .listen import ServerConfig


def configure_tls(config: ServerConfig, ssl_context: Any) -> None:
    """Give a configuration its SSL context, which offers HTTP/2 and HTTP/1.1 to clients by ALPN.

    Args:
        config: It may name ``certfile``, ``keyfile`` and other settings of TLS.
        ssl_context: As Flask takes it: an :class:`ssl.SSLContext`, ``"adhoc"`` for a self-signed certificate, a pair
            of paths to certificate and key, or None.

    Raises:
        ConfigurationError: The files cannot be read, or do not belong together.
    """
    if ssl_context is not None and config.certfile is not None:
        raise ConfigurationError("ssl_context and certfile both say how to encrypt: pass one of them.")
    if isinstance(ssl_context, (tuple, list)) and len(ssl_context) in (1, 2):
        config.certfile, config.keyfile = os.fspath(ssl_context[0]), os.fspath(ssl_context[-1])
    elif isinstance(ssl_context, ssl.SSLContext):
        ssl_context.set_alpn_protocols(config.alpn_protocols)
        config.ssl_context = ssl_context
    elif ssl_context == "adhoc":
        config.ssl_context = _self_signed(config)
    elif ssl_context is not None:
        raise ConfigurationError(
            f"ssl_context takes an ssl.SSLContext, 'adhoc' or a pair (certfile, keyfile), not {ssl_context!r}."
        )
    if config.certfile is None and config.keyfile is not None:
        raise ConfigurationError("keyfile is given without certfile: TLS needs the certificate as well.")
    if config.certfile is not None:
        # One file may hold both.
        config.keyfile = config.keyfile or config.certfile
        config.ssl_context = _from_files(config)


def _from_files(config: ServerConfig) -> ssl.SSLContext:
    for name in ("certfile", "keyfile", "ca_certs"):
        path = getattr(config, name)
        if path is not None and not os.path.isfile(path):
            raise ConfigurationError(f"{name}={path!r}: there is no such file.")
    try:
        context = Config.create_ssl_context(config)
    except (ssl.SSLError, OSError) as error:
        raise ConfigurationError(
            f"certfile={config.certfile!r} and keyfile={config.keyfile!r} cannot be used: {error}."
        ) from error
    assert context is not None
    return context


def _self_signed(config: ServerConfig) -> ssl.SSLContext:
    # Werkzeug comes with Dash and makes the same certificate for Flask.
    from werkzeug.serving import generate_adhoc_ssl_context

    try:
        context = generate_adhoc_ssl_context()
    except TypeError as error:
        raise ConfigurationError("ssl_context='adhoc' needs a package: pip install cryptography.") from error
    context.set_alpn_protocols(config.alpn_protocols)
    return context
