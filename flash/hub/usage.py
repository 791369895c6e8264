"""What processes use, and which of them belong to an app."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psutil

from .host import Usage

#: Seconds by which a process's start may be misread: the clock of the machine may have been set since.
_CLOCK = 2.0


def usage_of(pid: int) -> Usage | None:
    """What a process and all below it use; None when it is gone. Takes milliseconds: not for an event loop.

    Memory that processes share counts for each of them.
    """
    cpu, memory, count = 0.0, 0, 0
    for process in _tree(pid):
        try:
            times, resident = process.cpu_times(), process.memory_info().rss
        except psutil.Error:
            continue
        # Of those that have ended, their parents know.
        cpu += times.user + times.system + getattr(times, "children_user", 0) + getattr(times, "children_system", 0)
        memory += resident
        count += 1
    return Usage(cpu, memory, count) if count else None


def started_at(pid: int) -> float | None:
    """When a process began, in seconds since 1970; None when there is none, or only what is left of it."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def is_running(pid: int, created: float) -> bool:
    """Whether a process runs, and is the one that began then."""
    now = started_at(pid)
    return now is not None and abs(now - created) < _CLOCK


def is_waiting(pid: int) -> bool:
    """Whether a process has ended, and this one has to take note of it."""
    try:
        process = psutil.Process(pid)
        return bool(process.status() == psutil.STATUS_ZOMBIE) and process.ppid() == os.getpid()
    except psutil.Error:
        return False


def session_of(leader: int, created: float, variable: tuple[str, str] | None = None) -> list[int]:
    """The processes of a session whose leader began then; the leader itself may be gone.

    Args:
        leader: Its process id, and the session's.
        created: When it began.
        variable: An environment variable that they have inherited from it, and its value: what tells them from
            strangers, whose session has the same number since the machine was started again.
    """
    began = started_at(leader)
    if not hasattr(os, "getsid") or (began is not None and abs(began - created) >= _CLOCK):
        return []  # Another process has the number now, so the session has ended.
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) != leader or process.create_time() <= created - _CLOCK:
                continue
            if variable is None or process.environ().get(variable[0]) == variable[1]:
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def _tree(pid: int) -> Iterator[psutil.Process]:
    try:
        top = psutil.Process(pid)
        yield top
        yield from top.children(recursive=True)
    except psutil.Error:
        return
