"""A hub's summary in the place of a spoke's prefix: when it counts, and when a probe decides."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import Reading, SiteSnapshot
from erfailover.model.site import Path, Role
from erfailover.planning import health, summaries
from erfailover.planning.switch import gates
from tests.support import sites

SITE = sites.site()
SPOKE = (IPv4Network("10.1.0.0/16"),)
SUMMARY = "10.0.0.0/14"
OWN = "10.3.0.254"


def make_summary_snapshot(
    *,
    summarized: tuple[str, ...] = (SUMMARY,),
    advertised: Reading[tuple[IPv4Network, ...]] | None = Reading(()),  # noqa: B008 - frozen
    network: str = SUMMARY,
) -> SiteSnapshot:
    """A spoke on IPsec whose backup hub advertises a summary instead of its prefix."""
    backup = sites.gateway(
        Role.BACKUP, sites.route("10.5.0.0/16"), sites.route(network, "Network", OWN)
    )
    primary = replace(sites.gateway(Role.PRIMARY), advertised=advertised)
    snapshot = sites.make_snapshot(SITE, sites.make_state(Path.IPSEC, SITE), (primary, backup))
    hub = SITE.build_network_id("vnet3").lower()
    nets = tuple(map(IPv4Network, summarized))
    return replace(
        snapshot,
        networks={**snapshot.networks, hub: replace(snapshot.networks[hub], summarized=nets)},
    )


def check_spoke(snapshot: SiteSnapshot, *, in_force: bool = True) -> Condition:
    backup = snapshot.gateways[Role.BACKUP]
    return summaries.check_spoke_originated(
        SITE, snapshot, backup, Role.BACKUP, SPOKE, in_force=in_force
    )


def test_a_summary_of_this_hub_that_nobody_rivals_counts() -> None:
    condition = check_spoke(make_summary_snapshot())
    assert condition.status is ConditionStatus.HOLDS
    assert SUMMARY in condition.message
    assert "vng1 advertises no prefix that covers it" in condition.message


@pytest.mark.parametrize(
    ("snapshot", "in_force", "words"),
    [
        (
            make_summary_snapshot(summarized=()),
            True,
            "it is not in summarizedGatewayPrefixes of vnet3",
        ),
        (
            make_summary_snapshot(summarized=("10.0.0.0/13",)),
            True,
            "it is not in summarizedGatewayPrefixes",
        ),
        (make_summary_snapshot(), False, "the spoke's peerings do not use that gateway"),
        (
            make_summary_snapshot(advertised=None),
            True,
            "what vng1 advertises is unknown: it was not read; check getAdvertisedRoutes or use a "
            "probe",
        ),
        (
            make_summary_snapshot(advertised=Reading(None, "403")),
            True,
            "what vng1 advertises is unknown: 403",
        ),
        (
            make_summary_snapshot(advertised=Reading((IPv4Network("10.0.0.0/8"),))),
            True,
            "vng1 advertises 10.0.0.0/8 as well, so only a probe can tell",
        ),
    ],
)
def test_otherwise_it_is_unknown_and_names_what_decides(
    snapshot: SiteSnapshot, in_force: bool, words: str
) -> None:
    condition = check_spoke(snapshot, in_force=in_force)
    assert condition.status is ConditionStatus.UNKNOWN
    assert words in condition.message
    assert condition.message.endswith(("so only a probe can tell", "or use a probe"))


def test_what_the_other_gateway_advertises_elsewhere_does_not_matter() -> None:
    prefixes: tuple[IPv4Network, ...] = (IPv4Network("10.2.0.0/16"), IPv4Network("10.1.4.0/24"))
    assert (
        check_spoke(make_summary_snapshot(advertised=Reading(prefixes))).status
        is ConditionStatus.HOLDS
    )


def test_a_prefix_of_its_own_and_none_at_all_are_judged_as_ever() -> None:
    assert (
        check_spoke(make_summary_snapshot(network="10.1.0.0/16", advertised=None)).status
        is ConditionStatus.HOLDS
    )
    assert check_spoke(make_summary_snapshot(network="10.9.0.0/16")).status is ConditionStatus.FAILS


def test_health_looks_at_the_flags_and_the_outcome_of_a_switch_has_written_them() -> None:
    (spoke,) = SITE.spokes
    snapshot = make_summary_snapshot()
    assert health.judge(SITE, snapshot).spokes[0].healthy is True
    assert summaries.has_gateway_transit(SITE, snapshot, spoke, Role.BACKUP)
    assert not summaries.has_gateway_transit(SITE, snapshot, spoke, Role.PRIMARY)
    arriving, _ = gates.check_outcome(SITE, snapshot, Path.IPSEC, spoke)
    assert arriving.status is ConditionStatus.HOLDS
    kept = gates.keep_own_peerings(SITE, snapshot, spoke)
    assert gates.check_outcome(SITE, kept, Path.IPSEC, spoke)[0] == arriving
