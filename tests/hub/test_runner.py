"""The process of an app: every kind answers below a prefix, only to its hub, and ends in good time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ..apps import run
from ..live.asgi import eventually
from .running import APPS, Running, headers_of_hub, running, start

DASH = {
    "flash_app.py": "flash",
    "dash_flask.py": "dash-flask",
    "dash_quart.py": "dash-quart",
    "dash_fastapi.py": "dash-fastapi",
}
PLAIN = {"flask_app.py": "flask", "quart_app.py": "quart", "fastapi_app.py": "fastapi"}
WITH_SOCKETS = [each for each in [*DASH, *PLAIN] if each not in ("dash_flask.py", "flask_app.py")]


@pytest.fixture(scope="module", params=[*DASH, *PLAIN])
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(request.param, tmp_path_factory.mktemp(request.param)) as started:
        started.name = request.param  # type: ignore[attr-defined]
        yield started


def name_of(app: Running) -> str:
    return str(app.name)  # type: ignore[attr-defined]


def only(app: Running, names: Any) -> None:
    if name_of(app) not in names:
        pytest.skip("not of this kind")


def test_the_index_and_deep_links(app: Running) -> None:
    if name_of(app) in PLAIN:
        assert app.client.get("/").text.startswith(f"{PLAIN[name_of(app)]} index")
        return
    for path, title in (("/", "Home of"), ("/deep/link", "Deep in")):
        page = app.client.get(path)
        assert page.status_code == 200
        assert f"{title} {DASH[name_of(app)]}" in page.text
        config = json.loads(page.text.partition('id="_dash-config" type="application/json">')[2].partition("<")[0])
        assert config["requests_pathname_prefix"] == "/sales/"


def test_assets_are_named_below_the_prefix(app: Running) -> None:
    only(app, DASH)
    assert "/sales/assets/sample.css" in app.client.get("/").text
    assert "asset of the sample apps" in app.client.get("/assets/sample.css").text


def test_callbacks(app: Running) -> None:
    only(app, DASH)
    assert app.value("out.children", {"in.value": "x"}) == f"{DASH[name_of(app)]}: x"
    text = "0123456789" * 20_000
    assert app.value("big.children", {"text.value": text}) == text


def test_layout_and_dependencies(app: Running) -> None:
    only(app, DASH)
    assert app.client.get("/_dash-layout").status_code == 200
    dependencies = app.client.get("/_dash-dependencies").json()
    assert {"out.children", "big.children"} <= {each["output"] for each in dependencies}


def test_an_upload_of_20_megabytes(app: Running) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(320):
            yield b"u" * 65536

    whole = app.client.post("/upload", content=b"u" * 20 * 1024 * 1024)
    assert (whole.status_code, whole.text) == (200, str(20 * 1024 * 1024))
    # Of a length that is not told.
    assert app.client.post("/upload", content=pieces()).text == str(20 * 1024 * 1024)


def test_a_stream_comes_as_it_is_sent(app: Running) -> None:
    with app.client.stream("GET", "/stream") as endless:
        chunks = endless.iter_raw()
        assert next(chunks).startswith(b"data: 1")
        assert b"data: " in next(chunks)
    assert app.client.get("/stream?count=3").text == "data: 1\n\ndata: 2\n\ndata: 3\n\n"


def test_the_app_knows_the_visitor(app: Running) -> None:
    assert app.client.get("/who").json() == {
        "user": "zoë",
        "roles": ["a,b", "finance"],
        "header": "zo%C3%AB",
        "remote": "203.0.113.9",
    }


def test_an_unknown_visitor_is_nobody(app: Running) -> None:
    headers = {name: value for name, value in headers_of_hub("/sales").items() if name not in _OF_VISITOR}
    said = app.client_with(headers).get("/who").json()
    assert (said["user"], said["roles"]) == (None, [])


_OF_VISITOR = ("x-hub-user", "x-hub-roles")


def test_urls_that_frameworks_build_are_those_of_the_browser(app: Running) -> None:
    said = app.client.get("/where").json()
    if name_of(app) != "dash_fastapi.py":  # It must not be told its prefix.
        assert said["url"] == "/sales/where"
        assert said["root"] == "https://site.test/sales/"
    assert "x-hub-secret" not in {name.lower() for name in said["headers"]}


@pytest.mark.parametrize("secret", [None, "", "another", "ä"])
def test_who_does_not_know_the_secret_is_refused(app: Running, secret: str | None) -> None:
    headers: Any = {**headers_of_hub("/sales"), "x-hub-secret": secret}
    if secret is None:
        del headers["x-hub-secret"]
    else:
        headers["x-hub-secret"] = secret.encode()
    for path in ("/", "/_hub-ready", "/upload"):
        assert app.client_with(headers).get(path).status_code == 403


def test_a_handshake_without_the_secret_is_refused(app: Running) -> None:
    async def main() -> None:
        async with app.session() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect("/ws", headers={"x-hub-secret": "no"})
            assert refused.value.status == 403

    asyncio.run(main())


def test_websockets(app: Running) -> None:
    only(app, WITH_SOCKETS)

    async def main() -> None:
        async with app.session() as session, session.ws_connect("/ws") as link:
            await link.send_str("hello")
            assert await link.receive_str() == "hello"

    asyncio.run(main())


@pytest.mark.parametrize("sample", WITH_SOCKETS + ["flask_app.py", "dash_flask.py"])
def test_streams_and_websockets_do_not_hold_up_the_end(sample: str, tmp_path: Path) -> None:
    async def main(app: Running) -> None:
        async with app.session() as session, session.get("/stream") as stream:
            await stream.content.readline()
            link = await session.ws_connect("/ws") if sample in WITH_SOCKETS else None
            app.ask_to_end()
            if link is not None:
                assert (await link.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
                assert link.close_code == 1001
            async for _ in stream.content:
                pass

    with running(sample, tmp_path, drain_timeout=30) as app:
        began = time.monotonic()
        asyncio.run(main(app))
        assert app.exit_code() == 0, app.log
        assert time.monotonic() - began < 10
        assert "Traceback" not in app.log


def test_the_first_thing_that_comes_may_be_a_callback_by_websocket(tmp_path: Path) -> None:
    """Dash sets itself up at its first HTTP request only."""

    async def main(app: Running) -> Any:
        payload = {
            "output": "out.children",
            "outputs": {"id": "out", "property": "children"},
            "inputs": [{"id": "in", "property": "value", "value": "first"}],
            "changedPropIds": ["in.value"],
        }
        async with app.session() as session, session.ws_connect("/_dash-ws-callback") as link:
            await link.send_json({"type": "callback_request", "requestId": "1", "rendererId": "r", "payload": payload})
            async for message in link:
                if "first" in message.data:
                    return message.data

    for sample in ("dash_quart.py", "dash_fastapi.py"):
        folder = tmp_path / sample
        folder.mkdir()
        with running(sample, folder) as app:
            assert f"{DASH[sample]}: first" in asyncio.run(asyncio.wait_for(main(app), 20))


# What the end looks like ---------------------------------------------------------------------------------------------


def test_what_a_script_does_after_run_is_done_at_the_end(tmp_path: Path) -> None:
    with running("script.py", tmp_path) as app:
        assert app.value("out.children", {"in.value": "x"}) == "script in __main__: x"
        app.ask_to_end()
        assert app.exit_code() == 0
        assert app.log.split("\n")[-3:] == ["script: goodbye", "script: exit", ""]


#: Scripts that serve in unusual places, with what they say at the end.
PLACES = {
    "a loop of their own": """
import asyncio, signal
from hypercorn.asyncio import serve
from hypercorn.config import Config
from quart import Quart
app = Quart(__name__)

@app.get("/")
async def index():
    return f"beside {len(beats) > 0}"

beats = []

async def beat():
    while True:
        beats.append(1)
        await asyncio.sleep(0.01)

async def main():
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    task = asyncio.create_task(beat())
    await serve(app, Config(), shutdown_trigger=ended.wait)
    task.cancel()
    print("the end", flush=True)

asyncio.run(main())
""",
    "uvicorn on a loop": """
import asyncio, uvicorn
from fastapi import FastAPI
app = FastAPI()

@app.get("/")
async def index():
    return "beside True"

async def main():
    await uvicorn.Server(uvicorn.Config(app)).serve()
    print("the end", flush=True)

asyncio.run(main())
""",
    "a thread": """
import threading, time
import flask
app = flask.Flask(__name__)

@app.get("/")
def index():
    return "beside True"

def serve():
    app.run()
    print("the end", flush=True)

threading.Thread(target=serve).start()
while True:
    time.sleep(0.1)
""",
    "a block that cleans up": """
from concurrent.futures import ThreadPoolExecutor
import flask
app = flask.Flask(__name__)

@app.get("/")
def index():
    return pool.submit(lambda: "beside True").result()

with ThreadPoolExecutor() as pool:
    app.run()
print("the end", flush=True)
""",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_script_is_served_where_it_serves(place: str, tmp_path: Path) -> None:
    (tmp_path / "place.py").write_text(PLACES[place])
    with running(tmp_path / "place.py", tmp_path) as app:
        assert "beside True" in app.client.get("/").text
        app.ask_to_end()
        assert app.exit_code() == 0
        assert app.log.endswith("the end\n")


def test_one_file_with_shared_callbacks_at_two_prefixes(tmp_path: Path) -> None:
    """Two processes of one parent: not taken for two workers of one app. A live connection ends at once."""
    source = """
from flash import Flash, Input, Output, dcc, html
app = Flash(__name__)
app.layout = html.Div([dcc.Slider(0, 10, id="in"), html.P(id="out")])

@app.callback_shared(Output("out", "children"), Input("in", "value"))
def show(value):
    return f"shared {value}"
"""
    (tmp_path / "shared.py").write_text(source)

    async def end_is_told(app: Running) -> None:
        async with app.session() as session, session.ws_connect("/_dash-ws-callback") as link:
            await link.send_json({"type": "hello", "version": 1})
            assert json.loads((await link.receive()).data)["type"] == "welcome"
            app.ask_to_end()
            said = [json.loads(message.data)["type"] async for message in link]
            assert said[-1] == "bye"

    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    with (
        running(tmp_path / "shared.py", folders[0], prefix="/a") as one,
        running(tmp_path / "shared.py", folders[1], prefix="/b") as two,
    ):
        asyncio.run(end_is_told(one))
        assert one.exit_code() == 0
        assert two.client.get("/").status_code == 200


def test_an_app_that_is_still_being_loaded_ends_at_once(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\nprint('loading', flush=True)\ntime.sleep(600)")
    app = start("slow.py", tmp_path)
    try:
        run(lambda: eventually(lambda: "loading" in app.log))
        app.ask_to_end()
        assert app.exit_code() == 0
    finally:
        app.close()


def test_a_lifespan_is_ended(tmp_path: Path) -> None:
    with running("fastapi_app.py", tmp_path) as app:
        app.ask_to_end()
        assert app.exit_code() == 0
        assert "fastapi stopped" in app.log


def test_running_requests_are_finished(tmp_path: Path) -> None:
    source = """
import time, flask
app = flask.Flask(__name__)

@app.get("/slow")
def slow():
    print("slow began", flush=True)
    time.sleep(1.5)
    return "done"
"""
    (tmp_path / "slow.py").write_text(source)

    async def main(app: Running) -> str:
        async with app.session() as session:
            asking = asyncio.create_task(session.get("/slow"))
            await eventually(lambda: "slow began" in app.log)
            app.ask_to_end()
            return await (await asking).text()

    with running(tmp_path / "slow.py", tmp_path) as app:
        assert asyncio.run(main(app)) == "done"
        assert app.exit_code() == 0


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("1 / 0", "broken.py failed with ZeroDivisionError: division by zero"),
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("x = 3", "has no app or application"),
        ("import sys; sys.exit('no data')", "ended before it served an app: no data"),
        (
            "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\nraise OSError('gone')",
            "OSError: gone",
        ),
        (
            "from fastapi import FastAPI\nfrom contextlib import asynccontextmanager\n@asynccontextmanager\n"
            "async def start(app):\n    raise OSError('no database')\n    yield\napp = FastAPI(lifespan=start)",
            "no database",
        ),
        (
            "from flash import Flash, html\napp = Flash(__name__)\napp.layout = html.Div(id='a')\n"
            "app.layout = html.Div([html.Div(id='a'), html.Div(id='a')])",
            "DuplicateIdError",
        ),
    ],
)
def test_an_app_that_cannot_start_ends_its_process_and_says_why(source: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(source)
    app = start("broken.py", tmp_path)
    try:
        assert app.exit_code() == 1
    finally:
        app.close()
    assert says in "\n".join(app.log.strip().split("\n")[-3:]), app.log
    assert "exec(compile(" not in app.log


def test_the_secret_is_not_in_the_environment_of_the_app(tmp_path: Path) -> None:
    (tmp_path / "env.py").write_text(
        "import flask, os\napp = flask.Flask(__name__)\n@app.get('/')\ndef index():\n    return dict(os.environ)"
    )
    with running(tmp_path / "env.py", tmp_path) as app:
        assert "FLASH_HUB_CHILD" not in app.client.get("/").json()


def test_loopback_tcp(tmp_path: Path) -> None:
    import httpx

    from ..server.run_programs import free_port

    port = free_port()
    app = start(str(APPS / "flask_app.py"), tmp_path, bind=f"127.0.0.1:{port}")
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert app.process.poll() is None, app.log
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/", headers=headers_of_hub("/sales"))
                break
            except httpx.TransportError:
                time.sleep(0.05)
        assert answer.text == "flask index"
    finally:
        app.process.terminate()
        assert app.exit_code() == 0
