"""Celery tasks as a backend of remote callbacks: a real worker, in processes of its own, and a real Redis."""

from __future__ import annotations

import asyncio
import builtins
import gc
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

import celery
import pytest
import redis

from flash import Flash, Input, Output, html
from flash.exceptions import ConfigurationError
from flash.pool import Pool
from flash.remote import Remote, RemoteError, api_callback, watcher
from flash.remote.backend import Progress, Result
from flash.remote.celery import CeleryRemote
from flash.remote.jobs import IMPATIENT, Jobs

from ..apps import flash_app, serving
from ..live.sites import InProcess
from ..live.tab import Tab, tab_of
from ..storage.servers import RedisServer

ROOT = Path(__file__).parents[2]


@contextmanager
def worker_of(url: str, *options: str) -> Iterator[celery.Celery]:
    """A Celery worker with two processes. Gives an app without tasks that reaches it."""
    quiet = ["--loglevel=CRITICAL", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.remote.worker", "worker", "--concurrency=2", *quiet, *options],
        cwd=ROOT,
        env={**os.environ, "FLASH_TEST_REDIS": url},
        stdout=subprocess.DEVNULL,
    )
    app = celery.Celery("dashboard", broker=url, backend=url)
    try:
        with app.connection_for_write() as connection:
            until(lambda: app.control.ping(timeout=0.2, connection=connection))
        yield app
    finally:
        app.close()
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that only these tests use, so that they see whatever is left in it."""
    server = RedisServer(tmp_path_factory.mktemp("celery"))
    yield server
    server.kill()


@pytest.fixture(scope="module")
def app(server: RedisServer) -> Iterator[celery.Celery]:
    """The dashboard's Celery app, with a worker that answers."""
    with worker_of(server.url) as app:
        yield app


@pytest.fixture
def jobs(app: celery.Celery) -> CeleryRemote:
    return Remote.celery(app, timeout=30)


@pytest.fixture
def keys(app: celery.Celery, server: RedisServer) -> Iterator[Callable[[], list[bytes]]]:
    """What is in Redis besides the names of queues, which Celery keeps there, and what earlier tests have left."""
    client = redis.Redis.from_url(server.url)
    heard(app)
    if left := client.keys("celery-task-meta-*"):
        client.delete(*left)
    yield lambda: [key for key in client.keys() if not key.startswith(b"_kombu.binding")]
    client.close()


def heard(app: celery.Celery) -> None:
    """Wait until the worker has done what it was told: to revoke a task, for example."""
    assert app.control.broadcast("ping", reply=True, limit=1, timeout=30)


def run(answer: Coroutine[Any, Any, Any]) -> Any:
    """Run a test on a loop of its own."""

    async def main() -> Any:
        async with asyncio.timeout(60):
            return await answer

    return asyncio.run(main())


def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait for something that happens elsewhere."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value


async def comes_true(condition: Callable[[], Any]) -> Any:
    """The same, while the loop runs."""
    async with asyncio.timeout(30):
        while not (value := condition()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return value


async def rest() -> None:
    """Wait until nothing runs on the loop any more: nothing is asked, and nothing is to be forgotten."""
    await comes_true(lambda: len(asyncio.all_tasks()) == 1)


async def ask(jobs: CeleryRemote, task: str, call_id: str | None = None, **fields: Any) -> Any:
    """Call a task, and return its result."""
    return (await events(jobs, task, call_id, **fields))[-1].value


async def events(jobs: CeleryRemote, task: str, call_id: str | None = None, **fields: Any) -> list[Any]:
    async with aclosing(jobs.call(task, fields, call_id=call_id or uuid.uuid4().hex)) as said:
        return [event async for event in said]


async def reason_of(answer: Awaitable[Any]) -> str:
    """Why a call fails."""
    with pytest.raises(RemoteError) as caught:
        await answer
    return caught.value.reason


def test_a_task_is_called_by_its_name(jobs: CeleryRemote, keys: Any) -> None:
    task = jobs / "calc.multiply"
    assert (task.backend, task.name) == (jobs, "calc.multiply")
    assert run(events(jobs, task.name, a=6, b=7)) == [Result({"product": 42})]
    assert keys() == []


def test_the_worker_does_not_know_the_dashboard(jobs: CeleryRemote) -> None:
    assert run(ask(jobs, "calc.knows")) == []


def test_progress_comes_while_the_task_runs(jobs: CeleryRemote, tmp_path: Path, keys: Any) -> None:
    async def main() -> list[Any]:
        seen = []
        async for event in jobs.call("calc.reports", {"folder": str(tmp_path)}, call_id="progress"):
            seen.append(event)
            if event == Progress(30):
                (tmp_path / "after first").touch()
                await comes_true((tmp_path / "second").exists)
                # The watcher reads the state that says nothing of progress.
                await asyncio.sleep(3 * watcher.FIRST)
                (tmp_path / "after second").touch()
            else:
                (tmp_path / "after third").touch()
        return seen

    assert run(main()) == [Progress(30), Progress([60, "of 100"]), Result("written")]
    assert keys() == []


def test_the_text_of_an_exception_is_in_the_log_only(
    jobs: CeleryRemote, keys: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RemoteError) as caught:
        run(ask(jobs, "calc.fails", "call-1"))
    assert (caught.value.reason, caught.value.id) == ("failed", "call-1")
    assert "hunter2" not in str(caught.value) + caught.value.summary
    assert "call-1" in caplog.text and "calc.fails" in caplog.text and "hunter2" in caplog.text
    assert keys() == []


def test_a_result_that_is_no_json_is_a_failure(jobs: CeleryRemote, caplog: pytest.LogCaptureFixture) -> None:
    assert run(reason_of(ask(jobs, "calc.gives_what_no_json_is"))) == "failed"
    assert "not JSON serializable" in caplog.text


def test_a_task_that_no_worker_knows_is_refused_at_once(jobs: CeleryRemote, keys: Any) -> None:
    assert run(reason_of(ask(jobs, "calc.divide"))) == "refused"
    assert keys() == []


def test_without_a_worker_the_time_runs_out(
    app: celery.Celery, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, keys: Any
) -> None:
    monkeypatch.setattr("flash.remote.watcher.AFTERMATH", 2.0)
    jobs = Remote.celery(app, timeout=0.5, queue="nobody")

    async def main() -> str:
        reason = await reason_of(ask(jobs, "calc.multiply", "call-2", a=6, b=7))
        # From Celery 5.6 on the workers of other queues note that it is revoked; and that is forgotten.
        await asyncio.to_thread(heard, app)
        await rest()
        return reason

    assert run(main()) == "timeout"
    assert "call-2" in caplog.text and "no result in time" in caplog.text
    assert keys() == [b"nobody"]
    redis.Redis.from_url(app.conf.broker_url).delete("nobody")


def test_a_call_has_a_time_of_its_own(jobs: CeleryRemote, tmp_path: Path, keys: Any) -> None:
    async def main() -> float:
        begun = time.monotonic()
        with pytest.raises(RemoteError, match="too long"):
            async for _ in jobs.call("calc.waits", {"folder": str(tmp_path)}, call_id="hasty", timeout=0.5):
                pass
        took = time.monotonic() - begun
        await rest()
        return took

    assert run(main()) < 5
    # The one that ran is ended, and what the worker said of that is forgotten.
    assert ended(tmp_path) and keys() == []


def test_a_task_that_somebody_else_revokes(jobs: CeleryRemote, app: celery.Celery, tmp_path: Path, keys: Any) -> None:
    async def main() -> str:
        calling = asyncio.create_task(ask(jobs, "calc.waits", "elsewhere", folder=str(tmp_path)))
        await comes_true((tmp_path / "started").exists)
        await asyncio.to_thread(app.control.revoke, "elsewhere", terminate=True)
        return await reason_of(calling)

    assert run(main()) == "revoked"
    assert keys() == []


@pytest.mark.parametrize("way", ["aclose", "cancel"])
def test_who_goes_away_ends_the_task(way: str, jobs: CeleryRemote, tmp_path: Path, keys: Any) -> None:
    async def main() -> None:
        if way == "cancel":
            calling = asyncio.create_task(ask(jobs, "calc.waits", folder=str(tmp_path)))
            await comes_true((tmp_path / "started").exists)
            calling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await calling
        else:
            said = jobs.call("calc.reports", {"folder": str(tmp_path)}, call_id="left")
            assert await anext(said) == Progress(30)
            await said.aclose()
        assert keys() != []
        await rest()
        assert keys() == []

    run(main())
    if way == "cancel":
        assert ended(tmp_path)


def ended(folder: Path) -> bool:
    """Whether the process that ran ``calc.waits`` is gone before its task came to its end."""
    pid = int(next(folder.glob("started *")).name.split()[1])
    until(lambda: not Path(f"/proc/{pid}").exists())
    return not (folder / "ended").exists()


def test_a_task_whose_turn_has_not_come_never_runs(jobs: CeleryRemote, tmp_path: Path, keys: Any) -> None:
    async def main() -> None:
        busy = [asyncio.create_task(ask(jobs, "calc.waits", folder=str(tmp_path), mark=mark)) for mark in "ab"]
        await comes_true(lambda: all((tmp_path / mark).exists() for mark in "ab"))
        late = asyncio.create_task(ask(jobs, "calc.waits", "late", folder=str(tmp_path), mark="late"))
        # A third one, which waits in Redis or in the worker.
        await asyncio.sleep(0.3)
        late.cancel()
        with pytest.raises(asyncio.CancelledError):
            await late
        for mark in "ab":
            (tmp_path / f"after {mark}").touch()
        assert await asyncio.gather(*busy) == ["done", "done"]
        assert await ask(jobs, "calc.multiply", a=2, b=3) == {"product": 6}
        await rest()
        assert keys() == []

    run(main())
    assert not (tmp_path / "late").exists()


def test_many_calls_need_few_threads_and_the_loop_is_free(app: celery.Celery, keys: Any) -> None:
    jobs = Remote.celery(app, threads=4)
    most, slowest = 0, 0.0

    async def beat() -> None:
        nonlocal most, slowest
        while True:
            begun = time.monotonic()
            await asyncio.sleep(0.01)
            slowest = max(slowest, time.monotonic() - begun)
            most = max(most, sum(each.name.startswith("flash-celery") for each in threading.enumerate()))

    async def main() -> list[Any]:
        beating = asyncio.create_task(beat())
        answers = await asyncio.gather(*(ask(jobs, "calc.multiply", a=number, b=2) for number in range(200)))
        beating.cancel()
        return answers

    before = sum(each.name.startswith("flash-celery") for each in threading.enumerate())
    assert run(main()) == [{"product": 2 * number} for number in range(200)]
    assert most - before <= 4
    assert slowest < 2
    assert keys() == []


def test_nothing_is_asked_while_nothing_waits(jobs: CeleryRemote, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    read = jobs._jobs.read

    def counting(known: Any) -> Any:
        nonlocal asked
        asked += 1
        return read(known)

    monkeypatch.setattr(jobs._jobs, "read", counting)

    async def main() -> None:
        assert await ask(jobs, "calc.multiply", a=6, b=7) == {"product": 42}
        await rest()
        after = asked
        await asyncio.sleep(5 * watcher.FIRST)
        assert 0 < after == asked

    run(main())


def test_one_question_is_asked_for_all(app: celery.Celery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = Remote.celery(app)
    asked: list[int] = []
    read = jobs._jobs.read
    monkeypatch.setattr(jobs._jobs, "read", lambda known: (asked.append(len(known)), read(known))[1])

    async def main() -> None:
        calls = [asyncio.create_task(ask(jobs, "calc.waits", folder=str(tmp_path), mark=str(n))) for n in range(30)]
        await comes_true(lambda: 30 in asked)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    run(main())


def test_the_limit_holds_calls_back_and_some_are_refused(app: celery.Celery, tmp_path: Path) -> None:
    jobs = Remote.celery(app, limit=1)

    async def main() -> None:
        first = asyncio.create_task(ask(jobs, "calc.waits", folder=str(tmp_path)))
        await comes_true((tmp_path / "started").exists)
        waiting = [asyncio.create_task(ask(jobs, "calc.multiply", a=1, b=n)) for n in range(10)]
        await asyncio.sleep(0)
        assert await reason_of(ask(jobs, "calc.multiply", a=1, b=1)) == "busy"
        assert not any(call.done() for call in waiting)
        (tmp_path / "after started").touch()
        assert await first == "done"
        assert [(await call)["product"] for call in waiting] == list(range(10))

    run(main())


def test_waiting_for_a_place_counts_as_time(app: celery.Celery, tmp_path: Path) -> None:
    jobs = Remote.celery(app, limit=1, timeout=30)

    async def main() -> None:
        first = asyncio.create_task(ask(jobs, "calc.waits", folder=str(tmp_path)))
        await comes_true((tmp_path / "started").exists)
        with pytest.raises(RemoteError) as caught:
            await anext(jobs.call("calc.multiply", {"a": 1, "b": 1}, call_id="second", timeout=0.2))
        assert caught.value.reason == "busy"
        first.cancel()
        await asyncio.wait([first])

    run(main())


def test_a_pickle_is_never_loaded(jobs: CeleryRemote, app: celery.Celery, tmp_path: Path) -> None:
    assert run(reason_of(ask(jobs, "calc.pickles", folder=str(tmp_path)))) == "garbled"
    assert ended(tmp_path) and not (tmp_path / "loaded").exists()
    redis.Redis.from_url(app.conf.broker_url).flushdb()


def test_a_pickle_is_never_loaded_by_an_app_that_is_told_later_to_take_them(
    app: celery.Celery, server: RedisServer, tmp_path: Path
) -> None:
    dashboard = celery.Celery("credulous", broker=server.url, backend=server.url)
    jobs = Remote.celery(dashboard)
    dashboard.conf.result_serializer = "pickle"
    dashboard.conf.accept_content = dashboard.conf.result_accept_content = ["json", "pickle"]
    assert run(reason_of(ask(jobs, "calc.pickles", folder=str(tmp_path)))) == "garbled"
    assert ended(tmp_path) and not (tmp_path / "loaded").exists()
    redis.Redis.from_url(server.url).flushdb()


def test_a_worker_that_comes_later_drops_what_nobody_waits_for(
    app: celery.Celery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = Remote.celery(app, queue="later")
    # As if no worker had been there to be told.
    monkeypatch.setattr(jobs._jobs, "revoke", lambda: None)

    async def main() -> None:
        with pytest.raises(RemoteError, match="too long"):
            await anext(jobs.call("calc.waits", {"folder": str(tmp_path)}, call_id="too-late", timeout=1))
        await asyncio.to_thread(app.control.add_consumer, "later")
        assert await ask(jobs, "calc.multiply", a=6, b=7) == {"product": 42}
        await rest()

    run(main())
    app.control.cancel_consumer("later")
    assert list(tmp_path.iterdir()) == []


def test_values_that_json_cannot_hold_are_the_callers_error(jobs: CeleryRemote) -> None:
    with pytest.raises(Exception, match="not JSON serializable"):
        run(ask(jobs, "calc.multiply", a=object(), b=1))


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "amqp://127.0.0.1:1//"])
def test_a_broker_that_is_away(url: str, server: RedisServer) -> None:
    jobs = Remote.celery(celery.Celery("alone", broker=url, backend=server.url), timeout=20)
    begun = time.monotonic()
    assert run(reason_of(ask(jobs, "calc.multiply", a=6, b=7))) == "unreachable"
    assert time.monotonic() - begun < 10


def test_a_broker_that_is_silent(server: RedisServer, silent: int) -> None:
    jobs = Remote.celery(celery.Celery("alone", broker=f"redis://127.0.0.1:{silent}/0", backend=server.url), timeout=1)

    async def main() -> list[str]:
        return await asyncio.gather(*(reason_of(ask(jobs, "calc.multiply", a=6, b=7)) for _ in range(20)))

    begun = time.monotonic()
    assert set(run(main())) == {"unreachable"}
    assert time.monotonic() - begun < 4


def test_a_thread_does_not_wait_for_ever_for_a_silent_broker(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("socket_connect_timeout", "socket_timeout"):
        monkeypatch.setitem(IMPATIENT, name, 0.2)

    async def main() -> None:
        hung_up = asyncio.Event()

        async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            hung_up.set()
            writer.close()

        silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
        port = silent.sockets[0].getsockname()[1]
        dashboard = celery.Celery("alone", broker=f"redis://127.0.0.1:{port}/0", backend=server.url)
        jobs = Remote.celery(dashboard, timeout=20)
        assert await reason_of(ask(jobs, "calc.multiply", a=6, b=7)) == "unreachable"
        await hung_up.wait()
        silent.close()
        await silent.wait_closed()

    run(main())


def test_a_task_is_sent_while_the_result_backend_is_silent(server: RedisServer, silent: int) -> None:
    dashboard = celery.Celery("alone", broker=server.url, backend=f"redis://127.0.0.1:{silent}/0")
    jobs = Remote.celery(dashboard, queue="sent")
    client = redis.Redis.from_url(server.url)

    async def main() -> None:
        calling = asyncio.create_task(ask(jobs, "calc.multiply", a=6, b=7))
        await comes_true(lambda: client.llen("sent"))
        calling.cancel()
        await asyncio.wait([calling])

    run(main())
    client.delete("sent")


def test_threads_end_when_the_backend_is_forgotten(app: celery.Celery) -> None:
    def threads() -> set[threading.Thread]:
        return {each for each in threading.enumerate() if each.name.startswith("flash-celery")}

    before = threads()
    jobs = Remote.celery(app)
    assert run(ask(jobs, "calc.multiply", a=6, b=7)) == {"product": 42}
    mine = threads() - before
    assert mine
    del jobs
    gc.collect()
    until(lambda: not mine & threads())


def test_only_so_many_unwanted_tasks_are_watched(app: celery.Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "MOST_UNWANTED", 3)
    jobs, asked = Jobs(app, None), list[list[str]]()
    monkeypatch.setattr(jobs, "read", lambda known: asked.append(list(known)) or {})

    async def main() -> None:
        watching = watcher.Watcher(jobs, Pool(1, "test-watcher"))
        for number in range(5):
            watching.watch(str(number))
            watching.leave(str(number), unwanted=True)
        await comes_true(lambda: asked)

    run(main())
    assert asked[0] == ["2", "3", "4"]


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that accepts connections and says nothing."""
    import socket

    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        yield listening.getsockname()[1]


def test_a_result_backend_that_is_away(app: celery.Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "OUTAGE", 0.5)
    dashboard = celery.Celery("alone", broker=app.conf.broker_url, backend="redis://127.0.0.1:1/0")
    assert run(reason_of(ask(Remote.celery(dashboard), "calc.multiply", a=6, b=7))) == "unreachable"
    # The worker's own backend is there, and holds what it says: nobody could know.
    redis.Redis.from_url(app.conf.broker_url).flushdb()


def test_redis_may_be_away_for_a_moment(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = RedisServer(tmp_path)
    with worker_of(server.url) as app:
        jobs = Remote.celery(app)

        async def main() -> Any:
            calling = asyncio.create_task(ask(jobs, "calc.waits", folder=str(tmp_path)))
            await comes_true((tmp_path / "started").exists)
            server.kill()
            await comes_true(lambda: "does not answer" in caplog.text)
            server.start()
            (tmp_path / "after started").touch()
            return await calling

        assert run(main()) == "done"
    server.kill()


@pytest.mark.parametrize("backend", ["cache+memory://", "file"])
def test_other_backends_of_keys_and_values(backend: str, server: RedisServer, tmp_path: Path) -> None:
    url = f"file://{tmp_path}" if backend == "file" else backend
    app = celery.Celery("other", broker=server.url, backend=url)
    jobs = Remote.celery(app, queue="others")

    async def main() -> Any:
        calling = asyncio.create_task(ask(jobs, "calc.multiply", "elsewhere", a=6, b=7))
        await asyncio.sleep(0.1)
        # As a worker does that has this backend too.
        await asyncio.to_thread(app.backend.store_result, "elsewhere", "stored", "SUCCESS")
        return await calling

    assert run(main()) == "stored"
    assert app.AsyncResult("elsewhere").state == "PENDING"
    redis.Redis.from_url(server.url).delete("others")


@pytest.mark.parametrize("backend", [None, "rpc://", "db+sqlite://"])
def test_a_backend_without_results_is_refused(backend: str | None) -> None:
    app = celery.Celery("shop", broker="memory://", backend=backend)
    with pytest.raises(ConfigurationError, match=r"'shop' has no result backend of keys and values.*write Celery\("):
        Remote.celery(app)


@pytest.mark.parametrize("setting", ["task_serializer", "result_serializer"])
def test_pickle_is_refused(setting: str) -> None:
    app = celery.Celery("shop", broker="memory://", backend="cache+memory://")
    app.conf[setting] = "pickle"
    with pytest.raises(ConfigurationError, match=f"JSON only.* write {setting}='json'"):
        Remote.celery(app)


def test_something_else_than_an_app_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not a str: write Remote.celery"):
        Remote.celery("redis://localhost")


@pytest.mark.parametrize("name", ["timeout", "limit", "threads"])
def test_numbers_are_above_0(name: str) -> None:
    app = celery.Celery("shop", broker="memory://", backend="cache+memory://")
    with pytest.raises(ConfigurationError, match=f"{name}=.* above 0"):
        Remote.celery(app, **{name: 0})


def test_a_task_has_a_name() -> None:
    jobs = Remote.celery(celery.Celery("shop", broker="memory://", backend="cache+memory://"))
    with pytest.raises(ConfigurationError, match=r"such as 'calc.multiply', not ''"):
        jobs / ""


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without_celery(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        if level == 0 and name.partition(".")[0] == "celery":
            raise ImportError(name)
        return original(name, globals, locals, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", without_celery)
    with pytest.raises(ImportError, match=r'pip install "dash-flash\[celery\]"'):
        Remote.celery(None)


# In the pages of an app.


def page_of(jobs: CeleryRemote, **options: Any) -> Flash:
    """An app whose callback asks for ``calc.<task>``, and shows what comes of it."""
    dashboard = flash_app()
    dashboard.layout = html.Div()

    def declare(task: str) -> None:
        @api_callback(
            jobs / f"calc.{task}",
            Output(task, "children"),
            inputs={"folder": Input(task, "folder")},
            progress=Output(task, "title"),
            cancel=Input("stop", "x"),
            on_error=lambda error: f"{error.reason}: {error.summary}",
            app=dashboard,
            **options,
        )
        def show(data: Any, folder: str) -> str:
            return f"got {data}"

    for task in ("reports", "waits"):
        declare(task)
    return dashboard


def live(dashboard: Flash, scenario: Callable[[Tab], Awaitable[None]]) -> None:
    """Run a scenario with one tab; afterwards nothing is under way."""

    async def main() -> None:
        async with serving(dashboard):
            async with tab_of(InProcess(dashboard)) as tab:
                await scenario(tab)
            await comes_true(lambda: not any("Watcher" in repr(task) for task in asyncio.all_tasks()))

    run(main())


def test_a_page_shows_progress_and_the_result(jobs: CeleryRemote, tmp_path: Path, keys: Any) -> None:
    async def scenario(tab: Tab) -> None:
        await tab.request("reports.children", {"reports.folder": str(tmp_path)})
        for mark, title in {"first": 30, "second": 30, "third": [60, "of 100"]}.items():
            await comes_true((tmp_path / mark).exists)
            await tab.until(lambda title=title: tab.value("reports.title") == title)
            (tmp_path / f"after {mark}").touch()
        await tab.until(lambda: tab.value("reports.children") == "got written")

    live(page_of(jobs), scenario)
    assert keys() == []


def test_a_page_shows_what_may_be_told_of_an_error(jobs: CeleryRemote, tmp_path: Path) -> None:
    @api_callback(
        jobs / "calc.fails",
        Output("out", "children"),
        inputs={"click": Input("go", "n_clicks")},
        send=[],
        on_error=lambda error: f"{error.reason}: {error.summary}",
        app=(dashboard := page_of(jobs)),
    )
    def show(data: Any, click: int) -> None:
        raise AssertionError("there is no data")

    async def scenario(tab: Tab) -> None:
        await tab.request("out.children", {"go.n_clicks": 1})
        await tab.until(lambda: tab.value("out.children") == "failed: The backend has failed.")

    live(dashboard, scenario)


@pytest.mark.parametrize("way", ["cancel", "leave"])
def test_cancel_and_a_tab_that_leaves_end_the_task(way: str, jobs: CeleryRemote, tmp_path: Path, keys: Any) -> None:
    dashboard = page_of(jobs)

    async def scenario(tab: Tab) -> None:
        await tab.request("waits.children", {"waits.folder": str(tmp_path)})
        await comes_true((tmp_path / "started").exists)
        if way == "cancel":
            stops = [
                name for name, entry in dashboard.callback_map.items() if entry["raw_inputs"] == [Input("stop", "x")]
            ]
            for stop in stops:
                await tab.request(stop, {"stop.x": 1})
        else:
            await tab.leave()
        await asyncio.to_thread(ended, tmp_path)

    live(dashboard, scenario)
    assert ended(tmp_path)
    assert keys() == []


def test_the_latest_call_ends_the_one_before(jobs: CeleryRemote, tmp_path: Path, keys: Any) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()

    async def scenario(tab: Tab) -> None:
        await tab.request("waits.children", {"waits.folder": str(first)})
        await comes_true((first / "started").exists)
        await tab.request("waits.children", {"waits.folder": str(second)})
        await comes_true((second / "started").exists)
        assert await asyncio.to_thread(ended, first)
        (second / "after started").touch()
        await tab.until(lambda: tab.value("waits.children") == "got done")

    live(page_of(jobs, policy="latest"), scenario)
    assert keys() == []
