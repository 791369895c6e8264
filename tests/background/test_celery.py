"""What is Celery's own: its states, its backends and its settings."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import celery
import dash
import pytest

from flash.background import CeleryManager
from flash.background.runs import STATE
from flash.exceptions import BackgroundCallbackError, ConfigurationError

from .jobs import wait_for
from .polling import Page, prepare, start


@pytest.fixture
def eager() -> CeleryManager:
    """A manager whose jobs run at once, where they are started."""
    app = celery.Celery("eager", broker="memory://", backend="cache+memory://")
    app.conf.task_always_eager = True
    manager: CeleryManager = prepare(CeleryManager(app))
    return manager


def test_a_task_that_somebody_revokes_is_an_error(celery_app: Any) -> None:
    manager = CeleryManager(celery_app)
    celery_app.backend.store_result("run", None, "REVOKED")
    celery_app.backend.set("run" + STATE, '{"state":"started","job":{"task":"run"}}')
    with pytest.raises(BackgroundCallbackError, match="was revoked"):
        Page(manager, "run", "run").poll()


def test_a_result_that_the_backend_has_lost_is_an_error(celery_app: Any) -> None:
    manager = CeleryManager(celery_app)
    celery_app.backend.store_result("lost", None, "SUCCESS")
    with pytest.raises(BackgroundCallbackError, match="its result is gone"):
        Page(manager, "lost", "lost").poll()


def test_a_job_outlives_its_record(celery_app: Any, tmp_path: Path) -> None:
    """The backend forgets entries after ``result_expires``, a day; a job may take longer."""
    manager = prepare(CeleryManager(celery_app))
    page = start(manager, "waits", tmp_path)
    wait_for(tmp_path, "started")
    celery_app.backend.delete(page.key + STATE)
    assert page.poll().waiting
    (tmp_path / "go").touch()
    assert page.value() == "done"


def test_a_job_that_is_cancelled_before_it_starts_does_not_run(eager: CeleryManager, tmp_path: Path) -> None:
    eager.handle.backend.set("run" + STATE, '{"state":"cancelled","job":{"task":"run"}}')
    eager.func_registry["counts"].delay("run", [str(tmp_path), 1], {"updated_props": {}})
    assert list(tmp_path.iterdir()) == []


def test_the_secret_outlives_the_results(celery_app: Any) -> None:
    manager, client = CeleryManager(celery_app), celery_app.backend.client
    # As Dash's manager leaves it.
    celery_app.backend.set(manager.SIGNING_SECRET_KEY, "s")
    assert client.ttl(manager.SIGNING_SECRET_KEY) > 0
    assert manager.get_or_create_signing_secret(lambda: b"other") == b"s"
    assert client.ttl(manager.SIGNING_SECRET_KEY) == -1
    client.delete(manager.SIGNING_SECRET_KEY)


def test_a_kept_result_expires_after_its_last_use(celery_app: Any, tmp_path: Path) -> None:
    manager = prepare(CeleryManager(celery_app, cache_by=lambda: str(tmp_path), expire=100))
    client = celery_app.backend.client
    for _ in range(2):
        assert start(manager, "counts", tmp_path, 1).value() == "made of 1"
        kept = [key for key in client.keys("*background_callback_counts*")]
        assert len(kept) == 2
        assert all(90 < client.ttl(key) <= 100 for key in kept)
        for key in kept:
            client.expire(key, 50)


def test_eager_tasks_work(eager: CeleryManager, tmp_path: Path) -> None:
    page = start(eager, "counts", tmp_path, 1)
    answer = page.poll()
    assert answer.value == "made of 1"
    assert answer.updates["text"] == {"children": "set by 1"}


def test_the_tasks_have_dashs_names(eager: CeleryManager) -> None:
    assert "background_callback_counts" in eager.handle.tasks


def test_a_backend_that_ignores_results_by_default_is_no_trouble() -> None:
    app = celery.Celery("ignoring", broker="memory://", backend="cache+memory://", task_ignore_result=True)
    assert prepare(CeleryManager(app)).func_registry["counts"].ignore_result is False


@pytest.mark.parametrize("backend", [None, "rpc://"])
def test_a_backend_without_keys_is_refused(backend: str | None) -> None:
    app = celery.Celery("shop", broker="memory://", backend=backend)
    with pytest.raises(ConfigurationError, match="'shop' has no result backend of keys and values: write"):
        CeleryManager(app)


def test_something_else_than_an_app_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not a str: write CeleryManager"):
        CeleryManager("redis://localhost")


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtins, "__import__", _without("celery", builtins.__import__))
    with pytest.raises(ImportError, match=r'pip install "dash-flash\[celery\]"'):
        CeleryManager(None)


def test_it_passes_for_dashs_manager(eager: CeleryManager) -> None:
    assert isinstance(eager, dash.CeleryManager)


def _without(missing: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def import_module(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == missing:
            raise ImportError(f"No module named {name!r}")
        return original(name, *args, **kwargs)

    return import_module
