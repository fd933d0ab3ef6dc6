"""``erfailover drill --show-circuit-test``: how to disable a circuit's private peering, by hand.

Reads the circuits of the primary gateway. Never writes: what the commands cut is not only this
site's.
"""

from __future__ import annotations

from erfailover.azure.readers.circuits import read_circuits
from erfailover.commands.context import Context
from erfailover.errors import UnknownReading
from erfailover.reporting import circuit_test


def show(context: Context) -> None:
    """Print Microsoft's commands for the circuits of the primary gateway, and what they cut.

    Raises:
        UnknownReading: the connections of the gateway could not be read.
    """
    site = context.site
    gateway_id = site.build_gateway_id(site.primary.gateway)
    with context.show_activity(f"Reading the circuits of {site.primary.gateway}"):
        circuits = read_circuits(context.reader, gateway_id)
    if circuits.connections.value is None:
        raise UnknownReading(
            f"the connections of {circuits.gateway_name} could not be read: "
            f"{circuits.connections.unknown}",
            "Check the names in the site file and your rights: erfailover doctor",
        )
    tests = circuit_test.list_tests(circuits)
    context.output.print_result(
        circuit_test.format_text(site, circuits, tests),
        circuit_test.build_data(site, circuits, tests),
    )
