"""Random runs of pages that share, at whose end all of them show what the app holds and its functions have seen last.

Each run is made by its seed and can be repeated: ``SHARED_SEEDS=17 pytest tests/shared/test_property.py``. For many
runs name many: ``SHARED_SEEDS=0-999``. Threads make no two runs quite equal: one that has failed may need some tries.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ..live.sites import Socket
from ..live.test_property import AMPLE, FAST
from .property_app import FORBIDDEN, INPUTS, SharingApp
from .property_page import RandomPage, text_of

#: With each of these a page that was away may have to begin anew.
TIGHT: list[dict[str, Any]] = [
    {**FAST, "resume_messages": 5},
    {**FAST, "resume_bytes": 600},
    {**FAST, "resume_seconds": 0.02},
    {**FAST, "all_waiting_bytes": 6000},
]

PATHS = ("/", "/?room=x", "/?room=x", "/?room=y", "/?room=x&guest")

#: No wait is longer, in seconds.
PATIENCE = 20.0


def seeds(count: int) -> list[int]:
    """The seeds of a test: so many, or those that ``SHARED_SEEDS`` names."""
    first, _, last = os.environ.get("SHARED_SEEDS", f"0-{count - 1}").partition("-")
    return list(range(int(first), int(last or first) + 1))


class Run:
    """One random run.

    Args:
        seed: Makes it.
        sharing: The app.
        resets: Whether the state is reset now and then.
    """

    def __init__(self, seed: int, sharing: SharingApp, *, resets: bool) -> None:
        self.chance = random.Random(seed)
        self.sharing = sharing
        self.app = sharing.app
        self.pages: list[RandomPage] = []
        self.loaded: list[RandomPage] = []
        self.ghosts: list[Socket] = []
        self.resets = resets
        self.values = 0

    async def go(self, steps: int) -> None:
        """Do random things, mend what is broken, and compare."""
        for _ in range(2):
            await self.load()
            await self.arrive()
        actions: list[Callable[[], Awaitable[None]]] = [
            *[self.change] * 12,
            self.burst,
            self.push_from_thread,
            self.push,
            *[self.cut] * 2,
            self.abandon,
            *[self.resume] * 4,
            self.load,
            *[self.arrive] * 2,
            *[self.reset] * self.resets,
            *[self.pause] * 6,
        ]
        for _ in range(steps):
            await self.chance.choice(actions)()
        await self.mend()
        await self.compare()

    # What happens.

    def value(self) -> int:
        self.values += 1
        return self.values

    async def load(self) -> None:
        """A page gets its layout, and is late with the rest."""
        if len(self.pages) + len(self.loaded) < 5:
            path = PATHS[len(self.pages) + len(self.loaded)]
            page = RandomPage(self.app, path, acks_every=self.chance.choice([0, 1, 7, 32]))
            self.loaded.append(page)
            await page.load()

    async def arrive(self) -> None:
        if self.loaded:
            page = self.loaded.pop()
            await page.open()
            self.pages.append(page)

    async def change(self) -> None:
        page = self.chance.choice(self.pages)
        value = self.value() + (FORBIDDEN if "guest" in page.path else 0)
        await page.user_changes(*self.chance.choice(INPUTS), value)

    async def burst(self) -> None:
        """Somebody drags, and others do something else."""
        page, place = self.chance.choice(self.pages), self.chance.choice(INPUTS)
        for _ in range(self.chance.randint(3, 15)):
            if "guest" not in page.path:
                await page.user_changes(*place, self.value())
            if self.chance.random() < 0.3:
                await self.change()
            if self.chance.random() < 0.3:
                await asyncio.sleep(0)

    async def push(self) -> None:
        component, prop = self.chance.choice(INPUTS)
        self.app.push_mods({"id": component, "property": prop, "value": self.value()})

    async def push_from_thread(self) -> None:
        component, prop = self.chance.choice(INPUTS)
        mods = {"id": component, "property": prop, "value": self.value()}
        thread = threading.Thread(target=self.app.push_mods, args=(mods,))
        thread.start()
        await asyncio.to_thread(thread.join)

    async def cut(self) -> None:
        await self.chance.choice(self.pages).cut(delivered=self.chance.random() < 0.5)

    async def abandon(self) -> None:
        if socket := await self.chance.choice(self.pages).abandon():
            self.ghosts.append(socket)

    async def resume(self) -> None:
        away = [page for page in self.pages if not page.connected]
        if away:
            await self.chance.choice(away).resume()

    async def reset(self) -> None:
        self.app.shared_state.reset()

    async def pause(self) -> None:
        for _ in range(self.chance.choice([1, 1, 2, 5, 20])):
            await asyncio.sleep(0)
        if self.chance.random() < 0.3:
            await asyncio.sleep(self.chance.choice([0.002, 0.015]))

    # How it ends.

    async def mend(self) -> None:
        for ghost in self.ghosts:
            await ghost.cut(delivered=self.chance.random() < 0.5)
        while self.loaded:
            await self.arrive()
        await self.until(lambda: not any(page.pending for page in self.pages), "answers")

    async def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait for a condition. A page that was slow may be closed for it still, and comes back."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not condition():
            await self.resume()
            await asyncio.sleep(0.002)
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"Waited in vain for {what}: {self.differences()[:10]}")

    async def compare(self) -> None:
        await self.until(lambda: not self.differences(), "all pages to show the same")
        # Nothing comes behind.
        await asyncio.sleep(0.03)
        assert not self.differences()
        for page in self.pages:
            assert not page.problems, page.problems
            for request in page.requests.values():
                assert len(request.answers) + bool(request.failure) == 1
        assert all(value < FORBIDDEN for _, value in self.app.shared_state.items() if isinstance(value, int))
        for page in self.pages:
            await page.leave()

    def differences(self) -> list[str]:
        """What is not as it must be in the end."""
        found = []
        for page in self.pages:
            room = self.app_room(page)
            for component, prop in [*INPUTS, *(place for place, _ in self.sharing.expected(room)), ("feed", "data")]:
                shown, shared = page.shows(component, prop), self.sharing.shared((component, prop), room)
                if shown != shared:
                    found.append(f"{page.path} shows {text_of(component)}.{prop} as {shown!r}, shared is {shared!r}")
            for (component, prop), value in self.sharing.expected(room):
                shared = self.sharing.shared((component, prop), room)
                if shared != value:
                    found.append(f"{text_of(component)}.{prop} is {shared!r} for {room}, expected is {value!r}")
        for name, args, wanted in self.sharing.last_seen():
            if args != wanted:
                found.append(f"{name} has seen {args} last, and not {wanted}")
        return found

    def app_room(self, page: RandomPage) -> str | None:
        return "x" if "room=x" in page.path else "y" if "room=y" in page.path else None


async def run_of(seed: int, live: dict[str, Any], *, resets: bool) -> None:
    sharing = SharingApp(live, asks=seed % 2 == 0)
    async with sharing.app.server.test_app():
        await Run(seed, sharing, resets=resets).go(steps=60)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Some functions fail on purpose."""
    caplog.set_level(logging.CRITICAL, logger="flash")


@pytest.mark.parametrize("seed", seeds(14))
def test_all_pages_end_with_what_the_functions_have_seen_last(seed: int) -> None:
    asyncio.run(asyncio.wait_for(run_of(seed, AMPLE, resets=False), 60))


@pytest.mark.parametrize("seed", seeds(14))
def test_so_they_do_when_messages_are_lost_for_good(seed: int) -> None:
    asyncio.run(asyncio.wait_for(run_of(seed, TIGHT[seed % len(TIGHT)], resets=False), 60))


@pytest.mark.parametrize("seed", seeds(12))
def test_so_they_do_when_the_state_is_reset(seed: int) -> None:
    asyncio.run(asyncio.wait_for(run_of(seed, AMPLE, resets=True), 60))
