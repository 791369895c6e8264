"""What is written about an app is checked when it is declared."""

from __future__ import annotations

from typing import Any

import pytest

from flash.exceptions import ConfigurationError
from flash.hub.spec import spec_of


@pytest.mark.parametrize(
    ("target", "prefix", "name", "title", "path"),
    [
        ("apps/sales.py", None, "sales", "Sales", "/sales/"),
        ("apps/stock_today/app.py", None, "stock_today", "Stock today", "/stock_today/"),
        ("reports/index.html", None, "reports", "Reports", "/reports/"),
        ("team.dashboards:create_app", None, "dashboards", "Dashboards", "/dashboards/"),
        ("apps/x.py:make", "/team/sales", "team-sales", "Team sales", "/team/sales/"),
        ("apps/home.py", "/", "home", "Home", "/"),
        (["streamlit", "run", "x.py"], "/st", "st", "St", "/st/"),
        (object(), "/live/", "live", "Live", "/live/"),
    ],
)
def test_what_is_left_out_is_filled_in(target: Any, prefix: str | None, name: str, title: str, path: str) -> None:
    spec = spec_of(target, prefix, {})
    assert (spec.name, spec.title, spec.path) == (name, title, path)


def test_sizes_and_spans_of_time_are_numbers_or_words() -> None:
    spec = spec_of("a.py", None, {"memory": "1.5G", "max_body": "64MB", "idle_timeout": "30m", "timeout": 5})
    assert (spec.memory, spec.max_body, spec.idle_timeout, spec.timeout) == (1_610_612_736, 67_108_864, 1800.0, 5.0)
    assert spec_of("a.py", None, {"start_timeout": "500ms"}).start_timeout == 0.5


@pytest.mark.parametrize(
    ("prefix", "options", "sentence"),
    [
        ("/_hub", {}, "'/_hub' is the hub's"),
        ("/_hub/x", {}, "'/_hub' is the hub's"),
        ("sales", {}, "no prefix for an app"),
        ("/a//b", {}, "no prefix for an app"),
        ("/a/../b", {}, "no prefix for an app"),
        ("/.hidden", {}, "no prefix for an app"),
        ("/ä", {}, "no prefix for an app"),
        (None, {"name": "Sales!"}, "lower-case letters"),
        (None, {"name": "_hub"}, "lower-case letters"),
        (None, {"titel": "Sales"}, "Did you mean 'title'?"),
        (None, {"memory": "lots"}, "'512M' or '2G'"),
        (None, {"memory": True}, "'512M' or '2G'"),
        (None, {"idle_timeout": "30 parsecs"}, "'90s' or '30m'"),
        (None, {"isolation": "thread"}, "cannot be declared so"),
        (None, {"max_requests": "many"}, "cannot be declared so"),
    ],
)
def test_a_wrong_declaration_says_what_to_write(prefix: str | None, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=r".") as refused:
        spec_of("apps/sales.py", prefix, options)
    assert sentence in str(refused.value)
