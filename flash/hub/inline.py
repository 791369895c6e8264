"""An app in the hub's own process, apart from the other apps there.

What Dash keeps once per process it keeps here once per app (:mod:`flash._dash_scopes`); the app's files are loaded as
modules of its own (:mod:`flash.hub.own_modules`). What a process has one of, it has one of: memory, the interpreter's
lock, the current folder, environment variables, signals, and ``os._exit``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import _dash
from .._dash_scopes import Scope as AppScope
from .._dash_scopes import install, managers_of_all, unclaimed
from ..background.forks import gate
from ..exceptions import ConfigurationError, new_error_id
from ..pool import Pool
from ..server.lifespan import Lifespan
from ..targets import Target
from .app_log import write_log_of
from .host import AppUnreachable, Host, HostFailed, Receive, Scope, Send
from .inside import living_in
from .jobs import end_jobs, guard
from .kinds import Application, application_of, is_application
from .libraries import libraries
from .loading import load_object
from .own_modules import OwnModules
from .prefixes import apps_of, mounted_at
from .spec import Spec

logger = logging.getLogger("flash.hub")

#: Its one thread loads one app at a time.
_loader = Pool(1, "flash-hub-loader")


def adopt_object(target: Any, prefix: str) -> Any:
    """Look whether an object can be an app of a hub in this process: an app or a factory.

    Args:
        target: What was handed to ``hub.mount``.
        prefix: Where it is to be found.

    Raises:
        ConfigurationError: Callbacks or pages were declared without an app, so nobody can say whether they are its.
    """
    if is_application(target) and (waiting := unclaimed()):
        raise ConfigurationError(
            f"The app for {prefix or '/'!r} cannot be taken as an object: there are {' and '.join(waiting)} that were "
            "declared without an app, and nobody can say whose they are. Pass a factory, 'module:create_app': what it "
            "declares is its own."
        )
    return target


class InlineHost(Host):
    """Runs one app in this process.

    Args:
        spec: The app.
        target: ``"package.module"``, ``"module:create_app"``, ``"apps/sales.py:app"``, a folder of pages, an app,
            or a factory. Modules are loaded anew for each host; an app that was handed over as an object stays what it
            is: a new host only runs its start (its lifespan) again.
        log: The file for what the app logs.
        folder: The app's folder for its own data.

    Raises:
        ConfigurationError: The spec asks for what only a process of its own can have.
    """

    forwards = False  # The scope says it.

    def __init__(self, spec: Spec, target: Any, *, log: Path | None = None, folder: Path | None = None) -> None:
        _refuse_limits(spec)
        self._spec = spec
        self._target = target
        self._log = log
        self._folder = folder
        self._scope: AppScope | None = None
        self._modules: OwnModules | None = None
        self._app: Application | None = None
        self._lifespan: Lifespan | None = None
        self._serving: set[asyncio.Task[Any]] = set()
        self._lock = threading.Lock()
        self._is_loading = False
        self._given_up = False

    @property
    def dash(self) -> Any:
        """The Dash or Flash app that runs; None when it is no such app."""
        return None if self._app is None else self._app.dash

    async def start(self) -> None:
        install()
        libraries.watch()
        try:
            async with asyncio.timeout(self._spec.start_timeout):
                self._app = await _loader.run(self._load)
                await self._begin(self._app)
        except TimeoutError:
            self._give_up()
            raise HostFailed(f"It was not ready after {self._spec.start_timeout:g} seconds (start_timeout).") from None
        except BaseException:
            self._give_up()
            raise

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        app, app_scope, lifespan = self._app, self._scope, self._lifespan
        if app is None or app_scope is None or lifespan is None:
            raise AppUnreachable("The app has ended.")
        answer = Answer(scope, send)
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        with app_scope.entered(), self._living():
            try:
                await app.asgi({**scope, "state": dict(lifespan.state)}, receive, answer.send)
            except (Exception, SystemExit) as error:
                await answer.fail(error)
            finally:
                self._serving.discard(task)

    async def _run_lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        app, app_scope = self._app, self._scope
        assert app is not None and app_scope is not None
        with app_scope.entered(), self._living():
            await app.asgi(scope, receive, send)

    async def ended(self) -> str:
        await asyncio.Event().wait()
        raise AssertionError("What runs in the hub's process does not end by itself.")

    async def stop(self, grace: float) -> None:
        app, lifespan = self._app, self._lifespan
        if app is not None and lifespan is not None and self._scope is not None:
            self._scope.end_streams()
            if app.backend is not None and app.backend.stop_event is not None:
                app.backend.stop_event.set()
                # The app closes its connections now; its shutdown would break them off.
                if self._serving:
                    await asyncio.wait(self._serving, timeout=grace)
            await lifespan.stop(grace)
            if app.dash is not None:
                app.dash.backend.shutdown_executor(wait=False)
        if self._scope is not None:
            for manager in self._scope.managers:
                end_jobs(manager)
        self._give_up()

    # Loading, in the loader's thread.

    def _load(self) -> Application:
        with self._lock:
            if self._given_up:
                raise HostFailed("It was given up before its turn to be loaded came.")
            self._is_loading = True
        scope = self._scope = AppScope(self._spec.name, _dash_app(self._target))
        write_log_of(scope, self._log)
        try:
            with scope.entered(), self._living(), mounted_at(self._spec.prefix), _surroundings(), gate.imports():
                return self._make(scope)
        except (Exception, SystemExit) as error:
            with scope.entered():
                logger.error("The app could not be loaded.", exc_info=error)
            raise HostFailed(f"It could not be loaded: {type(error).__name__}: {error}") from error
        finally:
            with self._lock:
                self._is_loading = False
                if self._given_up:
                    self._forget()

    def _make(self, scope: AppScope) -> Application:
        target = self._target
        if isinstance(target, str) and not Path(target).is_dir():
            target = self._from_module(scope, target)
        elif callable(target) and not is_application(target):
            target = target()
        for manager in (*scope.managers, *managers_of_all()):
            guard(manager)
        app = application_of(target, self._spec.prefix)
        if app.dash is not None:
            scope.app = app.dash
        return app

    def _from_module(self, scope: AppScope, written: str) -> Any:
        """The app that a target names, from its module, which is loaded anew."""
        target = _target(written, self._spec.cwd)
        modules = self._modules = OwnModules(self._spec.name, target.folder, target.module)
        scope.package, scope.page_spec = modules.package, modules.spec_of
        before = set(sys.modules)
        sys.path.insert(0, str(modules.folder))
        try:
            return load_object(target, lambda target: modules.load(target.module))
        finally:
            modules.take_in(before)

    # Its start and its end.

    async def _begin(self, app: Application) -> None:
        assert self._scope is not None
        self._lifespan = Lifespan(self._run_lifespan)
        if app.backend is not None:
            app.backend.stop_event = asyncio.Event()
        try:
            await self._lifespan.start(self._spec.start_timeout)
        except Exception as error:
            cause = getattr(app.backend, "startup_error", None) or error
            with self._scope.entered():
                logger.error("The app could not start.", exc_info=cause)
            raise HostFailed(f"It could not start: {type(cause).__name__}: {cause}") from error

    @contextmanager
    def _living(self) -> Iterator[None]:
        if self._folder is None:
            yield
        else:
            with living_in(self._folder):
                yield

    def _give_up(self) -> None:
        """Let go of the app; now, or when the loader's thread is done with it."""
        with self._lock:
            self._given_up = True
            if not self._is_loading:
                self._forget()

    def _forget(self) -> None:
        self._app = self._lifespan = None
        if self._modules is not None:
            self._modules.close()
        if self._scope is not None:
            if self._scope.handler is not None:
                self._scope.handler.close()
            self._scope.close()
        self._modules = self._scope = None


class Answer:
    """What an app answers to one request, and what is said in its place when it fails.

    Args:
        scope: The request.
        send: Where the answer goes.
    """

    def __init__(self, scope: Scope, send: Send) -> None:
        self._is_websocket = scope["type"] == "websocket"
        self._send = send
        self._begun = self._ended = False

    async def send(self, message: Any) -> None:
        """Send on what the app says."""
        self._begun = True
        kind = message["type"]
        self._ended = kind == "websocket.close" or (kind == "http.response.body" and not message.get("more_body"))
        await self._send(message)

    async def fail(self, error: BaseException) -> None:
        """Log an error, and tell the browser its id if nothing was said yet."""
        error_id = new_error_id()
        logger.error("The app failed to answer a request. Error id: %s", error_id, exc_info=error)
        if self._ended:
            return
        if self._is_websocket:
            await self._send({"type": "websocket.close", "code": 1011, "reason": f"Error id: {error_id}"})
        elif self._begun:
            raise AppUnreachable("The app broke off its answer.") from error
        else:
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await self._send({"type": "http.response.start", "status": 500, "headers": headers})
            body = f"The app has failed. Error id: {error_id}".encode()
            await self._send({"type": "http.response.body", "body": body, "more_body": False})


# What a target says. -------------------------------------------------------------------------------------------------


def _refuse_limits(spec: Spec) -> None:
    for field in ("env", "python", "memory"):
        if getattr(spec, field):
            raise ConfigurationError(
                f"{spec.name!r} runs in the hub's process, which has one {field} for all: leave out {field}=, or write "
                "isolation='process'."
            )


def _dash_app(target: Any) -> Any:
    """The Dash app in an object that was made before."""
    if isinstance(target, str) or not is_application(target):
        return None
    found = [target] if isinstance(target, _dash.OriginalDash) else apps_of(target)
    return found[0] if len(found) == 1 else None


def _target(written: str, cwd: str | None) -> Target:
    """Where an app is found, with the folder in which its module stands.

    Raises:
        ConfigurationError: There is no such module.
    """
    target = Target.parse(written)
    if target.file is not None:
        target = Target.parse(os.path.join(cwd or "", written))
        if target.file is not None and target.file.is_file():
            return target
        raise ConfigurationError(f"There is no file {str(target.file)!r}.")
    top = target.module.partition(".")[0]
    for folder in map(Path, [cwd or ".", *sys.path]):
        if (folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file() or (folder / top).is_dir():
            return replace(target, folder=folder)
    raise ConfigurationError(f"There is no module {target.module!r}: write it as Python imports it, or set cwd=.")


@contextmanager
def _surroundings() -> Iterator[None]:
    """Put the import path and the current folder back, which all apps share."""
    path, folder = list(sys.path), Path.cwd()
    try:
        yield
    finally:
        sys.path[:] = path
        if Path.cwd() != folder:
            logger.warning("The app has changed the current folder, which all apps of the hub share: it is put back.")
            os.chdir(folder)
