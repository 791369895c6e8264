"""``flash user``: the file of a hub's users."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flash.cli import main
from flash.hub.signin import passwords
from flash.hub.signin.users import UserFile

from ..hub.signin.site import QUICK


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own, and hashes that are made fast."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(passwords, "new_hasher", lambda: QUICK)
    return tmp_path / "users.txt"


def user(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["user", *arguments], input=typed)


def right(file: Path, name: str, password: str) -> bool:
    return QUICK.verify(UserFile(file).read()[name].password, password)


def test_users_are_added_changed_and_removed(here: Path) -> None:
    added = user("add", "ann", "--roles", "admin, finance", typed="correct horse\ncorrect horse\n")
    assert added.exit_code == 0 and "correct horse" not in added.output, added.output
    assert right(here, "ann", "correct horse")
    assert user("add", "bob", "--password-stdin", typed="battery staple\n").exit_code == 0
    assert user("list").output == "ann\tadmin, finance\nbob\n"
    assert user("roles", "bob", "finance,staff").exit_code == 0
    assert user("roles", "ann", "").output == "ann has no roles.\n"
    assert user("password", "bob", "--password-stdin", typed="another one\n").exit_code == 0
    assert right(here, "bob", "another one")
    assert user("remove", "ann").exit_code == 0
    assert user("list").output == "bob\tfinance, staff\n"


@pytest.mark.parametrize(
    ("arguments", "typed", "said"),
    [
        (("add", "bob"), "correct horse\ncorrect horse\n", "There is a user 'bob' already."),
        (("add", "b:b"), "", "cannot be a user's name"),
        (("add", "ann", "--roles", "a b"), "correct horse\ncorrect horse\n", "'a b' cannot be a role"),
        (("add", "ann"), "short\nshort\n", "at least 8 characters"),
        (("add", "ann", "--password-stdin"), "\n", "A password has 1 to 1024 characters."),
        (("password", "eve"), "", "has no user 'eve'. It has bob."),
        (("roles", "eve", "admin"), "", "has no user 'eve'"),
        (("remove", "eve"), "", "has no user 'eve'"),
        (("list", "--file", "none.txt"), "", "flash user add NAME --roles admin --file none.txt"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(here: Path, arguments: tuple[str, ...], typed: str, said: str) -> None:
    UserFile(here).put("bob", QUICK.hash("battery staple"))
    before = here.read_bytes()
    failed = user(*arguments, typed=typed)
    assert failed.exit_code == 1 and said in failed.output, failed.output
    assert here.read_bytes() == before
