"""Which way each app is hosted, and the processes that an earlier hub has left."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import ConfigurationError
from .child import ChildHost
from .host import Host
from .inline import InlineHost, adopt_object
from .spec import Spec
from .state import remember_process

if TYPE_CHECKING:
    from .hub import Hub

logger = logging.getLogger("flash.hub")


class Hosting:
    """Makes the hosts of a hub's apps.

    Args:
        hub: The hub.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def of(self, spec: Spec, target: Any) -> Callable[[], Host]:
        """What makes the host for each start of an app.

        Args:
            spec: What is written about it.
            target: What was handed to ``hub.mount``: words, or an object.

        Raises:
            ConfigurationError: The app cannot be hosted so.
        """
        if runs_inline(spec):
            found = adopt_object(target, spec.prefix) if spec.target is None else spec.target
            folders = self._hub.folders
            return partial(InlineHost, spec, found, log=folders.log(spec.name), folder=folders.instance(spec.name))
        if spec.target is None:
            raise ConfigurationError(
                f"{spec.name!r} is an object of this process and cannot run in another one: write where it is found, "
                "'module:app', or leave out isolation='process'."
            )
        return partial(self._child, spec)

    async def take_over(self, name: str, process: dict[str, Any]) -> Host | None:
        """The host of a process that an earlier hub has left, if it is still wanted; else it is ended.

        Args:
            name: The app's.
            process: What the earlier hub recorded.
        """
        mount = self._hub.mounts.get(name)
        wanted = mount is not None and mount.keeper.wanted and not runs_inline(mount.spec)
        try:
            host = await ChildHost.adopt(
                mount.spec if mount else None,
                self._hub.folders,
                process,
                on_record=partial(self._record, name),
                wanted=wanted,
            )
        except Exception:
            logger.exception("The process that ran %s could not be taken over.", name)
            return None
        if host is not None:
            logger.info("%s: taken over (process %s)", name, host.pid)
        return host

    def _child(self, spec: Spec) -> ChildHost:
        return ChildHost(spec, self._hub.folders, url=self._hub.url, on_record=partial(self._record, spec.name))

    async def _record(self, name: str, process: dict[str, Any] | None) -> None:
        await self._hub.remember(remember_process, name, process)


def runs_inline(spec: Spec) -> bool:
    """Whether an app runs in the hub's own process: objects, modules and folders, unless it says otherwise."""
    if spec.isolation != "auto" or spec.target is None:
        return spec.isolation == "inline" or (spec.isolation == "auto" and spec.target is None)
    if not isinstance(spec.target, str):
        return False
    place, colon, _ = spec.target.rpartition(":")
    written = place if colon and len(place) > 1 else spec.target
    return Path(written).is_dir() or not (written.endswith(".py") or "/" in written or "\\" in written)
