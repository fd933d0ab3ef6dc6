"""Checks of what the gateways depend on: connections, circuits, and drills. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from erfailover.model.circuits import Circuits, check_circuits
from erfailover.model.conditions import ConditionStatus
from erfailover.model.counting import format_count
from erfailover.model.observed import EXPRESSROUTE
from erfailover.model.resource_ids import CIRCUIT, CONNECTION, get_group_id
from erfailover.model.site import Role, Site
from erfailover.planning import coexistence
from erfailover.planning.doctor.check import Check, CheckBuilder, CheckName, Group
from erfailover.planning.doctor.facts import DoctorFacts
from erfailover.planning.drill.state import STOP, build_drill_state
from erfailover.planning.switch.hold_time import describe_basis, find_longest_session


def check_connections(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Check that the backup's connections are Connected; report the primary's and its circuits.

    The primary's state never prevents leaving it: it fails no check.
    """
    line = CheckBuilder(CheckName.CONNECTIONS, Group.GATEWAYS, required=False)
    for role in Role:
        circuits = facts.circuits.get(role)
        if circuits is None:
            yield line.report_unknown(
                f"the connections are unknown: the {role} hub's gateway could not be read",
                "See the permissions above.",
            )
            continue
        conditions = tuple(check_circuits(circuits))
        unread = [
            condition for condition in conditions if condition.status is ConditionStatus.UNKNOWN
        ]
        wrong = [condition for condition in conditions if condition.status is ConditionStatus.FAILS]
        yield from (
            line.report_condition(condition, _explain_missing_rights(circuits))
            for condition in unread
        )
        if wrong and role is Role.BACKUP:
            yield from (line.report_condition(condition, REPAIR) for condition in wrong)
        elif wrong:
            what = "; ".join(condition.message for condition in wrong)
            yield line.report_ok(f"{what}. This does not prevent leaving {circuits.gateway_name}")
        elif not unread:
            count = len(circuits.connections.value or ())
            yield line.report_ok(
                f"{format_count(count, 'connection')} of {circuits.gateway_name}: no problem found"
            )


REPAIR = (
    "Compare both ends: shared key, public addresses, IPsec policy (az network vpn-connection "
    "show). Until then, a switch depends on the other connections."
)


def _explain_missing_rights(circuits: Circuits) -> str:
    """Return what it takes to read the connections and circuits that could not be read."""
    away = [
        connection.id
        for connection in circuits.connections.value or ()
        if connection.status.value is None
    ]
    away += [
        connection.circuit_id
        for connection in circuits.connections.value or ()
        if connection.circuit_id
        and connection.circuit is not None
        and connection.circuit.value is None
    ]
    groups = dict.fromkeys(map(get_group_id, away or [circuits.gateway_id]))
    scopes = " ".join(f"--scope {group}" for group in groups)
    return (
        f"Grant {CONNECTION}/read and {CIRCUIT}/read there: erfailover permissions "
        f"--role-definition read {scopes}"
    )


def check_second_gateways(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Report a second gateway in a hub: Azure fails over between the primary's two by itself."""
    line = CheckBuilder(CheckName.SECOND_GATEWAYS, Group.GATEWAYS, required=False)
    conditions = list(coexistence.check_coexistence(site, facts.observed))
    yield from (
        line.report_condition(condition, "See the permissions above, then run doctor again.")
        for condition in conditions
    )
    if not conditions:
        yield line.report_ok("neither hub has a second gateway")


def check_hold_time(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Yield the basis of a failback's hold time, and whether it can be read."""
    line = CheckBuilder(CheckName.HOLD_TIME, Group.GATEWAYS, required=False)
    primary = facts.observed.gateways.get(Role.PRIMARY)
    if primary is None:
        message = (
            "the basis of the hold time is unknown: the primary hub's gateway could not be read"
        )
        yield line.report_unknown(message, "See the permissions above.")
        return
    session = find_longest_session(facts.sessions, site.timing.failback_hold_time_s)
    message = describe_basis(site, primary.type, session)
    if primary.type == EXPRESSROUTE and session.up_s is None:
        circuits = facts.circuits.get(Role.PRIMARY)
        connections = (circuits.connections.value or ()) if circuits else ()
        ids = [connection.circuit_id for connection in connections if connection.circuit_id]
        scopes = " ".join(f"--scope {fromkey}" for fromkey in dict.fromkeys(map(get_group_id, ids)))
        yield line.report_unknown(
            message,
            f"Grant {CIRCUIT}/read and {CIRCUIT}/peerings/routeTablesSummary/read there: "
            f"erfailover permissions --role-definition read {scopes}".rstrip(),
        )
    else:
        yield line.report_ok(message)


def check_drill(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Check that no drill is running: it cuts the primary off until it is stopped."""
    line = CheckBuilder(CheckName.DRILL, Group.GATEWAYS, required=False)
    state = build_drill_state(site, facts.circuits.get(Role.PRIMARY), facts.stand_in)
    text = state.description or ""
    if state.running:
        yield line.report_failure(text, f"To end it: {STOP}. A switch to IPsec still works.")
    elif state.running is None:
        yield line.report_unknown(text, "See the permissions above; the Azure portal shows it too.")
    else:
        yield line.report_ok("no drill is running")
