"""An app in a process of its own, which may outlive the hub and be taken over by the next."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
import socket
import sys
import sysconfig
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..targets import Target
from .folders import Folders
from .host import AppUnreachable, Host, HostFailed, Receive, Scope, Send, Usage
from .logs import rotate, tail
from .processes import Process, kill_session
from .proxy import Proxy
from .spec import Spec
from .upstream import Broken, Upstream
from .usage import usage_of

#: Called with what a later hub needs to find a process again, and with None once it has ended.
OnRecord = Callable[[dict[str, Any] | None], Awaitable[None]]

#: Seconds between two looks: whether an app is ready, what it uses, how large its log is.
_READY = 0.05
_MEMORY = 1.0
_LOG = 15.0

#: Seconds in which an app that was left running has to answer, that one has to end which is not taken over, and one
#: that uses too much memory.
_ANSWER = 5.0
_ABANDONED = 5.0
_TOO_MUCH = 1.0

#: Lines of the log that say why an app did not start.
_LINES = 20

#: What a hub keeps from its apps.
_HUBS = ("FLASH_HUB_", "FLASH_OIDC_")

#: The variable that names an app's own folder.
_FOLDER = "FLASH_INSTANCE_PATH"

#: What the runner reads.
_VARIABLE = "FLASH_HUB_CHILD"


class ChildHost(Host):
    """Runs one app in a process of its own.

    Args:
        spec: What is written about the app.
        folders: Where its log and its socket are.
        url: Where apps find the hub.
        on_record: Keeps what a later hub needs to take the process over.
        loopback: Whether it listens on a port of this machine and not on a unix socket; commands always do.
    """

    def __init__(
        self,
        spec: Spec,
        folders: Folders,
        *,
        url: str | None = None,
        on_record: OnRecord | None = None,
        loopback: bool = sys.platform == "win32",
    ) -> None:
        self._spec = spec
        self._folders = folders
        self._url = url
        self._on_record = on_record
        self._loopback = loopback
        self._is_command = isinstance(spec.target, tuple)
        self._bind = ""
        self._secret: str | None = None
        self._log_begins = 0
        self._process: Process | None = None
        self._spawning: asyncio.Future[None] | None = None
        self._proxy: Proxy | None = None
        self._lock = asyncio.Lock()

    @classmethod
    async def adopt(
        cls,
        spec: Spec | None,
        folders: Folders,
        process: dict[str, Any],
        *,
        on_record: OnRecord | None = None,
        wanted: bool = True,
    ) -> ChildHost | None:
        """Take over what an earlier hub has left, or end it.

        Args:
            spec: What is written about the app now; None when it is gone.
            folders: The hub's.
            process: What the earlier hub recorded.
            on_record: As for a new one.
            wanted: Whether the app is to run.

        Returns:
            The host of the app that runs; None when it has ended, does not answer, or was declared otherwise: then
            nothing is left of it.
        """
        pid, created, bind = int(process["pid"]), float(process["created"]), str(process["bind"])
        found = await asyncio.to_thread(Process.find, pid, created)
        if found is not None and spec is not None and wanted and process["spec"] == _digest(spec):
            host = cls(spec, folders, on_record=on_record)
            host._take(found, bind, process["secret"])
            if await host._answers(_ANSWER):
                return host
        if found is not None:
            await found.end(_ABANDONED)
        await asyncio.to_thread(kill_session, pid, created, (_FOLDER, str(process["folder"])))
        await asyncio.to_thread(_remove_socket, bind)
        if on_record is not None:
            await on_record(None)
        return None

    @property
    def record(self) -> dict[str, Any] | None:
        """What a later hub needs to take the process over, fit for JSON; None while there is none."""
        if self._process is None:
            return None
        return {
            "pid": self._process.pid,
            "created": self._process.created,
            "bind": self._bind,
            "secret": self._secret,
            "spec": _digest(self._spec),
            "folder": str(self._folders.instance(self._spec.name)),
        }

    async def start(self) -> None:
        try:
            async with asyncio.timeout(self._spec.start_timeout):
                await self._begin()
                await self._until_ready()
        except TimeoutError:
            raise HostFailed(
                await self._with_log(f"It was not ready after {self._spec.start_timeout:g} seconds (start_timeout).")
            ) from None
        except OSError as error:
            raise HostFailed(f"It could not be started: {error}.") from error

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._proxy is None:
            raise AppUnreachable("The app does not run.")
        await self._proxy(scope, receive, send)

    async def ended(self) -> str:
        assert self._process is not None
        ended = asyncio.ensure_future(self._process.ended())
        try:
            return await self._watch(ended)
        finally:
            ended.cancel()

    async def stop(self, grace: float) -> None:
        async with self._lock:
            await self._until_spawned()
            process, self._process, self.pid = self._process, None, None
            if process is None:
                return
            await process.end(grace, together=self._is_command)
            if self._proxy is not None:
                await self._proxy.close()
                self._proxy = None
            await asyncio.to_thread(_remove_socket, self._bind)
            if self._on_record is not None:
                await self._on_record(None)

    async def leave(self) -> None:
        await self._until_spawned()
        if self._proxy is not None:
            await self._proxy.close()

    async def usage(self) -> Usage | None:
        return None if self.pid is None else await asyncio.to_thread(usage_of, self.pid)

    # Its start.

    async def _begin(self) -> None:
        spec = self._spec
        self._bind = self._free_bind()
        self._secret = None if self._is_command else secrets.token_urlsafe(32)
        log = self._folders.log(spec.name)
        env, cwd = await asyncio.to_thread(self._prepare, log)
        self._spawning = asyncio.ensure_future(self._spawn(env, cwd, log))
        await asyncio.shield(self._spawning)

    async def _spawn(self, env: dict[str, str], cwd: str | None, log: Path) -> None:
        process = await Process.spawn(self._command(), env=env, cwd=cwd, log=log)
        self._take(process, self._bind, self._secret)
        if self._on_record is not None:
            await self._on_record(self.record)

    async def _until_spawned(self) -> None:
        """A start that was cancelled may have begun a process all the same."""
        if self._spawning is not None:
            await asyncio.wait({self._spawning})

    def _take(self, process: Process, bind: str, secret: str | None) -> None:
        self._process, self.pid = process, process.pid
        self._bind, self._secret = bind, secret
        self._proxy = Proxy(bind, secret, prefix="" if _strips(self._spec) else self._spec.prefix)

    def _free_bind(self) -> str:
        if self._is_command or self._loopback:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                return f"127.0.0.1:{probe.getsockname()[1]}"
        return f"unix:{self._folders.sockets / secrets.token_hex(8)}.sock"

    def _command(self) -> list[str]:
        spec = self._spec
        if not isinstance(spec.target, tuple):
            return [spec.python or sys.executable, "-m", "flash.hub.runner"]
        host, _, port = self._bind.rpartition(":")
        filled = {"{port}": port, "{prefix}": spec.prefix, "{host}": host}
        words = []
        for word in spec.target:
            for name, value in filled.items():
                word = word.replace(name, value)
            words.append(word)
        return words

    def _prepare(self, log: Path) -> tuple[dict[str, str], str | None]:
        """Make room in the log; the environment of the process, and its folder."""
        rotate(log)
        self._log_begins = log.stat().st_size if log.exists() else 0
        target, cwd = _placed(self._spec)
        return self._environment(target), cwd

    def _environment(self, target: str | None) -> dict[str, str]:
        spec = self._spec
        env = {name: value for name, value in os.environ.items() if not name.startswith(_HUBS)}
        env["PYTHONUNBUFFERED"] = "1"
        env[_FOLDER] = str(self._folders.instance(spec.name))
        if self._url is not None:
            env["FLASH_HUB_URL"] = self._url
        if target is None:
            env["PORT"] = self._bind.rpartition(":")[2]
        else:
            env |= _import_path(spec)
            env[_VARIABLE] = json.dumps(
                {
                    "name": spec.name,
                    "target": target,
                    "prefix": spec.prefix,
                    "bind": self._bind,
                    "secret": self._secret,
                    "spa": spec.spa,
                    "drain_timeout": spec.drain_timeout,
                }
            )
        return env | spec.env

    async def _until_ready(self) -> None:
        assert self._process is not None
        ended = asyncio.ensure_future(self._process.ended())
        try:
            while not await self._answers(self._spec.start_timeout, ended):
                await asyncio.wait({ended}, timeout=_READY)
                if ended.done():
                    raise HostFailed(await self._with_log(f"{ended.result()} It was not ready before."))
        finally:
            ended.cancel()

    async def _answers(self, seconds: float, ended: asyncio.Future[str] | None = None) -> bool:
        """Whether the app says within some seconds that it is ready, or listens where nothing can be asked."""
        path = self._spec.ready if self._is_command else "/_hub-ready"
        asking = asyncio.ensure_future(_ask(Upstream(self._bind, self._secret), path))
        waited: set[asyncio.Future[Any]] = {asking} if ended is None else {asking, ended}
        try:
            await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            return asking.done() and (asking.result() < 500 if self._is_command else asking.result() == 204)
        finally:
            asking.cancel()

    async def _with_log(self, sentence: str) -> str:
        lines = await asyncio.to_thread(tail, self._folders.log(self._spec.name), _LINES, since=self._log_begins)
        return "\n".join([sentence, *(["The last lines of its log:", *lines] if lines else [])])

    # While it runs.

    async def _watch(self, ended: asyncio.Future[str]) -> str:
        limit, looks = self._spec.memory, 0
        pause = _LOG if limit is None else _MEMORY
        while not (await asyncio.wait({ended}, timeout=pause))[0]:
            looks += 1
            if limit is not None and (used := await self.usage()) is not None and used.memory > limit:
                await self._end_for_memory(used.memory, limit)
                return f"It used {_megabytes(used.memory)} of memory and may use {_megabytes(limit)} (memory)."
            if looks * pause % _LOG == 0:
                await asyncio.to_thread(rotate, self._folders.log(self._spec.name))
        return ended.result()

    async def _end_for_memory(self, used: int, limit: int) -> None:
        if self._process is not None:
            await self._process.end(_TOO_MUCH)


async def _ask(upstream: Upstream, path: str | None) -> int:
    """The status of a page; 0 where there is no page to be asked for, and 599 when nobody answers."""
    try:
        connection = await upstream.connect(lambda: True)
        if path is None:
            return 0
        scope = {"path": path, "headers": [(b"host", b"localhost")]}
        connection.begin("GET")
        connection.write(upstream.head_of(scope, []))
        await connection.head()
        return connection.status
    except (OSError, Broken):
        return 599
    finally:
        upstream.close()


def _strips(spec: Spec) -> bool:
    """Whether an app gets its paths without the prefix."""
    if not isinstance(spec.target, tuple):
        return True
    return spec.strip if spec.strip is not None else not any("{prefix}" in word for word in spec.target)


def _placed(spec: Spec) -> tuple[str | None, str | None]:
    """The target with its whole path, None for a command; and the folder that the process runs in."""
    if not isinstance(spec.target, str):
        return None, spec.cwd
    if Path(spec.target).is_dir():
        return str(Path(spec.target).resolve()), spec.cwd
    target = Target.parse(spec.target)
    if target.file is None:
        return spec.target, spec.cwd
    place = f"{target.file}:{target.attribute}" if target.attribute else str(target.file)
    return place, spec.cwd or str(target.file.parent)


def _import_path(spec: Spec) -> dict[str, str]:
    """Where the hub's own interpreter finds Flash, when it is not installed: the folder of a process is another."""
    here = str(Path(__file__).parents[2])
    if spec.python is not None or here in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), here]))}


def _digest(spec: Spec) -> str:
    """What tells apart how a process was begun."""
    parts = [spec.target, spec.prefix, spec.name, spec.cwd, spec.python, sorted(spec.env.items()), spec.spa, spec.ready]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _remove_socket(bind: str) -> None:
    if bind.startswith("unix:"):
        with suppress(OSError):
            os.unlink(bind[5:])


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.0f} MB"
