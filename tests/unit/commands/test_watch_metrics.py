"""The metrics of the watch: what is unknown has no sample; what alerts and dashboard use exists."""

from __future__ import annotations

import json
import re

import yaml
from prometheus_client.parser import text_string_to_metric_families

from erfailover.commands.watch.web import metrics
from erfailover.model.watch import Observation, SignalStatus, SiteView, WatchState
from erfailover.reporting.watch.assets import ALERTS, DASHBOARD, read_asset
from tests.support.watch_views import (
    make_failed_view,
    make_mixed_view,
    make_reading,
    make_standby_view,
    make_view,
)

UNKNOWN = Observation(SignalStatus.UNKNOWN)


def read_samples(*views: SiteView) -> dict[str, dict[tuple[str, ...], float]]:
    """Return the values of each sample by its name and the values of its labels, by their name."""
    registry = metrics.build_registry(lambda: views)
    body, content_type = metrics.render_metrics(registry, "")
    assert content_type.startswith("text/plain")
    samples: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            values = tuple(value for _, value in sorted(sample.labels.items()))
            samples.setdefault(sample.name, {})[values] = sample.value
    return samples


def test_a_site_is_in_exactly_one_state() -> None:
    states = read_samples(make_failed_view())["erfailover_watch_state"]
    assert len(states) == len(WatchState)
    assert [labels for labels, value in states.items() if value] == [("poc", "FAILED")]


def test_what_is_unknown_has_no_sample() -> None:
    samples = read_samples(make_failed_view(reading=make_reading(backup=UNKNOWN, signals={})))
    assert "erfailover_backup_ready" not in samples
    assert "erfailover_signal_up" not in samples
    signals = read_samples(make_failed_view())["erfailover_signal_up"]
    assert signals == {("gateway", "poc"): 0.0, ("probes", "poc"): 0.0}
    assert "erfailover_watch_last_reading_timestamp_seconds" not in read_samples(
        make_standby_view()
    )


def test_a_spoke_is_on_one_path_or_on_none() -> None:
    paths = read_samples(make_mixed_view())["erfailover_spoke_on_path"]
    site = "plant-rotterdam"
    assert paths["ipsec", site, "vnet-spoke-001"] == 1
    assert paths["expressroute", site, "vnet-spoke-001"] == 0
    lost = "vnet-erp-production-westeurope-001"
    assert paths["ipsec", site, lost] == paths["expressroute", site, lost] == 0
    assert not any("vnet-labs" in labels for labels in paths)


def test_the_flags_and_the_counters_are_those_of_the_view() -> None:
    samples = read_samples(make_view(site="a"), make_mixed_view(store_problem="HTTP 503"))
    assert samples["erfailover_paused"] == {("a",): 0, ("plant-rotterdam",): 1}
    assert samples["erfailover_store_available"] == {("a",): 1, ("plant-rotterdam",): 0}
    assert samples["erfailover_readings_total"]["a",] == 14_400
    assert samples["erfailover_readings_failed_total"]["a",] == 3
    assert samples["erfailover_switches_total"]["a",] == 1
    assert samples["erfailover_azure_writes_total"]["a",] == 20
    assert samples["erfailover_notifications_total"] == {
        ("delivered", "a"): 9,
        ("failed", "a"): 1,
        ("delivered", "plant-rotterdam"): 9,
        ("failed", "plant-rotterdam"): 1,
    }
    pending = read_samples(make_failed_view())["erfailover_approval_pending"]
    assert pending == {("poc",): 1}


def list_used_metrics(text: str) -> set[str]:
    return set(re.findall(r"\b(?:erfailover|process)_\w+", text))


def test_every_metric_of_an_alert_and_of_the_dashboard_exists() -> None:
    existing = {*read_samples(make_view())}
    rules = yaml.safe_load(read_asset(ALERTS))["groups"][0]["rules"]
    alerts = {name for rule in rules for name in list_used_metrics(rule["expr"])}
    board = json.loads(read_asset(DASHBOARD))
    queries = {
        name
        for panel in board["panels"]
        for target in panel["targets"]
        for name in list_used_metrics(target["expr"])
    }
    assert alerts | queries <= existing
    assert len(queries) > 12


def test_every_alert_says_how_urgent_it_is_and_what_to_do() -> None:
    rules = yaml.safe_load(read_asset(ALERTS))["groups"][0]["rules"]
    assert {rule["labels"]["severity"] for rule in rules} == {"critical", "warning"}
    assert all({*rule["annotations"]} == {"summary", "description"} for rule in rules)


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    panels = json.loads(read_asset(DASHBOARD))["panels"]
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len({*cells})
    assert len({panel["id"] for panel in panels}) == len(panels)
