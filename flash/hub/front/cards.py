"""What a visitor sees of the apps of a hub: the same for pages, events and programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from ..visitor import Visitor

if TYPE_CHECKING:
    from ..mount import Mount, Status

#: What each state is called on a page.
LABELS = {
    "off": "Off",
    "starting": "Starting",
    "running": "Running",
    "draining": "Ending",
    "sleeping": "Asleep",
    "backoff": "Starts again soon",
    "failed": "Failed",
}


class Used(msgspec.Struct, frozen=True):
    """What the processes of an app use now.

    Attributes:
        cpu: Of one core, in percent, over the last seconds; None while only one measure was taken.
        memory: Bytes of resident memory.
        processes: How many they are.
        text: All of that for a page: ``"3 % CPU · 120 MB · 2 processes"``.
    """

    cpu: int | None
    memory: int
    processes: int
    text: str


class Managed(msgspec.Struct, frozen=True):
    """What only those see who may switch an app.

    Attributes:
        pid: Its process; None for one in the hub's own.
        restarts: How often it was started anew after a crash.
        connections: Open WebSockets and event streams.
        requests: What is under way.
        error: Why it ended last, when it was not asked to.
        used: What it uses; None when nobody has measured it, and for what runs in the hub's own process.
        text: That for a page.
    """

    pid: int | None
    restarts: int
    connections: int
    requests: int
    error: str | None
    used: Used | None
    text: str


class Card(msgspec.Struct, frozen=True):
    """One app, as a visitor sees it.

    Attributes:
        name: What the hub calls it.
        title: Its heading.
        description: A sentence or two.
        tags: Words to search by.
        path: Where it is: ``"/sales/"``.
        desired: ``"on"`` or ``"off"``.
        state: What it is doing.
        label: What that is called on a page.
        since: Since when, in seconds since 1970.
        users: Visitors within the last minute.
        present: That for a page: ``"3 users"``, or nothing.
        managed: None for those who may not switch it.
    """

    name: str
    title: str
    description: str
    tags: tuple[str, ...]
    path: str
    desired: str
    state: str
    label: str
    since: float
    users: int
    present: str
    managed: Managed | None

    def matches(self, words: str, tag: str) -> bool:
        """Whether all words stand in its title, description or tags, and the tag is one of its own."""
        text = " ".join((self.title, self.description, *self.tags)).casefold()
        return (not tag or tag in self.tags) and all(word in text for word in words.casefold().split())


def card_of(mount: Mount, visitor: Visitor, used: Used | None = None) -> Card:
    """An app as a visitor sees it.

    Args:
        mount: The app.
        visitor: One who may use it.
        used: What it uses, for those who may switch it.
    """
    spec, status = mount.spec, mount.status()
    return Card(
        name=spec.name,
        title=spec.title,
        description=spec.description,
        tags=spec.tags,
        path=spec.path,
        desired=status.desired,
        state=status.state,
        label=LABELS[status.state],
        since=status.since,
        users=status.users,
        present=_counted(status.users, "user") if status.users else "",
        managed=_managed(status, used) if mount.may_manage(visitor) else None,
    )


def used_of(cpu: int | None, memory: int, processes: int) -> Used:
    """What is used, as :class:`Used` has it."""
    percent = "" if cpu is None else f"{cpu} % CPU · "
    return Used(cpu, memory, processes, f"{percent}{_amount(memory)} · {_counted(processes, 'process', 'processes')}")


def seen(mounts: Iterable[Mount], visitor: Visitor) -> list[Mount]:
    """The apps that have a card for a visitor, in the order of the start page."""
    shown = [mount for mount in mounts if not mount.spec.hidden and mount.allows(visitor)]
    return sorted(shown, key=_place)


def cards(mounts: Iterable[Mount], visitor: Visitor, used: Mapping[str, Used]) -> list[Card]:
    """The cards of a visitor's start page.

    Args:
        mounts: All apps.
        visitor: Who looks.
        used: What the apps use, by name, as far as it was measured.
    """
    return [card_of(mount, visitor, used.get(mount.spec.name)) for mount in seen(mounts, visitor)]


def _place(mount: Mount) -> tuple[bool, int, str]:
    order = mount.spec.order
    return order is None, order or 0, mount.spec.title.casefold()


def _managed(status: Status, used: Used | None) -> Managed:
    text = used.text if used else ""
    if status.state == "running" and status.pid is None:
        text = "In the hub's process"
    return Managed(
        pid=status.pid,
        restarts=status.restarts,
        connections=status.connections,
        requests=status.requests,
        error=status.error,
        used=used,
        text=text,
    )


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _amount(size: float) -> str:
    """Bytes as people read them: ``"512 KB"``, ``"1.4 GB"``."""
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"
