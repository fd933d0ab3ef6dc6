"""The metrics of ``erfailover watch`` for Prometheus, computed from the views when it asks.

Names follow https://prometheus.io/docs/practices/naming/. What is unknown has no sample, so that
it is neither up nor down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from erfailover import __version__
from erfailover.model.site import Path
from erfailover.model.watch import Observation, SignalStatus, SiteView, WatchState

Samples = Iterable[tuple[Sequence[str], float]]
"""The values of the labels, and the value."""

COUNTERS = (
    ("erfailover_readings", "Readings of the site that ended.", "readings"),
    ("erfailover_readings_failed", "Readings of the site that failed.", "failed_readings"),
    ("erfailover_switches", "Switches that this process began.", "switches"),
    ("erfailover_switches_failed", "Switches that failed.", "failed_switches"),
    ("erfailover_azure_writes", "Writes to Azure.", "writes"),
)
"""Name, help, and the key in ``SiteView.counters``."""
NOTIFICATIONS = (("delivered", "notifications"), ("failed", "failed_notifications"))
"""The value of the label ``result``, and the key in ``SiteView.counters``."""


class WatchCollector(Collector):
    """Gives Prometheus the watched sites as they are when it asks."""

    def __init__(self, get_views: Callable[[], Sequence[SiteView]]) -> None:
        self._get_views = get_views

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        views = self._get_views()
        yield InfoMetricFamily(
            "erfailover_build", "The version of erfailover.", value={"version": __version__}
        )
        yield from _yield_watch_metrics(views)
        yield from _yield_path_metrics(views)
        yield from _yield_counters(views)

    def describe(self) -> list[Metric]:
        """Return nothing: the registry then does not collect when the collector is added."""
        return []


def build_registry(get_views: Callable[[], Sequence[SiteView]]) -> CollectorRegistry:
    """Return the metrics of the watch, and those of its process (memory, CPU, files)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(WatchCollector(get_views))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


def render_metrics(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """Return the metrics in a format that the client accepts, and its content type."""
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _yield_watch_metrics(views: Sequence[SiteView]) -> Iterator[Metric]:
    yield _build_gauge(
        "erfailover_watch_state",
        "Whether the site is in this state.",
        ("site", "state"),
        (
            ((view.site, state.value), float(view.state is state))
            for view in views
            for state in WatchState
        ),
    )
    yield _build_gauge(
        "erfailover_watch_leader",
        "Whether this process leads the site.",
        ("site",),
        (((view.site,), float(view.is_leader)) for view in views),
    )
    yield _build_gauge(
        "erfailover_watch_last_reading_timestamp_seconds",
        "When the last reading ended.",
        ("site",),
        (((view.site,), view.reading.at) for view in views if view.reading),
    )
    yield _build_gauge(
        "erfailover_watch_last_reading_duration_seconds",
        "How long the last reading took.",
        ("site",),
        (((view.site,), view.reading_s) for view in views if view.reading_s is not None),
    )
    yield _build_gauge(
        "erfailover_watch_interval_seconds",
        "The time from the start of one reading to the next.",
        ("site",),
        (((view.site,), view.interval_s) for view in views),
    )
    for name, text, values in (
        ("paused", "Whether switching is paused.", [float(bool(view.pause)) for view in views]),
        (
            "approval_pending",
            "Whether a switch waits for an approval.",
            [float(_is_pending(view)) for view in views],
        ),
        (
            "store_available",
            "Whether the shared store can be used.",
            [float(not view.store_problem) for view in views],
        ),
    ):
        samples = [((view.site,), value) for view, value in zip(views, values, strict=True)]
        yield _build_gauge(f"erfailover_{name}", text, ("site",), samples)


def _yield_path_metrics(views: Sequence[SiteView]) -> Iterator[Metric]:
    readings = [(view.site, view.reading) for view in views if view.reading]
    yield _build_gauge(
        "erfailover_signal_up",
        "Whether a signal of the primary path is up; no sample if it is unknown.",
        ("site", "signal"),
        _drop_unknown(
            ((site, signal.value), observation)
            for site, reading in readings
            for signal, observation in reading.signals.items()
        ),
    )
    yield _build_gauge(
        "erfailover_backup_ready",
        "Whether the backup path would carry the spokes; no sample if it is unknown.",
        ("site",),
        _drop_unknown(((site,), reading.backup) for site, reading in readings),
    )
    yield _build_gauge(
        "erfailover_spoke_on_path",
        "Whether the spoke is on this path; no sample if it is unknown.",
        ("site", "spoke", "path"),
        (
            ((site, spoke.name, path.value), float(spoke.path == path))
            for site, reading in readings
            for spoke in reading.spokes
            for path in Path
            if spoke.path != "unknown"
        ),
    )


def _yield_counters(views: Sequence[SiteView]) -> Iterator[Metric]:
    for name, text, key in COUNTERS:
        counter = CounterMetricFamily(name, text, labels=("site",))
        for view in views:
            counter.add_metric((view.site,), view.counters.get(key, 0))
        yield counter
    counter = CounterMetricFamily(
        "erfailover_notifications", "Notifications, by their result.", labels=("site", "result")
    )
    for view in views:
        for result, key in NOTIFICATIONS:
            counter.add_metric((view.site, result), view.counters.get(key, 0))
    yield counter


def _build_gauge(
    name: str, text: str, labels: Sequence[str], samples: Samples
) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, text, labels=labels)
    for values, value in samples:
        gauge.add_metric(values, value)
    return gauge


def _drop_unknown(
    observations: Iterable[tuple[Sequence[str], Observation]],
) -> Iterator[tuple[Sequence[str], float]]:
    for values, observation in observations:
        if observation.status is not SignalStatus.UNKNOWN:
            yield values, float(observation.status is SignalStatus.UP)


def _is_pending(view: SiteView) -> bool:
    return view.approval is not None and view.approval.approved_by is None
