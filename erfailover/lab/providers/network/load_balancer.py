"""Internal load balancers before appliances: private front ends, pools, and rules for all ports.

Recorded (Azure/azure-cli, ``test_network_lb.yaml`` of 2020): the form of front ends and pools.
Documented (*High availability ports overview*): a rule of protocol All and ports 0 on an internal
front end of SKU Standard delivers every packet. That a write succeeds at once, and a probe notices
a stopped machine at once, is assumed. ``lab.machines.appliances`` chooses the machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from erfailover.lab.core import addresses, errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import ValueGenerator
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft, reduce_reference
from erfailover.lab.providers.network.nic import list_taken_addresses, validate_address
from erfailover.lab.providers.provider import Coverage, Provider, View
from erfailover.lab.providers.shapes import IP_CONFIGURATION, REFERENCE

PARTS = ("frontendIPConfigurations", "backendAddressPools", "loadBalancingRules", "probes")
NOT_MODELLED = ("inboundNatRules", "inboundNatPools", "outboundRules")


def _complete(draft: Draft, existing: Resource | None, generator: ValueGenerator) -> None:
    properties = draft.body["properties"]
    draft.body["sku"] = {"name": "Basic", "tier": "Regional", **(draft.body.get("sku") or {})}
    stored = existing.properties if existing is not None else {}
    for kind in PARTS:
        before = {part["name"]: part["properties"] for part in stored.get(kind, ())}
        for number, sent in enumerate(properties[kind]):
            name = str(sent.get("name") or f"{kind}{number}")
            inner: Body = {**(sent.get("properties") or {}), "provisioningState": "Succeeded"}
            if kind == PARTS[0]:
                _complete_front_end(inner, before.get(name, {}))
            if kind == PARTS[1]:
                inner.pop("backendIPConfigurations", None)
            properties[kind][number] = {
                "name": name,
                "id": f"{draft.id}/{kind}/{name}",
                "etag": draft.body["etag"],
                "type": f"{draft.id.type}/{kind}",
                "properties": inner,
            }


def _complete_front_end(inner: Body, before: Body) -> None:
    for name in ("subnet", "publicIPAddress"):
        reduce_reference(inner, name)
    method = str(inner.get("privateIPAllocationMethod") or "Dynamic").capitalize()
    inner["privateIPAllocationMethod"] = method
    inner.setdefault("privateIPAddressVersion", "IPv4")
    if method == "Dynamic":
        inner.pop("privateIPAddress", None)
        same = ids.to_key(_read_id(inner, "subnet")) == ids.to_key(_read_id(before, "subnet"))
        if same and "privateIPAddress" in before:
            inner["privateIPAddress"] = before["privateIPAddress"]


def _read_id(inner: Body, name: str) -> str:
    return str((inner.get(name) or {}).get("id") or "")


def _validate(context: RuleContext, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Return the refusal if a load balancer may not be written; None if it may."""
    properties = draft.body["properties"]
    for name in NOT_MODELLED:
        if properties.get(name):
            return errors.not_modelled(f"{name} of load balancers")
    if draft.body["sku"]["name"] != "Standard":
        return errors.not_modelled(f"load balancers of SKU {draft.body['sku']['name']}")
    for front_end in properties[PARTS[0]]:
        refusal = _validate_front_end(context, front_end)
        if refusal is not None:
            return refusal
    own = {ids.to_key(part["id"]) for kind in PARTS for part in properties[kind]}
    for rule in properties["loadBalancingRules"]:
        refusal = _validate_rule(rule, own)
        if refusal is not None:
            return refusal
    return None


def _validate_front_end(context: RuleContext, front_end: Body) -> Refusal | None:
    inner = front_end["properties"]
    if _read_id(inner, "publicIPAddress") or inner["privateIPAddressVersion"] != "IPv4":
        return errors.not_modelled("public or IPv6 front ends of load balancers")
    subnet = context.world.get(_read_id(inner, "subnet"))
    if subnet is None or subnet.id.type != rt.SUBNET:
        return errors.property_missing("subnet", front_end["id"])
    return validate_address(context, front_end, subnet)


def _validate_rule(rule: Body, own: Iterable[str]) -> Refusal | None:
    inner = rule["properties"]
    if str(inner.get("protocol")).lower() != "all":
        return errors.not_modelled("rules of load balancers except for all ports")
    if (inner.get("frontendPort"), inner.get("backendPort")) != (0, 0):
        return errors.property_invalid("frontendPort", inner.get("frontendPort"), "0 with All")
    pools: list[Any] = [inner.get("backendAddressPool"), *(inner.get("backendAddressPools") or ())]
    for reference in (inner.get("frontendIPConfiguration"), *pools, inner.get("probe")):
        if reference and ids.to_key(str(reference.get("id"))) not in own:
            return errors.reference_missing(str(reference.get("id")), rule["id"])
    return None


def _assign_addresses(context: RuleContext, draft: Draft, existing: Resource | None) -> None:
    for front_end in draft.body["properties"][PARTS[0]]:
        inner = front_end["properties"]
        subnet = context.world.get(_read_id(inner, "subnet"))
        if inner.get("privateIPAddress") or subnet is None or subnet.id.type != rt.SUBNET:
            continue
        taken = list_taken_addresses(context, subnet, front_end["id"])
        prefix = str(subnet.properties.get("addressPrefix"))
        inner["privateIPAddress"] = addresses.find_first_free(prefix, taken)


def _list_members(context: RuleContext, pool_id: str) -> list[Body]:
    """Return the IP configurations of network interfaces that are in a pool."""
    pool = ids.to_key(pool_id)
    return [
        {"id": configuration["id"]}
        for nic in context.world.iter_by_type(rt.NIC)
        for configuration in nic.properties.get("ipConfigurations", ())
        for reference in configuration["properties"].get("loadBalancerBackendAddressPools") or ()
        if ids.to_key(str(reference.get("id"))) == pool
    ]


def _present(view: View, load_balancer: Resource) -> Body:
    pools = []
    for pool in load_balancer.properties["backendAddressPools"]:
        members = _list_members(view.context, pool["id"])
        more = {"backendIPConfigurations": members} if members else {}
        pools.append({**pool, "properties": {**pool["properties"], **more}})
    return {"backendAddressPools": pools}


def _validate_delete(context: RuleContext, load_balancer: Resource) -> Refusal | None:
    pools = load_balancer.properties["backendAddressPools"]
    if any(_list_members(context, pool["id"]) for pool in pools):
        return errors.not_modelled("deleting load balancers whose pools have members")
    return None


LOAD_BALANCER = Provider(
    type=f"{rt.NETWORK}/loadBalancers",
    noun="LoadBalancer",
    references=("frontendIPConfigurations.subnet",),
    coverage=(
        Coverage(
            names="`Microsoft.Network/loadBalancers`",
            modelled="Standard: private front ends, pools of network interfaces, rules for all "
            "ports; delivers to the first machine of the pool that runs",
            not_modelled="public front ends, other rules, NAT, Basic (501); what probes ask",
            rests_on="recording and document; durations: assumed",
        ),
    ),
    shape={
        "frontendIPConfigurations": [IP_CONFIGURATION],
        "backendAddressPools": [{"name": str, "properties": {}}],
        "loadBalancingRules": [
            {
                "name": str,
                "properties": {
                    "frontendIPConfiguration": REFERENCE,
                    "backendAddressPool": REFERENCE,
                    "backendAddressPools": [REFERENCE],
                    "probe": REFERENCE,
                    "protocol": str,
                    "frontendPort": int,
                    "backendPort": int,
                },
            }
        ],
        "probes": [{"name": str, "properties": {}}],
        **{name: [dict] for name in NOT_MODELLED},
    },
    defaults={name: [] for name in (*PARTS, *NOT_MODELLED)},
    has_guid=True,
    complete=_complete,
    prepare=_assign_addresses,
    validate=_validate,
    validate_delete=_validate_delete,
    is_instant=lambda context, draft: True,
    present=_present,
)
