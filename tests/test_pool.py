"""The pool of threads: context, limits, errors, and an end that nothing holds up."""

from __future__ import annotations

import asyncio
import contextvars
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from flash import pool as pool_module
from flash.exceptions import PoolFull
from flash.pool import Pool, run_on_loop

from .apps import run

colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")


def test_results_arguments_and_context() -> None:
    async def main() -> Any:
        colour.set("red")
        pool = Pool(2, "test")
        got = await pool.run(lambda a, b=0: (a + b, colour.get(), threading.current_thread().name), 1, b=2)
        pool.close()
        return got

    assert run(main) == (3, "red", "test-1")


def test_what_a_function_sets_stays_in_its_thread_unless_it_runs_in_place() -> None:
    async def main() -> Any:
        pool = Pool(2, "test")
        await pool.run(colour.set, "green")
        before = colour.get()
        await pool.run_in_place(colour.set, "blue")
        pool.close()
        return before, colour.get()

    assert run(main) == ("none", "blue")


@pytest.mark.parametrize("error", [ValueError("x"), StopIteration(3), KeyboardInterrupt(), SystemExit(2)])
def test_errors_reach_the_caller(error: BaseException) -> None:
    def fail() -> None:
        raise error

    async def main() -> Any:
        pool = Pool(1, "test")
        try:
            await pool.run(fail)
        except BaseException as caught:
            return caught
        finally:
            pool.close()

    caught = run(main)
    # A coroutine cannot raise StopIteration, and nobody may end the server: a RuntimeError says so.
    assert (caught if isinstance(error, ValueError) else caught.__cause__) is error


def test_no_more_threads_than_allowed() -> None:
    async def main() -> None:
        pool = Pool(3, "test-limit")
        barrier = threading.Barrier(3)
        await asyncio.gather(*(pool.run(barrier.wait, 5) for _ in range(9)))
        assert sum(thread.name.startswith("test-limit") for thread in threading.enumerate()) == 3
        pool.close()

    run(main)


def test_a_full_pool_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "WAITING_PER_THREAD", 2)

    async def main() -> None:
        pool, release = Pool(1, "test"), threading.Event()
        await pool.run(lambda: None)
        held = [asyncio.create_task(pool.run(release.wait, 5))]
        await asyncio.sleep(0)
        while pool.waiting:  # noqa: ASYNC110 - the thread says nothing when it takes a call
            await asyncio.sleep(0)
        held += [asyncio.create_task(pool.run(release.wait, 5)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(PoolFull, match="2 calls already wait for the 1 threads of test"):
            await pool.run(lambda: None)
        release.set()
        await asyncio.gather(*held)
        pool.close()

    run(main)


def test_a_cancelled_call_that_has_not_begun_never_begins() -> None:
    began: list[int] = []

    async def main() -> None:
        pool, release = Pool(1, "test"), threading.Event()
        held = asyncio.create_task(pool.run(release.wait, 5))
        waiting = asyncio.create_task(pool.run(began.append, 1))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        release.set()
        await held
        await pool.run(began.append, 2)
        pool.close()

    run(main)
    assert began == [2]


def test_a_thread_that_cannot_be_started_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> Any:
        pool = Pool(1, "test-start")
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", _refuse)
            with pytest.raises(RuntimeError, match="can't start new thread"):
                await pool.run(lambda: None)
        try:
            return pool.waiting, await asyncio.wait_for(pool.run(lambda: 5), 5)
        finally:
            pool.close()

    assert run(main) == (0, 5)


def _refuse(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_closing_ends_the_threads_and_a_later_call_starts_new_ones() -> None:
    async def main() -> None:
        pool = Pool(2, "test-close")
        await pool.run(lambda: None)
        thread = next(thread for thread in threading.enumerate() if thread.name.startswith("test-close"))
        pool.close()
        thread.join(5)
        assert not thread.is_alive()
        assert await pool.run(lambda: 3) == 3
        pool.close()

    run(main)


def test_a_thread_reaches_the_loop_with_its_context() -> None:
    async def ask(value: int) -> Any:
        await asyncio.sleep(0)
        return value, colour.get()

    async def main() -> Any:
        pool = Pool(1, "test")

        def work() -> Any:
            colour.set("of the thread")
            return run_on_loop(ask(5))

        try:
            return await pool.run(work)
        finally:
            pool.close()

    assert run(main) == (5, "of the thread")


def test_waiting_for_the_loop_where_it_cannot_answer_is_refused() -> None:
    async def nothing() -> None: ...

    with pytest.raises(RuntimeError, match="no server calls it here"):
        run_on_loop(nothing())

    async def main() -> None:
        pool_module.serving_loop.set(asyncio.get_running_loop())
        with pytest.raises(RuntimeError, match="await the coroutine instead"):
            run_on_loop(nothing())

    run(main)


def test_a_blocked_function_does_not_hold_up_the_end_of_the_process() -> None:
    code = (
        "import asyncio, time, flash.pool as p\n"
        "async def main():\n"
        "    task = asyncio.create_task(p.Pool(1, 'blocked').run(time.sleep, 60))\n"
        "    await asyncio.sleep(0.05)\n"
        "    task.cancel()\n"
        "asyncio.run(main())"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=20).returncode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_starts_threads_of_its_own() -> None:
    pool = Pool(1, "test-fork")

    async def main() -> int:
        return await asyncio.wait_for(pool.run(lambda: 7), 5)

    assert run(main) == 7
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if asyncio.run(main()) == 7 else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    pool.close()
