"""Apps are switched on and off, added, removed and lost, and no other app notices."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from flash.exceptions import ConfigurationError
from flash.hub import Hub
from flash.hub import keeper as keeping

from .serving import on_loop, serving

APPS = Path(__file__).parent / "apps"
BARE = str(APPS / "bare.py")
MODULE = "tests.hub.apps.bare:app"
PATIENCE = 30.0


def until(condition: Callable[[], Any]) -> Any:
    """Wait until a condition holds, and give what it gives."""
    end = time.monotonic() + PATIENCE
    while not (result := condition()):
        assert time.monotonic() < end, "It did not happen."
        time.sleep(0.02)
    return result


def state(hub: Hub, name: str) -> str:
    return hub[name].status().state


@contextmanager
def asked_all_the_time(url: str) -> Iterator[list[int]]:
    """Ask for a page again and again; gives the statuses."""
    statuses: list[int] = []
    done = threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=PATIENCE) as client:
            while not done.is_set():
                try:
                    statuses.append(client.get(url).status_code)
                except httpx.HTTPError:
                    statuses.append(0)
                time.sleep(0.005)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield statuses
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("target", [BARE, MODULE], ids=["process", "inline"])
def test_off_and_on_leave_the_other_app_alone(tmp_path: Path, target: str) -> None:
    hub = Hub(home=str(tmp_path / "home"))
    hub.mount(target, "/one")
    hub.mount(MODULE, "/other")
    with serving(hub) as url, asked_all_the_time(f"{url}/other/") as statuses:
        assert httpx.get(f"{url}/one/", timeout=PATIENCE).status_code == 200
        on_loop(hub, hub.stop("one"))
        answer = httpx.get(f"{url}/one/", headers={"accept": "text/html"})
        assert (answer.status_code, hub["one"].host) == (503, None)
        assert "One is switched off" in answer.text
        on_loop(hub, hub.start("one"))
        assert httpx.get(f"{url}/one/").status_code == 200
        until(lambda: len(statuses) > 5)
    assert set(statuses) == {200} and len(statuses) > 5


def test_off_lets_requests_end_and_closes_sockets_and_streams(tmp_path: Path) -> None:
    hub = Hub(home=str(tmp_path / "home"))
    hub.mount(BARE, "/one")
    with serving(hub) as url, httpx.Client(timeout=PATIENCE) as client:
        client.get(f"{url}/one/")
        with (
            connect(f"{url.replace('http', 'ws')}/one/") as socket,
            client.stream("GET", f"{url}/one/stream") as stream,
        ):
            socket.send("hello")
            assert socket.recv(PATIENCE) == "hello"
            slow: list[int] = []
            thread = threading.Thread(
                target=lambda: slow.append(httpx.get(f"{url}/one/slow", timeout=PATIENCE).status_code)
            )
            thread.start()
            until(lambda: hub["one"].status().requests == 3)
            assert hub["one"].status().connections == 2
            on_loop(hub, hub.stop("one"))
            thread.join()
            assert slow == [200]
            assert stream.read().endswith(b"\n\n")
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(PATIENCE)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001


def test_a_restart_makes_requests_wait_and_loses_none(tmp_path: Path) -> None:
    hub = Hub(home=str(tmp_path / "home"))
    hub.mount(BARE, "/one")
    with serving(hub) as url:
        first = httpx.get(f"{url}/one/", timeout=PATIENCE).text
        # The slow ones are under way when it begins; the others arrive all the time, and must not keep it from ending.
        with asked_all_the_time(f"{url}/one/slow") as slow, asked_all_the_time(f"{url}/one/") as statuses:
            until(lambda: len(statuses) > 3 and hub["one"].status().requests >= 1)
            began = time.monotonic()
            on_loop(hub, hub.restart("one"))
            assert time.monotonic() - began < hub["one"].spec.drain_timeout
            seen = len(statuses)
            until(lambda: len(statuses) > seen + 1)
        assert set(statuses) == set(slow) == {200}
        assert httpx.get(f"{url}/one/").text != first


def test_apps_come_and_go_at_run_time_and_are_remembered(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    hub = Hub(home=home)
    with serving(hub) as url:
        assert httpx.get(f"{url}/one/").status_code == 404
        on_loop(hub, hub.add(MODULE, "/one", title="The first"))
        on_loop(hub, hub.add(MODULE, "/two", keep=False))
        assert [httpx.get(f"{url}/{name}/").status_code for name in ("one", "two")] == [200, 200]
        on_loop(hub, hub.add(MODULE, "/three"))
        on_loop(hub, hub.remove("three"))
        assert httpx.get(f"{url}/three/").status_code == 404
        on_loop(hub, hub.stop("one"))
    again = Hub(home=home)
    with serving(again) as url:
        assert list(again.mounts) == ["one"]
        assert again["one"].spec.title == "The first"
        assert httpx.get(f"{url}/one/").status_code == 503


def test_what_is_being_removed_keeps_its_name(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    hub = Hub(home=home)
    with serving(hub) as url:
        on_loop(hub, hub.add(MODULE, "/one", tags={"a", "b"}))
        with connect(f"{url.replace('http', 'ws')}/one/"), httpx.Client(timeout=PATIENCE) as client:
            slow = threading.Thread(target=lambda: client.get(f"{url}/one/slow"))
            slow.start()
            until(lambda: hub["one"].status().requests == 2)
            removing = threading.Thread(target=lambda: on_loop(hub, hub.remove("one")))
            removing.start()
            until(lambda: "one" not in hub.mounts)
            with pytest.raises(ConfigurationError, match="still being removed"):
                on_loop(hub, hub.add(MODULE, "/one"))
            slow.join()
            removing.join()
        on_loop(hub, hub.add(MODULE, "/one", title="Another"))
        with pytest.raises(ConfigurationError, match="keep=False"):
            on_loop(hub, hub.add(MODULE, "/two", env={"X": object()}))
        assert list(hub.mounts) == ["one"]
    again = Hub(home=home)
    with serving(again):
        assert again["one"].spec.title == "Another"


def test_a_state_that_cannot_be_written_ends_no_app(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub(home=str(tmp_path / "home"))
    hub.mount(BARE, "/one")
    with serving(hub) as url:
        first = httpx.get(f"{url}/one/", timeout=PATIENCE).text
        on_loop(hub, hub.state.run(lambda connection: connection.execute("PRAGMA query_only = ON") and None))
        on_loop(hub, hub.restart("one"))
        assert httpx.get(f"{url}/one/").text != first
        on_loop(hub, hub.stop("one"))
        assert state(hub, "one") == "off"
    assert "cannot be written" in caplog.text


def test_a_crash_in_a_request_ends_one_app_which_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "FIRST_PAUSE", 0.01)
    hub = Hub(home=str(tmp_path / "home"))
    hub.mount(BARE, "/one")
    hub.mount(MODULE, "/other")
    told: list[str] = []
    hub.on()(lambda event: told.append(f"{event.app} {event.kind}"))
    with serving(hub) as url, asked_all_the_time(f"{url}/other/") as statuses:
        pids = set()
        for _ in range(4):
            pids.add(until(lambda: (r := httpx.get(f"{url}/one/", timeout=PATIENCE)).status_code == 200 and r.text))
            assert httpx.get(f"{url}/one/exit", timeout=PATIENCE).status_code == 502
            until(lambda: state(hub, "one") != "running")
        until(lambda: state(hub, "one") == "running")
        assert len(pids) == 4
        assert httpx.get(f"{url}/one/exit", timeout=PATIENCE).status_code == 502
        until(lambda: state(hub, "one") == "failed")
        assert httpx.get(f"{url}/one/").status_code == 503
        assert "exit code 3" in str(hub["one"].status().error).lower() or "3" in str(hub["one"].status().error)
        assert told.count("one backoff") == 4 and told[-1] == "one failed"
        on_loop(hub, hub.start("one"))
        assert httpx.get(f"{url}/one/").status_code == 200
    assert set(statuses) == {200}


def test_a_blocked_app_does_not_hold_up_another(tmp_path: Path) -> None:
    hub = Hub(home=str(tmp_path / "home"))
    release = tmp_path / "release"
    hub.mount(BARE, "/one", env={"RELEASE": str(release)})
    hub.mount(BARE, "/other")
    with serving(hub) as url:
        for name in ("one", "other"):
            assert httpx.get(f"{url}/{name}/", timeout=PATIENCE).status_code == 200
        blocked = threading.Thread(target=lambda: httpx.get(f"{url}/one/block", timeout=PATIENCE))
        blocked.start()
        until(lambda: hub["one"].status().requests == 1)
        for _ in range(20):
            assert httpx.get(f"{url}/other/").status_code == 200
        assert hub["one"].status().requests == 1, "It was blocked all the time."
        release.touch()
        blocked.join()


def test_an_app_that_takes_too_much_memory_is_ended_and_started_again(tmp_path: Path) -> None:
    hub = Hub(home=str(tmp_path / "home"))
    hub.mount(BARE, "/one", memory="250M")
    with serving(hub) as url:
        assert httpx.get(f"{url}/one/", timeout=PATIENCE).status_code == 200
        httpx.get(f"{url}/one/hold", timeout=PATIENCE)
        until(lambda: hub["one"].status().restarts == 1)
        assert "memory" in str(hub["one"].status().error)


def test_an_idle_child_sleeps_and_wakes_for_a_request(tmp_path: Path) -> None:
    hub = Hub(home=str(tmp_path / "home"))
    hub.mount(BARE, "/one", on_demand=True, idle_timeout=0.2, env={"GREETING": "good morning"})
    with serving(hub) as url:
        assert (state(hub, "one"), hub["one"].host) == ("sleeping", None)
        assert httpx.get(f"{url}/one/env", timeout=PATIENCE).text == "good morning"
        until(lambda: state(hub, "one") == "sleeping")
        assert httpx.get(f"{url}/one/env", timeout=PATIENCE).status_code == 200


def test_limits_of_an_app_are_kept(tmp_path: Path) -> None:
    hub = Hub(home=str(tmp_path / "home"))
    hub.mount(MODULE, "/small", max_body="1K", timeout=0.05, max_requests=1)
    with serving(hub) as url:
        assert httpx.post(f"{url}/small/", content=b"x" * 1024).status_code == 200
        assert httpx.post(f"{url}/small/", content=b"x" * 1025).status_code == 413
        assert httpx.get(f"{url}/small/slow").status_code == 504
        with httpx.stream("GET", f"{url}/small/stream") as stream:
            assert stream.status_code == 200, "A stream that has begun in time may go on."
            assert httpx.get(f"{url}/small/").status_code == 503


@pytest.mark.parametrize("isolation", ["process", "inline"])
def test_a_body_of_unknown_length_is_limited_too(tmp_path: Path, isolation: str) -> None:
    hub = Hub(home=str(tmp_path / "home"))
    hub.mount(f"{APPS / 'teller.py'}:app", "/told", max_body="1K", isolation=isolation)
    with serving(hub) as url:
        for size, status in ((100, 200), (1000, 413)):
            answer = httpx.post(f"{url}/told/", content=iter([b"x" * size] * 3), timeout=PATIENCE)
            assert answer.status_code == status
        until(lambda: hub["told"].status().requests == 0)


def test_a_browser_that_leaves_while_the_app_starts_leaves_nothing(tmp_path: Path) -> None:
    release = tmp_path / "release"
    slow = tmp_path / "slow.py"
    slow.write_text(f"import os, time\nwhile not os.path.exists({str(release)!r}):\n    time.sleep(0.01)\n")
    with slow.open("a") as file:
        file.write(Path(BARE).read_text())
    hub = Hub(home=str(tmp_path / "home"))
    hub.mount(str(slow), "/slow", on_demand=True)
    with serving(hub) as url:
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as browser:
            browser.sendall(
                b"GET /slow/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            until(lambda: hub["slow"].status().requests == 1)
        release.touch()
        until(lambda: state(hub, "slow") == "running" and hub["slow"].status().requests == 0)


def test_two_hubs_do_not_share_a_home(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    hub = Hub(home=home)
    with serving(hub):
        # Another process: the lock belongs to one.
        code = f"import asyncio; from flash.hub import Hub; asyncio.run(Hub(home={home!r}).begin())"
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "Another hub uses" in ended.stderr


def test_clashes_are_refused_when_they_are_declared(tmp_path: Path) -> None:
    hub = Hub(home=str(tmp_path / "home"))
    hub.mount(MODULE, "/one")
    for prefix, name, sentence in [("/two", "one", "Two apps are called"), ("/one/", "two", "the same prefix")]:
        with pytest.raises(ConfigurationError, match=sentence):
            hub.mount(MODULE, prefix, name=name)
    with pytest.raises(ConfigurationError, match="give it a sign-in"):
        hub.mount(MODULE, "/three", access=["finance"])
    with pytest.raises(ConfigurationError, match="cannot run in another one"):
        hub.mount(object(), "/four", isolation="process")


def test_a_hub_works_where_nobody_runs_its_lifespan(tmp_path: Path) -> None:
    hub = Hub(home=str(tmp_path / "home"))
    hub.mount(MODULE, "/one")

    async def scenario() -> None:
        transport = httpx.ASGITransport(hub)
        async with httpx.AsyncClient(transport=transport, base_url="http://site.test") as client:
            answers = await asyncio.gather(*(client.get("/one/") for _ in range(3)))
            assert [answer.status_code for answer in answers] == [200] * 3
        await hub.end()

    asyncio.run(scenario())


# A hub that is killed. ------------------------------------------------------------------------------------------------

PROGRAM = """
import sys
from flash.hub import Hub

hub = Hub(home={home!r})
hub.mount({bare!r}, "/one")
hub.mount({bare!r}, "/two")
hub.mount({module!r}, "/inline")
hub.run(port={port})
"""


class OtherHub:
    """A hub in a process of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        program = PROGRAM.format(home=str(folder / "home"), bare=BARE, module=MODULE, port=port)
        self.log = folder / "hub.log"
        root = str(Path(__file__).parents[2])
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program],
                cwd=root,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": root},
            )

    def pid_of(self, name: str) -> int:
        """The process that answers for an app, once it does."""
        return int(until(lambda: self._get(name)))

    def _get(self, name: str) -> str | None:
        assert self.process.poll() is None, self.log.read_text()
        try:
            answer = httpx.get(f"{self.url}/{name}/", timeout=PATIENCE)
        except httpx.TransportError:
            return None
        return answer.text if answer.status_code == 200 else None

    def press(self, name: str, action: str) -> None:
        """What a button of the start page does."""
        answer = httpx.post(f"{self.url}/_hub/api/apps/{name}/{action}", timeout=PATIENCE)
        assert answer.status_code < 400, answer.text


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_a_child_that_hangs_does_not_hold_up_the_next_hub(tmp_path: Path, free_port: int) -> None:
    hub = OtherHub(tmp_path, free_port)
    one, two = hub.pid_of("one"), hub.pid_of("two")
    hub.process.kill()
    hub.process.wait()
    os.kill(one, signal.SIGSTOP)
    hub = OtherHub(tmp_path, free_port)
    try:
        assert hub.pid_of("two") == two
        assert psutil.Process(one).status() == psutil.STATUS_STOPPED, "It was not waited for."
        assert hub.pid_of("one") != one
        until(lambda: not psutil.pid_exists(one))  # Whoever adopts orphans takes note of it in its own time.
    finally:
        hub.process.send_signal(signal.SIGTERM)
        hub.process.wait(PATIENCE)


def test_a_killed_hub_loses_nothing_and_the_next_takes_its_children_over(tmp_path: Path, free_port: int) -> None:
    hub = OtherHub(tmp_path, free_port)
    one, two = hub.pid_of("one"), hub.pid_of("two")
    hub.press("two", "off")
    until(lambda: not psutil.pid_exists(two))
    hub.process.kill()
    hub.process.wait()
    assert psutil.pid_exists(one), "The app outlives its hub."
    hub = OtherHub(tmp_path, free_port)
    try:
        assert hub.pid_of("one") == one, "It was taken over, not started anew."
        assert httpx.get(f"{hub.url}/two/").status_code == 503, "What was off is off."
        assert hub.pid_of("inline") == hub.process.pid
        os.kill(one, signal.SIGKILL)  # What was taken over is watched as well.
        assert hub.pid_of("one") != one
    finally:
        hub.process.send_signal(signal.SIGTERM)
        assert hub.process.wait(PATIENCE) == 0
    assert not re.search("Traceback", hub.log.read_text()), hub.log.read_text()
    assert not [
        each for each in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(each.info["cmdline"] or [])
    ]


def test_a_browser_that_does_not_read_keeps_no_app_on(tmp_path: Path) -> None:
    app = tmp_path / "endless.py"
    app.write_text(
        "from flask import Flask\n"
        "app = Flask(__name__)\n"
        "@app.get('/')\n"
        "def endless():\n"
        "    return iter(lambda: b'x' * 65536, b'')\n"
    )
    hub = Hub(home=str(tmp_path / "home"))
    hub.mount(str(app), "/endless", drain_timeout=0.2)
    with serving(hub) as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as browser:
        browser.sendall(b"GET /endless/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: browser.recv(16, socket.MSG_PEEK))
        on_loop(hub, hub.stop("endless"))
        assert state(hub, "endless") == "off"


@pytest.mark.parametrize(("host", "url"), [("::1", "http://[::1]:8050"), ("::", "http://[::1]:8050")])
def test_apps_are_told_a_url_that_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, url: str) -> None:
    monkeypatch.setattr("flash.hub.hub.serve_asgi", lambda *args, **options: None)
    hub = Hub(home=str(tmp_path / "home"))
    hub.run(host)
    assert hub.url == url
