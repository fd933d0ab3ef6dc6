"""How to disable and enable the private peering of a gateway's circuits, in commands. Pure.

Documented for testing a disaster recovery design: "Reset ExpressRoute circuit peerings"
(learn.microsoft.com/azure/expressroute/expressroute-howto-reset-peering), in PowerShell. Disabling
a peering shuts down its BGP sessions on both connections of the circuit. The az command is the
generic update of ``az network express-route peering update`` (azure-cli 2.91.0), which has no
option for the state.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from erfailover.model.circuits import Circuits
from erfailover.model.resource_ids import get_last_name, is_resource_id, parse
from erfailover.model.site import Site

SOURCE = "https://learn.microsoft.com/azure/expressroute/expressroute-howto-reset-peering"
PEERING = "AzurePrivatePeering"
CUTS = (
    "Both BGP sessions of the private peering go down until it is enabled again. This cuts every "
    "gateway, site and subscription that uses this circuit, and ExpressRoute Global Reach; "
    "Microsoft peering is not affected."
)


@dataclass(frozen=True)
class CircuitTest:
    """The test of one circuit.

    Attributes:
        connection: the connection of the primary gateway that leads to it.
        circuit_id: the circuit.
        location: its peering location; empty if that is not known.
        state: of its private peering: ``Enabled`` or ``Disabled``; None if it has none, or that is
            not known.
        unknown: why the circuit could not be read; None if it was.
    """

    connection: str
    circuit_id: str
    location: str = ""
    state: str | None = None
    unknown: str | None = None

    @property
    def circuit(self) -> str:
        """The circuit's name."""
        return get_last_name(self.circuit_id)

    def build_az(self, state: str) -> str:
        """Return the az command that sets the state of the private peering."""
        words = [
            *("az", "network", "express-route", "peering", "update"),
            *("--subscription", parse(self.circuit_id).subscription),
            *("--resource-group", parse(self.circuit_id).group),
            *("--circuit-name", self.circuit, "--name", PEERING, "--set", f"state={state}"),
        ]
        return shlex.join(words)

    def build_powershell(self, state: str) -> tuple[str, ...]:
        """Return the PowerShell commands of the article that set it."""
        group = parse(self.circuit_id).group
        return (
            f"Set-AzContext -Subscription {_quote(parse(self.circuit_id).subscription)}",
            f"$ckt = Get-AzExpressRouteCircuit -Name {_quote(self.circuit)} "
            f"-ResourceGroupName {_quote(group)}",
            f"($ckt.Peerings | Where-Object PeeringType -eq {_quote(PEERING)}).State = "
            f"{_quote(state)}",
            "Set-AzExpressRouteCircuit -ExpressRouteCircuit $ckt",
        )


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def list_tests(circuits: Circuits) -> tuple[CircuitTest, ...]:
    """Return the test of each circuit that a gateway is connected to."""
    tests = []
    for connection in circuits.connections.value or ():
        if connection.circuit_id is None or not is_resource_id(connection.circuit_id):
            continue
        circuit = connection.known_circuit
        if circuit is None:
            why = connection.circuit.unknown if connection.circuit else None
            unknown = why or "it could not be read"
            tests.append(CircuitTest(connection.name, connection.circuit_id, unknown=unknown))
        else:
            place, state = circuit.peering_location, circuit.peering_state
            tests.append(CircuitTest(connection.name, connection.circuit_id, place, state))
    return tuple(tests)


def format_text(site: Site, circuits: Circuits, tests: Sequence[CircuitTest]) -> str:
    """Return the commands for people, with what they cut."""
    name = circuits.gateway_name
    if not tests:
        return (
            f"{name}, the primary gateway of {site.name}, has no connection to an ExpressRoute "
            f"circuit (its type is {circuits.gateway_type}): there is no private peering to "
            "disable.\nTo fail the primary path of a VPN stand-in: erfailover drill start"
        )
    lines = [
        f"How to disable the private peering of the circuits of {name}, to test {site.name}.",
        "erfailover does not run these commands. Source:",
        SOURCE,
        CUTS,
    ]
    for test in tests:
        state = f"private peering {test.state}" if test.state else "no private peering"
        if test.unknown:
            state = f"it could not be read: {test.unknown}"
        place = f" ({test.location})" if test.location else ""
        lines += ["", f"Circuit {test.circuit}{place}, connection {test.connection}: {state}"]
        if test.state or test.unknown:
            for verb, value in (("disable", "Disabled"), ("enable", "Enabled")):
                lines += [f"  To {verb} it:", f"    {test.build_az(value)}"]
                lines += ["  or in PowerShell:"]
                lines += [f"    {line}" for line in test.build_powershell(value)]
    lines += [
        "",
        "Before: erfailover drill run --canary SPOKE shows that IPsec carries a spoke.",
        "While it is disabled: erfailover status, then erfailover switch --to ipsec.",
        "After it is enabled again: erfailover switch --to expressroute.",
    ]
    return "\n".join(lines)


def build_data(site: Site, circuits: Circuits, tests: Sequence[CircuitTest]) -> dict[str, Any]:
    """Return the same as plain data."""
    return {
        "site": site.name,
        "gateway": circuits.gateway_name,
        "gateway_type": circuits.gateway_type,
        "source": SOURCE,
        "cuts": CUTS,
        "circuits": [
            {
                "circuit": test.circuit_id,
                "connection": test.connection,
                "peering_location": test.location or None,
                "peering_state": test.state,
                "unknown": test.unknown,
                "disable_az": test.build_az("Disabled"),
                "enable_az": test.build_az("Enabled"),
                "disable_powershell": list(test.build_powershell("Disabled")),
                "enable_powershell": list(test.build_powershell("Enabled")),
            }
            for test in tests
        ],
    }
