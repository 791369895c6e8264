"""Runs of Python and pytest in processes of their own, with Flash and its plugin."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import flash

_FLASH = str(Path(flash.__file__).parents[1])


def run_python(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python, also where Flash is imported without having been installed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([_FLASH, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=180, check=False
    )


def run_pytest(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run pytest with the plugin, and without the settings of this repository."""
    if not any(point.value == "flash.testing.plugin" for point in entry_points(group="pytest11")):
        arguments = ("-p", "flash.testing.plugin", *arguments)
    own = folder / "pytest.ini"
    settings = ["-c", str(own if own.exists() else os.devnull), "--rootdir", str(folder), "-p", "no:cacheprovider"]
    return run_python("-m", "pytest", "-q", *settings, *arguments, folder=folder)
