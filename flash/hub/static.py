"""A folder of static pages as an app."""

from __future__ import annotations

import asyncio
from pathlib import Path

from quart import Quart, Response, abort, redirect, request, send_file

from ..exceptions import ConfigurationError

_INDEX = "index.html"


class StaticFolder(Quart):
    """Serves the files of a folder: ranges, ETags, ``index.html`` for folders; no hidden files, nothing outside.

    Args:
        folder: The folder.
        spa: Whether unknown paths without a suffix are answered with the folder's ``index.html``: for pages that
            route by themselves.

    Raises:
        ConfigurationError: There is no such folder.
    """

    def __init__(self, folder: Path, spa: bool = False) -> None:
        super().__init__(__name__, static_folder=None)
        if not folder.is_dir():
            raise ConfigurationError(f"There is no folder {str(folder)!r}.")
        self._folder = folder.resolve()
        self._spa = spa
        self.add_url_rule("/", "index", self._serve, defaults={"path": ""})
        self.add_url_rule("/<path:path>", "file", self._serve)

    async def _serve(self, path: str) -> Response:
        found = await asyncio.to_thread(self._find, path)
        if found is None:
            abort(404)
        if found.name == _INDEX and path and not path.endswith("/") and path.rpartition("/")[2] != _INDEX:
            if (self._folder / path).is_dir():
                return redirect(f"{path.rpartition('/')[2]}/{_query()}", 308)  # type: ignore[return-value]
        return await send_file(found, conditional=True)

    def _find(self, path: str) -> Path | None:
        """The file for a path, if there is one that may be seen."""
        hidden = any(part.startswith(".") for part in path.split("/")) or "\\" in path or "\0" in path
        file = None if hidden else self._visible(self._folder / path)
        if file is not None and path.endswith("/") and file.name != _INDEX:
            file = None
        if file is None and self._spa and not hidden and "." not in path.rpartition("/")[2]:
            file = self._visible(self._folder)
        return file

    def _visible(self, path: Path) -> Path | None:
        real = path.resolve()
        if not real.is_relative_to(self._folder):
            return None  # A link that leads out of the folder.
        if real.is_dir():
            real /= _INDEX
        return real if real.is_file() else None


def _query() -> str:
    query = request.query_string.decode("ascii", "replace")
    return f"?{query}" if query else ""


def static_folder(path: str | Path, spa: bool = False) -> StaticFolder:
    """The ASGI app that serves a folder of static pages. See :class:`StaticFolder`.

    Example:
        >>> reports = static_folder("reports/html")
    """
    return StaticFolder(Path(path), spa)
