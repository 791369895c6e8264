"""Command line of scripts/dash-suite."""

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from dash_suite.report import Comparison, load_reasons, write_report
from dash_suite.runner import Suite
from dash_suite.versions import versions

ROOT = Path(__file__).resolve().parents[2]
SUBJECTS = ("dash", "flash", "quart")

DESCRIPTION = """\
Run the tests of a checkout of plotly/dash (integration, async_tests, backend_tests, websocket) against the installed
dash, with dash.Dash replaced by flash.Flash, and write TEST_LOGS.md. Subjects: flash; dash, plain Dash on Flask, the
yardstick; quart, plain Dash(backend="quart"). Results of each subject are kept, and the report compares what is there.

With --repeat, every test that passes on plain Dash and not on Flash in the results that are kept is run N times more on
both. One that plain Dash fails too, and Flash not clearly more often, fails at random: it is listed apart, with counts.

The interpreter needs dash[testing,diskcache,celery], flash, asgiref (for the yardstick alone), fastapi,
uvicorn[standard], flask-talisman, flaky, pytest-mock, openpyxl, pyarrow and dash-ag-grid; the machine chromium and
chromedriver. Dash's test components are found where the checkout has built them (npm ci && npm run build in
@plotly/dash-test-components and @plotly/dash-generator-test-component-*). With REDIS_URL set, the background callbacks
of async_tests run on Celery too.

Exit code 1: a test that passes on plain Dash does not on Flash and is no named deviation of reasons.toml, or a
WebSocket test that was read as Quart fails.
"""


def main() -> int:
    """Run what the command line asks for, and write the report."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = arguments()
    suite = Suite(options.checkout.resolve(), options.python, options.workers, options.timeout, options.only)
    options.results.mkdir(parents=True, exist_ok=True)
    about = versions(suite)
    for subject in options.subject or ([] if options.repeat else ["flash"]):
        result = {"versions": about, "records": suite.run(subject), "as_quart": []}
        if subject != "dash":
            result["as_quart"] = suite.run(subject, read_as_quart=True)
        store(options.results, f"{subject}-part" if options.only else subject, result)
    if options.only:
        return 0
    if options.repeat:
        losses = stored(options.results).losses()
        failed = {subject: suite.repeat(subject, losses, options.repeat) for subject in ("dash", "flash")}
        store(options.results, "repeats", {"times": options.repeat, "failed": failed})
    comparison = stored(options.results)
    write_report(ROOT / "TEST_LOGS.md", comparison)
    return judge(comparison)


def store(folder: Path, name: str, result: dict[str, Any]) -> None:
    """Keep a result for later comparisons."""
    Path(folder, f"{name}.json").write_text(json.dumps(result, indent=1), encoding="utf-8")


def stored(folder: Path) -> Comparison:
    """Read the results that were kept."""
    files = {name: file for name in (*SUBJECTS, "repeats") if (file := Path(folder, f"{name}.json")).is_file()}
    results = {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items()}
    repeats = results.pop("repeats", {"times": 0, "failed": {}})
    return Comparison(results, load_reasons(), repeats)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="a checkout of plotly/dash")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that runs the tests")
    parser.add_argument("--only", default="", metavar="EXPR", help="a pytest -k expression; nothing is written then")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2, help="test files at the same time")
    parser.add_argument("--timeout", type=int, default=240, help="seconds that a test may take")
    parser.add_argument("--subject", action="append", choices=SUBJECTS, help="may be repeated; flash if not given")
    parser.add_argument("--repeat", type=int, metavar="N", help="run what Flash alone fails N times, see above")
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "dash-suite", help="where results are kept")
    options = parser.parse_args()
    if not Path(options.checkout, "tests", "integration").is_dir():
        parser.error(f"{options.checkout} is no checkout of plotly/dash: it has no folder tests/integration")
    return options


def judge(comparison: Comparison) -> int:
    """Print what Flash fails and plain Dash passes, and return the exit code."""
    losses: list[dict[str, Any]] = comparison.losses()
    unnamed = [record for record in losses if not comparison.is_deviation(record)]
    broken = [record for record in comparison.as_quart("flash") if record["outcome"] == "failed"]
    named = len(losses) - len(unnamed)
    print(f"\n{len(losses)} tests pass on Dash on Flask and not on Flash; {named} of them are named deviations.")
    for record in losses:
        print(f"  {record['id']}\n    {comparison.reason(record)}")
    for record in comparison.unsteady():
        print(f"  {record['id']}\n    at random, on plain Dash too: {comparison.tally(record)}")
    print(f"{len(broken)} WebSocket tests fail, read as Quart.")
    for record in broken:
        print(f"  {record['id']}\n    {comparison.reason(record)}")
    return 1 if unnamed or broken else 0
