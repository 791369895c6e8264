"""What waits to be sent to one tab, and what was sent and may have to be sent again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from dash import Patch

from .. import _dash
from ..encoding import dumps
from . import protocol

#: When so many messages have been sent while a property waited, what waits for it is sent, whatever comes.
_MOST_OVERTAKING = 100


class Message:
    """A numbered message, encoded once for all the tabs that get it.

    Attributes:
        frame: Its JSON.
        holders: How many outboxes keep it.
    """

    __slots__ = ("frame", "holders")

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self.holders = 0


class Update(Message):
    """New values for properties of one component.

    Args:
        component: The id; of a dict id its JSON with sorted keys.
        values: The JSON of each value by its property.
        patches: The properties whose value is a ``Patch``.
        versions: The versions of the properties that are shared.
        state: The version of the shared state that components in the values hold, at least.

    Attributes:
        brings_components: Whether a value holds components, which others of these messages may be for.
    """

    __slots__ = ("brings_components", "component", "patches", "state", "values", "versions")

    def __init__(
        self,
        component: str,
        values: dict[str, bytes],
        patches: frozenset[str] = frozenset(),
        versions: dict[str, int] | None = None,
        state: int | None = None,
    ) -> None:
        super().__init__(protocol.set_props(component, values, versions, state))
        self.component = component
        self.values = values
        self.patches = patches
        self.versions = versions or {}
        self.state = state
        self.brings_components = self.frame.endswith(b',"components":true}')

    def without(self, names: set[str]) -> Update | None:
        """The update without some properties; None when nothing is left of it."""
        values = {name: value for name, value in self.values.items() if name not in names}
        versions = {name: version for name, version in self.versions.items() if name not in names}
        return Update(self.component, values, self.patches - names, versions, self.state) if values else None

    def merged_into(self, old: Update) -> Update:
        """One update that does what an older one and this do in turn; this one has no Patches."""
        kept = {name: version for name, version in old.versions.items() if name not in self.values}
        versions = kept | self.versions
        return Update(self.component, old.values | self.values, old.patches - self.values.keys(), versions, old.state)


class Ledger:
    """Counts the bytes that all outboxes keep together. A message that many tabs get is kept once, and counts once."""

    __slots__ = ("bytes",)

    def __init__(self) -> None:
        self.bytes = 0

    def hold(self, message: Message) -> None:
        """An outbox keeps a message."""
        if message.holders == 0:
            self.bytes += len(message.frame)
        message.holders += 1

    def release(self, message: Message) -> None:
        """An outbox keeps it no more."""
        message.holders -= 1
        if message.holders == 0:
            self.bytes -= len(message.frame)


class Outbox:
    """The messages of one tab, in their order.

    *Waiting* ones conflate: a full value replaces what waits for its property, values and Patches; a Patch never
    replaces anything and is never dropped. A value that comes again and again keeps its place in the queue, so that it
    is not overtaken for ever; but it never moves ahead of another kind of message, a callback's answer for example,
    whose outputs may be the same property. Nor of one that brings components, for it may be for one of these, and such
    a message moves ahead of nothing: what came before it was for the components that it replaces. Where a value must
    go to the end of the queue again and again, one is sent after 100 other messages: no property is put off for ever.

    *Sent* ones are kept until the client says that it has them, within the limits of the resume window.

    Args:
        resume_messages: The most messages that are kept of what was sent, and that may come while the tab is away.
        resume_bytes: The same in bytes.
        ledger: Counts what this outbox and others keep.
    """

    __slots__ = (
        "_acknowledged",
        "_barrier",
        "_ledger",
        "_number",
        "_paused_bytes",
        "_paused_messages",
        "_places",
        "_resume_bytes",
        "_resume_messages",
        "_sent",
        "_since",
        "_waiting",
        "lost",
        "sent_bytes",
        "waiting_bytes",
    )

    def __init__(self, resume_messages: int, resume_bytes: int, ledger: Ledger) -> None:
        self._ledger = ledger
        self._resume_messages = resume_messages
        self._resume_bytes = resume_bytes
        self._waiting: dict[int, Message] = {}
        self._places: dict[tuple[str, str], list[int]] = {}
        #: How many messages had been sent when a property began to wait.
        self._since: dict[tuple[str, str], int] = {}
        self._number = 0
        self._barrier = 0
        self._sent: deque[Message] = deque()
        self._acknowledged = 0
        self._paused_messages = 0
        self._paused_bytes = 0
        self.waiting_bytes = 0
        self.sent_bytes = 0
        #: Whether a message was dropped: the tab cannot catch up any more.
        self.lost = False

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def size(self) -> int:
        """The bytes of all that waits or is kept."""
        return self.waiting_bytes + self.sent_bytes

    @property
    def sent(self) -> int:
        """How many messages have been sent in all."""
        return self._acknowledged + len(self._sent)

    # Waiting.

    def put(self, message: Message) -> None:
        """Let a message wait behind those that wait already."""
        if not isinstance(message, Update):
            self._append(message)
            return
        full = message.values.keys() - message.patches
        numbers = sorted({number for name in full for number in self._places.get((message.component, name), ())})
        keeps_place = not message.patches and not message.brings_components
        place = next((number for number in numbers if keeps_place and number > self._barrier), None)
        for number in numbers:
            if number != place:
                self._reduce(number, {name for name in full if not self._is_due((message.component, name), number)})
        if place is None:
            self._append(message)
        else:
            self._merge(place, message)

    def _is_due(self, place: tuple[str, str], number: int) -> bool:
        """Whether a waiting message is the next that brings a property, which has been put off for too long."""
        numbers = self._places.get(place)
        return numbers is not None and numbers[0] == number and self.sent - self._since[place] > _MOST_OVERTAKING

    def _append(self, message: Message) -> None:
        self._number += 1
        self._waiting[self._number] = message
        self._ledger.hold(message)
        self.waiting_bytes += len(message.frame)
        if isinstance(message, Update):
            for name in message.values:
                self._places.setdefault((message.component, name), []).append(self._number)
                self._since.setdefault((message.component, name), self.sent)
        if not isinstance(message, Update) or message.brings_components:
            self._barrier = self._number

    def _merge(self, number: int, message: Update) -> None:
        """Put new values into the place of a waiting update of the same component."""
        old = self._waiting[number]
        assert isinstance(old, Update)
        merged = message
        if added := message.values.keys() ^ old.values.keys():
            merged = message.merged_into(old)
        for name in added & message.values.keys():
            self._places.setdefault((message.component, name), []).append(number)
            self._since.setdefault((message.component, name), self.sent)
        self._exchange(number, merged)

    def _exchange(self, number: int, message: Update) -> None:
        old = self._waiting[number]
        self._waiting[number] = message
        self._ledger.hold(message)
        self._ledger.release(old)
        self.waiting_bytes += len(message.frame) - len(old.frame)

    def _reduce(self, number: int, names: set[str]) -> None:
        """Take properties out of a waiting update that a newer value has made needless."""
        old = self._waiting[number]
        assert isinstance(old, Update)
        if old.values.keys().isdisjoint(names):
            return
        rest = old.without(names)
        if rest is None:
            self._ledger.release(self._remove(number))
            return
        self._exchange(number, rest)
        for name in names & old.values.keys():
            self._leave(old.component, name, number)

    def _remove(self, number: int) -> Message:
        message = self._waiting.pop(number)
        self.waiting_bytes -= len(message.frame)
        if isinstance(message, Update):
            for name in message.values:
                self._leave(message.component, name, number)
        return message

    def _leave(self, component: str, name: str, number: int) -> None:
        places = self._places[component, name]
        places.remove(number)
        if not places:
            del self._places[component, name]

    # Sending.

    def take(self, limit: int) -> list[Message]:
        """The next messages to send together: one, or several of up to ``limit`` bytes. They count as sent."""
        taken: list[Message] = []
        size = 0
        while self._waiting:
            number = next(iter(self._waiting))
            size += len(self._waiting[number].frame)
            if taken and size > limit:
                break
            message = self._remove(number)
            taken.append(message)
            self._sent.append(message)
            self.sent_bytes += len(message.frame)
            if isinstance(message, Update):
                self._wait_anew(message)
        self._trim()
        return taken

    def _wait_anew(self, message: Update) -> None:
        """Count anew how long properties wait, one value of which has been sent."""
        for name in message.values:
            place = message.component, name
            if place in self._places:
                self._since[place] = self.sent
            else:
                del self._since[place]

    def _trim(self) -> None:
        """Forget the oldest of what was sent when it is too much. The last is kept, however large it is."""
        while len(self._sent) > self._resume_messages or (self.sent_bytes > self._resume_bytes and len(self._sent) > 1):
            self._forget()

    def _forget(self) -> None:
        message = self._sent.popleft()
        self._ledger.release(message)
        self.sent_bytes -= len(message.frame)
        self._acknowledged += 1

    def acknowledge(self, received: int) -> None:
        """The client has received so many messages in all."""
        while self._sent and self._acknowledged < received:
            self._forget()

    # Coming back.

    def rewind(self, received: int) -> bool:
        """Let wait again what was sent and not received.

        Args:
            received: How many messages the client has received in all.

        Returns:
            False when something of it is gone.
        """
        if self.lost or not self._acknowledged <= received <= self.sent:
            return False
        self.acknowledge(received)
        again = [*self._sent, *self._waiting.values()]
        self._clear()
        for message in again:
            self._append(message)
            self._ledger.release(message)
        return True

    def pause(self) -> None:
        """The tab is away. What there is for it is kept, even one message that is larger than the whole window."""
        self._paused_messages = len(self._sent) + len(self._waiting)
        self._paused_bytes = self.size

    @property
    def over(self) -> bool:
        """Whether more has come for a tab since it went away than the resume window allows."""
        return (
            len(self._sent) + len(self._waiting) - self._paused_messages > self._resume_messages
            or self.size - self._paused_bytes > self._resume_bytes
        )

    def lose(self) -> None:
        """Drop everything: the tab begins anew when it comes back."""
        self.lost = True
        for message in (*self._sent, *self._waiting.values()):
            self._ledger.release(message)
        self._clear()

    def forget_sent(self) -> None:
        """Drop what was sent and may have to be sent again."""
        while self._sent:
            self._forget()

    def _clear(self) -> None:
        self._sent.clear()
        self._waiting.clear()
        self._places.clear()
        self._since.clear()
        self.sent_bytes = self.waiting_bytes = 0

    def __iter__(self) -> Iterator[Message]:
        return iter(self._waiting.values())


def join(messages: list[Message]) -> bytes:
    """The frame of several messages."""
    if len(messages) == 1:
        return messages[0].frame
    return b"[%b]" % b",".join([message.frame for message in messages])


def update_of(
    component_id: str | dict[str, Any],
    props: dict[str, Any],
    encode: Callable[[Any], bytes] = dumps,
    state: int | None = None,
) -> Update:
    """The message that sets properties of a component, encoded in the calling thread.

    Args:
        component_id: The component.
        props: The values by property.
        encode: Encodes one value.
        state: The version of the shared state that is laid over components, at least; None when nothing is shared.

    Raises:
        TypeError: A value has no JSON form.
    """
    values = {name: encode(value) for name, value in props.items()}
    patches = frozenset(name for name, value in props.items() if isinstance(value, Patch))
    return Update(_dash.stringify_id(component_id), values, patches, state=state)
