"""Checks of what the gateways hang on: connections and circuits, and whether a drill runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from erfailover.model.circuits import Circuits, claims
from erfailover.model.claims import Verdict
from erfailover.model.resource_ids import CIRCUIT, CONNECTION, group_of
from erfailover.model.site import Role, Site
from erfailover.planning.doctor.check import Check, Group, Line, Name
from erfailover.planning.doctor.facts import Facts
from erfailover.planning.drill.state import STOP, drill_state


def connections(site: Site, facts: Facts) -> Iterator[Check]:
    """The backup's connections are Connected; those of the primary, and its circuits, are told.

    The primary's state keeps nobody from leaving it: it fails no check.
    """
    line = Line(Name.CONNECTIONS, Group.GATEWAYS, required=False)
    for role in Role:
        found = facts.circuits.get(role)
        if found is None:
            yield line.unknown(
                f"connections of the {role} hub's gateway: it could not be read",
                "See the permissions above.",
            )
            continue
        told = tuple(claims(found))
        unread = [each for each in told if each.verdict is Verdict.UNKNOWN]
        wrong = [each for each in told if each.verdict is Verdict.FAILS]
        yield from (line.of(each, _to_be_read(found)) for each in unread)
        if wrong and role is Role.BACKUP:
            yield from (line.of(each, MEND) for each in wrong)
        elif wrong:
            what = "; ".join(each.seen for each in wrong)
            yield line.ok(f"{what}. That keeps nobody from leaving {found.gateway_name}")
        elif not unread:
            count = len(found.connections.value or ())
            yield line.ok(f"{count} connection(s) of {found.gateway_name}, nothing wrong with them")


MEND = (
    "Compare both ends: shared key, public addresses, IPsec policy (az network vpn-connection "
    "show). A switch would rest on what is left."
)


def _to_be_read(found: Circuits) -> str:
    """What it takes to read the connections and circuits that could not be."""
    away = [each.id for each in found.connections.value or () if each.status.value is None]
    away += [
        each.circuit_id
        for each in found.connections.value or ()
        if each.circuit_id and each.circuit is not None and each.circuit.value is None
    ]
    groups = dict.fromkeys(map(group_of, away or [found.gateway_id]))
    scopes = " ".join(f"--scope {each}" for each in groups)
    return (
        f"Have {CONNECTION}/read and {CIRCUIT}/read granted there: erfailover permissions "
        f"--role-definition read {scopes}"
    )


def drill(site: Site, facts: Facts) -> Iterator[Check]:
    """No drill is running: it cuts the primary off until somebody stops it."""
    line = Line(Name.DRILL, Group.GATEWAYS, required=False)
    state = drill_state(site, facts.circuits.get(Role.PRIMARY), facts.stand_in)
    told = state.told or ""
    if state.running:
        yield line.fails(told, f"If it is no longer wanted: {STOP}. A switch to IPsec can go on.")
    elif state.running is None:
        yield line.unknown(told, "See the permissions above; Azure's portal shows it as well.")
    else:
        yield line.ok("no drill is running")
