"""What follows what: the order of sources, and which versions of theirs belong together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..exceptions import ConfigurationError
from .source import Source


class Made(NamedTuple):
    """A version of a source, and the versions of the scheduled sources that it goes back to.

    Example:
        A version of ``clean``, made of the third version of ``orders``:

        >>> Made(2, {"orders": 3})
    """

    version: int
    roots: dict[str, int]


def in_order(sources: Iterable[Source]) -> list[Source]:
    """The sources and all that they follow, each after those that it follows."""
    found: dict[str, Source] = {}

    def add(each: Source) -> None:
        for upstream in each.after:
            add(upstream)
        found.setdefault(each.name, each)

    for each in sources:
        add(each)
    return list(found.values())


def followers(sources: Iterable[Source], of: Source) -> list[Source]:
    """Those that follow a source directly."""
    return [each for each in sources if any(upstream.name == of.name for upstream in each.after)]


def refuse_circles(declared: Source) -> None:
    """Refuse a source that comes after one of its own name: an older declaration of it, as after a reload.

    Raises:
        ConfigurationError: It does.
    """

    def follow(each: Source, way: tuple[str, ...]) -> None:
        if each.name in way:
            raise ConfigurationError(
                f"The source {each.name!r} comes after itself: {' -> '.join((*way, each.name))}. Give one another name."
            )
        for upstream in each.after:
            follow(upstream, (*way, each.name))

    follow(declared, ())


def consistent(candidates: Sequence[Sequence[Made]]) -> list[Made] | None:
    """The newest versions of several sources that go back to the same versions of what they have in common.

    Args:
        candidates: For each source, versions that may be taken, the newest first.

    Returns:
        One for each source; None when no two belong together.

    Example:
        ``clean`` is ahead of ``totals``, so its older version is taken:

        >>> consistent([[Made(3, {"orders": 3}), Made(2, {"orders": 2})], [Made(2, {"orders": 2})]])
        [Made(version=2, roots={'orders': 2}), Made(version=2, roots={'orders': 2})]
    """
    places = [0] * len(candidates)
    while all(place < len(each) for place, each in zip(places, candidates, strict=True)):
        chosen = [each[place] for place, each in zip(places, candidates, strict=True)]
        ahead = _ahead(chosen)
        if not ahead:
            return chosen
        for index in ahead:
            places[index] += 1
    return None


def roots_of(made: Iterable[Made]) -> dict[str, int]:
    """The versions that several go back to together. They are consistent."""
    return {name: version for each in made for name, version in each.roots.items()}


def versions_of(source: Source, made: Iterable[Made]) -> dict[str, int]:
    """The versions by the names of what a source follows, in order."""
    return {upstream.name: each.version for upstream, each in zip(source.after, made, strict=True)}


def _ahead(chosen: Sequence[Made]) -> list[int]:
    """Which of them go back to a newer version of something than another does."""
    oldest: dict[str, int] = {}
    for each in chosen:
        for name, version in each.roots.items():
            oldest[name] = min(version, oldest.get(name, version))
    return [
        index
        for index, each in enumerate(chosen)
        if any(version > oldest[name] for name, version in each.roots.items())
    ]
