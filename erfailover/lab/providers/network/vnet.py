"""Virtual networks: their address space beside its subnets and peered VNets, what keeps one."""

from __future__ import annotations

from erfailover.lab.core import addresses, errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import Fresh
from erfailover.lab.core.scene import Scene, address_prefixes, remote_of
from erfailover.lab.core.world import Resource
from erfailover.lab.providers.bodies import Draft
from erfailover.lab.providers.network import network_manager, subnet
from erfailover.lab.providers.network.peering import PEERING, disconnect, overlaps_peered
from erfailover.lab.providers.provider import Cloud, Coverage, Plan, Provider
from erfailover.lab.providers.shapes import PREFIXES, children


def _complete(draft: Draft, existing: Resource | None, fresh: Fresh) -> None:
    options = draft.body["properties"].get("dhcpOptions")
    if isinstance(options, dict):
        options.setdefault("dnsServers", [])


def _validate(scene: Scene, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Why a VNet may not be written so, its subnets apart."""
    vnet_id, body = draft.id, draft.body
    space = body["properties"].get("addressSpace") or {}
    prefixes = space.get("addressPrefixes") or []
    if not prefixes:
        return errors.property_missing("addressSpace", str(vnet_id))
    for number, prefix in enumerate(prefixes):
        if addresses.network(prefix) is None:
            return errors.prefix_invalid(prefix, str(vnet_id))
        if addresses.overlap([prefix], prefixes[:number]) is not None:
            return scene.unknown.refuse(
                "address space overlaps itself",
                f"Address prefixes of virtual network {vnet_id} overlap: {prefix}.",
            )
    summary = body["properties"].get("summarizedGatewayPrefixes") or {}
    summarized: list[str] = summary.get("addressPrefixes") or []
    for number, prefix in enumerate(summarized):
        if addresses.network(prefix) is None:
            return errors.prefix_invalid(prefix, str(vnet_id))
        if addresses.overlap([prefix], summarized[:number]) is not None:
            return scene.unknown.refuse(  # documented; whatever the VNet's own space is
                "summarized prefixes overlap",
                f"Summarized gateway prefixes of virtual network {vnet_id} overlap: {prefix}.",
            )
    if existing is None:
        return None
    return _peers_refused(scene, vnet_id, prefixes, existing)


def _peers_refused(
    scene: Scene, vnet_id: ids.ResourceId, prefixes: list[str], existing: Resource
) -> Refusal | None:
    added = [each for each in prefixes if each not in address_prefixes(existing)]
    for peering in scene.peerings(vnet_id):
        other = scene.world.get(remote_of(peering))
        shared = addresses.overlap(added, address_prefixes(other)) if other else None
        if other is not None and shared is not None:
            return overlaps_peered(vnet_id, existing, other, shared)
    return None


def _validate_plan(scene: Scene, plan: Plan) -> Refusal | None:
    written = [draft for draft, _ in plan.children]
    return subnet.validate_ranges(
        scene, plan.draft.id, plan.draft.body, written, dropped=plan.dropped
    )


def _validate_delete(scene: Scene, vnet: Resource) -> Refusal | None:
    subnets = scene.world.children(vnet.id, "subnets")
    found = (subnet.validate_delete(scene, each) for each in subnets)
    return next((each for each in found if each is not None), None)


def _disconnect_peerings(cloud: Cloud, vnet: Resource) -> tuple[str, ...]:
    """A peering that was only Initiated has lost its other end as well (assumed)."""
    for user in cloud.scene.references.users(vnet.id, "remoteVirtualNetwork"):
        disconnect(cloud.fresh, cloud.scene.world.get(user.source))
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
            "connectivity of a Network Manager, for which the tag `lab:network-manager` stands "
            "(`Enforced`, `Unenforced`)",
            not_modelled="DDoS plans, encryption, flow timeouts, private endpoints, IPAM pools, "
            "IPv6 packets: an ExpressRoute gateway lists IPv6 prefixes, a VPN gateway drops them",
            rests_on="recording; what a gateway advertises of a summary: document and "
            "observation, that its own table lists the same: inference",
        ),
    ),
    shape={
        "addressSpace": PREFIXES,
        "summarizedGatewayPrefixes": PREFIXES,
        "subnets": children(subnet.SUBNET.shape),
        "virtualNetworkPeerings": children(PEERING.shape),
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
