"""The checks of ``doctor`` on networks, peerings, connections and drills: decisions on values."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

from erfailover.model.circuits import FailoverTest
from erfailover.model.observed import EXPRESSROUTE, VPN, Reading
from erfailover.model.site import Path, Role
from erfailover.planning.doctor import connections, networks
from erfailover.planning.doctor.check import disambiguate_names
from tests.support import sites
from tests.support.doctor_facts import (
    DRILL,
    FAILS,
    HOLDS,
    SITE,
    UNKNOWN,
    facts,
    lines_of,
    make_circuits,
)

READY = {"vnet1-to-vnet3": sites.OPEN, "vnet3-to-vnet1": sites.HUB_LENDS}


def test_peerings_that_a_switch_makes_may_be_missing_others_may_not() -> None:
    ((verdict, message),) = lines_of(networks.check_peerings)
    assert verdict is HOLDS
    assert "a switch creates" in message
    state = sites.make_state(Path.EXPRESSROUTE, SITE)
    del state["vnet2-to-vnet1"]
    state["vnet3-to-vnet1"] = (sites.OPEN, "Disconnected")
    statuses = dict(
        (actual.split(" ")[1], verdict)
        for verdict, actual in lines_of(
            networks.check_peerings, observed=sites.make_snapshot(SITE, state)
        )
    )
    assert statuses["vnet2-to-vnet1"] is FAILS
    assert statuses["vnet3-to-vnet1"] is FAILS


def test_half_a_backup_peering_is_completed_by_a_switch_unless_it_carries_the_path() -> None:
    state = {
        **sites.make_state(Path.EXPRESSROUTE, SITE),
        "vnet3-to-vnet1": (sites.OPEN, "Initiated"),
    }
    ((verdict, message),) = lines_of(
        networks.check_peerings, observed=sites.make_snapshot(SITE, state)
    )
    assert verdict is HOLDS
    assert "completes 2: vnet1: vnet1-to-vnet3, vnet1: vnet3-to-vnet1" in message
    by_name = {**state, "vnet1-to-vnet3": (sites.OPEN, "Initiated")}
    rows = lines_of(networks.check_peerings, observed=sites.make_snapshot(SITE, by_name))
    assert [status for status, _ in rows] == [FAILS, FAILS, HOLDS]


def test_a_site_that_is_said_to_be_prestaged_has_its_peerings_with_the_backup_hub() -> None:
    two = sites.site("vnet1", "vnet9")
    state = sites.make_state(Path.EXPRESSROUTE, two)
    state |= {name: (flags, "Connected") for name, flags in READY.items()}
    observed = sites.make_snapshot(two, state)
    assert lines_of(networks.check_prestaged, two, observed=observed) == [
        (HOLDS, "1 of 2 spokes prestaged (vnet1)")
    ]
    ((verdict, message),) = lines_of(
        networks.check_prestaged, replace(two, prestaged=True), observed=observed
    )
    assert verdict is FAILS
    assert message.endswith("with gateway transit, for vnet9")
    unread = sites.make_snapshot(two, state, vnet9="403")
    assert [status for status, _ in lines_of(networks.check_prestaged, two, observed=unread)] == [
        UNKNOWN,
        HOLDS,
    ]


def test_on_the_backup_path_its_peerings_must_be_there() -> None:
    state = sites.make_state(Path.IPSEC, SITE)
    del state["vnet3-to-vnet1"]
    observed = sites.make_snapshot(SITE, state)
    verdicts = [verdict for verdict, _ in lines_of(networks.check_peerings, observed=observed)]
    assert FAILS in verdicts


def test_networks_of_one_name_are_told_apart_and_may_not_overlap_either() -> None:
    ids = [f"/subscriptions/{s}/resourceGroups/{g}/p/n/v/web" for s, g in ("1a", "1b", "2b")]
    assert list(
        disambiguate_names([*ids, "/subscriptions/1/resourceGroups/a/p/n/v/db"]).values()
    ) == [
        "a/web",
        "1/b/web",
        "2/b/web",
        "db",
    ]
    spoke = facts().observed.networks[SITE.build_network_id("vnet1").lower()]
    alike = {id_: replace(spoke, id=id_, name="web") for id_ in ids[:2]}
    observed = replace(facts().observed, networks=alike)
    ((verdict, message),) = lines_of(networks.check_overlaps, observed=observed)
    assert verdict is FAILS
    assert message == "a/web (10.1.0.0/16) overlaps b/web (10.1.0.0/16)"


def test_networks_and_remote_prefixes_must_not_overlap() -> None:
    inside = replace(SITE, remote_prefixes=(IPv4Network("10.1.4.0/24"),))
    assert (
        "vnet1 (10.1.0.0/16) overlaps the remote prefix"
        in lines_of(networks.check_overlaps, inside)[0][1]
    )
    observed = facts().observed
    spoke = observed.networks[SITE.build_network_id("vnet1").lower()]
    moved = replace(spoke, address_space=(IPv4Network("10.3.5.0/24"),))
    snapshot = replace(observed, networks={**observed.networks, moved.id.lower(): moved})
    ((verdict, message),) = lines_of(networks.check_overlaps, observed=snapshot)
    assert verdict is FAILS
    assert "overlaps vnet1" in message or "vnet1 (10.3.5.0/24) overlaps" in message


def test_a_backup_connection_that_is_down_fails_and_a_primary_one_is_told() -> None:
    down = {
        Role.PRIMARY: make_circuits("er", EXPRESSROUTE, "NotConnected"),
        Role.BACKUP: make_circuits("vng2", VPN, "Connected", "NotConnected"),
    }
    (primary, backup) = lines_of(connections.check_connections, circuits=down)
    assert primary[0] is HOLDS
    assert "connection to-0 is NotConnected; expected Connected" in primary[1]
    assert backup == (FAILS, "connection to-1 is NotConnected; expected Connected")


def test_a_connection_that_may_not_be_read_is_unknown_and_where_to_have_it_granted_is_told() -> (
    None
):
    unread = {**facts().circuits, Role.BACKUP: make_circuits("vng2", VPN, None)}
    checks = [*connections.check_connections(SITE, facts(circuits=unread))]
    (bad,) = [check for check in checks if check.verdict is UNKNOWN]
    assert not bad.required
    assert bad.remedy.endswith("--scope /subscriptions/s/resourceGroups/rg-circuits")
    assert {line[0] for line in lines_of(connections.check_connections, circuits={})} == {UNKNOWN}


def test_a_drill_that_runs_fails_and_one_that_may_run_is_unknown() -> None:
    running = FailoverTest("1", "Amsterdam", "Running", "2026-11-23T10:00:00Z", "")
    cut = {Role.PRIMARY: make_circuits("er", EXPRESSROUTE, tests=(running,))}
    ((verdict, message),) = lines_of(connections.check_drill, circuits=cut)
    assert verdict is FAILS
    assert "disconnected from the circuits at Amsterdam since 2026-11-23T10:00:00Z" in message
    ended = {
        Role.PRIMARY: make_circuits("er", EXPRESSROUTE, tests=(replace(running, status="Ended"),))
    }
    assert lines_of(connections.check_drill, circuits=ended) == [(HOLDS, "no drill is running")]
    assert lines_of(connections.check_drill, circuits={})[0][0] is UNKNOWN
    stand_in = replace(SITE, drill=DRILL)
    address = Reading(str(DRILL.unused_bgp_peering_address))
    assert lines_of(connections.check_drill, stand_in, stand_in=address)[0][0] is FAILS
    lost: Reading[str] = Reading(None, "403")
    assert lines_of(connections.check_drill, stand_in, stand_in=lost)[0][0] is UNKNOWN
