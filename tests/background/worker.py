"""The Celery app of the tests, for the worker and for the tests that start jobs."""

from __future__ import annotations

import os

import celery

from flash.background import CeleryManager

from .polling import prepare

URL = os.environ.get("FLASH_TEST_REDIS", "memory://")

app = celery.Celery("jobs", broker=URL, backend=URL if URL.startswith("redis") else "cache+memory://")
app.conf.broker_connection_retry_on_startup = True
manager = prepare(CeleryManager(app))
