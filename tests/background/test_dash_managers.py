"""What Dash's own managers get wrong. A check that passes here shows that Dash has mended it.

The checks are those that Flash's managers pass in the other files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import celery
import dash
import psutil
import pytest

from flash.background import CeleryManager
from flash.exceptions import BackgroundCallbackError

from . import test_diskcache, test_managers
from .jobs import reach, wait_for
from .polling import Page, prepare, start, wait_until

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

BEFORE_4_5 = tuple(map(int, dash.__version__.split(".")[:2])) < (4, 5)


@pytest.fixture
def manager(cache: Any, tmp_path: Path) -> Iterator[Any]:
    made = prepare(dash.DiskcacheManager(cache))
    yield made
    for mark in ("go", "go-0", "go-1", "never"):
        reach(str(tmp_path), mark)


def fails(check: Callable[[], Any]) -> None:
    """Expect that a check fails."""
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check()


# Diskcache -----------------------------------------------------------------------------------------------------------


def test_updates_between_two_polls_are_lost(manager: Any, tmp_path: Path) -> None:
    """https://github.com/plotly/dash/issues/3104"""
    fails(lambda: test_managers.test_all_updates_between_two_polls_arrive_once(manager, tmp_path))


def test_a_later_update_brings_earlier_properties_again(manager: Any, tmp_path: Path) -> None:
    fails(lambda: test_managers.test_a_later_update_brings_no_earlier_property_again(manager, tmp_path))


def test_only_the_last_patch_is_applied(manager: Any, tmp_path: Path) -> None:
    fails(lambda: test_managers.test_patches_are_applied_in_their_order(manager, tmp_path))


def test_progress_within_a_poll_is_lost(manager: Any, tmp_path: Path) -> None:
    fails(lambda: test_managers.test_progress_that_comes_within_a_poll_is_not_lost(manager, tmp_path))


def test_a_result_within_a_poll_is_lost(manager: Any, tmp_path: Path) -> None:
    page = start(manager, "waits", tmp_path)
    wait_for(tmp_path, "started")
    result = manager.get_result(page.key, page.job)
    reach(str(tmp_path), "go")
    wait_until(lambda: not manager.job_running(page.job), "the end of the job")
    assert page.end_of_poll({}, result).is_silent
    assert manager.result_ready(page.key)


def test_none_is_no_result(manager: Any) -> None:
    page = start(manager, "returns", None)
    wait_until(lambda: not manager.job_running(page.job), "the end of the job")
    assert manager.result_ready(page.key) is False


def test_updates_before_an_error_are_lost(manager: Any, tmp_path: Path) -> None:
    page = start(manager, "sets_and_fails", tmp_path)
    wait_until(lambda: manager.result_ready(page.key), "a result")
    with pytest.raises(BackgroundCallbackError):
        page.poll()


@pytest.mark.parametrize("name", ["exits", "is_killed"])
def test_a_job_that_dies_is_silent(manager: Any, name: str) -> None:
    fails(lambda: test_managers.test_a_job_that_dies_without_a_result_is_an_error(manager, name))


@pytest.mark.skipif(not BEFORE_4_5, reason="Mended in Dash 4.5.")
def test_pages_with_equal_inputs_get_each_others_results(manager: Any, tmp_path: Path) -> None:
    make = lambda **_: manager  # noqa: E731
    fails(lambda: test_managers.test_two_pages_with_equal_inputs_get_their_own(make, {}, tmp_path))


def test_a_zombie_stays(manager: Any) -> None:
    page = start(manager, "returns", 1)
    wait_until(lambda: not manager.job_running(page.job), "the end of the job")
    assert psutil.Process(int(page.job)).status() == psutil.STATUS_ZOMBIE
    psutil.Process(int(page.job)).wait()


def test_any_process_with_the_number_of_a_job_is_killed(manager: Any, bystander: Any) -> None:
    manager.terminate_job(str(bystander.pid))
    assert not psutil.pid_exists(bystander.pid)


def test_a_job_holds_the_sockets_of_the_server(manager: Any, tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        test_diskcache.serve_a_connection_while_a_job_runs(manager, tmp_path)


# Celery --------------------------------------------------------------------------------------------------------------


def eager_job(kind: Any, folder: Path) -> Page:
    """A job that was done where it was started."""
    app = celery.Celery("eager", broker="memory://", backend="cache+memory://")
    app.conf.task_always_eager = True
    return start(prepare(kind(app)), "counts", folder, 1)


@pytest.mark.parametrize(("kind", "is_lost"), [(dash.CeleryManager, True), (CeleryManager, False)])
def test_reading_updates_deletes_the_result(kind: Any, is_lost: bool, tmp_path: Path) -> None:
    page = eager_job(kind, tmp_path)
    page.manager.get_updated_props(page.key)
    assert (page.manager.get_result(page.key, page.job) is page.manager.UNDEFINED) is is_lost


@pytest.mark.parametrize(("kind", "comes_again"), [(dash.CeleryManager, True), (CeleryManager, False)])
def test_updates_come_again(kind: Any, comes_again: bool, tmp_path: Path) -> None:
    page = eager_job(kind, tmp_path)
    assert page.manager.get_updated_props(page.key) != {}
    assert (page.manager.get_updated_props(page.key) != {}) is comes_again
