"""What is allowed in a site file and worth a second look."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from erfailover.config.site_warnings import iter_warnings
from erfailover.model.probes import LocalConnect, MachinePing
from erfailover.model.site import Site, Timing
from erfailover.model.watch_settings import Watch
from tests.support.sites import site

COMPLETE = replace(
    site("vnet1"),
    probes={"erp": LocalConnect(connect="10.5.0.4:443", continuous=True)},
    state="azblob://account/container/poc",
)


def test_a_site_that_leaves_nothing_to_chance_has_no_warning() -> None:
    assert list(iter_warnings(COMPLETE)) == []


@pytest.mark.parametrize(
    ("remaining", "text"),
    [
        (replace(COMPLETE, subscription=None), "no subscription: commands use AZURE_SUBSCRIPTION"),
        (replace(COMPLETE, probes={}), "no probes: a switch is verified by routes alone"),
        (
            replace(
                COMPLETE, probes={"a": MachinePing(machine="vm1", ping=IPv4Address("10.5.0.4"))}
            ),
            "no continuous probe: the outage of a switch is estimated",
        ),
        (replace(COMPLETE, state=None), "no state: each machine keeps its own journal and lease"),
        (
            replace(COMPLETE, timing=Timing(failback_hold_time_s=0.0)),
            "timing.failback_hold_time_s is 0",
        ),
        (
            replace(COMPLETE, watch=Watch(mode="approve")),
            "watch.mode is approve, and the gateway is the only signal",
        ),
        (
            replace(COMPLETE, watch=Watch(failback="automatic")),
            "watch.failback has no effect in mode observe",
        ),
    ],
    ids=lambda value: value.split(":")[0] if isinstance(value, str) else "",
)
def test_what_is_left_to_chance_is_named_with_its_consequence(remaining: Site, text: str) -> None:
    (warning,) = iter_warnings(remaining)
    assert warning.startswith(text)
