"""Guessing passwords is made slow: each wrong one makes the next wait longer."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

#: So many attempts go wrong without a wait.
FREE = 5

#: The longest waits, in seconds. A user's is short: others can cause it, from any address.
LONGEST_FOR_ADDRESS = 900.0
LONGEST_FOR_USER = 60.0

#: After so many seconds without a wrong attempt all is forgotten.
FORGOTTEN = 3600.0

#: So many addresses and users are remembered; then the one whose last attempt is the longest ago is forgotten.
REMEMBERED = 10_000


class Throttle:
    """Counts attempts to sign in, by address and by user.

    Args:
        clock: Seconds that only grow.

    Example:
        >>> throttle = Throttle()
        >>> throttle.begin("203.0.113.9", "ann")
        0.0
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._addresses = _Attempts(LONGEST_FOR_ADDRESS, clock)
        self._users = _Attempts(LONGEST_FOR_USER, clock)

    def wait(self, address: str, user: str) -> float:
        """Seconds until an attempt is accepted; 0 when it is now."""
        return max(self._addresses.wait(network_of(address)), self._users.wait(user))

    def begin(self, address: str, user: str) -> float:
        """Count an attempt, which is taken for a wrong one until :meth:`passed` is called.

        Args:
            address: The client's.
            user: The name that was given, whether anybody has it or not.

        Returns:
            Seconds until it is accepted. Only if they are 0, the attempt may be made, and was counted.
        """
        wait = self.wait(address, user)
        if wait == 0.0:
            self._addresses.add(network_of(address))
            self._users.add(user)
        return wait

    def passed(self, address: str, user: str) -> None:
        """Note that the attempt was right. The address keeps its other ones: one account is no way to guess another."""
        self._addresses.take_back(network_of(address))
        self._users.forget(user)

    def withdrawn(self, address: str, user: str) -> None:
        """Note that the attempt was not made at all."""
        self._addresses.take_back(network_of(address))
        self._users.take_back(user)


class _Attempts:
    """Wrong attempts by key."""

    def __init__(self, longest: float, clock: Callable[[], float]) -> None:
        self._longest = longest
        self._clock = clock
        #: How many there were, and when the last was; the oldest first.
        self._counted: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, key: str) -> float:
        count, last = self._counted.get(key, (0, 0.0))
        if count < FREE:
            return 0.0
        # The exponent is bounded, or the number would not be.
        pause = min(2.0 ** min(count - FREE, 30), self._longest)
        return max(last + pause - self._clock(), 0.0)

    def add(self, key: str) -> None:
        now = self._clock()
        count, last = self._counted.pop(key, (0, now))
        self._counted[key] = (1 if now - last > FORGOTTEN else count + 1, now)
        if len(self._counted) > REMEMBERED:
            self._counted.popitem(last=False)

    def take_back(self, key: str) -> None:
        count, last = self._counted.get(key, (0, 0.0))
        if count > 1:
            self._counted[key] = (count - 1, last)
        else:
            self.forget(key)

    def forget(self, key: str) -> None:
        self._counted.pop(key, None)


def network_of(address: str) -> str:
    """What one client has of addresses: of IPv6, a whole network.

    Example:
        >>> network_of("2001:db8:1:2:3::4")
        '2001:db8:1:2::'
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return address
