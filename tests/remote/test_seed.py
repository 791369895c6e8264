"""The page of dash_hub with two lines changed, against its FastAPI backend."""

from __future__ import annotations

import pytest

from ..apps import run
from ..live.asgi import in_process
from ..live.tab import tab_of
from .backends import backend_of, module_of
from .seed import BACKEND, changed_page

OUT = "response-output.children"


@pytest.mark.parametrize(("a", "b", "shown"), [(6, 7, "6 * 7 = 42.0"), (0.5, 4, "0.5 * 4 = 2.0")])
def test_the_answer_of_the_backend_is_pushed_to_the_page(a: float, b: float, shown: str) -> None:
    async def main() -> None:
        async with backend_of(module_of(BACKEND, "seed_backend").app) as address:
            page = module_of(changed_page(address), "seed_page")
            async with in_process(page.app) as site, tab_of(site) as tab:
                await tab.request(OUT, {"button.n_clicks": 1}, {"num_1.value": a, "num_2.value": b})
                await tab.until(lambda: tab.value(OUT) == shown)
                assert tab.errors == []

    run(main)
