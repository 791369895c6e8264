"""What the tests share."""

from __future__ import annotations

import base64
from pathlib import Path

import pandas as pd
import pytest
from argon2 import PasswordHasher
from flash.hub.signin.users import UserFile

from signin import Users

NAME, PASSWORD = "ann", "correct horse battery"


@pytest.fixture
def user_file(tmp_path: Path) -> UserFile:
    """A file with one user."""
    file = UserFile(tmp_path / "users.txt")
    # As fast as a hash can be: how slow a guess is made is argon2's business.
    file.put(NAME, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD))
    return file


@pytest.fixture
def users(user_file: UserFile) -> Users:
    """Who may come in."""
    return Users(user_file.path)


@pytest.fixture
def signed_in() -> dict[str, str]:
    """The headers of a request by the user."""
    return {"Authorization": f"Basic {base64.b64encode(f'{NAME}:{PASSWORD}'.encode()).decode()}"}


@pytest.fixture
def history() -> pd.DataFrame:
    """Four readings, ten seconds apart: half of the processors' time was used, then all, then half."""
    at = pd.date_range("2026-03-29T00:59:30Z", periods=4, freq="10s")
    return pd.DataFrame(
        {
            "at": at,
            "busy": [100.0, 110.0, 130.0, 140.0],
            "total": [1000.0, 1020.0, 1040.0, 1060.0],
            "memory": [40.0, 41.0, 42.0, 43.0],
            "disk": [0, 10_000_000, 10_000_000, 30_000_000],
            "network": [5_000_000, 5_000_000, 6_000_000, 6_000_000],
        }
    )
