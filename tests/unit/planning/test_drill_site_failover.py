"""Connections, circuits, peering locations, and when Azure's site failover test may start."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from erfailover.errors import Refused, UnknownReading
from erfailover.model.circuits import (
    Circuit,
    Circuits,
    Connection,
    FailoverTest,
    check_circuits,
    find_locations,
)
from erfailover.model.conditions import ConditionStatus
from erfailover.model.observed import Reading
from erfailover.planning.drill.site_failover import check_start, check_stop, list_other_connections

AMSTERDAM, DUBLIN = "Amsterdam", "Dublin"


def circuit(place: str = AMSTERDAM, **more: Any) -> Circuit:
    whole = Circuit(
        f"/c/{place}", place, "Succeeded", "Enabled", "Provisioned", place, "Enabled", "Succeeded"
    )
    return replace(whole, **more)


def connection(place: str = AMSTERDAM, status: str = "Connected", **more: Any) -> Connection:
    return Connection(
        f"/x/to-{place}",
        f"to-{place}",
        "ExpressRoute",
        "Succeeded",
        Reading(status),
        f"/c/{place}",
        Reading(circuit(place, **more)),
    )


def unread(name: str = "to-hidden") -> Connection:
    return replace(
        connection(), name=name, circuit_id="/c/hidden", circuit=Reading(None, "refused by Azure")
    )


def gateway(*connections: Connection, tests: tuple[FailoverTest, ...] = ()) -> Circuits:
    return Circuits("/g/er", "ExpressRoute", Reading(connections), Reading(tests))


def failover(place: str = AMSTERDAM, status: str = "Running") -> FailoverTest:
    return FailoverTest("1", place, status, "2026-01-01T00:00:00Z", "")


TWO = (connection(AMSTERDAM), connection(DUBLIN))


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"circuit_state": "Disabled"}, "Microsoft's side is Disabled; expected Enabled"),
        ({"provider_state": "NotProvisioned"}, "the provider's side is NotProvisioned"),
        ({"provider_state": "Deprovisioning"}, "expected Provisioned"),
        ({"provisioning_state": "Failed"}, "it is Failed; expected Succeeded"),
        ({"peering_state": "Disabled"}, "its private peering is Disabled; expected Enabled"),
        ({"peering_state": None}, "its private peering is missing"),
        ({"peering_provisioning_state": "Updating"}, "its private peering is Updating"),
    ],
)
def test_what_is_wrong_with_a_circuit_is_said_in_azures_words(
    wrong: dict[str, Any], text: str
) -> None:
    (_, condition) = check_circuits(gateway(connection(**wrong)))
    assert condition.status is ConditionStatus.FAILS
    assert condition.message.startswith("circuit Amsterdam (Amsterdam): ")
    assert text in condition.message


def test_a_whole_circuit_and_its_connection_hold() -> None:
    assert [condition.status for condition in check_circuits(gateway(connection()))] == [
        ConditionStatus.HOLDS
    ] * 2


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (Reading("NotConnected"), ConditionStatus.FAILS),
        (Reading("Connecting"), ConditionStatus.FAILS),
        (Reading("Unknown"), ConditionStatus.UNKNOWN),
        (Reading(None, "timed out"), ConditionStatus.UNKNOWN),
    ],
)
def test_a_connection_that_azure_knows_nothing_of_is_unknown(
    status: Reading[str], verdict: ConditionStatus
) -> None:
    first = next(check_circuits(gateway(replace(connection(), status=status))))
    assert first.status is verdict


def test_what_cannot_be_read_is_unknown_and_an_express_gateway_without_connections_fails() -> None:
    assert [condition.status for condition in check_circuits(gateway(unread()))] == [
        "HOLDS",
        "UNKNOWN",
    ]
    lost = Circuits("/g/er", "ExpressRoute", Reading(None, "timed out"))
    assert [condition.status for condition in check_circuits(lost)] == ["UNKNOWN"]
    assert [condition.status for condition in check_circuits(gateway())] == ["FAILS"]
    assert not [*check_circuits(replace(gateway(), gateway_type="Vpn"))]


def test_locations_are_told_apart_without_regard_to_case() -> None:
    locations = find_locations(gateway(*TWO, connection("AMSTERDAM"), unread()))
    assert {place: len(connections) for place, connections in locations.connections.items()} == {
        AMSTERDAM: 2,
        DUBLIN: 1,
    }
    assert locations.find_spelling("dublin") == DUBLIN
    assert locations.find_spelling("Vienna") is None
    assert locations.unknown == ("to-hidden: refused by Azure",)


def test_a_direct_circuit_has_no_peering_location_of_its_own() -> None:
    locations = find_locations(gateway(connection(peering_location="")))
    assert (locations.connections, len(locations.unknown)) == ({}, 1)


def test_the_test_starts_at_one_of_two_locations_in_azures_spelling() -> None:
    assert check_start(gateway(*TWO), "amsterdam") == (AMSTERDAM, None)
    done = tuple(failover(status=name) for name in ("Completed", "StartFailed", "Expired"))
    assert check_start(gateway(*TWO, tests=done), AMSTERDAM) == (AMSTERDAM, None)
    assert check_start(gateway(*TWO, unread()), AMSTERDAM) == (AMSTERDAM, None)


@pytest.mark.parametrize("status", ["Starting", "Running"])
def test_a_test_that_runs_there_already_is_not_started_again(status: str) -> None:
    running = failover(status=status)
    assert check_start(gateway(*TWO, tests=(running,)), "AMSTERDAM") == (AMSTERDAM, running)


@pytest.mark.parametrize(
    ("circuits", "desired", "kind", "text"),
    [
        (replace(gateway(*TWO), gateway_type="Vpn"), AMSTERDAM, Refused, "of type Vpn"),
        (gateway(*TWO[:1]), AMSTERDAM, Refused, "1 peering location (Amsterdam)"),
        (gateway(), AMSTERDAM, Refused, "0 peering locations (none)"),
        (gateway(*TWO), "Vienna", Refused, "expected one of: Amsterdam, Dublin"),
        (gateway(*TWO, tests=(failover(DUBLIN),)), AMSTERDAM, Refused, "at Dublin is Running"),
        (gateway(*TWO, tests=(failover(status="Stopping"),)), AMSTERDAM, Refused, "is Stopping"),
        (gateway(TWO[0], unread()), AMSTERDAM, UnknownReading, "some peering locations"),
        (gateway(*TWO, unread()), "Vienna", UnknownReading, "some peering locations"),
        (replace(gateway(*TWO), tests=Reading(None, "no")), AMSTERDAM, UnknownReading, ": no"),
        (
            replace(gateway(), connections=Reading(None, "timed out")),
            AMSTERDAM,
            UnknownReading,
            "timed out",
        ),
    ],
)
def test_what_speaks_against_a_start_is_said(
    circuits: Circuits, desired: str, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind) as caught:
        check_start(circuits, desired)
    assert text in str(caught.value)


def test_whatever_runs_is_what_is_stopped() -> None:
    assert check_stop(gateway(*TWO)) is None
    assert check_stop(gateway(tests=(failover(DUBLIN),))) == failover(DUBLIN)
    with pytest.raises(Refused):
        check_stop(replace(gateway(), gateway_type="Vpn"))


@pytest.mark.parametrize(
    ("status", "learned", "verified"),
    [("Connected", True, True), ("Connected", False, False), ("NotConnected", True, False)],
)
def test_a_connection_counts_as_verified_where_it_is_up_and_nothing_is_missing(
    status: str, learned: bool, verified: bool
) -> None:
    circuits = gateway(connection(AMSTERDAM), connection(DUBLIN, status), unread())
    assert list_other_connections(circuits, "amsterdam", learned) == [
        ("to-Dublin", DUBLIN, verified)
    ]
