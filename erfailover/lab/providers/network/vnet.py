"""Virtual networks: address space, subnets, peered VNets, and what prevents a deletion."""

from __future__ import annotations

from erfailover.lab.core import addresses, errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import ValueGenerator
from erfailover.lab.core.rule_context import RuleContext, get_address_prefixes, get_remote_id
from erfailover.lab.core.world import Resource
from erfailover.lab.providers.bodies import Draft
from erfailover.lab.providers.network import network_manager, subnet
from erfailover.lab.providers.network.peering import PEERING, disconnect, refuse_overlap
from erfailover.lab.providers.provider import Cloud, Coverage, Plan, Provider
from erfailover.lab.providers.shapes import PREFIXES, make_children_shape


def _complete(draft: Draft, existing: Resource | None, generator: ValueGenerator) -> None:
    options = draft.body["properties"].get("dhcpOptions")
    if isinstance(options, dict):
        options.setdefault("dnsServers", [])


def _validate(context: RuleContext, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Return the refusal of a VNet, its subnets apart."""
    vnet_id, body = draft.id, draft.body
    space = body["properties"].get("addressSpace") or {}
    prefixes = space.get("addressPrefixes") or []
    if not prefixes:
        return errors.property_missing("addressSpace", str(vnet_id))
    for number, prefix in enumerate(prefixes):
        if addresses.parse_network(prefix) is None:
            return errors.prefix_invalid(prefix, str(vnet_id))
        if addresses.find_overlap([prefix], prefixes[:number]) is not None:
            return context.unknown.refuse(
                "address space overlaps itself",
                f"Address prefixes of virtual network {vnet_id} overlap: {prefix}.",
            )
    summary = body["properties"].get("summarizedGatewayPrefixes") or {}
    summarized: list[str] = summary.get("addressPrefixes") or []
    for number, prefix in enumerate(summarized):
        if addresses.parse_network(prefix) is None:
            return errors.prefix_invalid(prefix, str(vnet_id))
        if addresses.find_overlap([prefix], summarized[:number]) is not None:
            return context.unknown.refuse(  # documented; whatever the VNet's own space is
                "summarized prefixes overlap",
                f"Summarized gateway prefixes of virtual network {vnet_id} overlap: {prefix}.",
            )
    if existing is None:
        return None
    return _validate_peers(context, vnet_id, prefixes, existing)


def _validate_peers(
    context: RuleContext, vnet_id: ids.ResourceId, prefixes: list[str], existing: Resource
) -> Refusal | None:
    added = [prefix for prefix in prefixes if prefix not in get_address_prefixes(existing)]
    for peering in context.list_peerings(vnet_id):
        other = context.world.get(get_remote_id(peering))
        shared = addresses.find_overlap(added, get_address_prefixes(other)) if other else None
        if other is not None and shared is not None:
            return refuse_overlap(vnet_id, existing, other, shared)
    return None


def _validate_plan(context: RuleContext, plan: Plan) -> Refusal | None:
    written = [draft for draft, _ in plan.children]
    return subnet.validate_ranges(
        context, plan.draft.id, plan.draft.body, written, dropped=plan.dropped
    )


def _validate_delete(context: RuleContext, vnet: Resource) -> Refusal | None:
    subnets = context.world.list_children(vnet.id, "subnets")
    refusals = (subnet.validate_delete(context, child) for child in subnets)
    return next((refusal for refusal in refusals if refusal is not None), None)


def _disconnect_peerings(cloud: Cloud, vnet: Resource) -> tuple[str, ...]:
    """Disconnect the peerings to a deleted VNet, Initiated ones too (assumed)."""
    for user in cloud.context.references.find_users(vnet.id, "remoteVirtualNetwork"):
        disconnect(cloud.generator, cloud.context.world.get(user.source))
    return ()


VNET = Provider(
    type=rt.VNET,
    noun="VirtualNetwork",
    actions=(network_manager.EFFECTIVE,),
    coverage=(
        Coverage(
            names="`Microsoft.Network/virtualNetworks`, "
            "`listNetworkManagerEffectiveConnectivityConfigurations`",
            modelled="address spaces, subnets and peerings in the body, `Updating` as a lock, "
            "overlap with peered VNets refused; `summarizedGatewayPrefixes`; the effective "
            "connectivity of a Network Manager, represented by the tag `lab:network-manager` "
            "(`Enforced`, `Unenforced`)",
            not_modelled="DDoS plans, encryption, flow timeouts, private endpoints, IPAM pools, "
            "IPv6 packets: an ExpressRoute gateway lists IPv6 prefixes, a VPN gateway drops them",
            rests_on="recording; a gateway's advertised summary: document and observation; the "
            "same in its own table: inference",
        ),
    ),
    shape={
        "addressSpace": PREFIXES,
        "summarizedGatewayPrefixes": PREFIXES,
        "subnets": make_children_shape(subnet.SUBNET.shape),
        "virtualNetworkPeerings": make_children_shape(PEERING.shape),
        "dhcpOptions": {"dnsServers": [str]},
    },
    defaults={"privateEndpointVNetPolicies": "Disabled", "enableDdosProtection": False},
    read_only=frozenset({"subnets", "virtualNetworkPeerings", "enableVmProtection"}),
    has_guid=True,
    complete=_complete,
    validate=_validate,
    validate_plan=_validate_plan,
    validate_delete=_validate_delete,
    finish_delete=_disconnect_peerings,
)
