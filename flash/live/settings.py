"""What ``Flash(live=...)`` takes."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

from ..exceptions import ConfigurationError

MIB = 1024 * 1024

# A browser's timers take 24 days at most, and run at once what is set for later.
LONGEST = 10 * 24 * 3600
TIMES = ("heartbeat", "answer", "silence", "resume_seconds", "renew")


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """The limits and times of the live connection.

    Attributes:
        enabled: True opens it in every page, False in none; None in the pages of apps that use it.
        heartbeat: Seconds between two heartbeats.
        answer: Seconds in which a heartbeat must be answered.
        silence: Seconds after which a connection is closed that has not said hello, or is Dash's worker and says
            nothing more.
        resume_seconds: How long a client that is away may come back.
        resume_messages: How many messages are kept for it.
        resume_bytes: How many bytes of messages are kept for it.
        waiting_bytes: How much may wait behind the message that is being sent to a tab.
        all_waiting_bytes: How much may wait for all tabs together.
        post_bytes: Messages of the client above this size go by POST.
        frame_bytes: The largest frame that is taken.
        rate: Messages of one client per second, on average.
        burst: How many of them may come at once.
        requests: Callback requests of one client that run at once.
        clients: Clients that are here or away.
        clients_per_user: The same for one user that is known.
        renew: Seconds after which a client must prove again that it may be connected.
        on_gap: What a page does when messages were lost: ``"callbacks"`` runs connect handlers and persistent
            callbacks again, ``"reload"`` loads the page again.
        indicator: Whether pages show that they are not connected.
    """

    enabled: bool | None = None
    heartbeat: float = 25.0
    answer: float = 10.0
    silence: float = 90.0
    resume_seconds: float = 120.0
    resume_messages: int = 1000
    resume_bytes: int = MIB
    waiting_bytes: int = MIB
    all_waiting_bytes: int = 256 * MIB
    post_bytes: int = MIB
    frame_bytes: int = 16 * MIB
    rate: float = 200.0
    burst: int = 400
    requests: int = 100
    clients: int = 20_000
    clients_per_user: int = 100
    renew: float = 900.0
    on_gap: Literal["callbacks", "reload"] = "callbacks"
    indicator: bool = True


def live_settings(live: bool | dict[str, Any] | None) -> LiveSettings:
    """The settings that an app's ``live`` argument stands for.

    Raises:
        ConfigurationError: A name is unknown or a value cannot work.
    """
    if live is None or isinstance(live, bool):
        return LiveSettings(enabled=live)
    if not isinstance(live, dict):
        raise ConfigurationError(f"live must be True, False, None or a dict of settings, not {live!r}.")
    names = [field.name for field in dataclasses.fields(LiveSettings)]
    if unknown := sorted(set(live) - set(names)):
        raise ConfigurationError(f"live has no setting {unknown[0]!r}. Its settings are {', '.join(names)}.")
    settings = LiveSettings(**live)
    for name in names:
        value = getattr(settings, name)
        if name == "on_gap":
            if value not in ("callbacks", "reload"):
                raise ConfigurationError(f"live['on_gap'] must be 'callbacks' or 'reload', not {value!r}.")
        elif name in ("enabled", "indicator"):
            if not isinstance(value, bool) and not (name == "enabled" and value is None):
                raise ConfigurationError(f"live[{name!r}] must be True or False, not {value!r}.")
        elif isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
            raise ConfigurationError(f"live[{name!r}] must be a number above 0, not {value!r}.")
        elif name in TIMES and value > LONGEST:
            raise ConfigurationError(f"live[{name!r}] must be {LONGEST} seconds (10 days) at most, not {value!r}.")
    return settings
