"""When and how a source runs: the arguments of ``@source``, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..exceptions import ConfigurationError
from .durations import seconds_of
from .triggers import Trigger, trigger_of

if TYPE_CHECKING:
    from .source import Source

OVERLAPS = ("skip", "queue", "parallel")
MISSED = ("run_once", "skip", "all")


@dataclass(frozen=True, slots=True)
class Settings:
    """When and how a source runs.

    Attributes:
        trigger: When; None for one that follows others.
        on_start: Whether it runs at once when there is no snapshot yet.
        timeout: The seconds that a run may take; None: any.
        retry: How often a failed run is tried again.
        jitter: A run begins up to so many seconds after its tick.
        overlap: What a tick does while an older run goes on: ``skip``, ``queue`` or ``parallel``.
        missed: What is done about ticks at which nothing could run: ``run_once``, ``skip`` or ``all``.
        keep: How many snapshots are kept.
        max_stale: After how many seconds a snapshot is stale; None: never.
        process: Whether it runs in a process of its own.
    """

    trigger: Trigger | None = None
    on_start: bool = True
    timeout: float | None = None
    retry: int = 3
    jitter: float = 0.0
    overlap: str = "skip"
    missed: str = "run_once"
    keep: int = 30
    max_stale: float | None = None
    process: bool = False

    def describe(self, after: Sequence[Source] = ()) -> str:
        """When it runs, in words."""
        if self.trigger is None:
            return f"after {', '.join(each.name for each in after)}"
        return self.trigger.describe()


def settings_of(
    *,
    after: Sequence[Source],
    when: dict[str, Any],
    on_start: bool,
    timeout: Any,
    retry: int,
    jitter: Any,
    overlap: str,
    missed: str,
    keep: int,
    max_stale: Any,
    process: bool,
) -> Settings:
    """The settings that arguments of ``@source`` say.

    Args:
        after: The upstream sources.
        when: ``every``, ``cron``, ``at``, ``days`` and ``tz``, as they were given.

    Raises:
        ConfigurationError: One of them, or what they say together, cannot be.
    """
    checked = Settings(
        trigger=_trigger(after, **when),
        on_start=_flag("on_start", on_start),
        timeout=_seconds("timeout", timeout),
        retry=_count("retry", retry, 0),
        jitter=0.0 if jitter == 0 else seconds_of(jitter, "jitter="),
        overlap=_one_of("overlap", overlap, OVERLAPS),
        missed=_one_of("missed", missed, MISSED),
        keep=_count("keep", keep, 1),
        max_stale=_seconds("max_stale", max_stale),
        process=_flag("process", process),
    )
    if after:
        _refuse_for_followers(checked)
    return checked


def _trigger(after: Sequence[Source], *, tz: Any, **when: Any) -> Trigger | None:
    given = [name for name, value in when.items() if value is not None]
    if after:
        if given or tz is not None:
            raise ConfigurationError(
                f"A source runs after others or at times, not both: leave out after= or {(given or ['tz'])[0]}=."
            )
        return None
    if len(given) != 1:
        said = f"says it in {len(given)} ways ({', '.join(given)})" if given else "does not say when it runs"
        raise ConfigurationError(
            f'The source {said}: write one of every="5m", cron="0 9 * * mon-fri", at=["09:00"], days=[...] and '
            "after=other."
        )
    return trigger_of(tz=tz, **when)


def _refuse_for_followers(settings: Settings) -> None:
    for name, usual in (("overlap", "skip"), ("missed", "run_once"), ("jitter", 0.0), ("on_start", True)):
        if getattr(settings, name) != usual:
            raise ConfigurationError(
                f"A source with after= runs when an upstream source has a new version, one run at a time: leave out "
                f"{name}=."
            )


def _seconds(name: str, value: Any) -> float | None:
    return None if value is None else seconds_of(value, f"{name}=")


def _count(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{name}= is a whole number, at least {least}, not {value!r}.")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name}= is True or False, not {value!r}.")
    return value


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ConfigurationError(f"{name}= is one of {', '.join(map(repr, known))}, not {value!r}.")
    return str(value)
