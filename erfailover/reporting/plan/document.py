"""A plan as a document: what it rests on, what identifies it, and whether Azure has changed.

``--dry-run -o json`` prints this document, ``--out FILE`` keeps it, and ``switch --plan FILE``
applies it later, if what it rests on is unchanged. Pure: it reads and writes nothing.

The digest is over what the plan rests on and over its steps: the same state of Azure and the same
steps have the same digest, whenever they were read. What changes by itself (BGP
counters, uptimes, transient provisioning states) is not in it; readiness, hazards and the gate are
checked again when the plan is applied. Etags are not in it either: Azure changes those of all
peerings of a VNet when one is written (recorded), and a write keeps what others have set.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from erfailover.errors import Refused, UsageFailure
from erfailover.model import plain_json
from erfailover.model.command_line import switch_to
from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import Peering, SiteSnapshot
from erfailover.model.peering_flags import FLAG_LABELS
from erfailover.model.plan import SwitchPlan
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import ROLE_OF_PATH, Path, Site
from erfailover.reporting.plan import data

FORMAT = "erfailover-plan/1"
"""Names the document's format; a new format has a new number."""
MOST_DIFFERENCES = 10
"""Up to this many differences are named."""
Document = Mapping[str, Any]


def build_document(
    site: Site, plan: SwitchPlan, observed: SiteSnapshot, version: str
) -> dict[str, Any]:
    """Return a plan as the document that is printed and kept.

    Args:
        site: whose plan it is.
        plan: what would be done.
        observed: what it was decided from.
        version: erfailover's own.
    """
    whole = {
        "format": FORMAT,
        "erfailover": version,
        "read_at": observed.taken_at,
        "subscription": site.subscription,
        **data.build_data(site, plan),
        "basis": build_basis(site, plan, observed),
    }
    whole["digest"] = compute_digest(whole)
    whole["checksum"] = compute_checksum(whole)
    return whole


def build_basis(site: Site, plan: SwitchPlan, observed: SiteSnapshot) -> dict[str, Any]:
    """Return what a plan rests on: the peerings, the VNets, the arriving hub's gateway."""
    peerings: dict[str, Any] = {}
    for spoke in site.spokes:
        for id_ in site.list_peering_ids(spoke):
            peerings[id_] = _build_peering(observed.get_peering(id_))
    networks = {}
    for name in site.list_network_names():
        network = observed.get_network(site.build_network_id(name))
        networks[site.build_network_id(name)] = (
            {
                "address_space": sorted(map(str, network.address_space)),
                "gateway": network.has_gateway,
            }
            if network
            else None
        )
    role = ROLE_OF_PATH[plan.target]
    gateway = observed.gateways.get(role)
    gateway_id = site.build_gateway_id(site.get_hub(role).gateway)
    config = (
        {
            "type": gateway.type,
            "sku": gateway.sku,
            "asn": gateway.asn,
            "active_active": gateway.active_active,
            "bgp_addresses": sorted(gateway.bgp_addresses),
        }
        if gateway
        else None
    )
    basis = {"peerings": peerings, "networks": networks, "gateways": {gateway_id: config}}
    return {**basis, "route_tables": _build_tables(observed)} if site.routing else basis


def _build_tables(observed: SiteSnapshot) -> dict[str, Any]:
    """Return the route tables that decide the next hops."""
    return {
        id_: {
            "takes_gateway_routes": reading.value.takes_gateway_routes,
            "subnets": sorted(reading.value.subnets),
            "routes": sorted(
                f"{route.name} {route.prefix} {route.next_hop_type} {route.next_hop or ''}".strip()
                for route in reading.value.routes
            ),
        }
        if reading.value
        else None
        for id_, reading in sorted(observed.route_tables.items())
    }


def _build_peering(peering: Peering | None) -> dict[str, Any] | None:
    if peering is None:
        return None
    return {
        "remote_virtual_network": peering.remote_virtual_network.lower(),
        "state": peering.state,
        "sync_level": peering.sync_level,
        "failed": peering.failed,
        **asdict(peering.flags),
    }


def compute_digest(plan: Document) -> str:
    """Return what identifies a plan: what it rests on, and what it does."""
    names = ("format", "subscription", "site", "purpose", "to", "basis", "steps")
    by_name = {name: plan.get(name) for name in names}
    return _hash({**by_name, "left_out": sorted(_list_left_out(plan))})[:16]


def _list_left_out(plan: Document) -> set[str]:
    """Return the names of the spokes that a document leaves out."""
    return {item["spoke"] for item in plan.get("left_out") or ()}


def read_left_out(saved: Document) -> dict[str, Condition]:
    """Return the spokes that a saved plan leaves out: what was not reviewed is not applied."""
    return {
        item["spoke"]: Condition(
            item["condition"],
            ConditionStatus(item["verdict"]),
            f"left out of the saved plan: {item['seen']}",
            f"Create the plan again: {format_replan_command(saved)}",
        )
        for item in saved.get("left_out") or ()
    }


def compute_checksum(plan: Document) -> str:
    """Return the checksum, which shows whether a document was changed after it was written."""
    return _hash({name: value for name, value in plan.items() if name != "checksum"})


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def parse(text: str, name: str) -> dict[str, Any]:
    """Return a document from the text of a file.

    Args:
        text: what the file holds.
        name: the file, for messages.

    Raises:
        UsageFailure: it is not a plan, has another format, or was changed since it was written.
    """
    hint = "Create a plan: erfailover switch --to ipsec|expressroute --dry-run --out FILE"
    try:
        value = plain_json.parse_json(text)
    except ValueError:
        raise UsageFailure(f"{name}: expected a saved plan, found no JSON", hint) from None
    if not isinstance(value, dict) or not str(value.get("format", "")).startswith(
        "erfailover-plan/"
    ):
        raise UsageFailure(f"{name}: expected a saved plan, found other JSON", hint)
    if value["format"] != FORMAT:
        raise UsageFailure(
            f"{name}: expected the format {FORMAT}, found {value['format']}",
            "It was created by another version of erfailover. " + hint,
        )
    whole = isinstance(value.get("basis"), dict) and isinstance(value.get("steps"), list)
    if (
        not whole
        or value.get("checksum") != compute_checksum(value)
        or value.get("digest") != compute_digest(value)
    ):
        raise UsageFailure(
            f"{name} was changed after erfailover wrote it: its checksum does not match",
            "A plan is applied exactly as it was reviewed, or not at all. " + hint,
        )
    return value


def read_target(saved: Document, name: str) -> Path:
    """Return the path that a plan leads to.

    Raises:
        UsageFailure: it is not a plan of a switch.
    """
    if saved.get("purpose") != "switch":
        raise UsageFailure(
            f"{name}: expected a plan of a switch, found a plan of {saved.get('purpose')}",
            f"Run erfailover {saved.get('purpose')}: it shows its plan and asks for confirmation.",
        )
    try:
        return Path(saved.get("to") or "")
    except ValueError:
        raise UsageFailure(f"{name}: expected a plan of a switch, found no path in it") from None


def get_chosen_spokes(saved: Document) -> tuple[str, ...]:
    """Return the spokes that a plan was made for; empty for the whole site."""
    return tuple(saved.get("spokes") or ())


def insist_on_site(saved: Document, site: Site, version: str, name: str) -> None:
    """Refuse the plan of another site, subscription or version.

    Raises:
        UsageFailure: of another site.
        Refused: of another version, which may do other things than were reviewed.
    """
    items, its = (site.name, site.subscription), (saved.get("site"), saved.get("subscription"))
    if items != its:
        raise UsageFailure(
            f"{name} is a plan for site {its[0]} in subscription {its[1] or '(full ids)'}; "
            f"the site file is for {items[0]} in {items[1] or '(full ids)'}",
            "Choose the right site file with --site, or create a new plan.",
        )
    if saved.get("erfailover") != version:
        raise Refused(
            f"{name} was created by erfailover {saved.get('erfailover')}; this is {version}",
            f"Nothing was changed. Create it again: {format_replan_command(saved)}",
        )


def format_replan_command(saved: Document) -> str:
    """Return the command that creates the plan again."""
    return f"{switch_to(str(saved.get('to')), get_chosen_spokes(saved))} --dry-run --out FILE"


def insist_on_world(site: Site, saved: Document, now: Document, name: str) -> None:
    """Refuse a plan if Azure has changed since it was saved, or if its steps would differ today.

    A spoke that is left out today does not block others: what concerns only it is not compared.

    Raises:
        Refused: naming what changed.
    """
    lines = list(iter_changes(_remove_left_out(site, saved, now), _remove_left_out(site, now, now)))
    if not lines:
        return
    more = len(lines) - MOST_DIFFERENCES
    message = "; ".join(lines[:MOST_DIFFERENCES]) + (f"; and {more} more" if more > 0 else "")
    raise Refused(
        f"Azure has changed since {name} was created ({saved['read_at']}): {message}",
        "Nothing was changed. Review that, and create the plan again: "
        f"{format_replan_command(saved)}",
    )


def _remove_left_out(site: Site, plan: Document, now: Document) -> Document:
    """Return a plan without what concerns only the spokes that are left out now."""
    names = _list_left_out(now)
    gone = {
        id_
        for spoke in site.spokes
        if spoke.name in names
        for id_ in (site.build_network_id(spoke.virtual_network), *site.list_peering_ids(spoke))
    }
    basis = {
        kind: {id_: item for id_, item in value.items() if id_ not in gone}
        for kind, value in plan["basis"].items()
    }
    steps = [step for step in plan["steps"] if step["spoke"] not in names]
    return {**plan, "basis": basis, "steps": steps}


def iter_changes(saved: Document, now: Document) -> Iterator[str]:
    """Yield what has changed since a plan was created, in words: ``vnet1-to-vnet2: ...``."""
    for kind, words in (
        ("peerings", PEERING),
        ("networks", NETWORK),
        ("gateways", GATEWAY),
        ("route_tables", ROUTE_TABLE),
    ):
        then, today = saved["basis"].get(kind, {}), now["basis"].get(kind, {})
        for id_ in dict.fromkeys([*then, *today]):
            if then.get(id_) != today.get(id_):
                difference = _describe_difference(then.get(id_), today.get(id_), words)
                yield f"{get_last_name(id_)}: {difference}"
    if saved["basis"] == now["basis"] and saved["steps"] != now["steps"]:
        yield from _iter_changed_steps(saved, now)


PEERING = {
    **FLAG_LABELS,
    "remote_virtual_network": "leads to",
    "state": "state",
    "sync_level": "sync",
    "failed": "last write failed",
}
NETWORK = {"address_space": "address space", "gateway": "has a gateway"}
ROUTE_TABLE = {
    "takes_gateway_routes": "takes gateway routes",
    "subnets": "subnets",
    "routes": "routes",
}
GATEWAY = {
    "type": "type",
    "sku": "SKU",
    "asn": "ASN",
    "active_active": "active-active",
    "bgp_addresses": "BGP addresses",
}


def _describe_difference(then: Any, today: Any, words: Mapping[str, str]) -> str:
    if then is None:
        return "did not exist, exists now"
    if today is None:
        return "no longer exists, or could not be read"
    return ", ".join(
        f"{words.get(key, key)} {_format_value(then.get(key))} -> {_format_value(today.get(key))}"
        for key in dict.fromkeys([*then, *today])
        if then.get(key) != today.get(key)
    )


def _format_value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _iter_changed_steps(saved: Document, now: Document) -> Iterator[str]:
    """Yield steps that differ although Azure has not changed: by the site file or the journal."""
    then = {(item["spoke"], item["number"]): item for item in saved["steps"]}
    today = {(item["spoke"], item["number"]): item for item in now["steps"]}
    rows = [key for key in dict.fromkeys([*then, *today]) if then.get(key) != today.get(key)]
    for spoke, number in rows:
        yield f"step {number} of {spoke} would differ (the site file or the journal changed)"
    if not rows:
        yield "the steps would be in another order (the site file changed)"


def format_text(plan: Document) -> str:
    """Return a document as the text of a file."""
    return json.dumps(plan, indent=1) + "\n"
