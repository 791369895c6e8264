"""Many pages drag one slider: the short form of ``scripts/drag-shared``."""

from __future__ import annotations

import pytest

from .drag import run_drag
from .drag_app import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_the_function_sees_every_change_once_and_in_order_and_all_pages_end_with_the_last(kind: str) -> None:
    drag = run_drag(kind, pages=50, seconds=0.5)
    assert drag.changes == 50 * 30
    drag.check()


def test_a_call_that_comes_too_early_or_is_left_out_is_found() -> None:
    drag = run_drag("async", pages=2, seconds=0.2)
    drag.check()
    calls = drag.reports[0]["seen"]
    calls[-3:] = [calls[-1], calls[-2], calls[-3]]
    with pytest.raises(AssertionError, match="was seen"):
        drag.check()
    del calls[-2]
    with pytest.raises(AssertionError, match="not seen"):
        drag.check_what_was_seen()
