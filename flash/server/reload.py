"""Restarting the app when its code changes: one process that watches, and one that serves.

The one that watches opens the sockets and starts its own command line again, with ``WERKZEUG_RUN_MAIN=true``, by which
Dash prints its banner only once. When a file changes it ends that process and starts another; browsers that connect
meanwhile wait in the socket's queue. A process that dies, by a syntax error for example, is started again with the next
change. Each one says which folders its modules came from, so that these are watched as well.
"""

from __future__ import annotations

import fnmatch
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from hypercorn.config import Sockets
from watchfiles import Change, PythonFilter, watch

from .listen import all_sockets
from .settings import Settings
from .signals import ending_on_signals

#: By this, Dash and libraries tell the process that serves from the one that watches.
RUN_MAIN = "WERKZEUG_RUN_MAIN"

_INHERITANCE = "FLASH_RELOADER"

#: How often the watching process looks after the other one, in milliseconds.
_ROUND = 200

#: Seconds after which a restart stops waiting for running callbacks, and for the process altogether.
_HURRY_AFTER, _KILL_AFTER = 1.5, 5.0

#: How many folders are searched for code, and watched.
_MOST_VISITED, _MOST_WATCHED = 2000, 300

_WITHOUT_CODE = {"__pycache__", "node_modules", "site_packages", "venv", "env"}

_IMPORTED_IN = os.getpid()


def can_reload() -> bool:
    """Whether this process can watch over another one with the same command line, and is not itself that other one."""
    main = sys.modules["__main__"]
    return (
        threading.current_thread() is threading.main_thread()
        and not is_reloaded()
        # A process made by fork or by multiprocessing shares a command line that starts something else.
        and os.getpid() == _IMPORTED_IN
        and multiprocessing.parent_process() is None
        and not _in_notebook()
        # A program typed in, or read from a pipe, is not there any more.
        and (hasattr(main, "__file__") or "-c" in sys.orig_argv)
    )


def is_reloaded() -> bool:
    """Whether a reloader watches over this process."""
    return os.environ.get(RUN_MAIN) == "true"


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


def inherit(settings: Settings) -> int | None:
    """In the process that serves: take over the sockets, and say what else is to be watched.

    Returns:
        The file descriptor that ends when the watching process dies.
    """
    # Taken out, so that processes that the app starts do not take it for theirs.
    text = os.environ.pop(_INHERITANCE, None)
    if text is None:
        return None
    inheritance = json.loads(text)
    report = Path(inheritance["report"])
    scratch = report.with_suffix(".new")
    watched = {"folders": sorted(loaded_folders()), "files": [str(path) for path in settings.extra_files]}
    scratch.write_text(json.dumps(watched), encoding="utf-8")
    scratch.replace(report)
    if inheritance["sockets"] is None:
        return None
    settings.config.adopt_sockets(Sockets(*([_adopted(fd) for fd in group] for group in inheritance["sockets"])))
    lifeline: int = inheritance["lifeline"]
    os.set_inheritable(lifeline, False)
    return lifeline


def _adopted(descriptor: int) -> socket.socket:
    sock = socket.socket(fileno=descriptor)
    sock.set_inheritable(False)
    sock.setblocking(False)
    return sock


class Reloader:
    """Watches the code of an app and runs the app in a process of its own.

    Args:
        settings: What to listen on, and which files beside the code to watch.
        root: The folder of the app; without it, that of the program that runs. Folders with code below it are watched.
    """

    def __init__(self, settings: Settings, root: Path | None = None) -> None:
        self._config = settings.config
        self._extra_files = {str(path) for path in settings.extra_files}
        self._exclude_patterns = settings.exclude_patterns
        self._root = root or Path(getattr(sys.modules["__main__"], "__file__", ".")).resolve().parent
        self._folders = loaded_folders()
        self._is_python = PythonFilter()
        self._stopping = threading.Event()
        self._hurry = False
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Watch until the app ends by itself or a signal comes.

        Returns:
            The exit code for this process.
        """
        # Elsewhere than on POSIX a process cannot be given sockets simply; there it opens its own.
        if os.name == "posix":
            self._config.create_sockets()
            self._lifeline, held = os.pipe()
        try:
            with ending_on_signals(self._stop), tempfile.TemporaryDirectory(prefix="flash-") as folder:
                self._report = Path(folder) / "folders.json"
                self._process = self._start()
                try:
                    self._watch()
                finally:
                    self._end(self._config.grace + self._config.shutdown_timeout + _KILL_AFTER)
        finally:
            if os.name == "posix":
                os.close(self._lifeline)
                os.close(held)
                self._config.close_sockets()
        return 0

    def _stop(self) -> None:
        self._hurry = self._stopping.is_set()
        self._stopping.set()

    def _watch(self) -> None:
        while not self._stopping.is_set() and self._watch_folders(self._watched()):
            pass

    def _watch_folders(self, watched: set[str]) -> bool:
        """Watch until other folders are to be watched; returns False when the app has ended by itself."""
        changes = watch(
            *watched,
            watch_filter=self._matters,
            recursive=False,
            rust_timeout=_ROUND,
            yield_on_timeout=True,
            stop_event=self._stopping,
            ignore_permission_denied=True,
        )
        for changed in changes:
            if changed:
                self._restart(min(path for _, path in changed))
            elif self._has_ended():
                return False
            if self._watched() != watched:
                break
        return True

    def _watched(self) -> set[str]:
        if self._report.exists():
            report = json.loads(self._report.read_text(encoding="utf-8"))
            self._folders.update(report["folders"])
            self._extra_files.update(report["files"])
        folders = self._folders | {os.path.dirname(path) for path in self._extra_files}
        return {folder for folder in folders if os.path.isdir(folder)}

    def _matters(self, change: Change, path: str) -> bool:
        if any(fnmatch.fnmatch(path, pattern) for pattern in self._exclude_patterns):
            return False
        return path in self._extra_files or self._is_python(change, path)

    # The process that serves.

    def _start(self) -> subprocess.Popen[bytes]:
        self._folders |= code_folders(self._root)
        inheritance: dict[str, Any] = {"report": str(self._report), "sockets": None}
        descriptors: list[int] = []
        if os.name == "posix":
            sockets = self._config.create_sockets()
            groups = [sockets.secure_sockets, sockets.insecure_sockets, sockets.quic_sockets]
            inheritance["sockets"] = [[sock.fileno() for sock in group] for group in groups]
            inheritance["lifeline"] = self._lifeline
            descriptors = [self._lifeline, *(sock.fileno() for sock in all_sockets(sockets))]
        environment = {**os.environ, RUN_MAIN: "true", _INHERITANCE: json.dumps(inheritance)}
        return subprocess.Popen(command_line(), env=environment, pass_fds=descriptors)

    def _has_ended(self) -> bool:
        """Look after the process; returns whether it ended well. One that failed waits for the next change."""
        code = None if self._process is None else self._process.poll()
        if code:
            self._process = None
            _say(f" * The app ended with exit code {code}. It starts again when its code changes.")
        return code == 0

    def _restart(self, path: str) -> None:
        _say(f" * {os.path.relpath(path)} has changed: restarting")
        self._end(_KILL_AFTER, hurry_after=_HURRY_AFTER)
        if not self._stopping.is_set():
            self._process = self._start()

    def _end(self, patience: float, hurry_after: float | None = None) -> None:
        """End the process: first gently, then without waiting for its callbacks, then by force."""
        process, self._process = self._process, None
        if process is None:
            return
        asked = time.monotonic()
        process.terminate()
        while process.poll() is None:
            waited = time.monotonic() - asked
            if waited > patience:
                process.kill()
            elif self._hurry or (hurry_after is not None and waited > hurry_after):
                self._hurry, hurry_after = False, None
                process.terminate()
            time.sleep(0.02)


def loaded_folders() -> set[str]:
    """The folders of the modules that are loaded, but for those of Python itself and of installed packages."""
    files = [getattr(module, "__dict__", {}).get("__file__") for module in list(sys.modules.values())]
    paths = {os.path.realpath(file) for file in files if isinstance(file, str) and file.endswith(".py")}
    return {os.path.dirname(path) for path in paths if not _is_installed(path)}


def code_folders(root: Path) -> set[str]:
    """The folders with Python files at and below ``root``, the nearest ones when there are very many.

    A module that could not be imported is in one of them, and nowhere else to be seen.
    """
    found: set[str] = set()
    visited = 0
    waiting = deque([str(root)])
    while waiting and visited < _MOST_VISITED and len(found) < _MOST_WATCHED:
        folder = waiting.popleft()
        visited += 1
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        if any(entry.name.endswith(".py") for entry in entries):
            found.add(folder)
        waiting.extend(entry.path for entry in entries if _may_hold_code(entry))
    return found


def _may_hold_code(entry: os.DirEntry[str]) -> bool:
    name = entry.name
    return name.isidentifier() and name not in _WITHOUT_CODE and entry.is_dir(follow_symlinks=False)


_STANDARD_FOLDERS = tuple(
    os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def _is_installed(path: str) -> bool:
    return path.startswith(_STANDARD_FOLDERS) or not {"site-packages", "dist-packages"}.isdisjoint(Path(path).parts)


def command_line() -> list[str]:
    """The command line that started this process, to start it again."""
    arguments = sys.orig_argv[1:]
    main = sys.modules["__main__"]
    script = getattr(main, "__file__", None)
    if script is not None and getattr(main, "__spec__", None) is None:
        # A relative path of the script means nothing once the app has changed its working directory.
        name = os.path.basename(script)
        position = next((i for i, each in enumerate(arguments) if os.path.basename(each) == name), None)
        if position is not None:
            arguments[position] = os.path.abspath(script)
    return [sys.executable, *arguments]


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
