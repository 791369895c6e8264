"""What every benchmark prints: when, where and how it ran, and a table."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Iterable
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def print_heading(title: str, packages: Iterable[str]) -> None:
    """The title, the command, and the facts without which figures mean nothing."""
    versions = ", ".join(f"{name} {_version(name)}" for name in packages)
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    print(f"## {title}\n")
    print(f"`{command}`, {date.today().isoformat()}. {os.cpu_count()} CPUs ({_processor()}), load average {load}.")
    print(f"Python {platform.python_version()}, {versions}.\n", flush=True)


def print_table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """A markdown table; the first column is text, the others are numbers."""
    columns = list(columns)
    print(f"| {' | '.join(columns)} |")
    print(f"|---|{'--:|' * (len(columns) - 1)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")
    print(flush=True)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        if package == "dash-flash":
            import flash

            return flash.__version__
        return "(not installed)"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
