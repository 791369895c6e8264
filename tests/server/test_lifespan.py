"""The lifespan of an app: what does not start or end in time is not left running."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flash.exceptions import FlashError
from flash.server.lifespan import Lifespan

from ..apps import run


class App:
    """An app that answers the phases it is told to, and then hangs until it is cancelled."""

    def __init__(self, *phases: str) -> None:
        self.phases = phases
        self.ended: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            for phase in self.phases:
                await receive()
                await send({"type": f"lifespan.{phase}.complete"})
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise


@pytest.mark.parametrize("phases", [["startup"], ["startup", "shutdown"]])
def test_what_has_not_ended_in_time_is_cancelled(phases: list[str], caplog: pytest.LogCaptureFixture) -> None:
    app = App(*phases)

    async def main() -> None:
        lifespan = Lifespan(app)
        await lifespan.start(5)
        await lifespan.stop(0.1)
        assert app.ended == ["cancelled"]

    run(main)
    assert ("took more than 0.1 seconds" in caplog.text) == (phases == ["startup"])


def test_what_has_not_started_in_time_is_cancelled() -> None:
    app = App()

    async def main() -> None:
        with pytest.raises(FlashError, match="startup_timeout"):
            await Lifespan(app).start(0.1)
        await asyncio.sleep(0)
        assert app.ended == ["cancelled"]

    run(main)


def test_a_start_that_is_given_up_is_cancelled() -> None:
    app = App()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Lifespan(app).start(60), 0.1)
        await asyncio.sleep(0)
        assert app.ended == ["cancelled"]

    run(main)
