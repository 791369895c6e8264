"""The log files of apps: put aside when they are large, read from their end, followed."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import stat
from pathlib import Path

import pytest

from flash.hub import logs
from flash.hub.logs import follow, open_log, rotate, tail

from ..apps import run


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "sales.log"


def write(log: Path, text: str | bytes) -> None:
    handle = open_log(log)
    os.write(handle, text if isinstance(text, bytes) else text.encode())
    os.close(handle)


def test_a_log_is_its_owners_alone(log: Path) -> None:
    write(log, "one\n")
    write(log, "two\n")
    assert log.read_text() == "one\ntwo\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


def test_a_large_log_is_put_aside_while_it_is_written(log: Path) -> None:
    handle = open_log(log)
    for number in range(6):
        os.write(handle, b"%d " % number * 10)
        assert rotate(log, 10)
        assert log.read_bytes() == b""
    os.write(handle, b"after\n")
    os.close(handle)
    assert log.read_text() == "after\n"
    old = sorted(log.parent.glob("sales.log.*"))
    assert [path.read_text()[0] for path in old] == ["5", "4", "3"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in old)


def test_a_small_log_and_one_that_is_not_there_stay(log: Path) -> None:
    assert not rotate(log)
    write(log, "1234567890")
    assert not rotate(log, 10)
    assert log.read_text() == "1234567890"


@pytest.mark.parametrize(
    "text,count,lines",
    [
        ("", 3, []),
        ("a\nb\nc\nd\n", 2, ["c", "d"]),
        ("a\nb\nc\nd", 2, ["c", "d"]),
        ("a\r\n\nb\n", 9, ["a", "", "b"]),
        ("a\nb\n", 0, []),
        (b"\xff\n\xc3\xab\n", 2, ["\ufffd", "ë"]),
        ("x" * 200_000 + "\nend\n", 2, ["x" * 200_000, "end"]),
        ("".join(f"{number}\n" for number in range(100_000)), 3, ["99997", "99998", "99999"]),
    ],
)
def test_the_last_lines(log: Path, text: str | bytes, count: int, lines: list[str]) -> None:
    write(log, text)
    assert tail(log, count) == lines


def test_the_last_lines_of_no_log(log: Path) -> None:
    assert tail(log, 5) == []


def test_the_last_lines_go_back_into_what_was_put_aside(log: Path) -> None:
    write(log, "a\nb\n")
    rotate(log, 1)
    write(log, "c\n")
    assert tail(log, 2) == ["b", "c"]
    assert tail(log, 9) == ["a", "b", "c"]


def test_the_last_lines_may_begin_at_a_byte(log: Path) -> None:
    write(log, "before\nafter\n")
    assert tail(log, 9, since=7) == ["after"]
    assert tail(log, 9, since=13) == []


async def lines_of(lines: object, count: int) -> list[str]:
    return [await asyncio.wait_for(anext(lines), 5) for _ in range(count)]  # type: ignore[call-overload]


def test_lines_come_as_they_are_written(log: Path) -> None:
    async def main() -> None:
        following = follow(log, last=2)
        first = asyncio.create_task(lines_of(following, 1))
        await asyncio.sleep(0)
        write(log, "a\n")
        assert await first == ["a"]
        write(log, "b\nc")
        assert await lines_of(following, 1) == ["b"]
        write(log, "d\n")
        assert await lines_of(following, 1) == ["cd"]
        await following.aclose()

    run(main)


def test_nothing_is_missing_between_the_last_lines_and_the_new_ones(log: Path) -> None:
    async def main() -> None:
        write(log, "1\n2\n3\nhal")
        following = follow(log, last=2)
        assert await lines_of(following, 2) == ["2", "3"]
        write(log, "f\n4\n")
        assert await lines_of(following, 2) == ["half", "4"]
        await following.aclose()

    run(main)


def test_who_follows_goes_on_when_the_log_is_put_aside(log: Path) -> None:
    async def main() -> None:
        write(log, "before\n")
        following = follow(log, last=1)
        assert await lines_of(following, 1) == ["before"]
        rotate(log, 1)
        write(log, "new\n")
        assert await lines_of(following, 1) == ["new"]
        await following.aclose()

    run(main)


def test_who_reads_slowly_is_told_what_is_missing(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_BURST", 100)

    async def main() -> None:
        write(log, "begin\n")
        following = follow(log, last=1)
        assert await lines_of(following, 1) == ["begin"]
        text = "".join(f"line {number:04}\n" for number in range(1000))
        write(log, text)
        lines = await lines_of(following, 10)
        assert lines[:2] == [f"... {10000 - 90} bytes were left out ...", "line 0991"]
        assert lines[-1] == "line 0999"
        await following.aclose()

    run(main)


def test_a_log_that_cannot_be_put_aside_stays(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*paths: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", full)
    write(log, "one\n")
    assert not rotate(log, largest=1)
    assert tail(log, 5) == ["one"]
