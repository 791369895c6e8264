"""The lease: who holds it, who gets it, and who may write."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flash.data import leader as leaders
from flash.data.leader import Leader, LeaseLost
from flash.storage import MemoryStorage, SharedStorageError

from .engines import run, until


class Lost(MemoryStorage):
    """A storage that may be cut off."""

    cut_off = False

    async def aacquire(self, *args: Any) -> int | None:
        self._check()
        return await super().aacquire(*args)

    async def arenew(self, *args: Any) -> bool:
        self._check()
        return await super().arenew(*args)

    def _check(self) -> None:
        if self.cut_off:
            raise SharedStorageError("no route")


class Diary:
    """Notes what the lease says."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.fails = False

    async def begin(self) -> None:
        if self.fails:
            raise ValueError("a fault at the beginning")
        self.said.append("begin")

    async def end(self) -> None:
        self.said.append("end")

    async def renewed(self) -> None:
        pass


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaders, "LEASE_SECONDS", 0.5)
    monkeypatch.setattr(leaders, "_ALONE_SECONDS", 0.5)
    monkeypatch.setattr(leaders, "LEASE_INTERVAL", 0.1)


def test_one_leads_and_the_next_one_when_it_ends() -> None:
    async def main() -> None:
        storage, works = MemoryStorage(), [Diary(), Diary()]
        first, second = [Leader(storage, "lease", str(number), work) for number, work in enumerate(works)]
        await first.start()
        await second.start()
        assert first.leads and not second.leads and works[1].said == []
        await first.confirm()
        with pytest.raises(LeaseLost):
            await second.confirm()
        await first.close()
        second.look()
        await until(lambda: second.leads, "second leader")
        assert works[0].said == ["begin", "end"] and works[1].said == ["begin"] and not first.leads
        await second.close()
        await second.close()

    run(main)


def test_who_cannot_renew_ends_before_another_can_begin_and_goes_on_by_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        storage, work = Lost(), Diary()
        leader = Leader(storage, "lease", "one", work)
        await leader.start()
        storage.cut_off = True
        await until(lambda: not leader.leads, "end")
        await until(lambda: work.said == ["begin", "end"], "end of the work")
        storage.cut_off = False
        await until(lambda: leader.leads, "leader")
        assert work.said == ["begin", "end", "begin"]
        await leader.close()

    run(main)
    assert caplog.text.count("cannot be reached") == 1 and caplog.text.count("can be reached again") == 1


def test_who_has_lost_it_without_noticing_writes_nothing() -> None:
    async def main() -> None:
        storage, work = MemoryStorage(), Diary()
        leader = Leader(storage, "lease", "one", work)
        await leader.start()
        storage.release("lease", "one")
        assert storage.acquire("lease", "two", 30) is not None
        with pytest.raises(LeaseLost):
            await leader.confirm()
        assert not leader.leads
        await until(lambda: work.said == ["begin", "end"], "end of the work")
        storage.release("lease", "two")
        await until(lambda: work.said == ["begin", "end", "begin"], "new term")
        await leader.close()

    run(main)


def test_a_work_that_cannot_begin_is_begun_again(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        work = Diary()
        work.fails = True
        leader = Leader(MemoryStorage(), "lease", "one", work)
        await leader.start()
        assert not leader.leads
        work.fails = False
        await until(lambda: leader.leads, "leader")
        await asyncio.sleep(0.2)
        assert work.said.count("begin") == 1
        await leader.close()

    run(main)
    assert "a fault at the beginning" in caplog.text


def test_a_storage_that_takes_a_cancellation_for_an_outage_does_not_hold_up_the_end() -> None:
    class Swallowing(MemoryStorage):
        swallows = False

        async def aacquire(self, *args: Any) -> int | None:
            if self.swallows:
                self.swallows = False
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    raise SharedStorageError("no answer") from None
            return await super().aacquire(*args)

    async def main() -> None:
        storage, work = Swallowing(), Diary()
        leader = Leader(storage, "lease", "one", work)
        await leader.start()
        storage.swallows = True
        leader.look()
        await until(lambda: not storage.swallows, "question")
        async with asyncio.timeout(5):
            await leader.close()
        assert work.said[-1] == "end"

    run(main)
