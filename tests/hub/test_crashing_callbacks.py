"""A callback that ends its process: the other apps go on answering, and its app comes back, but not for ever."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from flash.hub import Hub
from flash.hub import keeper as keeping

from ..apps import body
from .serving import on_loop, serving
from .test_hub import MODULE, PATIENCE, asked_all_the_time, state, until

APPS = Path(__file__).parent / "apps"
CRASHES = 5

EXIT = body("gone.children", {"exit.n_clicks": 1})
SHOW = body("out.children", {"in.value": "here"})


def call(app: str, callback: object) -> httpx.Response:
    return httpx.post(f"{app}/_dash-update-component", json=callback, timeout=PATIENCE)


@pytest.mark.parametrize(("file", "name"), [("dash_flask.py", "dash-flask"), ("flash_app.py", "flash")])
def test_a_callback_that_ends_its_process_ends_one_app_which_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, name: str
) -> None:
    monkeypatch.setattr(keeping, "FIRST_PAUSE", 0.01)
    # However long its starts take on a busy machine, its crashes lie within one window.
    monkeypatch.setattr(keeping, "WITHIN", 600.0)
    hub = Hub(home=str(tmp_path / "home"))
    hub.mount(str(APPS / file), "/one")
    hub.mount(str(APPS / file), "/twin")
    hub.mount(MODULE, "/inline")
    told: list[str] = []
    hub.on()(lambda event: told.append(f"{event.app} {event.kind}"))

    def answers(app: str) -> bool:
        answer = call(app, SHOW)
        return answer.status_code == 200 and answer.json()["response"]["out"]["children"] == f"{name}: here"

    with serving(hub) as url:
        one, twin = f"{url}/one", f"{url}/twin"
        until(lambda: answers(twin))
        twins_process = hub["twin"].status().pid
        processes = set()
        with asked_all_the_time(f"{twin}/_dash-layout") as twins, asked_all_the_time(f"{url}/inline/") as inline:
            for crash in range(1, CRASHES + 1):
                until(lambda: answers(one))
                processes.add(hub["one"].status().pid)
                assert call(one, EXIT).status_code == 502
                assert answers(twin), "Another app answers callbacks of the same ids."
                until(lambda crash=crash: told.count("one backoff") == crash or state(hub, "one") == "failed")
        assert len(processes) == CRASHES
        assert state(hub, "one") == "failed"
        assert (told.count("one backoff"), told.count("one failed")) == (CRASHES - 1, 1)
        assert "code 3" in (hub["one"].status().error or "")
        assert call(one, SHOW).status_code == 503
        assert set(twins) == set(inline) == {200}
        status = hub["twin"].status()
        assert (status.pid, status.restarts) == (twins_process, 0)
        on_loop(hub, hub.start("one"))
        assert answers(one)
