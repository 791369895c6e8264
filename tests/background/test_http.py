"""Background callbacks over HTTP, by the requests that Dash's renderer sends."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from flash import Flash, Input, Output, State, ctx, html, set_props
from flash.background import DiskcacheManager
from flash.pool import run_on_loop

from ..apps import body, flash_app, run, serving
from .jobs import PATIENCE, reach, wait_for

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


class Browser:
    """Sends what the renderer sends for background callbacks."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.end_id = ""

    async def open(self) -> Browser:
        index = await (await self.client.get("/")).get_data(as_text=True)
        config = re.search(r'<script id="_dash-config" type="application/json">(.*?)</script>', index, re.S)
        assert config is not None
        self.end_id = json.loads(config[1])["end_id"]
        return self

    async def post(self, payload: dict[str, Any], **query: Any) -> Any:
        return await self.client.post(
            "/_dash-update-component", query_string={"endId": self.end_id, **query}, json=payload
        )

    async def start(self, payload: dict[str, Any], **query: Any) -> dict[str, str]:
        """Start a job; return its handles."""
        answer = await (await self.post(payload, **query)).get_json(force=True)
        return {"cacheKey": answer["cacheKey"], "job": answer["job"]}

    async def poll(self, payload: dict[str, Any], handles: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """One poll: its status and what it brings."""
        response = await self.post(payload, **handles)
        text = await response.get_data(as_text=True)
        return response.status_code, json.loads(text) if response.status_code == 200 else {"text": text}

    async def poll_to_end(self, payload: dict[str, Any], handles: dict[str, str]) -> tuple[int, list[dict[str, Any]]]:
        """Poll until the renderer would end: its last status and all that came."""
        answers = []
        async with asyncio.timeout(PATIENCE):
            while True:
                status, answer = await self.poll(payload, handles)
                answers.append(answer)
                if status != 200 or "response" in answer:
                    return status, answers
                await asyncio.sleep(0.01)


@pytest.fixture
def app(cache: Any) -> Flash:
    made = flash_app(background_callback_manager=DiskcacheManager(cache))
    ids = ["button", "cancel", "folder", "out", "text", "bar"]
    made.layout = html.Div([html.Div(id=each) for each in ids])
    return made


WORK = [Output("out", "children"), Input("button", "n_clicks"), State("folder", "children")]


def request(folder: Path) -> dict[str, Any]:
    return body("out.children", {"button.n_clicks": 1}, {"folder.children": str(folder)})


def test_a_job_from_start_to_result(app: Flash, tmp_path: Path) -> None:
    @app.callback(*WORK, background=True, progress=Output("bar", "children"))
    async def work(set_progress: Any, clicks: int, folder: str) -> str:
        set_progress("half")
        set_props("text", {"children": "one"})
        set_props("text", {"title": ctx.triggered_id})
        reach(folder, "sent")
        await asyncio.to_thread(wait_for, folder, "go")
        set_progress("all")
        set_props("text", {"children": "two"})
        return f"{ctx.cookies['session']} {ctx.headers['X-User']}"

    async def main() -> None:
        async with serving(app) as client:
            client.set_cookie("localhost", "session", "s1")
            browser = await Browser(client).open()
            payload = request(tmp_path)
            response = await client.post(
                "/_dash-update-component",
                query_string={"endId": browser.end_id},
                json=payload,
                headers={"X-User": "ann"},
            )
            started = await response.get_json(force=True)
            handles = {name: started[name] for name in ("cacheKey", "job")}
            await asyncio.to_thread(wait_for, tmp_path, "sent")
            _, answer = await browser.poll(payload, handles)
            assert answer["sideUpdate"] == {"text": {"children": "one", "title": "button"}}
            assert answer["progress"] == {"bar.children": "half"}
            reach(str(tmp_path), "go")
            status, answers = await browser.poll_to_end(payload, handles)
            assert status == 200
            assert answers[-1]["response"] == {"out": {"children": "s1 ann"}}
            assert [each["sideUpdate"] for each in answers if "sideUpdate" in each] == [{"text": {"children": "two"}}]
            assert [each["progress"] for each in answers if "progress" in each] == [{"bar.children": "all"}]

    run(main)


def test_cancelling_ends_the_job_silently(app: Flash, tmp_path: Path) -> None:
    @app.callback(*WORK, background=True, cancel=Input("cancel", "n_clicks"))
    def work(clicks: int, folder: str) -> str:
        reach(folder, "started")
        wait_for(folder, "go")
        return "too late"

    async def main() -> None:
        async with serving(app) as client:
            browser = await Browser(client).open()
            payload = request(tmp_path)
            handles = await browser.start(payload)
            await asyncio.to_thread(wait_for, tmp_path, "started")
            response = await browser.post(body("cancel.id", {"cancel.n_clicks": 1}), cancelJob=handles["job"])
            assert response.status_code == 200
            reach(str(tmp_path), "go")
            assert (await browser.poll(payload, handles))[0] == 204

    run(main)


def test_a_second_start_ends_the_first_job(app: Flash, tmp_path: Path) -> None:
    @app.callback(*WORK, background=True)
    def work(clicks: int, folder: str) -> str:
        reach(folder, "started")
        wait_for(folder, "go")
        return "done"

    async def main() -> None:
        async with serving(app) as client:
            browser = await Browser(client).open()
            payload = request(tmp_path)
            first = await browser.start(payload)
            await asyncio.to_thread(wait_for, tmp_path, "started")
            second = await browser.start(payload, oldJob=first["job"])
            reach(str(tmp_path), "go")
            assert (await browser.poll(payload, first))[0] == 204
            _, answers = await browser.poll_to_end(payload, second)
            assert answers[-1]["response"] == {"out": {"children": "done"}}

    run(main)


def test_a_job_that_dies_is_an_error_without_details(app: Flash, tmp_path: Path) -> None:
    @app.callback(*WORK, background=True)
    def work(clicks: int, folder: str) -> None:
        psutil.Process().kill()

    async def main() -> None:
        async with serving(app) as client:
            browser = await Browser(client).open()
            payload = request(tmp_path)
            status, answers = await browser.poll_to_end(payload, await browser.start(payload))
            assert status == 500
            assert "SIGKILL" not in str(answers)

    run(main)


def test_an_async_error_handler_takes_the_error_of_a_job(app: Flash, tmp_path: Path) -> None:
    async def explain(error: Exception) -> str:
        await asyncio.sleep(0)
        set_props("text", {"children": type(error).__name__})
        return "failed"

    @app.callback(*WORK, background=True, on_error=explain)
    def work(clicks: int, folder: str) -> None:
        set_props("bar", {"children": "half"})
        raise ValueError("no such table")

    async def main() -> None:
        async with serving(app) as client:
            browser = await Browser(client).open()
            payload = request(tmp_path)
            status, answers = await browser.poll_to_end(payload, await browser.start(payload))
            assert (status, answers[-1]["response"]) == (200, {"out": {"children": "failed"}})
            assert [each["sideUpdate"] for each in answers if "sideUpdate" in each] == [
                {"bar": {"children": "half"}},
                {"text": {"children": "BackgroundCallbackError"}},
            ]

    run(main)


def test_a_job_cannot_wait_for_the_loop_of_the_server(app: Flash, tmp_path: Path) -> None:
    @app.callback(*WORK, background=True)
    def work(clicks: int, folder: str) -> str:
        try:
            run_on_loop(asyncio.sleep(0))
        except RuntimeError:
            return "refused"
        return "waited"

    async def main() -> None:
        async with serving(app) as client:
            browser = await Browser(client).open()
            payload = request(tmp_path)
            _, answers = await browser.poll_to_end(payload, await browser.start(payload))
            assert answers[-1]["response"] == {"out": {"children": "refused"}}

    run(main)


def test_forged_handles_read_and_end_nothing(app: Flash, tmp_path: Path, bystander: subprocess.Popen[bytes]) -> None:
    @app.callback(*WORK, background=True, cancel=Input("cancel", "n_clicks"))
    def work(clicks: int, folder: str) -> str:
        reach(folder, "started")
        wait_for(folder, "go")
        return "done"

    async def main() -> None:
        async with serving(app) as client:
            browser, other = await Browser(client).open(), await Browser(client).open()
            payload = request(tmp_path)
            handles = await browser.start(payload)
            await asyncio.to_thread(wait_for, tmp_path, "started")
            bare = {name: handle.rpartition("~")[0] for name, handle in handles.items()}
            for thief, stolen in ((browser, bare), (other, handles)):
                await thief.post(body("cancel.id", {"cancel.n_clicks": 1}), cancelJob=stolen["job"])
                assert (await thief.poll(payload, stolen))[0] == 204
            await browser.post(body("cancel.id", {"cancel.n_clicks": 1}), cancelJob=str(bystander.pid))
            assert bystander.poll() is None
            reach(str(tmp_path), "go")
            _, answers = await browser.poll_to_end(payload, handles)
            assert answers[-1]["response"] == {"out": {"children": "done"}}

    run(main)
