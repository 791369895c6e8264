"""A coroutine that is run at once, and becomes a task when it has to wait."""

from __future__ import annotations

import asyncio

import pytest

from flash.live.eager import begin


def test_what_never_waits_needs_no_task() -> None:
    async def main() -> None:
        done: list[int] = []

        async def work() -> None:
            done.append(1)

        assert begin(work(), asyncio.get_running_loop()) is None
        assert done == [1]

    asyncio.run(main())


def test_what_waits_goes_on_in_a_task() -> None:
    async def main() -> None:
        gate = asyncio.Event()
        done: list[int] = []

        async def work() -> None:
            await asyncio.sleep(0)
            await gate.wait()
            done.append(1)

        task = begin(work(), asyncio.get_running_loop())
        assert task is not None
        await asyncio.sleep(0)
        assert done == []
        gate.set()
        await task
        assert done == [1]

    asyncio.run(main())


def test_it_is_cancelled_where_it_waits() -> None:
    async def main() -> None:
        seen: list[str] = []

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        task = begin(work(), asyncio.get_running_loop())
        assert task is not None
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert seen == ["cancelled"]

    asyncio.run(main())


def test_an_error_after_a_wait_is_the_error_of_the_task() -> None:
    async def main() -> None:
        async def work() -> None:
            await asyncio.sleep(0)
            raise ValueError("It fails.")

        task = begin(work(), asyncio.get_running_loop())
        assert task is not None
        with pytest.raises(ValueError, match="It fails"):
            await task

    asyncio.run(main())
