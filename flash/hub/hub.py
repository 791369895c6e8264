"""The hub: many apps on one server, switched on and off while it runs."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import msgspec

from ..exceptions import ConfigurationError
from ..server.lifespan import Lifespan
from ..server.run import serve_asgi
from ..storage import FileLock
from .events import Event, Events
from .folders import Folders
from .front.front import Front
from .gate import Gate
from .host import Receive, Scope, Send
from .hosting import Hosting
from .metrics import new_metrics
from .mount import Mount
from .notices import Notice
from .routing import Routes
from .signin import NoSignIn, SignIn
from .spec import RESERVED, Spec, spec_of
from .state import State, forget, remember_added, remember_desired, remember_removed, remembered
from .uses import GOING_AWAY, SIGNED_OUT
from .visitor import NOBODY, Visitor

logger = logging.getLogger("flash.hub")

#: Seconds for which a request waits for an app that is starting.
PATIENCE = 30.0

#: Seconds that all apps together have to end when the hub does.
ENDING = 30.0


class Hub:
    """Serves any number of apps of any kind, each under its own prefix. It is itself an ASGI app.

    Args:
        title: The heading of the start page.
        home: The folder that holds what outlives the hub: its state, the logs, a folder for each app.
        signin: Who may come in: one of :mod:`flash.hub.signin`. None lets everybody in; then only who sits at the
            machine may switch apps.
        trusted_proxies: Addresses and networks whose ``X-Forwarded-*`` headers are believed: ``["10.0.0.0/8"]``.
        url: Where apps find the hub: ``"http://127.0.0.1:8050"``. None: where :meth:`run` listens.
        max_starting: How many apps start at once.
        metrics_token: Who sends it as a bearer token may read the metrics.
        leave_children: Whether the apps' processes run on when the hub ends, for the next one to take over.
        local_control: Whether a browser on the machine itself may switch apps when there is no sign-in. None: when
            :meth:`run` listens on this machine alone and no proxy is trusted.

    Attributes:
        mounts: The apps, by name.
        events: What happens.
        state: What is remembered.
        folders: Where things are kept.
        metrics: What is counted.
        stopping: Set when the hub begins to end.

    Example:
        >>> hub = Hub(title="Analytics", signin=PasswordFile("users.txt"))
        >>> hub.mount("apps/sales.py", "/sales", tags=["finance"], access=["finance"])
        >>> hub.mount("ops.dashboard:create_app", "/ops", memory="1G")
        >>> hub.run(port=8050)
    """

    def __init__(
        self,
        title: str = "Apps",
        *,
        home: str = ".hub",
        signin: SignIn | None = None,
        trusted_proxies: Iterable[str] = (),
        url: str | None = None,
        max_starting: int = 4,
        metrics_token: str | None = None,
        leave_children: bool = False,
        local_control: bool | None = None,
    ) -> None:
        self.title = title
        self.folders = Folders(home)
        self.signin = signin or NoSignIn()
        self.url = url
        self.metrics_token = metrics_token
        self.leave_children = leave_children
        self.local_control = local_control
        self.mounts: dict[str, Mount] = {}
        self.events = Events()
        self.state = State(self.folders.home / "state.sqlite")
        self.metrics = new_metrics()
        self.stopping = asyncio.Event()
        #: Set by whoever serves the hub, when it is to end.
        self.stop_event: asyncio.Event | None = None
        #: Why the hub could not start.
        self.startup_error: BaseException | None = None
        self.patience = PATIENCE
        self.starting = asyncio.Semaphore(max_starting)
        self.routes: Routes[Mount] = Routes()
        #: Apps that are being removed: a hub that ends meanwhile ends them too.
        self._leaving: dict[str, Mount] = {}
        self._hosting = Hosting(self)
        self.front = Front(self)
        self._trusted_proxies = list(trusted_proxies)
        self._gate = Gate(self, self._trusted_proxies)
        self._lock = FileLock(self.folders.home / "lock")
        self._wishes: dict[str, dict[str, Any]] = {}
        self._beside: list[Callable[[], Coroutine[Any, Any, Any]]] = []
        self._started: asyncio.Task[None] | None = None
        self._exit = AsyncExitStack()

    # Apps.

    def __getitem__(self, name: str) -> Mount:
        return self.mounts[name]

    def mount(self, target: Any, prefix: str | None = None, **options: Any) -> Mount:
        """Declare an app. Once the hub runs, :meth:`add` takes its place.

        Args:
            target: ``"apps/sales.py"``, ``"package.module:create_app"``, a folder of static pages, the words of a
                command, an app, or a function that makes one.
            prefix: Where it is to be found: ``"/sales"``, or ``"/"``. None: its name.
            **options: The other fields of :class:`flash.hub.spec.Spec`.

        Raises:
            ConfigurationError: The declaration cannot work, or its name or prefix is taken.
        """
        spec = spec_of(target, prefix, options)
        self._refuse_clash(spec)
        make_host = self._hosting.of(spec, target)
        wish = self._wishes.get(spec.name)
        mount = Mount(self, spec, make_host, wanted=spec.on if wish is None else wish["desired"] == "on")
        self.mounts[spec.name] = mount
        self.routes.add(spec.prefix, mount)
        return mount

    async def add(self, target: Any, prefix: str | None = None, *, keep: bool = True, **options: Any) -> Mount:
        """Add an app while the hub runs.

        Args:
            target: As for :meth:`mount`.
            prefix: As for :meth:`mount`.
            keep: Whether a later start of the hub has it too. Objects are never kept.
            **options: As for :meth:`mount`.
        """
        declaration = _written(target, prefix, options) if keep else None
        mount = self.mount(target, prefix, **options)
        await self.remember(remember_desired, mount.spec.name, "on" if mount.keeper.wanted else "off")
        if declaration is not None and mount.spec.target is not None:
            await self.remember(remember_added, mount.spec.name, declaration)
        mount.keeper.begin()
        self.events.publish(Event(mount.spec.name, "added"))
        return mount

    async def remove(self, name: str) -> None:
        """End an app and forget it. Its log and its folder stay."""
        mount = self._leaving[name] = self.mounts.pop(name)
        self.routes.remove(mount.spec.prefix)
        await self.remember(remember_removed, name)
        await mount.uses.drain(mount.spec.drain_timeout, GOING_AWAY)
        await mount.keeper.close(leave=False)
        await self.remember(forget, name)
        del self._leaving[name]
        self._wishes.pop(name, None)
        self.metrics.forget(name)
        self.events.publish(Event(name, "removed"))

    async def start(self, name: str) -> None:
        """Switch an app on; returns when it runs or has failed to."""
        await self.mounts[name].switch(True)

    async def stop(self, name: str) -> None:
        """Switch an app off: running requests end, new ones are answered by 503."""
        await self.mounts[name].switch(False)

    async def restart(self, name: str) -> None:
        """End an app and start it anew; its requests wait meanwhile."""
        await self.mounts[name].restart()

    def on(self, kind: str | None = None) -> Callable[[Any], Any]:
        """Call a plain or asynchronous function for events of a kind, as :class:`flash.hub.events.Event` names them.

        Example:
            >>> @hub.on("failed")
            ... async def tell(event):
            ...     await post_to_chat(f"{event.app}: {event.text}")
        """

        def register(handler: Callable[[Event], Awaitable[None] | None]) -> Any:
            self.events.handle(kind, handler)
            return handler

        return register

    async def remember(self, func: Callable[..., None], *args: Any) -> None:
        """Keep something in the state. What cannot be kept is logged, and harms nothing that runs."""
        try:
            await self.state.run(func, *args)
        except sqlite3.Error as error:
            logger.error("The hub's state cannot be written, and the next hub will not know all: %s", error)

    def beside(self, run: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Have an asynchronous function run while the hub does: called when it has started, cancelled when it ends."""
        self._beside.append(run)

    def owns(self, path: str) -> bool:
        """Whether a path of the site is an app's or the hub's own."""
        return path.startswith(f"/{RESERVED}/") or self.routes.match(path) is not None

    def entered(self, mount: Mount, event: Event) -> None:
        """Note that an app has entered a state. Called by the app's keeper."""
        level = logging.WARNING if event.kind in ("backoff", "failed") else logging.INFO
        logger.log(level, "%s: %s%s", event.app, event.kind, f" ({event.text})" if event.text else "")
        self.events.publish(event)

    # Serving.

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if self._started is None or not self._started.done():
            await self.begin()  # Mounted in an app that runs no lifespan of ours.
        await self._gate.serve(scope, receive, send)

    def run(self, host: str = "127.0.0.1", port: int = 8050, **options: Any) -> None:
        """Serve the hub until Ctrl+C or SIGTERM, by Hypercorn.

        Args:
            host: An address, a name, or ``unix:/path/to/socket``.
            port: The port.
            **options: Settings of Hypercorn's by name; see docs/running.md.
        """
        if self.local_control is None:
            self.local_control = host in ("127.0.0.1", "localhost", "::1") and not self._trusted_proxies
        if self.url is None and not host.startswith("unix:"):
            known = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
            self.url = f"{'https' if options.get('certfile') else 'http'}://{known}:{port}"
        serve_asgi(self, self, host, port, **{"shutdown_timeout": ENDING, **options})

    async def notify(
        self,
        notice: Notice,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        mount: Mount | None = None,
        visitor: Visitor = NOBODY,
        details: str | None = None,
    ) -> None:
        """Say something in place of an app.

        Args:
            notice: What to say.
            scope: The request or the handshake.
            receive: As in ASGI.
            send: As in ASGI.
            mount: The app; only for visitors who may know of it.
            visitor: Who asks.
            details: What only those may see who manage the app.
        """
        app = mount.spec.title if mount is not None else "The app"
        await self.front.notice(
            scope,
            receive,
            send,
            notice.status,
            notice.title.replace("{app}", app),
            notice.text.replace("{app}", app),
            details=details,
            retry_after=notice.retry_after,
            mount=mount,
            visitor=visitor,
        )

    async def local_visitor(self, scope: Scope) -> Visitor:
        """Who asks, on a hub that nobody signs in to: whoever sits at the machine may do everything."""
        return await self._gate.visitor(scope)

    async def begin(self) -> None:
        """Start the hub once: its state, its sign-in, its apps. Apps start aside; this does not wait for them."""
        if self._started is None:
            self._started = asyncio.create_task(self._begin(), name="flash-hub-start")
        await asyncio.shield(self._started)

    async def end(self) -> None:
        """End the hub: its apps (unless ``leave_children``), its sign-in, its state."""
        self.stopping.set()
        await self._exit.aclose()
        self._started = None

    async def _begin(self) -> None:
        try:
            await asyncio.to_thread(self.folders.make)
            if not await asyncio.to_thread(self._lock.take):
                raise ConfigurationError(
                    f"Another hub uses {self.folders.home}. End it, or give this one a home of its own (home=, --home)."
                )
            self._exit.callback(self._lock.release)
            await asyncio.to_thread(self.folders.make_sockets)
            self._exit.callback(self.folders.remove_sockets)
            await self._open()
        except BaseException as error:
            self.startup_error = error
            await self._exit.aclose()
            raise

    async def _open(self) -> None:
        await self.signin.prepare(self)
        await self.state.open()
        self._exit.push_async_callback(self.state.close)
        self._exit.push_async_callback(self.events.close)
        await self.signin.start()
        self._exit.push_async_callback(self.signin.close)
        front = Lifespan(self.front.app)
        await front.start(30.0)
        self._exit.push_async_callback(front.stop, 10.0)
        self._wishes = await self.state.run(remembered)
        self._mount_added()
        await self._begin_apps()
        self._exit.push_async_callback(self._end_apps)
        for run in (self._watch_server, *self._beside):
            self._exit.callback(asyncio.create_task(run(), name="flash-hub-beside").cancel)
        self.signin.on_end(self._end_session)

    def _mount_added(self) -> None:
        """Declare what was added while an earlier hub ran."""
        for name, wish in self._wishes.items():
            added = wish["added"]
            if added is None or name in self.mounts:
                continue
            try:
                self.mount(added["target"], added["prefix"], **added["options"])
            except ConfigurationError as error:
                logger.error("%s was added at run time and cannot be mounted any more: %s", name, error)

    async def _begin_apps(self) -> None:
        for mount in self.mounts.values():
            wish = self._wishes.get(mount.spec.name)
            if wish is None:
                await self.remember(remember_desired, mount.spec.name, "on" if mount.keeper.wanted else "off")
            else:
                mount.keeper.want_at_start(wish["desired"] == "on")
        left = {name: wish["process"] for name, wish in self._wishes.items() if wish["process"]}
        for name, mount in self.mounts.items():
            mount.keeper.begin(partial(self._hosting.take_over, name, left.pop(name)) if name in left else None)
        for name, process in left.items():  # Of apps that are gone.
            self.beside(partial(self._hosting.take_over, name, process))

    async def _end_apps(self) -> None:
        leave = self.leave_children
        self._break_off_streams()
        ending = [mount.keeper.close(leave) for mount in self.mounts.values()]
        await asyncio.gather(*ending, *(mount.keeper.close(leave=False) for mount in self._leaving.values()))

    async def _watch_server(self) -> None:
        """End what never ends by itself as soon as the server wants to end, or it would wait for that."""
        if self.stop_event is None:
            return
        await self.stop_event.wait()
        self.stopping.set()
        self._break_off_streams()

    def _break_off_streams(self) -> None:
        for mount in self.mounts.values():
            mount.uses.break_off(GOING_AWAY, lambda use: use.endless)

    def _end_session(self, session: str) -> None:
        """Close what belongs to a session that has ended."""
        for mount in self.mounts.values():
            mount.uses.break_off(SIGNED_OUT, lambda use: use.session == session)

    def _refuse_clash(self, spec: Spec) -> None:
        if spec.name in self._leaving:
            raise ConfigurationError(f"{spec.name!r} is still being removed. Add it again when that is done.")
        if spec.name in self.mounts:
            raise ConfigurationError(f"Two apps are called {spec.name!r}. Give one of them another name=.")
        taken = next((mount for mount in self.mounts.values() if mount.spec.prefix == spec.prefix), None)
        if taken is not None:
            raise ConfigurationError(
                f"{taken.spec.name!r} and {spec.name!r} have the same prefix {spec.path!r}. Give one of them another."
            )
        named = spec.access not in ("public", "signed-in")
        if self.signin.open and (named or spec.managers):
            raise ConfigurationError(
                f"{spec.name!r} is for certain roles or users, and this hub knows nobody: give it a sign-in, "
                "Hub(signin=PasswordFile('users.txt')) for example."
            )

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.begin()
        except Exception as error:
            logger.error("The hub could not start: %s", error)
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            await self.end()
        except Exception as error:
            logger.exception("The hub did not end well.")
            await send({"type": "lifespan.shutdown.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})


def _written(target: Any, prefix: str | None, options: dict[str, Any]) -> str:
    """What was written about an app, for a later hub.

    Raises:
        ConfigurationError: It holds what cannot be written down.
    """
    if not isinstance(target, (str, list, tuple)):
        return ""  # An object; nothing is kept of it.
    try:
        return msgspec.json.encode({"target": target, "prefix": prefix, "options": options}).decode()
    except TypeError as error:
        raise ConfigurationError(f"The app {target!r} cannot be kept: {error}. Pass keep=False.") from None
