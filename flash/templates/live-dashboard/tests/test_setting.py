"""Settings and logs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from flash.exceptions import ConfigurationError

import setting


def test_what_is_not_said_has_its_default(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"dates": [{"day": "daily", "hour": 7}]}')
    read = setting.read(tmp_path / "config.json")
    assert (read.dates, read.every, read.timezone) == (({"day": "daily", "hour": 7},), "5s", "UTC")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [('{"date": 1}', "of dates, .* timezone, not {'date': 1}"), ("{", "cannot be read"), ('["dates"]', "an object of")],
)
def test_a_mistake_is_told(tmp_path: Path, text: str, sentence: str):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigurationError, match=sentence):
        setting.read(tmp_path / "config.json")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        setting.read(tmp_path / "none.json")


@pytest.fixture
def root_logger():
    """The root logger, as it was afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def test_the_log_goes_to_a_file_and_the_error_stream(tmp_path: Path, root_logger, capsys):
    file = setting.start_logging(tmp_path / "logs")
    logging.getLogger("dashboard").warning("It rains.")
    assert file == tmp_path / "logs" / "dashboard.log"
    assert file.parent.stat().st_mode & 0o077 == 0
    assert "WARNING dashboard" in file.read_text() and file.read_text().endswith("It rains.\n")
    assert "It rains." in capsys.readouterr().err


def test_log_files_are_rotated(tmp_path: Path, root_logger, monkeypatch):
    monkeypatch.setattr(setting, "LOG_BYTES", 2000)
    setting.start_logging(tmp_path)
    for number in range(100):
        logging.getLogger("dashboard").warning("Line %s of many.", number)
    assert len(list(tmp_path.glob("dashboard.log*"))) > 2
    assert "Line 99 of many." in (tmp_path / "dashboard.log").read_text()


def test_another_process_writes_another_file(tmp_path: Path, root_logger):
    taken = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from setting import start_logging
print(start_logging(Path(sys.argv[2])).name, flush=True)
sys.stdin.read()
"""
    import subprocess
    import sys

    command = [sys.executable, "-c", taken, str(setting.ROOT), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "dashboard.log\n"
        assert setting.start_logging(tmp_path).name == "dashboard-2.log"
        other.stdin.close()
