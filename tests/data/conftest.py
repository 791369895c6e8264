"""Pages in browsers, for the tests of sources in pages."""

from __future__ import annotations

from ..live.conftest import browser, open_page

__all__ = ["browser", "open_page"]
