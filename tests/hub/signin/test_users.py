"""The file of users."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

from flash.exceptions import ConfigurationError
from flash.hub.signin.users import UserFile

HASH = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng"


def file_with(folder: Path, text: str) -> UserFile:
    path = folder / "users.txt"
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    return UserFile(path)


def test_users_stand_one_a_line(tmp_path: Path) -> None:
    users = file_with(tmp_path, f"# team\n\nann:{HASH}:admin, finance\n Zoë :{HASH}\nbob:{HASH}:\n").read()
    assert {name: user.roles for name, user in users.items()} == {
        "ann": {"admin", "finance"},
        "Zoë": frozenset(),
        "bob": frozenset(),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"ann:{HASH}:\nann:{HASH}:", "line 2: 'ann' stands in it twice"),
        ("ann:secret:admin", "line 1: 'ann' has no argon2 hash"),
        ("ann", "line 1: 'ann' has no argon2 hash"),
        (f":{HASH}:", "line 1: '' cannot be a user's name"),
        (f"ann:{HASH}:a b", "line 1: 'a b' cannot be a role"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        file_with(tmp_path, text).read()


def test_a_file_that_is_missing_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="flash user add"):
        UserFile(tmp_path / "none.txt").read()


def test_edits_keep_comments_and_places(tmp_path: Path) -> None:
    file = file_with(tmp_path, f"# team\nann:{HASH}:admin\n# guests\nbob:{HASH}:\n")
    file.put("carl", HASH, ["b", "a", ""])
    file.change("ann", roles=[])
    file.remove("bob")
    assert file.path.read_text() == f"# team\nann:{HASH}:\n# guests\ncarl:{HASH}:a,b\n"
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == ["users.txt"]


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = UserFile(tmp_path / "users.txt")
    file.put("ann", HASH)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_a_change_keeps_the_old_file_when_it_fails(tmp_path: Path) -> None:
    file = file_with(tmp_path, f"ann:{HASH}:\n")
    for attempt in (lambda: file.remove("eve"), lambda: file.put("ann", HASH), lambda: file.change("eve", roles=[])):
        with pytest.raises(ConfigurationError):
            attempt()
    assert file.path.read_text() == f"ann:{HASH}:\n"


@pytest.mark.parametrize("name", ["", " ann", "ann ", "a:b", "a\nb", "#ann", "a\x00b", "x" * 201])
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError):
        UserFile(tmp_path / "users.txt").put(name, HASH)


def test_the_same_name_written_in_two_ways_is_one(tmp_path: Path) -> None:
    file = file_with(tmp_path, f"Zo\u0065\u0308:{HASH}:\n")
    assert list(file.read()) == ["Zo\u00eb"]
    with pytest.raises(ConfigurationError, match="already"):
        file.put("Zo\u00eb", HASH)


def test_a_file_that_others_can_read_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = file_with(tmp_path, f"ann:{HASH}:\n")
    with caplog.at_level(logging.WARNING):
        file.warn_if_open()
        assert not caplog.records
        file.path.chmod(0o644)
        file.warn_if_open()
    assert "chmod 600" in caplog.text
