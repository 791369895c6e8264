"""A folder of apps and a ``hub.toml`` that change while the hub runs."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from flash.hub import Hub
from flash.hub.build import mount_all
from flash.hub.config import HubFile, folder_alone, read_file
from flash.hub.watch import Watcher

#: No wait of these tests is longer, in seconds.
PATIENCE = 30.0

#: An app of the hub's own process, which is quick to start.
APP = """
hub = {{"isolation": "inline", "title": "{title}"}}
from {module} import word

async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({{"type": "http.response.start", "status": 200, "headers": []}})
        await send({{"type": "http.response.body", "body": word.encode()}})
"""


class Watched:
    """A hub that watches, and a browser's place before it."""

    def __init__(self, folder: Path, read: Callable[[], HubFile], *, reload: bool) -> None:
        self.folder = folder
        self.hub = Hub(home=str(folder / ".hub"))
        mounted = mount_all(self.hub, read())
        self.watcher = Watcher(self.hub, read, mounted, reload=reload)
        self.hub.beside(self.watcher.run)
        self.browser = httpx.AsyncClient(transport=httpx.ASGITransport(self.hub), base_url="http://127.0.0.1")

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # At once, as those who drop files in should.
        path.with_suffix(".new").write_text(text)
        path.with_suffix(".new").replace(path)

    async def get(self, path: str) -> tuple[int, str]:
        answer = await self.browser.get(path)
        return answer.status_code, answer.text

    async def until(self, path: str, status: int, text: str = "") -> None:
        """Wait for an answer."""
        found: Any = None
        try:
            async with asyncio.timeout(PATIENCE):
                while (found := await self.get(path))[0] != status or text not in found[1]:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{path} did not become {status} {text!r}: {found}") from None


async def holds(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - neither the log nor the hub's table of apps calls back
            await asyncio.sleep(0.02)


Test = Callable[[Watched], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    """Run a test on a hub that watches ``apps``, or a ``hub.toml`` if there is one."""

    def run(test: Test, *, reload: bool = False) -> None:
        toml = tmp_path / "hub.toml"

        def read() -> HubFile:
            return read_file(toml) if toml.exists() else folder_alone(tmp_path / "apps")

        async def main() -> None:
            watched = Watched(tmp_path, read, reload=reload)
            await watched.hub.begin()
            try:
                async with watched.browser:
                    await test(watched)
            finally:
                await watched.hub.end()

        asyncio.run(main())

    return run


def page(folder: Path, name: str, text: str) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "index.html").write_text(text)


def test_files_that_come_and_go(run: Any, tmp_path: Path) -> None:
    page(tmp_path, "apps/one", "The first")

    async def test(watched: Watched) -> None:
        await watched.until("/one/", 200, "The first")
        page(tmp_path, "apps/two", "The second")
        await watched.until("/two/", 200, "The second")
        watched.write("apps/words.py", "word = 'third'")
        watched.write("apps/three.py", APP.format(title="Three", module="words"))
        await watched.until("/three/", 200, "third")
        assert watched.hub["three"].spec.title == "Three"
        (tmp_path / "apps/three.py").unlink()
        (tmp_path / "apps/two/index.html").rename(tmp_path / "apps/two/old.txt")
        await watched.until("/three/", 404)
        await watched.until("/two/", 404)
        assert (await watched.get("/one/"))[1] == "The first"
        assert list(watched.hub.mounts) == ["one"]

    run(test)


def test_changed_code_runs_on_without_reload(run: Any, tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps/words.py").write_text("word = 'old'")
    (tmp_path / "apps/app_one.py").write_text(APP.format(title="One", module="words"))

    async def test(watched: Watched) -> None:
        await watched.until("/app_one/", 200, "old")
        watched.write("apps/words.py", "word = 'new'")
        watched.write("apps/app_one.py", APP.format(title="Other", module="words"))
        page(tmp_path, "apps/two", "later")
        # What came later is there: so the change before was seen, and nothing was done.
        await watched.until("/two/", 200)
        assert await watched.get("/app_one/") == (200, "old")

    run(test)


def test_with_reload_the_app_restarts_whose_code_has_changed(run: Any, tmp_path: Path) -> None:
    for name, text in {
        "words.py": "from inner import word",
        "inner.py": "word = 'old'",
        "one.py": APP.format(title="One", module="words"),
        "two.py": APP.format(title="Two", module="other"),
        "other.py": "word = 'two'",
        "three/app.py": APP.format(title="Three", module="three_words"),
        "three/three_words.py": "word = 'three'",
    }.items():
        (tmp_path / "apps" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "apps" / name).write_text(text)

    async def test(watched: Watched) -> None:
        for name in ("one", "two", "three"):
            await watched.until(f"/{name}/", 200)
        began = {name: mount.status().since for name, mount in watched.hub.mounts.items()}
        watched.write("apps/inner.py", "word = 'new'")
        await watched.until("/one/", 200, "new")
        watched.write("apps/three/three_words.py", "word = 'drei'")
        await watched.until("/three/", 200, "drei")
        assert watched.hub["two"].status().since == began["two"]
        watched.write("apps/two.py", APP.format(title="New title", module="other"))
        await holds(lambda: "two" in watched.hub.mounts and watched.hub["two"].spec.title == "New title")
        await watched.until("/two/", 200, "two")

    run(test, reload=True)


def test_what_is_broken_changes_nothing(run: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    page(tmp_path, "site", "A site")
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps/words.py").write_text("word = 'whole'")
    (tmp_path / "apps/one.py").write_text(APP.format(title="One", module="words"))
    toml = 'discover = ["apps"]\n[[app]]\ntarget = "site"\n'
    (tmp_path / "hub.toml").write_text(toml)

    async def said(text: str) -> None:
        await holds(lambda: text in caplog.text)

    async def test(watched: Watched) -> None:
        await watched.until("/one/", 200, "whole")
        watched.write("hub.toml", toml + "prefixx = 3")
        await said("has a key 'prefixx'")
        watched.write("apps/one.py", "app = (")
        watched.write("hub.toml", toml)
        await said("one.py, line 1 is no Python")
        # Two of one name: the first stays.
        page(tmp_path, "apps/one", "Another one")
        await said("Two apps are called 'one'")
        assert await watched.get("/one/") == (200, "whole")
        assert (await watched.get("/site/"))[0] == 200
        watched.write("apps/one.py", "x = 1")
        await watched.until("/one/", 200, "Another one")

    with caplog.at_level(logging.INFO, "flash.hub"):
        run(test)
    # Each thing once, however often the folder is looked at.
    assert caplog.text.count("one.py, line 1 is no Python") == 1


def test_a_changed_table_mounts_its_app_anew(run: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("one", "two", "three"):
        page(tmp_path, name, f"Page {name}")
    (tmp_path / "hub.toml").write_text('[[app]]\ntarget = "one"\n[[app]]\ntarget = "two"\n')

    async def test(watched: Watched) -> None:
        await watched.until("/one/", 200)
        await watched.until("/two/", 200)
        two = watched.hub["two"]
        await watched.hub.stop("one")
        watched.write(
            "hub.toml",
            'title = "New"\n[[app]]\ntarget = "one"\nname = "one"\nprefix = "/eins"\n[[app]]\ntarget = "two"\n'
            '[[app]]\ntarget = "three"\n',
        )
        await watched.until("/three/", 200, "Page three")
        # Who is switched off stays so, also under another prefix.
        await watched.until("/eins/", 503)
        await watched.until("/one/", 404)
        await watched.hub.start("one")
        await watched.until("/eins/", 200, "Page one")
        assert watched.hub["two"] is two
        watched.write("hub.toml", '[[app]]\ntarget = "two"\n')
        await watched.until("/three/", 404)
        assert list(watched.hub.mounts) == ["two"]

    with caplog.at_level(logging.INFO, "flash.hub"):
        run(test)
    assert "hub.toml: title will change when the hub is started anew" in caplog.text


def test_a_folder_that_is_made_anew(run: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    page(tmp_path, "apps/one", "One")

    async def test(watched: Watched) -> None:
        await watched.until("/one/", 200)
        (tmp_path / "apps").rename(tmp_path / "away")
        # Twice: the second time, what is left is watched.
        await holds(lambda: caplog.text.count("There is no folder") == 2)
        # Somebody may be about to put another one there.
        assert list(watched.hub.mounts) == ["one"]
        page(tmp_path, "next/two", "Two")
        (tmp_path / "next").rename(tmp_path / "apps")
        await watched.until("/two/", 200, "Two")
        await watched.until("/one/", 404)

    run(test)


SLOW = """
import asyncio
from {module} import word
hub = {{"isolation": "inline"}}

async def app(scope, receive, send):
    if scope["type"] == "lifespan" and word == "stuck":
        await asyncio.sleep(3600)
    if scope["type"] == "http":
        await send({{"type": "http.response.start", "status": 200, "headers": []}})
        await send({{"type": "http.response.body", "body": word.encode()}})
"""


def test_an_app_that_does_not_start_keeps_nothing_waiting(run: Any, tmp_path: Path) -> None:
    page(tmp_path, "apps/site", "A site")
    (tmp_path / "apps/words.py").write_text("word = 'whole'")
    (tmp_path / "apps/slow.py").write_text(SLOW.format(module="words"))

    async def test(watched: Watched) -> None:
        await watched.until("/slow/", 200, "whole")
        watched.write("apps/words.py", "word = 'stuck'")
        await holds(lambda: watched.hub["slow"].status().state == "starting")
        page(tmp_path, "apps/later", "Later")
        await watched.until("/later/", 200, "Later")
        assert watched.hub["slow"].status().state == "starting"
        watched.write("apps/words.py", "word = 'mended'")
        await watched.until("/slow/", 200, "mended")

    run(test, reload=True)


def test_an_app_that_ends_slowly_keeps_nothing_waiting(run: Any, tmp_path: Path) -> None:
    slow = """
import asyncio
hub = {"isolation": "inline", "drain_timeout": 3600}

async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/wait":
            await app.go_on.wait()
        await send({"type": "http.response.body", "body": b"done"})

app.go_on = asyncio.Event()
"""
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps/slow.py").write_text(slow)

    async def test(watched: Watched) -> None:
        await watched.until("/slow/", 200)
        running = watched.hub["slow"]
        waiting = asyncio.create_task(watched.get("/slow/wait"))
        await holds(lambda: running.status().requests == 1)
        (tmp_path / "apps/slow.py").unlink()
        await watched.until("/slow/", 404)
        page(tmp_path, "apps/later", "Later")
        await watched.until("/later/", 200)
        # It comes back before it has ended: it is mounted when it has.
        watched.write("apps/slow.py", slow.replace("done", "again"))
        watched.write("apps/last.py", slow)
        await watched.until("/last/", 200)
        assert not waiting.done()
        (module,) = [each for name, each in sys.modules.items() if name.endswith(".slow") and hasattr(each, "app")]
        module.app.go_on.set()
        assert await waiting == (200, "done")
        await watched.until("/slow/", 200, "again")

    run(test)
