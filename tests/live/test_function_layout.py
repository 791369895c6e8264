"""Layouts that are functions, and pages: Dash gives the browser a tree to check ids against, with Flash's own in it."""

from __future__ import annotations

from typing import Any

import pytest

from flash import html
from flash.live.script import CARRIER

from ..apps import flash_app


def layout() -> Any:
    return html.Div("made for each page")


@pytest.mark.parametrize("live", [True, False])
def test_the_tree_that_ids_are_checked_against_has_flashs_own(live: bool) -> None:
    app = flash_app(live=live)
    app.layout = layout
    tree = app._config()["validation_layout"]
    assert (CARRIER in {component.id for component in tree._traverse() if getattr(component, "id", None)}) is live
