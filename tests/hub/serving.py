"""Serving a hub for the time of a test, by a real server on a free port."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from flash.hub.hub import Hub
from flash.server.serving import Server, server_for
from flash.server.settings import read_settings

T = TypeVar("T")

#: No start, end or call takes longer, in seconds.
PATIENCE = 60.0

_loops: WeakKeyDictionary[Hub, asyncio.AbstractEventLoop] = WeakKeyDictionary()


@contextmanager
def serving(hub: Hub, **settings: Any) -> Iterator[str]:
    """Serve a hub in a thread, and give its address, without a slash at the end.

    Args:
        hub: The hub. When it has no address, it is told this one.
        **settings: Of the server, as ``hub.run`` takes them.

    Example:
        >>> with serving(hub) as url:
        ...     assert httpx.get(f"{url}/sales/").status_code == 200
    """
    config = read_settings("127.0.0.1", 0, False, {"graceful_timeout": 2.0, **settings}).config
    address = f"http://127.0.0.1:{config.create_sockets().insecure_sockets[0].getsockname()[1]}"
    hub.url = hub.url or address
    hub.local_control = hub.local_control is not False
    started: Future[None] = Future()

    def listening() -> None:
        _loops[hub] = asyncio.get_running_loop()
        started.set_result(None)

    server = server_for(hub, config, hub, on_listening=listening)
    thread = threading.Thread(target=_run, args=(server, started), name="hub-of-a-test", daemon=True)
    thread.start()
    try:
        started.result(PATIENCE)
        yield address
    finally:
        server.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive(), "The hub does not end."


def on_loop(hub: Hub, work: Coroutine[Any, Any, T]) -> T:
    """Run something on the loop of a hub that is served, and return its result.

    Example:
        >>> on_loop(hub, hub.stop("sales"))
    """
    return asyncio.run_coroutine_threadsafe(work, _loops[hub]).result(PATIENCE)


def _run(server: Server, started: Future[None]) -> None:
    try:
        server.run()
    except BaseException as error:
        if started.done():
            raise
        started.set_exception(error)
