"""Who may come in."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from types import SimpleNamespace

import pytest
from argon2 import PasswordHasher
from conftest import NAME, PASSWORD
from flash.exceptions import ConfigurationError
from flash.hub.routing import Proxies
from flash.hub.signin.passwords import hash_of

import signin

PROXIES = Proxies(["10.0.0.5"])


def sent(name, password, kind="basic"):
    return SimpleNamespace(type=kind, username=name, password=password)


@pytest.mark.parametrize(
    "nobody",
    [None, sent(NAME, PASSWORD, "digest"), sent(NAME, "wrong"), sent("bob", PASSWORD), sent("", ""), sent(NAME, None)],
)
def test_who_is_not_known_is_asked(users, nobody):
    text, status, headers = users.refusal(nobody, "203.0.113.9")
    assert (status, headers["WWW-Authenticate"].startswith("Basic ")) == (401, True)


def test_a_right_password_is_checked_once(users, monkeypatch):
    assert users.refusal(sent(NAME, PASSWORD), "203.0.113.9") is None
    monkeypatch.setattr(users, "_is_right", lambda *given: pytest.fail("It is known to be right."))
    assert users.refusal(sent(NAME, PASSWORD), "203.0.113.9") is None


def test_who_is_not_there_takes_as_long(users, monkeypatch):
    hashed = []
    real = users._hasher.verify
    monkeypatch.setattr(
        users, "_hasher", SimpleNamespace(verify=lambda kept, given: hashed.append(kept) or real(kept, given))
    )
    users.refusal(sent("bob", "x"), "203.0.113.9")
    users.refusal(sent(NAME, "x"), "203.0.113.9")
    assert len(hashed) == 2


def test_guessing_is_made_slow(users):
    answers = [users.refusal(sent("bob", f"guess {number}"), "203.0.113.9") for number in range(8)]
    assert [status for _, status, _ in answers][:5] == [401] * 5
    assert answers[-1][1] == 429 and int(answers[-1][2]["Retry-After"]) > 0
    # From elsewhere others may come in meanwhile.
    assert users.refusal(sent(NAME, PASSWORD), "198.51.100.7") is None


def test_guesses_leave_threads_for_who_has_signed_in(users, monkeypatch):
    assert users.refusal(sent(NAME, PASSWORD), "198.51.100.7") is None
    go_on = threading.Event()
    monkeypatch.setattr(signin, "PATIENCE", 30.0)
    monkeypatch.setattr(users, "_is_right", lambda *given: go_on.wait(30) and False)
    with ThreadPoolExecutor(signin.AT_ONCE + 3) as pool:
        try:
            names = [f"user {number}" for number in range(signin.AT_ONCE + 3)]
            guesses = [pool.submit(users.refusal, sent(name, "x"), f"address of {name}") for name in names]
            sent_away = [guess.result()[1] for guess in islice(as_completed(guesses, timeout=20), 3)]
            assert sent_away == [503] * 3
            assert users.refusal(sent(NAME, PASSWORD), "198.51.100.7") is None
        finally:
            go_on.set()
    assert sorted(guess.result()[1] for guess in guesses) == [401] * signin.AT_ONCE + [503] * 3


def test_changes_of_the_file_count_at_once(users, user_file):
    assert users.refusal(sent(NAME, PASSWORD), "203.0.113.9") is None
    user_file.change(NAME, password=hash_of("another one"))
    assert users.refusal(sent(NAME, PASSWORD), "203.0.113.9")[1] == 401
    assert users.refusal(sent(NAME, "another one"), "203.0.113.9") is None
    user_file.path.write_text("no user\n")
    assert users.refusal(sent(NAME, "another one"), "203.0.113.9") is None


def test_a_name_may_be_typed_on_any_keyboard(users, user_file):
    user_file.put("jos\u00e9", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD))
    assert users.refusal(sent("jose\u0301", PASSWORD), "203.0.113.9") is None


@pytest.mark.parametrize(
    ("peer", "told", "address"),
    [
        ("10.0.0.5", ["198.51.100.7"], "198.51.100.7"),
        # What the client has said itself stands before what the proxy says.
        ("10.0.0.5", ["192.0.2.1, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.5", ["192.0.2.1", "198.51.100.7"], "198.51.100.7"),
        ("203.0.113.9", ["198.51.100.7"], "203.0.113.9"),
        ("10.0.0.5", [], "10.0.0.5"),
        (None, ["198.51.100.7"], ""),
    ],
)
def test_only_proxies_are_believed_about_addresses(peer, told, address):
    headers = SimpleNamespace(getlist={"X-Forwarded-For": told}.get)
    assert signin.address_of(SimpleNamespace(remote_addr=peer, headers=headers), PROXIES) == address


def test_without_users_nothing_is_served(tmp_path):
    with pytest.raises(ConfigurationError, match="flash user add"):
        signin.Users(tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("# Nobody yet.\n")
    with pytest.raises(ConfigurationError, match="Nobody may sign in"):
        signin.Users(tmp_path / "empty.txt")
