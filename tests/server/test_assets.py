"""The bundles of component packages: compressed once, kept, revalidated, and nothing beside them."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import brotli
import pytest

from flash import html
from flash.server import assets

from ..apps import flash_app, run, serving


async def bundle_path(client: Any, name: str) -> str:
    index = await (await client.get("/")).get_data(as_text=True)
    return next(part for part in index.split('"') if name in part and ".js" in part)


def with_client(check: Any, **options: Any) -> Any:
    app = flash_app(**options)
    app.layout = html.Div()

    async def main() -> Any:
        async with serving(app) as client:
            return await check(client)

    return run(main)


@pytest.mark.parametrize(
    ("accepted", "encoding", "decode"),
    [
        ("br, gzip", "br", brotli.decompress),
        ("gzip, deflate", "gzip", gzip.decompress),
        ("br;q=0, gzip", "gzip", gzip.decompress),
        ("identity", None, bytes),
        ("", None, bytes),
    ],
)
def test_the_smallest_form_that_the_client_accepts(accepted: str, encoding: str | None, decode: Any) -> None:
    async def check(client: Any) -> None:
        path = await bundle_path(client, "dash_renderer")
        response = await client.get(path, headers={"Accept-Encoding": accepted})
        content = await response.get_data()
        plain = await (await client.get(path, headers={"Accept-Encoding": "identity"})).get_data()
        assert response.headers.get("Content-Encoding") == encoding
        assert response.headers["Vary"] == "Accept-Encoding"
        assert decode(content) == plain
        assert encoding is None or len(content) < len(plain) / 2
        assert response.headers["Content-Type"].startswith("text/javascript")

    with_client(check)


def test_each_form_has_an_etag_of_its_own() -> None:
    async def check(client: Any) -> None:
        path = await bundle_path(client, "dash_renderer")
        tags = []
        for accepted in ("br", "gzip", "identity"):
            response = await client.get(path, headers={"Accept-Encoding": accepted})
            tags.append(response.headers["ETag"])
            again = await client.get(path, headers={"Accept-Encoding": accepted, "If-None-Match": tags[-1]})
            assert again.status_code == 304 and await again.get_data() == b""
        assert len(set(tags)) == 3

    with_client(check)


def test_only_fingerprinted_names_are_kept_for_ever_by_browsers() -> None:
    async def check(client: Any) -> None:
        path = await bundle_path(client, "dash_renderer")
        fingerprinted = await client.get(path)
        assert "immutable" in fingerprinted.headers["Cache-Control"]
        plain = await client.get("/_dash-component-suites/dash/dcc/async-markdown.js")
        assert (plain.status_code, plain.headers["Cache-Control"]) == (200, "no-cache")

    with_client(check)


def test_a_bundle_is_read_and_compressed_once_for_visitors_that_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = assets._read

    def counted(package: str, path: str) -> Any:
        read.append(path)
        return original(package, path)

    monkeypatch.setattr(assets, "_read", counted)

    async def check(client: Any) -> None:
        path = await bundle_path(client, "dash_renderer")
        responses = await asyncio.gather(*(client.get(path) for _ in range(5)))
        assert {response.status_code for response in responses} == {200}
        assert len(read) == 1

    with_client(check)


@pytest.mark.parametrize(
    "path",
    [
        "dash/dash-renderer/build/../../../flask/app.py",
        "dash/dash-renderer/build/%2e%2e/%2e%2e/dash.py",
        "dash/..%2f..%2fsetup.py",
        "dash/dash.py",
        "dash/no-such.js",
        "no_such_package/x.js",
        "os/path.js",
        "flask/app.py",
    ],
)
def test_nothing_but_registered_files_is_served(path: str, caplog: pytest.LogCaptureFixture) -> None:
    async def check(client: Any) -> None:
        await client.get("/")
        response = await client.get(f"/_dash-component-suites/{path}")
        # A path that a client has shortened itself is a page, not a file.
        text = await response.get_data(as_text=True)
        assert response.status_code == 404 or "_dash-config" in text
        assert "import" not in text
        assert len(caplog.records) <= 1

    with_client(check)
