"""Declarations: what cannot work is refused where it is written, with what to write instead."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flash._dash_scopes import Scope
from flash.data import Source, source, use_store
from flash.data.declare import chosen_store, declared_sources
from flash.data.stores import MemorySnapshots
from flash.exceptions import ConfigurationError


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    with Scope("test").entered():
        yield


def orders() -> int:
    """The orders of today."""
    return 1


def test_the_documentation_names_every_argument() -> None:
    text = (Path(__file__).parents[2] / "docs" / "data.md").read_text()
    arguments = [name for name in inspect.signature(source).parameters if name != "func"]
    assert len(arguments) > 10 and [name for name in arguments if f"`{name}=`" not in text] == []
    for name, parameter in inspect.signature(source).parameters.items():
        if parameter.default not in (None, True, False):
            row = next(line for line in text.splitlines() if line.startswith(f"| `{name}=`"))
            assert row.endswith(f"`{parameter.default!r}` |".replace("'", '"')), row


def refused(func: Any = orders, **arguments: Any) -> str:
    """What is said of a declaration."""
    with pytest.raises(ConfigurationError) as told:
        source(**arguments)(func)
    assert not declared_sources()
    return str(told.value)


def test_a_declaration_is_a_source_with_its_settings() -> None:
    declared = source(
        cron="0 9 * * mon-fri",
        tz="Europe/Prague",
        on_start=False,
        timeout="2m",
        retry=5,
        jitter="10s",
        overlap="queue",
        missed="all",
        keep=7,
        max_stale=timedelta(hours=26),
        name="daily",
    )(orders)
    assert isinstance(declared, Source) and declared.name == "daily" and declared.func is orders
    settings = declared.settings
    assert (settings.timeout, settings.retry, settings.jitter, settings.max_stale) == (120, 5, 10, 93600)
    assert (settings.overlap, settings.missed, settings.keep) == ("queue", "all", 7)
    assert not settings.on_start and not settings.process
    assert "mon-fri" in repr(declared) and declared.__doc__ == "The orders of today."
    assert declared() == 1 and declared_sources() == [declared]


@pytest.mark.parametrize("when", [{"every": 90}, {"at": ["09:00", "17:30"]}, {"days": [{"day": "daily", "hour": 9}]}])
def test_each_way_to_say_when(when: dict[str, Any]) -> None:
    declared = source(**when)(orders)
    assert declared.settings.trigger is not None and declared.settings.retry == 3 and declared.settings.timeout is None


def test_one_may_follow_others() -> None:
    first = source(every="5m")(orders)
    second = source(after=first, name="second")(lambda given: given)
    third = source(after=[first, second], name="third")(lambda one, other: one)
    assert second.after == (first,) and third.after == (first, second)
    assert repr(third) == "<Source 'third': after orders, second>"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "does not say when it runs"),
        ({"every": "5m", "cron": "* * * * *"}, "2 ways (every, cron)"),
        ({"every": "soon"}, "every="),
        ({"every": "5m", "timeout": "never"}, "timeout="),
        ({"every": "5m", "timeout": 0}, "timeout="),
        ({"every": "5m", "jitter": -1}, "jitter="),
        ({"every": "5m", "max_stale": "1 fortnight"}, "max_stale="),
        ({"every": "5m", "retry": -1}, "retry= is a whole number, at least 0"),
        ({"every": "5m", "retry": True}, "retry= is a whole number"),
        ({"every": "5m", "keep": 0}, "keep= is a whole number, at least 1"),
        ({"every": "5m", "overlap": "drop"}, "'skip', 'queue', 'parallel'"),
        ({"every": "5m", "missed": "twice"}, "'run_once', 'skip', 'all'"),
        ({"every": "5m", "on_start": "yes"}, "True or False"),
        ({"every": "5m", "process": 1}, "True or False"),
        ({"every": "5m", "tz": "Europe/Prague"}, "tz="),
        ({"at": "25:00"}, "25:00"),
        ({"cron": "* * *"}, "cron"),
        ({"at": "09:00", "tz": "Europe/Atlantis"}, "Atlantis"),
        ({"every": "5m", "name": "my.orders"}, "my.orders"),
        ({"every": "5m", "name": ""}, "letters, digits"),
        ({"after": orders}, "after= takes sources"),
        ({"after": []}, "after= names one source"),
    ],
)
def test_arguments_that_cannot_be(arguments: dict[str, Any], said: str) -> None:
    assert said in refused(**arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"every": "5m"}, "not both: leave out after= or every="),
        ({"tz": "UTC"}, "not both: leave out after= or tz="),
        ({"overlap": "queue"}, "leave out overlap="),
        ({"missed": "skip"}, "leave out missed="),
        ({"jitter": "1s"}, "leave out jitter="),
        ({"on_start": False}, "leave out on_start="),
    ],
)
def test_what_a_follower_cannot_say(arguments: dict[str, Any], said: str) -> None:
    with Scope("other").entered():
        first = source(every="5m")(orders)
    assert said in refused(lambda given: given, after=first, name="follower", **arguments)


def generator() -> Iterator[int]:
    yield 1


async def asynchronous_generator() -> Any:
    yield 1


class Reader:
    def read(self) -> int:
        return 1


def test_functions_that_cannot_be() -> None:
    assert "yields" in refused(generator, every="5m")
    assert "yields" in refused(asynchronous_generator, every="5m")
    assert "above a function" in refused(Reader, every="5m")
    assert "above a function" in refused(3, every="5m")
    assert "called with no arguments" in refused(lambda given: given, every="5m", name="x")
    assert "letters, digits" in refused(lambda: 1, every="5m")
    with pytest.raises(ConfigurationError, match="parentheses"):
        source(orders)  # type: ignore[arg-type]
    with Scope("other").entered():
        first = source(every="5m")(orders)
    assert "called with the values of orders" in refused(lambda: 1, after=first, name="x")
    assert "different" in refused(lambda a, b: 1, after=[first, first], name="x")


def test_a_process_imports_the_function_by_its_name() -> None:
    def local() -> int:
        return 1

    assert "def at the top of a module" in refused(local, every="5m", process=True)
    assert "def at the top of a module" in refused(lambda: 1, every="5m", process=True, name="x")
    assert "def at the top of a module" in refused(Reader().read, every="5m", process=True)
    assert source(every="5m", process=True)(orders).settings.process


def test_two_sources_cannot_have_one_name() -> None:
    source(every="5m")(orders)
    with pytest.raises(ConfigurationError, match=r"Two sources are called 'orders'.*name="):
        source(every="5m", name="orders")(lambda: 1)


def test_a_module_that_is_loaded_again_replaces_its_own() -> None:
    module = types.ModuleType("readings")
    sys.modules["readings"] = module
    code = "from flash.data import source\n@source(every='5m')\ndef orders(): return 1\n"
    try:
        exec(code, module.__dict__)
        first = module.orders
        exec(code, module.__dict__)
        assert declared_sources() == [module.orders] and module.orders is not first
    finally:
        del sys.modules["readings"]


def test_none_comes_after_itself() -> None:
    def first(given: int = 0) -> int:
        return given

    one = source(every="5m")(first)
    two = source(after=one, name="two")(lambda given: given)
    with pytest.raises(ConfigurationError, match="first -> two -> first"):
        source(after=two)(first)
    assert declared_sources() == [one, two]


def test_hosted_apps_have_sources_of_their_own() -> None:
    source(every="5m")(orders)
    with Scope("another").entered():
        assert declared_sources() == [] and chosen_store() is None
        source(every="5m")(orders)


def test_the_store_is_chosen() -> None:
    assert chosen_store() is None
    use_store("sqlite:///data.db")
    assert chosen_store() == "sqlite:///data.db"
    store = MemorySnapshots()
    use_store(store)
    assert chosen_store() is store
    with pytest.raises(ConfigurationError, match="use_store"):
        use_store(3)  # type: ignore[arg-type]
