"""What was read, as signals: up, down, unknown, and warnings that are none of these."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from erfailover.model.edge_sessions import DEVICE_PATHS, EdgeNeighbor, EdgeSessions
from erfailover.model.observed import Gateway, Reading, SiteSnapshot
from erfailover.model.site import Path, Role
from erfailover.model.watch import Observation, SignalStatus, SpokeState
from erfailover.planning.health import judge
from erfailover.planning.probes.results import ProbeResult
from erfailover.planning.watch.signals import (
    judge_backup,
    judge_edge,
    judge_gateway,
    judge_probes,
    list_spoke_states,
    list_warnings,
)
from tests.support import sites
from tests.unit.planning.watch.scenes import DOWN, UNKNOWN, UP

SITE = sites.site("vnet1", "vnet4")
OFFICE = sites.route("10.5.0.0/16")
ASN = 65020


def observe(*gateways: Gateway, path: Path = Path.EXPRESSROUTE, **unknown: str) -> SiteSnapshot:
    return sites.make_snapshot(SITE, sites.make_state(path, SITE), gateways or None, **unknown)


PRIMARY = sites.gateway(Role.PRIMARY, OFFICE)
BACKUP = sites.gateway(Role.BACKUP, OFFICE)
LOST = sites.replace_peers(PRIMARY, sites.peer(state="Connecting"))
ONE_OF_TWO = sites.replace_peers(PRIMARY, sites.peer(), sites.peer("10.4.0.253", "Connecting"))


@pytest.mark.parametrize(
    ("gateway", "status"),
    [
        (PRIMARY, UP),
        (ONE_OF_TWO, UP),
        (LOST, DOWN),
        (sites.gateway(Role.PRIMARY, sites.route("10.9.0.0/16")), DOWN),
        (sites.gateway(Role.PRIMARY), UNKNOWN),
        (sites.replace_peers(PRIMARY), UNKNOWN),
        (replace(PRIMARY, peers=Reading(None, "timed out")), UNKNOWN),
    ],
)
def test_the_gateway_as_a_signal(gateway: Gateway, status: SignalStatus) -> None:
    observation = judge_gateway(SITE, observe(gateway, BACKUP))
    assert observation.status is status
    assert "vng1" in observation.reason


def test_a_gateway_that_was_not_read_is_unknown() -> None:
    assert judge_gateway(SITE, observe(BACKUP)).status is UNKNOWN
    gateway_id = SITE.build_gateway_id("vng1").lower()
    refused = replace(observe(BACKUP), unknown={gateway_id: "the identity may not read vng1"})
    observation = judge_gateway(SITE, refused)
    assert observation == Observation(UNKNOWN, "the identity may not read vng1")


def test_a_gateway_beside_it_carries_the_prefixes_too() -> None:
    observed = replace(observe(LOST, BACKUP), beside={Role.PRIMARY: (PRIMARY,)})
    assert judge_gateway(SITE, observed).status is UP


def test_a_lost_redundant_session_is_a_warning() -> None:
    observed = observe(ONE_OF_TWO, BACKUP)
    warnings = list_warnings(judge(SITE, observed))
    assert len(warnings) == 1
    assert "vng1 is degraded: 1 of 2 BGP peers Connected" in warnings[0]
    assert list_warnings(judge(SITE, observe())) == ()


def test_one_of_the_backups_tunnels_down_is_a_warning() -> None:
    half = sites.replace_peers(BACKUP, sites.peer(), sites.peer("10.4.0.253", "Connecting"))
    observed = observe(PRIMARY, half)
    health = judge(SITE, observed)
    assert judge_backup(SITE, observed, health).status is UP
    assert [text for text in list_warnings(health) if "vng2 is degraded" in text]


@pytest.mark.parametrize("path", list(Path))
@pytest.mark.parametrize(
    ("gateway", "status"),
    [
        (BACKUP, UP),
        (sites.replace_peers(BACKUP, sites.peer(state="Connecting")), DOWN),
        (sites.gateway(Role.BACKUP), UNKNOWN),
        (replace(BACKUP, provisioning_state="Failed"), DOWN),
    ],
)
def test_the_backup(gateway: Gateway, status: SignalStatus, path: Path) -> None:
    observed = observe(PRIMARY, gateway, path=path)
    assert judge_backup(SITE, observed, judge(SITE, observed)).status is status


def test_a_backup_hub_that_was_not_read_is_unknown() -> None:
    observed = observe(PRIMARY, BACKUP, vnet3="no right to read it")
    observation = judge_backup(SITE, observed, judge(SITE, observed))
    assert observation == Observation(UNKNOWN, "no right to read it")


@pytest.mark.parametrize(("names", "status"), [(("vnet1",), UP), (("vnet1", "vnet4"), DOWN)])
def test_spokes_that_a_switch_would_leave_out(names: tuple[str, ...], status: SignalStatus) -> None:
    observed = observe()
    networks = {
        key: replace(network, has_gateway=network.name in names)
        for key, network in observed.networks.items()
    }
    observed = replace(observed, networks=networks)
    health = judge(SITE, observed)
    assert judge_backup(SITE, observed, health).status is status
    left_out = [text for text in list_warnings(health) if "would leave out vnet1" in text]
    assert bool(left_out) is (status is UP)


def build_circuit(primary: str, secondary: str, name: str = "er") -> EdgeSessions:
    """Each path: ``U`` up, ``D`` down, ``x`` not read, ``-`` no such neighbor, ``w`` odd word."""
    states = {"U": "7", "D": "Idle", "w": "Thinking"}

    def build(letter: str) -> Reading[tuple[EdgeNeighbor, ...]]:
        if letter == "x":
            return Reading(None, "timed out")
        gateway = EdgeNeighbor("10.2.0.12", 65515, "1d02h", "4")
        if letter == "-":
            return Reading((gateway,))
        return Reading((gateway, EdgeNeighbor("192.168.1.1", ASN, "00:01:00", states[letter])))

    return EdgeSessions(
        name, ASN, dict(zip(DEVICE_PATHS, map(build, (primary, secondary)), strict=True))
    )


@pytest.mark.parametrize("paths", list(product("UDx-w", repeat=2)))
def test_the_edge_of_one_circuit(paths: tuple[str, str]) -> None:
    expected = UP if "U" in paths else DOWN if set(paths) == {"D"} else UNKNOWN
    circuit = build_circuit(*paths)
    assert judge_edge([circuit]).status is expected
    warns = set(paths) == {"U", "D"}
    assert bool(list_warnings(judge(SITE, observe()), [circuit])) is warns


@pytest.mark.parametrize("paths", list(product("UDx", repeat=4)))
def test_the_edge_of_two_circuits(paths: tuple[str, ...]) -> None:
    circuits = [build_circuit(paths[0], paths[1]), build_circuit(paths[2], paths[3], "er2")]
    expected = UP if "U" in paths else DOWN if set(paths) == {"D"} else UNKNOWN
    assert judge_edge(circuits).status is expected


def test_a_circuit_that_was_not_read_may_be_up() -> None:
    unread = EdgeSessions("er2", None, {}, "no right to read it")
    observation = judge_edge([build_circuit("D", "D"), unread])
    assert observation == Observation(UNKNOWN, "circuit er2: no right to read it")
    assert judge_edge([build_circuit("U", "D"), unread]).status is UP
    assert judge_edge([]).status is UNKNOWN
    assert judge_edge([EdgeSessions("er", ASN)]).status is UNKNOWN


def build_result(name: str, up: bool | None) -> ProbeResult:
    return ProbeResult(name, "ping", up, expected=True, output="", seen="no answer")


@pytest.mark.parametrize(
    "ups", [(), *product([True, False, None]), *product([True, False, None], repeat=2)]
)
def test_the_probes_as_a_signal(ups: tuple[bool | None, ...]) -> None:
    results = [build_result(f"p{n}", up) for n, up in enumerate(ups)]
    expected = UP if True in ups else DOWN if ups and set(ups) == {False} else UNKNOWN
    assert judge_probes(results).status is expected
    warns = True in ups and False in ups
    assert bool(list_warnings(judge(SITE, observe()), (), results)) is warns


def test_the_reasons_name_what_failed() -> None:
    results = [build_result("office", False), build_result("dns", True)]
    assert judge_probes(results[:1]).reason == "failed: office (no answer)"
    assert judge_probes(results).reason == "succeeded: dns"
    assert list_warnings(judge(SITE, observe()), (), results) == (
        "1 of 2 probes failed: office (no answer)",
    )
    assert judge_edge([build_circuit("D", "D")]).reason == (
        "circuit er, primary path: the session with AS 65020 is Idle; "
        "circuit er, secondary path: the session with AS 65020 is Idle"
    )


def test_the_spokes() -> None:
    assert list_spoke_states(judge(SITE, observe(vnet4="no right"))) == (
        SpokeState("vnet1", "expressroute", False),
        SpokeState("vnet4", "unknown", None),
    )
