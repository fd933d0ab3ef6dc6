"""What a gateway depends on: connections, circuits, its site failover tests. Pure.

Shown to the operator and used by the drill; nothing here decides whether a spoke may move.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.counting import join_names
from erfailover.model.observed import EXPRESSROUTE, Reading
from erfailover.model.resource_ids import get_last_name

UNDER_WAY = frozenset({"Starting", "Running", "Stopping"})
"""Statuses of a site failover test that has not come to its end (published: FailoverTestStatus)."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """An ExpressRoute circuit and its private peering, in Azure's words."""

    id: str
    name: str
    provisioning_state: str
    circuit_state: str
    """``circuitProvisioningState``: ``Enabled`` if Microsoft's side is ready."""
    provider_state: str
    """``serviceProviderProvisioningState``: ``Provisioned`` if the provider's side is."""
    peering_location: str
    """Empty for a circuit on an ExpressRoute Direct port."""
    peering_state: str | None
    """``Enabled`` or ``Disabled``; None if the circuit has no private peering."""
    peering_provisioning_state: str | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection of a gateway; ``circuit`` is None if it leads to no circuit."""

    id: str
    name: str
    type: str
    provisioning_state: str
    status: Reading[str]
    """``connectionStatus``: Connected, NotConnected, Connecting, Unknown."""
    circuit_id: str | None = None
    circuit: Reading[Circuit] | None = None

    @property
    def known_circuit(self) -> Circuit | None:
        """The circuit that it leads to; None if it leads to none, or it could not be read."""
        return self.circuit.value if self.circuit else None


@dataclass(frozen=True, slots=True)
class FailoverTest:
    """A site failover test of an ExpressRoute gateway."""

    id: str
    peering_location: str
    status: str
    started: str
    ended: str

    @property
    def under_way(self) -> bool:
        """Whether the location is, or may be, disconnected."""
        return self.status in UNDER_WAY


@dataclass(frozen=True, slots=True)
class Circuits:
    """What a gateway depends on, as read.

    Attributes:
        tests: its site failover tests, newest last; None for a type of gateway without them.
    """

    gateway_id: str
    gateway_type: str
    connections: Reading[tuple[Connection, ...]]
    tests: Reading[tuple[FailoverTest, ...]] | None = None

    @property
    def gateway_name(self) -> str:
        """The gateway's name."""
        return get_last_name(self.gateway_id)

    @property
    def running(self) -> FailoverTest | None:
        """The site failover test that is under way, if one is known to be."""
        failover_tests = [
            failover_test
            for failover_test in (self.tests.value or () if self.tests else ())
            if failover_test.under_way
        ]
        return failover_tests[-1] if failover_tests else None


@dataclass(frozen=True, slots=True)
class Locations:
    """The peering locations of a gateway's circuits.

    Attributes:
        connections: the connections by location, in Azure's spelling.
        unknown: why the location of a circuit is not known, one text per circuit.
    """

    connections: dict[str, tuple[Connection, ...]]
    unknown: tuple[str, ...]

    def find_spelling(self, location: str) -> str | None:
        """Return a location as Azure spells it; None if no circuit is there."""
        return next((name for name in self.connections if name.lower() == location.lower()), None)


def find_locations(circuits: Circuits) -> Locations:
    """Where a gateway's circuits meet Microsoft's network."""
    by_name: dict[str, tuple[Connection, ...]] = {}
    unknown: list[str] = []
    if circuits.connections.value is None:
        unknown.append(circuits.connections.unknown or "the connections could not be read")
    for connection in circuits.connections.value or ():
        if connection.circuit is None:
            continue
        circuit = connection.circuit.value
        if circuit is None or not circuit.peering_location:
            why = connection.circuit.unknown or "its circuit has no peering location"
            unknown.append(f"{connection.name}: {why}")
            continue
        key = next((k for k in by_name if k.lower() == circuit.peering_location.lower()), None)
        key = key or circuit.peering_location
        by_name[key] = (*by_name.get(key, ()), connection)
    return Locations(by_name, tuple(unknown))


def check_circuits(circuits: Circuits) -> Iterator[Condition]:
    """Yield what should hold for a gateway's connections and circuits; UNKNOWN if not read."""
    connections = circuits.connections.value
    if connections is None:
        why = circuits.connections.unknown or "they could not be read"
        message = f"connections of {circuits.gateway_name}: {why}"
        yield Condition("connections_were_read", ConditionStatus.UNKNOWN, message)
        return
    if not connections and circuits.gateway_type == EXPRESSROUTE:
        message = f"{circuits.gateway_name} has no connection to a circuit"
        yield Condition("connections_were_read", ConditionStatus.FAILS, message)
    for connection in connections:
        yield _check_connection(connection)
        if connection.circuit is not None:
            yield _check_circuit(connection, connection.circuit)


def _check_connection(connection: Connection) -> Condition:
    name, status = "connection_is_connected", connection.status.value
    if status in (None, "Unknown", ""):
        why = connection.status.unknown or "Azure does not know its status"
        return Condition(name, ConditionStatus.UNKNOWN, f"connection {connection.name}: {why}")
    if connection.provisioning_state != "Succeeded":
        state = connection.provisioning_state
        message = f"connection {connection.name} is {state}; expected Succeeded"
        return Condition(name, ConditionStatus.FAILS, message)
    message = f"connection {connection.name} is {status}"
    if status == "Connected":
        return Condition(name, ConditionStatus.HOLDS, message)
    return Condition(name, ConditionStatus.FAILS, f"{message}; expected Connected")


def _check_circuit(connection: Connection, reading: Reading[Circuit]) -> Condition:
    name, circuit = "circuit_is_in_service", reading.value
    if circuit is None:
        why = reading.unknown or "it could not be read"
        return Condition(name, ConditionStatus.UNKNOWN, f"circuit of {connection.name}: {why}")
    wrong = [
        f"{what} is {state or 'missing'}; expected {desired}"
        for what, state, desired in (
            ("it", circuit.provisioning_state, "Succeeded"),
            ("Microsoft's side", circuit.circuit_state, "Enabled"),
            ("the provider's side", circuit.provider_state, "Provisioned"),
            ("its private peering", circuit.peering_state, "Enabled"),
            ("its private peering", circuit.peering_provisioning_state or "Succeeded", "Succeeded"),
        )
        if state != desired
    ]
    where = f"circuit {circuit.name} ({circuit.peering_location or 'Direct'})"
    if wrong:
        return Condition(name, ConditionStatus.FAILS, f"{where}: {join_names(wrong, 6, '; ')}")
    return Condition(
        name, ConditionStatus.HOLDS, f"{where} is Enabled and Provisioned, its peering Enabled"
    )
