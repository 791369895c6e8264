"""The JavaScript and CSS bundles of component packages: read off the loop, compressed once, kept."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import mimetypes
import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import brotli
from quart import Response, request

from .. import _dash
from ..exceptions import RequestRefused

if TYPE_CHECKING:
    from ..app import Flash

#: Compression is paid once and by the first visitor, so it must be quick: plotly.min.js takes about 0.2 s.
BROTLI_QUALITY = 5
GZIP_LEVEL = 6
SMALLEST_COMPRESSED = 500
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Bundle:
    """One file of a component package, plain and compressed."""

    plain: bytes
    brotli: bytes | None
    gzip: bytes | None
    content_type: str
    etag: str

    def encoded_for(self, accepted: str) -> tuple[bytes, str | None]:
        """The smallest form that a client accepts.

        Args:
            accepted: The request's ``Accept-Encoding``.

        Returns:
            The bytes, and the ``Content-Encoding`` that names their form, or None for the plain ones.
        """
        encodings = _accepted(accepted)
        if self.brotli is not None and "br" in encodings:
            return self.brotli, "br"
        if self.gzip is not None and "gzip" in encodings:
            return self.gzip, "gzip"
        return self.plain, None

    async def answer(self, immutable: bool) -> Response:
        """The response to the current request for this file.

        Args:
            immutable: Whether the address names this very content, so that browsers may keep it for ever.
        """
        body, encoding = self.encoded_for(request.headers.get("Accept-Encoding", ""))
        response = Response(body, content_type=self.content_type)
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = FOREVER if immutable else "no-cache"
        if encoding:
            response.headers["Content-Encoding"] = encoding
        response.set_etag(self.etag if encoding is None else f"{self.etag}-{encoding}")
        await response.make_conditional(request)
        return response


class Bundles:
    """The bundles of one app. Only files that Dash has registered are served, so what is kept is bounded."""

    def __init__(self, app: Flash) -> None:
        self.app = app
        self._kept: dict[tuple[str, str], asyncio.Future[Bundle]] = {}

    async def serve(self, package_name: str, fingerprinted_path: str) -> Response:
        """Answer a request for a file of a component package.

        Raises:
            RequestRefused: 404, no page asks for this file.
        """
        path, has_fingerprint = _dash.check_fingerprint(fingerprinted_path)
        try:
            _dash.validate_javascript_path(self.app.registered_paths, package_name, path)
        except _dash.DependencyException:
            raise RequestRefused(404, "There is no such bundle.") from None
        return await (await self._bundle(package_name, path)).answer(immutable=has_fingerprint)

    async def _bundle(self, package_name: str, path: str) -> Bundle:
        if self.app.hot_reloading:
            # Component libraries are being written: what was read before may be old.
            return await self.app.flash_chores.run(_read, package_name, path)
        key = package_name, path
        kept = self._kept.get(key)
        if kept is None or kept.cancelled() or (kept.done() and kept.exception() is not None):
            kept = self._kept[key] = asyncio.ensure_future(self.app.flash_chores.run(_read, package_name, path))
        elif not kept.done() and kept.get_loop() is not asyncio.get_running_loop():
            return await self.app.flash_chores.run(_read, package_name, path)
        # Shielded: the first visitor may go away, the others wait for the same work.
        return kept.result() if kept.done() else await asyncio.shield(kept)


def _read(package_name: str, path: str) -> Bundle:
    content = pkgutil.get_data(package_name, path)
    if content is None:
        raise RequestRefused(404, "There is no such bundle.")
    return bundle_of(content, mimetypes.guess_type(path)[0] or "application/octet-stream")


def bundle_of(content: bytes, content_type: str) -> Bundle:
    """A file in all its forms. Takes as long as its compression."""
    compressible = len(content) >= SMALLEST_COMPRESSED and not content_type.startswith(("image/", "font/"))
    if content_type.startswith("text/"):
        content_type += "; charset=utf-8"
    return Bundle(
        plain=content,
        brotli=brotli.compress(content, quality=BROTLI_QUALITY) if compressible else None,
        gzip=gzip.compress(content, GZIP_LEVEL, mtime=0) if compressible else None,
        content_type=content_type,
        etag=hashlib.sha256(content).hexdigest()[:32],
    )


def _accepted(header: str) -> set[str]:
    """The encodings of an ``Accept-Encoding`` header that are not refused with ``q=0``."""
    accepted = set()
    for part in header.lower().split(","):
        name, _, quality = part.partition(";")
        if quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            accepted.add(name.strip())
    return accepted
