"""Compares the results of the subjects, and writes TEST_LOGS.md."""

import re
import tomllib
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import Any

Record = dict[str, Any]

TITLES = {"dash": "Dash on Flask", "flash": "Flash", "quart": 'Dash(backend="quart")'}
OUTCOMES = ("passed", "failed", "skipped")
NO_REASON = "no reason given yet"
CLEARLY = 0.1  # a difference in failures that chance explains less often than this is one of Flash's

INTRODUCTION = """\
# Dash's own tests, run on Flash

Written by `scripts/dash-suite`. The suite of Dash's repository (`tests/integration`, `tests/async_tests`,
`tests/backend_tests`, `tests/websocket`), not one assertion changed, against the installed Dash. `dash.Dash` is
replaced by `flash.Flash`, or left in place for the yardstick. Each test file runs in a process of its own, several at
a time; nothing is run twice, so a test that passes only alone counts as failed. Tests that only Flash failed were then
repeated on both, without changing the totals: those that plain Dash fails at times too, and Flash not clearly more
often (Fisher's exact test), are listed apart.

- Tests that name another of Dash's servers (Flask or FastAPI as `backend=` or `server=`, a backend class) test that
  server. They keep plain Dash in every column, and are counted apart.
- Those of `tests/websocket` that say `backend="fastapi"` run once more with "fastapi" read as Quart.
- Tests that use Flask itself run with `Flash(flask_compat=True)`; they are listed below.
- asgiref, which makes Dash on Flask asynchronous, is visible to plain Dash in `async_tests` and `backend_tests`, as in
  Dash's own CI, and never to Flash.
"""


@dataclass(frozen=True)
class Reason:
    """Why some tests do not pass.

    Attributes:
        tests: ids of tests, where `*` stands for anything.
        why: the reason, one sentence.
        deviation: the test passes on plain Dash, and Flash differs on purpose.
    """

    tests: list[str]
    why: str
    deviation: bool = False

    def covers(self, test: str) -> bool:
        """Say whether the reason is about a test."""
        patterns = (".*".join(map(re.escape, tests.split("*"))) for tests in self.tests)
        return any(re.fullmatch(pattern, test) for pattern in patterns)


def by_chance(dash: int, flash: int, times: int) -> float:
    """Return how likely Flash has so many of all failures, or more, when both fail equally often (Fisher's test)."""
    failures = dash + flash
    ways = [comb(times, failed) * comb(times, failures - failed) for failed in range(flash, min(failures, times) + 1)]
    return sum(ways) / comb(2 * times, failures)


def load_reasons() -> list[Reason]:
    """Read reasons.toml."""
    with Path(__file__).with_name("reasons.toml").open("rb") as file:
        return [Reason(**entry) for entry in tomllib.load(file).get("reason", [])]


@dataclass(frozen=True)
class Comparison:
    """The stored results of the subjects, side by side.

    Attributes:
        results: for each subject its versions and its records.
        reasons: what reasons.toml says.
        repeats: how often tests that only Flash failed were repeated, and how often each subject failed them then.
    """

    results: dict[str, dict[str, Any]]
    reasons: list[Reason]
    repeats: dict[str, Any]

    def tests(self, subject: str, other_backend: bool) -> list[Record]:
        """Return a subject's records: of tests for any server, or of those that name another backend."""
        records: list[Record] = self.results.get(subject, {}).get("records", [])
        return [record for record in records if record.get("other_backend", False) is other_backend]

    def as_quart(self, subject: str) -> list[Record]:
        """Return a subject's records of the WebSocket tests read as Quart."""
        records: list[Record] = self.results.get(subject, {}).get("as_quart", [])
        return records

    def losses(self) -> list[Record]:
        """Return the tests that pass on plain Dash on Flask and not on Flash."""
        return [record for record in self.differences() if not self.at_random(record)]

    def unsteady(self) -> list[Record]:
        """Return the tests that passed on plain Dash and not on Flash, but only because they fail at random on both."""
        return [record for record in self.differences() if self.at_random(record)]

    def differences(self) -> list[Record]:
        """Return the tests that passed on plain Dash on Flask in its run, and did not pass on Flash."""
        passing = {record["id"] for record in self.tests("dash", False) if record["outcome"] == "passed"}
        return [r for r in self.tests("flash", False) if r["outcome"] != "passed" and r["id"] in passing]

    def at_random(self, record: Record) -> bool:
        """Say whether plain Dash fails a test at times too, and Flash not clearly more often."""
        dash, flash = (self.repeats["failed"].get(subject, {}).get(record["id"], 0) for subject in ("dash", "flash"))
        alike = dash > 0 and by_chance(dash, flash, self.repeats["times"]) > CLEARLY
        return alike and not self.is_deviation(record)

    def tally(self, record: Record) -> str:
        """Return how often each subject failed a test when it was repeated."""
        dash, flash = (self.repeats["failed"][subject][record["id"]] for subject in ("dash", "flash"))
        return f"fails {dash} of {self.repeats['times']} times on plain Dash and {flash} on Flash"

    def gains(self) -> list[Record]:
        """Return the tests that pass on Flash and fail on plain Dash on Flask."""
        failing = {record["id"] for record in self.tests("dash", False) if record["outcome"] == "failed"}
        return [r for r in self.tests("flash", False) if r["outcome"] == "passed" and r["id"] in failing]

    def is_deviation(self, record: Record) -> bool:
        """Say whether Flash fails a test on purpose."""
        return any(reason.deviation and reason.covers(record["id"]) for reason in self.reasons)

    def reason(self, record: Record) -> str:
        """Return in one line why a test does not pass."""
        error = shorten(record.get("error", ""))
        if record["outcome"] == "skipped":
            return error
        why = next((reason.why for reason in self.reasons if reason.covers(record["id"])), "")
        if self.at_random(record):
            return f"At random: {self.tally(record)}. {why}".strip()
        return why or f"{NO_REASON}: {error}"


def shorten(error: str) -> str:
    """Make an error message fit one cell of a table, without the paths of the machine it happened on."""
    error = re.sub(r"/[^\s'\"]*/(?=tests/|site-packages/)", "", " ".join(error.split()))
    return (error if len(error) <= 200 else error[:197] + "...").replace("|", "\\|")


def write_report(path: Path, comparison: Comparison) -> None:
    """Write TEST_LOGS.md."""
    subjects = [subject for subject in TITLES if subject in comparison.results]
    parts = [INTRODUCTION, versions_table(comparison, subjects), totals_table(comparison, subjects)]
    if "flash" in subjects:
        parts += [flash_sections(comparison)]
    for subject in subjects:
        if subject != "flash":
            parts += [failures(f"Not passed on {TITLES[subject]}", comparison.tests(subject, False), comparison)]
    records = comparison.results[subjects[0]]["records"]
    parts += [listing("Run with flask_compat=True", [r["id"] for r in records if r.get("flask")])]
    parts += [listing("Name another backend, run on plain Dash", [r["id"] for r in records if r.get("other_backend")])]
    path.write_text("\n".join(parts), encoding="utf-8")


def flash_sections(comparison: Comparison) -> str:
    """Return the sections on what does not pass on Flash."""
    lost = {record["id"] for record in comparison.differences()}
    rest = [record for record in comparison.tests("flash", False) if record["id"] not in lost]
    parts = [
        failures("Pass on Dash on Flask, and not on Flash", comparison.losses(), comparison),
        failures("Pass or fail at random, on Dash on Flask too", comparison.unsteady(), comparison),
        failures("Pass neither on Flash nor on Dash on Flask", rest, comparison),
        failures("WebSocket tests read as Quart that do not pass", comparison.as_quart("flash"), comparison),
        failures("Tests of another backend that do not pass", comparison.tests("flash", True), comparison),
        listing("Pass on Flash, and fail on Dash on Flask", [record["id"] for record in comparison.gains()]),
    ]
    return "\n".join(parts)


def versions_table(comparison: Comparison, subjects: list[str]) -> str:
    """Return the versions that each subject ran with."""
    found = {subject: comparison.results[subject]["versions"] for subject in subjects}
    names = list(dict.fromkeys(name for versions in found.values() for name in versions))
    rows = [[name, *(found[subject].get(name, "") for subject in subjects)] for name in names]
    return table("Versions", ["", *(TITLES[subject] for subject in subjects)], rows)


def totals_table(comparison: Comparison, subjects: list[str]) -> str:
    """Return the totals of each subject side by side."""
    groups = {
        "Tests for any server": lambda subject: comparison.tests(subject, False),
        "Tests that name another backend, on plain Dash": lambda subject: comparison.tests(subject, True),
        "WebSocket tests, read as Quart": comparison.as_quart,
    }
    rows = []
    for title, records in groups.items():
        for outcome in OUTCOMES:
            counts = [sum(record["outcome"] == outcome for record in records(subject)) for subject in subjects]
            rows.append([f"{title}: {outcome}", *map(str, counts)])
    return table("Totals", ["", *(TITLES[subject] for subject in subjects)], rows)


def failures(title: str, records: list[Record], comparison: Comparison) -> str:
    """Return a section with one line for each test that does not pass."""
    rows = [[f"`{r['id']}`", r["outcome"], comparison.reason(r)] for r in records if r["outcome"] != "passed"]
    return table(title, ["Test", "Outcome", "Reason"], rows)


def listing(title: str, tests: list[str]) -> str:
    """Return a section that lists tests."""
    return "\n".join([f"## {title}: {len(tests)}", "", *(f"- `{test}`" for test in tests or ["none"]), ""])


def table(title: str, header: list[str], rows: list[list[str]]) -> str:
    """Return a section with a table."""
    if not rows:
        return f"## {title}\n\nNone.\n"
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join([f"## {title}", "", *("| " + " | ".join(line) + " |" for line in lines), ""])
