"""The folders of a hub are its owner's alone, and those that are for its time alone end with it."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from flash.exceptions import ConfigurationError
from flash.hub import Hub
from flash.hub.folders import Folders
from flash.hub.keeper import AppState

from .serving import on_loop, serving

BARE = str(Path(__file__).parent / "apps" / "bare.py")


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that stands for the system's temporary one."""
    folder = tmp_path_factory.mktemp("t")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def test_what_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    for folder in (tmp_path / "home", tmp_path / "home" / "logs"):
        folder.mkdir()
        folder.chmod(0o755)
    folders = Folders(tmp_path / "home")
    folders.make()
    assert mode(folders.home) == mode(folders.logs) == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="Only root can give folders away.")
def test_who_takes_the_folder_of_another_user_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tmp_path.chmod(0o755)
    os.chown(tmp_path, 12345, -1)
    Folders(tmp_path).make()
    assert mode(tmp_path) == 0o755
    assert "another user's" in caplog.text


def test_no_folder_of_all_users_is_taken(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(ConfigurationError, match="shared by all users"):
        Folders(tmp_path).make()
    assert mode(tmp_path) == 0o1777


def test_sockets_are_refused_where_others_can_read_them(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "home")
    folders.sockets.mkdir(mode=0o755)
    with pytest.raises(ConfigurationError, match="nobody else can read"):
        folders.make_sockets()


def test_the_folder_of_the_sockets_ends_with_the_hub(tmp_path: Path, temporary: Path) -> None:
    hub = Hub(home=str(tmp_path / "home"))
    hub.mount(BARE, "/one")
    with serving(hub):
        on_loop(hub, hub["one"].keeper.until(AppState.RUNNING, AppState.FAILED))
        assert len(list(hub.folders.sockets.iterdir())) == 1
    assert list(temporary.glob("flash-hub-*")) == []


def test_the_sockets_of_apps_that_run_on_stay(tmp_path: Path, temporary: Path) -> None:
    for leave in (True, False):
        hub = Hub(home=str(tmp_path / "home"), leave_children=leave)
        hub.mount(BARE, "/one")
        with serving(hub):
            on_loop(hub, hub["one"].keeper.until(AppState.RUNNING, AppState.FAILED))
        assert len(list(temporary.glob("flash-hub-*/*.sock"))) == leave
    assert list(temporary.glob("flash-hub-*")) == []
