"""``app.run()`` outside the main thread, beside a running loop, and in notebooks."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import flask
import h2.connection
import h2.events
import pytest
from dash.testing.application_runners import ThreadedRunner
from werkzeug.serving import make_server, make_ssl_devcert

from flash import exceptions
from flash.server.notebook import NotebookServer, notebook_servers

from .run_programs import PATIENCE, answers, free_port, get, simple_app, stop, thread_running, wait_for


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return make_ssl_devcert(str(tmp_path_factory.mktemp("tls") / "test"), host="localhost")


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_dashs_test_runner_starts_and_stops_it(caplog: pytest.LogCaptureFixture) -> None:
    runner = ThreadedRunner(stop_timeout=PATIENCE)
    runner.start(simple_app(), start_timeout=PATIENCE, port=free_port(), debug=True, use_reloader=False)
    thread = runner.thread
    with socket.create_connection(("127.0.0.1", runner.port)):  # An idle connection holds nothing up.
        runner.stop()
    assert not thread.is_alive()


def test_an_idle_connection_does_not_hold_the_end() -> None:
    app, port = simple_app(), free_port()
    with thread_running(app, port=port, graceful_timeout=10 * PATIENCE, keep_alive_timeout=10 * PATIENCE) as thread:
        with socket.create_connection(answers(port)) as client:
            client.sendall(b"GET /hello HTTP/1.1\r\nHost: test\r\n\r\n")
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
            stop(app)
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_an_app_can_run_again_after_its_end() -> None:
    app, port = simple_app(), free_port()
    for _ in range(2):
        with thread_running(app, port=port):
            assert get(answers(port), "/hello") == (200, "hello")


@pytest.mark.parametrize("way", ["files", "context", "adhoc", "pair"])
def test_tls_speaks_http2_and_http1(way: str, certificate: tuple[str, str]) -> None:
    certfile, keyfile = certificate
    if way == "context":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certfile, keyfile)
    options: dict[str, dict[str, Any]] = {
        "files": {"certfile": certfile, "keyfile": keyfile},
        "context": {"ssl_context": context if way == "context" else None},
        "adhoc": {"ssl_context": "adhoc"},
        "pair": {"ssl_context": (certfile, keyfile)},
    }
    port = free_port()
    with thread_running(simple_app(), port=port, **options[way]):
        answers(port)
        assert get(("127.0.0.1", port), "/hello", trusting()) == (200, "hello")
        assert get_by_http2(port, "/hello") == ("200", b"hello")


def get_by_http2(port: int, path: str) -> tuple[str, bytes]:
    """Send a GET request by HTTP/2, if the server chooses it; returns status and body."""
    context = trusting()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw, context.wrap_socket(raw) as client:
        assert client.selected_alpn_protocol() == "h2"
        connection = h2.connection.H2Connection()
        connection.initiate_connection()
        headers = {":method": "GET", ":path": path, ":scheme": "https", ":authority": "localhost"}
        connection.send_headers(1, list(headers.items()), end_stream=True)
        client.sendall(connection.data_to_send())
        status, body = "", b""
        while True:
            for event in connection.receive_data(client.recv(65536)):
                if isinstance(event, h2.events.ResponseReceived):
                    status = {_text(name): _text(value) for name, value in event.headers}[":status"]
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                elif isinstance(event, h2.events.StreamEnded):
                    connection.close_connection()
                    client.sendall(connection.data_to_send())
                    return status, body
            client.sendall(connection.data_to_send())


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _has_ipv6() -> bool:
    try:
        free_port("::1")
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _has_ipv6(), reason="This machine has no IPv6.")
def test_an_ipv6_host() -> None:
    port = free_port("::1")
    with thread_running(simple_app(), host="::1", port=port):
        assert get(answers(port, "::1"), "/hello") == (200, "hello")


def test_a_unix_socket_which_is_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    # Of a server that was killed.
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(path))

    def connected() -> socket.socket | None:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(str(path))
        except OSError:
            client.close()
            return None
        return client

    with thread_running(simple_app(), host=f"unix:{path}"):
        with wait_for(connected, "the socket") as client:
            client.sendall(b"GET /hello HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(65536), b""))
            assert answer.endswith(b"hello")
        with pytest.raises(exceptions.ConfigurationError, match="already in use"):
            simple_app().run(host=f"unix:{path}")
    assert not path.exists()


def test_it_can_be_ended_while_the_app_starts() -> None:
    app = simple_app()
    starting = threading.Event()

    async def start_for_ever() -> None:
        starting.set()
        await asyncio.Event().wait()

    app.server.before_serving(start_for_ever)
    with thread_running(app, port=free_port()):
        assert starting.wait(PATIENCE)


def test_the_error_of_a_failed_set_up_is_raised_as_it_is() -> None:
    app = simple_app()
    broken = LookupError("two pages on one path")

    async def fail() -> None:
        app.backend.startup_error = broken
        raise broken

    app.server.before_serving(fail)
    with pytest.raises(LookupError) as caught:
        app.run(port=free_port())
    assert caught.value is broken


def test_called_where_a_loop_runs_it_serves_in_a_thread_and_blocks() -> None:
    app, port = simple_app(), free_port()
    answered: list[Any] = []

    def visit_and_stop() -> None:
        answered.append(get(answers(port), "/hello"))
        stop(app)

    async def main() -> None:
        visitor = threading.Thread(target=visit_and_stop)
        visitor.start()
        app.run(port=port)
        visitor.join()

    with pytest.warns(UserWarning, match="blocks it until the server ends"):
        asyncio.run(main())
    assert answered == [(200, "hello")]


def test_a_notebook_gets_a_server_beside_its_loop_and_its_port_back() -> None:
    make = notebook_servers(make_server, lambda server: None)
    port = free_port()

    async def run_cells() -> None:
        for _ in range(2):
            app = simple_app()
            server = make("127.0.0.1", port, app.server, threaded=True, processes=0)
            waiting = threading.Thread(target=server.serve_forever)
            waiting.start()
            with socket.create_connection(("127.0.0.1", port)):
                assert await asyncio.to_thread(get, ("127.0.0.1", port), "/hello") == (200, "hello")
                server.shutdown()
            waiting.join(PATIENCE)
            assert not waiting.is_alive()

    asyncio.run(run_cells())


def test_what_is_wrong_with_an_app_is_raised_in_the_cell() -> None:
    app, port = simple_app(), free_port()
    broken = LookupError("two pages on one path")

    async def fail() -> None:
        app.backend.startup_error = broken
        raise broken

    app.server.before_serving(fail)
    with pytest.raises(LookupError, match="two pages"):
        NotebookServer("127.0.0.1", port, app.server, app.backend)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(exceptions.ConfigurationError, match="already in use"):
            NotebookServer("127.0.0.1", port, app.server)


def test_other_apps_of_a_notebook_get_werkzeugs_server() -> None:
    port = free_port()
    server = notebook_servers(make_server, lambda server: None)("127.0.0.1", port, flask.Flask("wsgi"), threaded=True)
    try:
        assert type(server).__module__ == "werkzeug.serving"
    finally:
        server.server_close()
