"""The versions of all that takes part in a run; `python -m dash_suite.versions` prints those of its interpreter."""

import json
import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dash_suite.runner import Suite, python_path

PACKAGES = ("dash", "dash-flash", "quart", "hypercorn", "flask", "werkzeug", "plotly", "selenium", "pytest")


def versions(suite: Suite) -> dict[str, str]:
    """Return the versions of Python, the packages, the browser and the suite itself."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(python_path(suite.checkout))}
    found: dict[str, str] = json.loads(output([suite.python, "-m", "dash_suite.versions"], environment))
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser:
        found["chromium"] = re.findall(r"\d[\d.]*", output([browser, "--version"]))[0]
    return found | {"commit of plotly/dash": output(["git", "-C", str(suite.checkout), "rev-parse", "HEAD"]).strip()}


def installed() -> dict[str, str]:
    """Return the versions that this interpreter has; Flash may be imported from a folder without being installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            if package == "dash-flash":
                found |= flash_in_a_folder()
    return found


def flash_in_a_folder() -> dict[str, str]:
    """Return the version of a Flash that is found by the path alone."""
    try:
        from flash._version import __version__
    except ImportError:
        return {}
    return {"dash-flash": __version__}


def output(command: list[str], environment: dict[str, str] | None = None) -> str:
    """Run a command and return what it printed."""
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, cwd=Path.home()).stdout


if __name__ == "__main__":
    print(json.dumps(installed()))
