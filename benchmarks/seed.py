"""The benchmark of dash_devices run anew: how long a callback's round trip takes, and in which order a device is set.

Dash on Flask under gunicorn with threads, Dash on Quart (over HTTP and over its own WebSocket) and Flash (over HTTP and
live) serve the same page. Round trips are timed with one in flight, over a network that adds nothing and over ones that
add delay: by a raw client, then by a browser. Then sliders are dragged whose callback takes 5 to 50 ms. Servers run on
one core; the clients, the browser and what delays them on the other.
"""

from __future__ import annotations

import argparse
import json
import os
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from report import print_heading
from seed_apps import KINDS, SHARED
from seed_arms import ARMS, SHARED_ARMS, Arm, installed
from seed_parts import PARTS
from servers import LOAD_CORE, pin, serving

PACKAGES = ["dash-flash", "dash", "flask", "quart", "gunicorn", "hypercorn", "websockets"]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few samples, to see that everything runs")
    parser.add_argument("--shared", action="store_true", help="shared callbacks too")
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS, help="what is served")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    return parser.parse_args()


def main() -> None:
    options = parse()
    began = datetime.now()
    arms, missing = installed(chosen(options))
    print_heading("The benchmark of dash_devices", PACKAGES)
    for name in missing:
        print(f"{name} is not installed; what needs it is left out.\n", flush=True)
    if options.shared:
        os.environ[SHARED] = "1"
    pin(LOAD_CORE)
    results: dict[str, Any] = {"began": began.isoformat(timespec="seconds"), "load": os.getloadavg()}
    with ExitStack() as stack:
        programs = {arm.kind: arm.program for arm in arms}
        ports = {kind: stack.enter_context(serving(kind, programs[kind], "seed_apps")).port for kind in programs}
        for part in options.parts:
            results[part] = PARTS[part](arms, ports, options.quick)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


def chosen(options: argparse.Namespace) -> list[Arm]:
    """The arms that were asked for."""
    arms = [*ARMS, *(SHARED_ARMS if options.shared else [])]
    return [arm for arm in arms if arm.kind in options.kinds]


if __name__ == "__main__":
    main()
