"""docs/signin.md names every way of signing in with all of its arguments."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from flash.hub import signin

PAGE = (Path(__file__).parents[3] / "docs" / "signin.md").read_text()
WAYS = [name for name in signin.__all__ if name not in ("SignIn", "foreign")]


@pytest.mark.parametrize("way", WAYS)
def test_a_way_of_signing_in_is_described_with_its_arguments(way: str) -> None:
    assert re.search(rf"`{way}\(", PAGE)
    for argument in inspect.signature(getattr(signin, way)).parameters:
        assert re.search(rf"`{argument}[`=]|[( ]{argument}[=,)]", PAGE), argument
