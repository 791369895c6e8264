"""How long sessions last, and what their tokens are worth."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from flash.hub.signin import sessions as module
from flash.hub.signin.sessions import TABLE, Sessions
from flash.hub.state import State

from ...apps import run

IDLE, ABSOLUTE, TURN, OVERLAP = 1000.0, 5000.0, 100.0, 10.0


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def sessions_in(folder: Path, clock: Clock) -> AsyncIterator[Sessions]:
    state = State(folder / "state.sqlite")
    state.ensure(TABLE)
    await state.open()
    sessions = Sessions(state, idle=IDLE, absolute=ABSOLUTE, turn=TURN, overlap=OVERLAP, clock=clock)
    await sessions.load()
    try:
        yield sessions
    finally:
        await state.close()


def with_sessions(test: Callable[..., Any]) -> Callable[[Path], None]:
    """Run a test with sessions and their clock."""

    def wrapped(tmp_path: Path) -> None:
        async def main() -> None:
            clock = Clock()
            async with sessions_in(tmp_path, clock) as sessions:
                await test(sessions, clock)

        run(main)

    return wrapped


@with_sessions
async def test_a_session_ends_when_it_is_idle(sessions: Sessions, clock: Clock) -> None:
    _, token, _ = await sessions.begin("ann", {})
    for _ in range(3):
        clock.now += IDLE - 1
        assert sessions.find(token) is not None
    assert sessions.over() == []
    clock.now += IDLE
    assert sessions.find(token) is None
    assert [session.user for session in sessions.over()] == ["ann"]


@with_sessions
async def test_a_session_ends_however_busy_it_is(sessions: Sessions, clock: Clock) -> None:
    _, token, _ = await sessions.begin("ann", {})
    for _ in range(int(ABSOLUTE // 500) - 1):
        clock.now += 500
        assert sessions.find(token) is not None
    clock.now += 500
    assert sessions.find(token) is None


@with_sessions
async def test_what_was_ended_is_worth_nothing(sessions: Sessions, clock: Clock) -> None:
    session, token, _ = await sessions.begin("ann", {})
    clock.now += TURN + 1
    sessions.find(token)
    newer = sessions.turned(session)
    assert newer is not None
    await sessions.end(session)
    assert sessions.find(token) is None and sessions.find(newer) is None
    await sessions.flush()
    await sessions.load()
    assert list(sessions) == []


@with_sessions
async def test_tokens_are_turned_over_while_requests_are_under_way(sessions: Sessions, clock: Clock) -> None:
    session, first, _ = await sessions.begin("ann", {})
    assert sessions.find(first) is session and sessions.turned(session) is None
    clock.now += TURN + 1
    second = sessions.turned(session)
    assert second is not None and second != first
    assert sessions.turned(session) is None, "One is under way."
    assert sessions.find(first) is session and sessions.find(second) is session
    clock.now += OVERLAP - 1
    assert sessions.find(first) is session
    clock.now += 2
    assert sessions.find(first) is None and sessions.find(second) is session


@with_sessions
async def test_a_token_that_is_lost_is_made_again(sessions: Sessions, clock: Clock) -> None:
    """The answer with the new cookie does not arrive: the browser goes on with the old one."""
    session, first, _ = await sessions.begin("ann", {})
    sessions.find(first)
    clock.now += TURN + 1
    lost = sessions.turned(session)
    assert lost is not None
    clock.now += OVERLAP + 1
    assert sessions.find(first) is session
    again = sessions.turned(session)
    assert again is not None
    assert sessions.find(lost) is None, "Nobody has it but a thief."
    assert sessions.find(again) is session and sessions.find(first) is session


@with_sessions
async def test_one_user_has_so_many_sessions(sessions: Sessions, clock: Clock) -> None:
    tokens = []
    for _ in range(module.FOR_ONE_USER):
        tokens.append((await sessions.begin("ann", {}))[1])
        clock.now += 1
    clock.now += 1
    sessions.find(tokens[0])
    _, _, ended = await sessions.begin("ann", {})
    assert len(ended) == 1 and sessions.find(tokens[1]) is None, "That which was not used for longest."
    assert sessions.find(tokens[0]) is not None


def test_sessions_outlive_the_hub_and_their_tokens_are_not_kept(tmp_path: Path) -> None:
    def kept() -> list[Path]:
        return list(tmp_path.iterdir())

    async def main() -> None:
        clock = Clock()
        async with sessions_in(tmp_path, clock) as sessions:
            session, first, _ = await sessions.begin("ann", {"roles": ["a"]})
            sessions.find(first)
            clock.now += TURN + 1
            second = sessions.turned(session)
            assert second is not None
            await sessions.flush()
        for path in kept():
            assert first.encode() not in path.read_bytes() and second.encode() not in path.read_bytes()
        async with sessions_in(tmp_path, clock) as sessions:
            found = sessions.find(first)
            assert found is not None and (found.user, found.data) == ("ann", {"roles": ["a"]})
            assert sessions.find(second) is found
            clock.now += OVERLAP + 1
            assert sessions.find(first) is None
            clock.now += IDLE
            assert sessions.find(second) is None

    run(main)
