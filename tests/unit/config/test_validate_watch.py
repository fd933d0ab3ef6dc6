"""The ``watch`` section of a site file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from erfailover.config.validate_watch import find_problems
from erfailover.model.probes import LocalPing
from erfailover.model.site import Site
from erfailover.model.watch_settings import (
    AppriseTarget,
    CommandTarget,
    MaintenanceWindow,
    Watch,
    WebhookTarget,
)
from tests.support import sites


@pytest.fixture
def site() -> Site:
    return replace(sites.site(), probes={"office": LocalPing("10.5.0.4")})


def list_places(site: Site, watch: Watch) -> list[str]:
    return [".".join(map(str, p.keys)) for p in find_problems(replace(site, watch=watch))]


def test_the_defaults_are_valid(site: Site) -> None:
    assert site.watch == Watch()
    assert list_places(site, Watch()) == []


@pytest.mark.parametrize(
    ("watch", "place"),
    [
        (Watch(interval_s=9), "watch.interval_s"),
        (Watch(confirm_after_s=4.9), "watch.confirm_after_s"),
        (Watch(interval_s=10, confirm_after_s=11), "watch.confirm_after_s"),
        (Watch(cooldown_s=0), "watch.cooldown_s"),
        (Watch(approval_expires_s=float("inf")), "watch.approval_expires_s"),
        (Watch(max_switches_per_day=0), "watch.max_switches_per_day"),
        (Watch(drill_due_days=-1), "watch.drill_due_days"),
        (Watch(probes=("nowhere",)), "watch.probes.0"),
        (Watch(witness="192.0.2.1"), "watch.witness"),
        (Watch(witness="192.0.2.1:65536"), "watch.witness"),
        (Watch(mode="automatic"), "watch.mode"),
        (Watch(maintenance=(MaintenanceWindow("24:00", "01:00"),)), "watch.maintenance.0.start"),
        (Watch(maintenance=(MaintenanceWindow("01:00", "01:00"),)), "watch.maintenance.0.end"),
        (Watch(notifications=(CommandTarget(()),)), "watch.notifications.0.command"),
        (Watch(notifications=(CommandTarget(("x",), 0),)), "watch.notifications.0.timeout_s"),
    ],
)
def test_a_wrong_value_is_named(site: Site, watch: Watch, place: str) -> None:
    assert list_places(site, watch) == [place]


@pytest.mark.parametrize("watch", [Watch(edge_sessions=True), Watch(probes=("office",))])
def test_automatic_needs_a_second_signal(site: Site, watch: Watch) -> None:
    assert list_places(site, replace(watch, mode="automatic")) == []


@pytest.mark.parametrize(
    "value",
    [
        "slack://token/of/mine",
        "https://hooks.example.com/T0/secret",
        "env:A B",
        "ftp://x/secrets/y",
    ],
)
def test_a_target_in_the_site_file_is_refused_and_not_repeated(site: Site, value: str) -> None:
    for target in (AppriseTarget(value), WebhookTarget(value)):
        (problem,) = find_problems(replace(site, watch=Watch(notifications=(target,))))
        assert value not in problem.format_line("site.yaml")


@pytest.mark.parametrize(
    "value",
    ["env:SLACK_URL", "file:/run/secrets/slack", "https://kv.vault.azure.net/secrets/slack"],
)
def test_a_secret_is_named_by_its_place(site: Site, value: str) -> None:
    assert list_places(site, Watch(notifications=(AppriseTarget(value),))) == []
