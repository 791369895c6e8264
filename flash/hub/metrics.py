"""What a hub measures, in Prometheus' format: requests as they are served, states and usage when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from .host import Usage

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from .mount import Mount

#: The media type of what :meth:`Metrics.text` gives.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: Every state that an app can be in.
STATES = ("off", "starting", "running", "draining", "sleeping", "backoff", "failed")

#: The upper bounds of the histogram of answer times, in seconds.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

#: What statuses are counted as; nothing was answered where the browser went away, or the hub broke it off.
_CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")

#: The status of a WebSocket that was accepted.
_SWITCHED = 101


def new_metrics() -> Metrics:
    """The metrics of one hub: kept when ``prometheus-client`` is installed, and otherwise not."""
    try:
        return Prometheus()
    except ImportError:
        return Metrics()


class Metrics:
    """Measures nothing: stands in where ``prometheus-client`` is not installed."""

    #: Whether there is something to read.
    available = False

    def observe(self, app: str, status: int, seconds: float) -> None:
        """Count a request that is over. WebSockets that were accepted (status 101) are counted by :meth:`connected`.

        Args:
            app: The app's name.
            status: The status of the answer; 0 when there was none.
            seconds: From the request's arrival to the end of its answer.
        """

    def connected(self, app: str) -> None:
        """Count a WebSocket that an app has accepted."""

    def forget(self, app: str) -> None:
        """Drop what was counted for an app that is gone."""

    async def text(self, mounts: Mapping[str, Mount]) -> bytes:
        """All that there is to read, in Prometheus' text format (:data:`CONTENT_TYPE`).

        Args:
            mounts: The hub's apps, by name.
        """
        return b""


class Prometheus(Metrics):
    """Counts into a registry of its own, so that several hubs in one process, and their apps, do not mix.

    Raises:
        ImportError: ``prometheus-client`` is not installed.
    """

    available = True

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "flash_hub_requests", "Requests that were answered.", ("app", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "flash_hub_request_seconds", "From request to answer.", ("app",), buckets=BUCKETS, registry=self._registry
        )
        self._websockets = Counter(
            "flash_hub_websockets", "WebSockets that were accepted.", ("app",), registry=self._registry
        )
        #: What is asked for at each request, found by one look: labels are slow to look up.
        self._of: dict[str, _Counted] = {}

    def observe(self, app: str, status: int, seconds: float) -> None:
        """See :meth:`Metrics.observe`."""
        (self._of.get(app) or self._counted(app)).observe(status, seconds)

    def connected(self, app: str) -> None:
        """See :meth:`Metrics.connected`."""
        (self._of.get(app) or self._counted(app)).connected()

    def forget(self, app: str) -> None:
        """See :meth:`Metrics.forget`."""
        if self._of.pop(app, None) is not None:
            self._seconds.remove(app)
            self._websockets.remove(app)
            for each in _CLASSES:
                self._requests.remove(app, each)

    async def text(self, mounts: Mapping[str, Mount]) -> bytes:
        """See :meth:`Metrics.text`."""
        from prometheus_client import CollectorRegistry, generate_latest

        states = CollectorRegistry()
        # Whoever collects here has an attribute `collect`; registered it would be asked at once, so it is ready by now.
        states.register(_States([(mount, await _usage(mount)) for mount in mounts.values()]))
        return bytes(generate_latest(self._registry)) + bytes(generate_latest(states))

    def _counted(self, app: str) -> _Counted:
        counted = self._of[app] = _Counted(
            {each: self._requests.labels(app, each) for each in _CLASSES},
            self._seconds.labels(app),
            self._websockets.labels(app),
        )
        return counted


class _Counted:
    """The counters of one app."""

    __slots__ = ("_classes", "_seconds", "connected")

    def __init__(self, classes: dict[str, Any], seconds: Any, websockets: Any) -> None:
        self._classes = [classes[each].inc for each in _CLASSES]
        self._seconds = seconds.observe
        self.connected = websockets.inc

    def observe(self, status: int, seconds: float) -> None:
        """Count a request. How long a WebSocket was open says nothing about answers."""
        if status != _SWITCHED:
            self._classes[min(status // 100, 5)]()
            self._seconds(seconds)


class _States:
    """What the apps of a hub are at and use, at one moment."""

    def __init__(self, mounts: list[tuple[Mount, Usage | None]]) -> None:
        self._mounts = mounts

    def collect(self) -> Iterable[Metric]:
        """The families of these metrics."""
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        gauge = partial(GaugeMetricFamily, labels=["app"])
        counter = partial(CounterMetricFamily, labels=["app"])
        on = gauge("flash_hub_app_on", "Whether the app is switched on.")
        state = GaugeMetricFamily("flash_hub_app_state", "1 for the state that it is in.", labels=["app", "state"])
        restarts = counter("flash_hub_app_restarts", "How often it was started again by itself.")
        users = gauge("flash_hub_app_users", "Who uses it now.")
        requests = gauge("flash_hub_requests_in_flight", "Requests and connections that are under way.")
        websockets = gauge("flash_hub_websockets_open", "WebSockets and event streams that are open.")
        for mount, _ in self._mounts:
            now = mount.status()
            on.add_metric([now.name], float(now.desired == "on"))
            restarts.add_metric([now.name], now.restarts)
            users.add_metric([now.name], now.users)
            requests.add_metric([now.name], now.requests)
            websockets.add_metric([now.name], now.connections)
            for each in STATES:
                state.add_metric([now.name, each], float(now.state == each))
        yield from (on, state, restarts, users, requests, websockets)
        yield from self._used(gauge, counter)

    def _used(self, gauge: Any, counter: Any) -> Iterable[Metric]:
        cpu = counter("flash_hub_app_cpu_seconds", "CPU that its processes have used.")
        memory = gauge("flash_hub_app_memory_bytes", "Resident memory of its processes.")
        processes = gauge("flash_hub_app_processes", "Its processes.")
        for mount, usage in self._mounts:
            if usage is not None:
                cpu.add_metric([mount.spec.name], usage.cpu)
                memory.add_metric([mount.spec.name], usage.memory)
                processes.add_metric([mount.spec.name], usage.processes)
        return cpu, memory, processes


async def _usage(mount: Mount) -> Usage | None:
    return None if mount.host is None else await mount.host.usage()
