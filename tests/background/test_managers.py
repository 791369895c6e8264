"""What both managers hold: nothing that a job sends is lost, doubled, or given to another page."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flash import Patch
from flash.exceptions import BackgroundCallbackError

from .jobs import reach, wait_for
from .polling import Page, start, wait_until

# A test may fork where other threads run, as servers do.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def appended(*letters: Any) -> dict[str, Any]:
    """The JSON form of a Patch that appends each of them."""
    patch = Patch()
    for letter in letters:
        patch.append(letter)
    form: dict[str, Any] = patch.to_plotly_json()
    return form


# Updates -------------------------------------------------------------------------------------------------------------


def test_all_updates_between_two_polls_arrive_once(manager: Any, tmp_path: Path) -> None:
    page = start(manager, "sets_several", tmp_path)
    wait_for(tmp_path, "sent")
    assert page.poll().updates == {
        "first": {"children": "three", "title": "a"},
        "second": {"children": "two"},
        '{"index":1,"type":"row"}': {"value": [1, 2]},
    }
    assert page.poll().updates == {}
    reach(str(tmp_path), "go")
    answers = page.poll_to_end()
    assert answers[-1].value == "done"
    assert not any(answer.updates for answer in answers)


def test_a_later_update_brings_no_earlier_property_again(manager: Any, tmp_path: Path) -> None:
    page = start(manager, "sets_one_then_another", tmp_path)
    wait_for(tmp_path, "sent")
    assert page.poll().updates == {"first": {"value": 1}, "log": {"children": appended("a")}}
    reach(str(tmp_path), "go")
    assert _joined(page.poll_to_end()) == {"first": {"disabled": True}, "log": {"title": "b"}}


def test_patches_are_applied_in_their_order(manager: Any, tmp_path: Path) -> None:
    page = start(manager, "patches", tmp_path)
    wait_for(tmp_path, "sent")
    assert page.poll().updates == {
        "log": {"children": appended("a", "b", "c")},
        "given": {"data": [1, 2]},
        "reset": {"data": [7, 8]},
    }
    reach(str(tmp_path), "go")
    assert _joined(page.poll_to_end()) == {"log": {"children": appended("d")}}


def test_what_is_sent_just_before_the_result_comes_with_it(manager: Any, tmp_path: Path) -> None:
    page = start(manager, "reports", tmp_path)
    wait_for(tmp_path, "sent")
    assert page.poll().progress == {"bar.value": "2", "bar.max": "3"}
    assert page.poll().progress == {}
    reach(str(tmp_path), "go")
    wait_until(lambda: manager.result_ready(page.key), "a result")
    answer = page.poll()
    assert (answer.value, answer.progress) == ("done", {"bar.value": "3", "bar.max": "3"})
    assert answer.updates == {"text": {"children": "last"}}


def test_progress_may_leave_a_part_as_it_is(manager: Any, tmp_path: Path) -> None:
    """https://github.com/plotly/dash/issues/2846"""
    page = start(manager, "reports_a_part", tmp_path)
    wait_for(tmp_path, "sent")
    assert page.poll().progress == {"bar.value": "1", "bar.max": "3"}
    reach(str(tmp_path), "go")
    answers = page.poll_to_end()
    assert [answer.progress for answer in answers if answer.progress] == [{"bar.value": "2", "bar.max": appended()}]


def test_progress_that_comes_within_a_poll_is_not_lost(manager: Any, tmp_path: Path) -> None:
    page = start(manager, "reports", tmp_path)
    wait_for(tmp_path, "sent")
    page.poll()
    # Dash has asked for the progress of this poll, and has not asked for the result.
    reach(str(tmp_path), "go")
    wait_until(lambda: manager.result_ready(page.key), "a result")
    answers = [page.rest_of_poll({})]
    assert answers[0].waiting
    answers += page.poll_to_end()
    assert answers[-1].value == "done"
    assert answers[-1].progress == {"bar.value": "3", "bar.max": "3"}
    assert _joined(answers) == {"text": {"children": "last"}}


def test_a_result_is_not_held_back_where_nobody_asks_for_progress(manager: Any, tmp_path: Path) -> None:
    reach(str(tmp_path), "go")
    page = start(manager, "reports", tmp_path)
    page.outputs = []
    assert page.value() == "done"


# Results -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["text", None, False, 0, [], "", {}, {"a": [1, {"b": None}]}])
def test_every_value_is_a_result(manager: Any, value: Any) -> None:
    page = start(manager, "returns", value)
    wait_until(lambda: manager.result_ready(page.key), "a result")
    answers = page.poll_to_end()
    assert [answer.waiting for answer in answers] == [False]
    assert answers[0].value == value


def test_a_result_that_comes_within_a_poll_is_not_lost(manager: Any, tmp_path: Path) -> None:
    page = start(manager, "waits", tmp_path)
    wait_for(tmp_path, "started")
    result = manager.get_result(page.key, page.job)
    assert result is manager.UNDEFINED
    # Dash has found no result and will ask next whether the job runs.
    reach(str(tmp_path), "go")
    wait_until(lambda: manager.result_ready(page.key), "a result")
    assert page.end_of_poll({}, result).waiting
    assert page.value() == "done"


@pytest.mark.parametrize("name", ["returns_no_update", "prevents", "prevents_async"])
def test_no_update_ends_silently(manager: Any, name: str) -> None:
    assert start(manager, name).poll_to_end()[-1].is_silent


@pytest.mark.parametrize("name", ["fails", "fails_async"])
def test_an_error_reaches_dash_with_its_traceback(manager: Any, name: str) -> None:
    with pytest.raises(BackgroundCallbackError, match="no such table") as caught:
        start(manager, name).poll_to_end()
    assert "ValueError" in str(caught.value)


def test_what_is_sent_before_an_error_arrives(manager: Any, tmp_path: Path) -> None:
    page = start(manager, "sets_and_fails", tmp_path)
    wait_until(lambda: manager.result_ready(page.key), "a result")
    answer = page.poll()
    assert (answer.waiting, answer.updates) == (True, {"text": {"children": "stage 1"}})
    with pytest.raises(BackgroundCallbackError, match="no such table"):
        page.poll()


@pytest.mark.parametrize("name", ["returns_a_lambda", "sets_a_lambda"])
def test_what_has_no_json_form_is_an_error(manager: Any, name: str) -> None:
    with pytest.raises(BackgroundCallbackError, match="not JSON serializable"):
        start(manager, name).poll_to_end()


def test_a_collected_run_says_nothing_more(manager: Any) -> None:
    page = start(manager, "returns", 1)
    assert page.value() == 1
    assert page.poll().is_silent


def test_an_async_job_has_its_context(manager: Any, tmp_path: Path) -> None:
    page = start(manager, "uses_context", tmp_path)
    page.outputs = page.outputs[:1]
    wait_for(tmp_path, "sent")
    answer = page.poll()
    assert answer.updates == {"text": {"children": "button"}}
    assert answer.progress == {"bar.value": "half"}
    reach(str(tmp_path), "go")
    answers = page.poll_to_end()
    assert answers[-1].value == ["s1", "ann", "button"]
    assert _joined(answers) == {"text": {"title": "late"}}


# Pages and caching ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"cache_by": lambda: 1}], ids=["plain", "cached"])
def test_two_pages_with_equal_inputs_get_their_own(
    make: Callable[..., Any], options: dict[str, Any], tmp_path: Path
) -> None:
    manager = make(**options)
    first = start(manager, "tells_who", tmp_path, "job")
    wait_for(tmp_path, "begun-0")
    second = start(manager, "tells_who", tmp_path, "job")
    wait_for(tmp_path, "begun-1")
    reach(str(tmp_path), "go-0")
    wait_until(lambda: manager.result_ready(first.key), "a result")
    later = [second.poll()]
    assert later[0].waiting
    earlier = first.poll_to_end()
    reach(str(tmp_path), "go-1")
    later += second.poll_to_end()
    assert (_joined(earlier), _joined(later)) == ({"text": {"children": 0}}, {"text": {"children": 1}})
    assert (earlier[-1].value, later[-1].value) == ("job 0", "job 1")


def test_a_kept_result_comes_with_its_updates_and_without_a_run(make: Callable[..., Any], tmp_path: Path) -> None:
    manager = make(cache_by=lambda: "today", expire=60)
    for _ in range(3):
        answers = start(manager, "counts", tmp_path, 1).poll_to_end()
        assert answers[-1].value == "made of 1"
        assert _joined(answers) == {"text": {"children": "set by 1"}, "log": {"children": appended(1)}}
    assert len(list(tmp_path.glob("run-*"))) == 1


def test_other_inputs_and_other_cache_values_run_again(make: Callable[..., Any], tmp_path: Path) -> None:
    day = ["monday"]
    manager = make(cache_by=lambda: day[0])
    assert start(manager, "counts", tmp_path, 1).value() == "made of 1"
    assert start(manager, "counts", tmp_path, 2).value() == "made of 2"
    day[0] = "tuesday"
    assert start(manager, "counts", tmp_path, 1).value() == "made of 1"
    assert len(list(tmp_path.glob("run-*"))) == 3


def test_without_caching_every_start_runs(manager: Any, tmp_path: Path) -> None:
    for _ in range(2):
        assert start(manager, "counts", tmp_path, 1).value() == "made of 1"
    assert len(list(tmp_path.glob("run-*"))) == 2


def test_errors_are_not_kept(make: Callable[..., Any], tmp_path: Path) -> None:
    manager = make(cache_by=lambda: "today")
    for _ in range(2):
        with pytest.raises(BackgroundCallbackError, match="not now"):
            start(manager, "counts_and_fails", tmp_path).poll_to_end()
    assert len(list(tmp_path.glob("run-*"))) == 2


def test_callbacks_of_the_same_source_share_no_result(make: Callable[..., Any], tmp_path: Path) -> None:
    manager = make(cache_by=lambda: "today")
    first = start(manager, "returns", "value")
    assert first.value() == "value"
    # As with functions that a factory makes: the same source, another callback.
    key = manager.build_cache_key(lambda: None, [], [], None)
    digest = first.key.rpartition(".")[0]
    other = f"{digest}.{key.rpartition('.')[2]}"
    job = manager.call_job_fn(other, manager.func_registry["returns_no_update"], {}, {"updated_props": {}})
    assert Page(manager, other, job).poll_to_end()[-1].is_silent


def test_workers_that_start_at_once_share_one_secret(make: Callable[..., Any]) -> None:
    managers = [make() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        numbers = range(len(managers))
        secrets = list(pool.map(lambda n: managers[n].get_or_create_signing_secret(lambda: b"secret %d" % n), numbers))
    assert len(set(secrets)) == 1


# Ends: last, because Celery's pool takes seconds to replace a process -----------------------------------------------


def test_a_cancelled_job_ends_silently_and_its_updates_arrive(manager: Any, tmp_path: Path) -> None:
    page = start(manager, "sets_then_waits", tmp_path)
    wait_for(tmp_path, "sent")
    manager.terminate_job(page.job)
    answer = page.poll()
    assert (answer.waiting, answer.updates) == (False, {"text": {"children": "stage 1"}})
    assert page.poll().is_silent
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not _is_alive(pid), "the end of the job's process")


def test_a_result_that_is_there_is_not_cancelled(manager: Any) -> None:
    page = start(manager, "returns", 1)
    wait_until(lambda: manager.result_ready(page.key), "a result")
    manager.terminate_job(page.job)
    assert page.value() == 1


def test_another_worker_polls_and_cancels(make: Callable[..., Any], tmp_path: Path) -> None:
    page = start(make(), "sets_then_waits", tmp_path)
    wait_for(tmp_path, "sent")
    other = Page(make(), page.key, page.job)
    answer = other.poll()
    assert (answer.waiting, answer.updates) == (True, {"text": {"children": "stage 1"}})
    other.manager.terminate_job(page.job)
    assert page.poll().is_silent


@pytest.mark.parametrize("job", [None, "no-such-job", "1"])
def test_an_unknown_job_is_left_alone(manager: Any, job: str | None) -> None:
    manager.terminate_job(job)


@pytest.mark.parametrize("name", ["exits", "is_killed"])
def test_a_job_that_dies_without_a_result_is_an_error(manager: Any, name: str) -> None:
    page = start(manager, name)
    with pytest.raises(BackgroundCallbackError, match="before it had a result"):
        page.poll_to_end()


def _joined(answers: list[Any]) -> dict[str, Any]:
    """The updates of several polls; fails when one comes twice."""
    joined: dict[str, Any] = {}
    for answer in answers:
        for component, props in answer.updates.items():
            known = joined.setdefault(component, {})
            assert not known.keys() & props.keys(), f"{component} came twice."
            known.update(props)
    return joined


def _is_alive(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
