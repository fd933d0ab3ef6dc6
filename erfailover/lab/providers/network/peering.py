"""Virtual network peerings: what ARM refuses of them, and their life.

Owns ``peeringState``, the remote address space that a peering knows, and ``peeringSyncLevel``.
Recorded: a peering without its opposite is Initiated and RemoteNotInSync; with it both are
Connected; deleting one turns the other Disconnected; both share one ``resourceGuid``. Codes and
messages of refusals are Azure's where a public source shows them; an unknown code is made up anew
in every run.
"""

from __future__ import annotations

import copy

from erfailover.lab.core import addresses, errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import Fresh
from erfailover.lab.core.scene import Scene, address_prefixes, remote_of
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft
from erfailover.lab.providers.network import network_manager
from erfailover.lab.providers.provider import Cloud, Coverage, Provider, View
from erfailover.lab.providers.rules import provisioned
from erfailover.lab.providers.shapes import REFERENCE

MOST_PEERINGS = 500
"""Peerings that one VNet may have (documented limit)."""


def _validate(scene: Scene, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Why a peering may not be written so; its references have been checked before."""
    peering_id, body = draft.id, draft.body
    vnet_id = peering_id.parent
    remote = str((body["properties"].get("remoteVirtualNetwork") or {}).get("id", ""))
    if vnet_id is None or not remote:
        return errors.property_missing("remoteVirtualNetwork", str(peering_id))
    local, other = scene.world.get(vnet_id), scene.world.get(remote)
    if local is None or other is None or other.id.parent is not None:
        return errors.reference_missing(remote, str(peering_id))
    return (
        _by_subnets(draft)
        or (network_manager.refused(scene, peering_id, local) if existing else None)
        or _pair_refused(scene, peering_id, local, other, existing)
        or (None if existing else _spaces_refused(scene, peering_id, local, other))
        or _state_refused(scene, peering_id, local, other, existing)
        or _transit_refused(scene, peering_id, body, local, other)
        or _remote_gateways_refused(scene, peering_id, body, local, other)
    )


def _by_subnets(draft: Draft) -> Refusal | None:
    """Refuse a peering of some subnets, or of IPv6 alone: the lab peers whole VNets."""
    properties = draft.body["properties"]
    partial = properties.get("peerCompleteVnets") is False
    fields = ("localSubnetNames", "remoteSubnetNames", "enableOnlyIPv6Peering")
    if partial or any(properties.get(each) for each in fields):
        return errors.not_modelled("a peering of subnets (peerCompleteVnets: false)")
    return None


def _pair_refused(
    scene: Scene,
    peering_id: ids.ResourceId,
    local: Resource,
    other: Resource,
    existing: Resource | None,
) -> Refusal | None:
    if local is other:
        return scene.unknown.refuse(
            "peering with itself",
            f"Peering {peering_id} cannot reference its own virtual network {local.id}.",
        )
    if existing is not None and ids.key(remote_of(existing)) != ids.key(other.id):
        return scene.unknown.refuse(
            "remote virtual network changed",
            f"The remote virtual network of peering {peering_id} cannot be changed.",
        )
    peerings = scene.peerings(local.id)
    for each in peerings:
        if each is not existing and ids.key(remote_of(each)) == ids.key(other.id):
            return Refusal(
                400,
                "AnotherPeeringAlreadyReferencesRemoteVnet",
                "Peering already references remote virtual network. Cannot add another peering "
                "referencing the same remote virtual network.",
                details=(),
            )
    if existing is None and len(peerings) >= MOST_PEERINGS:
        return scene.unknown.refuse(
            "too many peerings",
            f"Virtual network {local.id} cannot have more than {MOST_PEERINGS} peerings.",
        )
    return None


def _spaces_refused(
    scene: Scene, peering_id: ids.ResourceId, local: Resource, other: Resource
) -> Refusal | None:
    ours, theirs = address_prefixes(local), address_prefixes(other)
    shared = addresses.overlap(ours, theirs)
    if shared is not None:
        return Refusal(
            400,
            "VnetAddressSpacesOverlap",
            f"Cannot create or update peering {peering_id}. Virtual networks {local.id} and "
            f"{other.id} cannot be peered because their address spaces overlap. Overlapping "
            f"address prefixes: {shared[0]}, {shared[1]}",
            details=(),
        )
    for each in scene.peerings(local.id):
        third = scene.world.get(remote_of(each))
        if third is None or third is other:
            continue
        shared = addresses.overlap(theirs, address_prefixes(third))
        if shared is not None:
            return overlaps_peered(peering_id, other, third, shared)
    return None


def overlaps_peered(
    resource_id: ids.ResourceId, vnet: Resource, third: Resource, shared: tuple[str, str]
) -> Refusal:
    """A VNet's space overlaps that of a VNet peered already (code known, message assumed)."""
    return Refusal(
        400,
        "VnetAddressSpaceOverlapsWithAlreadyPeeredVnet",
        f"Cannot create or update {resource_id}. The address space of virtual network {vnet.id} "
        f"overlaps with that of virtual network {third.id}, which is peered already. "
        f"Overlapping address prefixes: {shared[0]}, {shared[1]}",
        details=(),
    )


def _state_refused(
    scene: Scene,
    peering_id: ids.ResourceId,
    local: Resource,
    other: Resource,
    existing: Resource | None,
) -> Refusal | None:
    opposite = scene.opposite(local.id, str(other.id))
    if existing is not None or opposite is None:
        return None
    if opposite.properties.get("peeringState") != "Disconnected":
        return None
    return Refusal(
        400,
        "RemotePeeringIsDisconnected",
        f"Cannot create or update peering {peering_id} because remote peering {opposite.id} "
        f"referencing parent virtual network {local.id} is in Disconnected state. Update or "
        "re-create the remote peering to get it back to Initiated state. Peering gets "
        "Disconnected when remote vnet or remote peering is deleted and re-created.",
        details=(),
    )


def _transit_refused(
    scene: Scene, peering_id: ids.ResourceId, body: Body, local: Resource, other: Resource
) -> Refusal | None:
    if body["properties"].get("allowGatewayTransit"):
        return _gateways_busy(scene, peering_id, local)
    opposite = scene.opposite(local.id, str(other.id))
    if opposite is None or not opposite.properties.get("useRemoteGateways"):
        return None
    return scene.unknown.refuse(
        "transit withdrawn while in use",
        f"Peering {peering_id} cannot have AllowGatewayTransit flag set to false, because "
        f"corresponding remote peering {opposite.id} has UseRemoteGateways flag set to true.",
    )


def _remote_gateways_refused(
    scene: Scene, peering_id: ids.ResourceId, body: Body, local: Resource, other: Resource
) -> Refusal | None:
    properties = body["properties"]
    if not properties.get("useRemoteGateways"):
        return None
    if properties.get("allowGatewayTransit"):
        return scene.unknown.refuse(
            "transit and remote gateways",
            f"Peering {peering_id} cannot have both AllowGatewayTransit and UseRemoteGateways "
            "flags set to true.",
        )
    if scene.gateways(local.id):
        return scene.unknown.refuse(
            "remote gateways beside an own gateway",
            f"Peering {peering_id} cannot have UseRemoteGateways flag set to true, because "
            f"virtual network {local.id} has a gateway of its own.",
        )
    for each in scene.peerings(local.id):
        if each.id.name.lower() != peering_id.name.lower() and each.properties.get(
            "useRemoteGateways"
        ):
            return scene.unknown.refuse(
                "second remote gateway",
                f"Peering {local.id.name}/{peering_id.name} cannot have UseRemoteGateways flag "
                f"set to true, because another peering {each.id} already has UseRemoteGateways "
                "flag set to true.",
            )
    return _remote_side_refused(scene, peering_id, body, local, other)


def _remote_side_refused(
    scene: Scene, peering_id: ids.ResourceId, body: Body, local: Resource, other: Resource
) -> Refusal | None:
    # Where the opposite peering is not there yet, the flag is accepted: the proof of concept
    # created the spoke's side first, with success (observed).
    opposite = scene.opposite(local.id, str(other.id))
    if opposite is not None and not opposite.properties.get("allowGatewayTransit"):
        return scene.unknown.refuse(
            "remote side forbids transit",
            f"Peering {peering_id} cannot have UseRemoteGateways flag set to true, because "
            "corresponding remote peering has AllowGatewayTransit flag set to false.",
        )
    if body["properties"].get("doNotVerifyRemoteGateways"):
        return None
    if not scene.gateways(other.id):
        return Refusal(
            400,
            "RemoteVnetHasNoGateways",
            f"Peering {peering_id} cannot have UseRemoteGateway flag set to true because remote "
            f"virtual network {other.id} referenced by the peering does not have any gateways.",
            details=(),
        )
    return _gateways_busy(scene, peering_id, other)


def _gateways_busy(scene: Scene, peering_id: ids.ResourceId, vnet: Resource) -> Refusal | None:
    """A gateway, or a connection of it, that is being written counts as not provisioned."""
    gateways = scene.gateways(vnet.id)
    users = [each for gateway in gateways for each in scene.connections(gateway.id)]
    return provisioned(scene, peering_id, (str(each.id) for each in (*gateways, *users)))


def _prepare(scene: Scene, draft: Draft, existing: Resource | None) -> None:
    """Fill in what a peering's write shows at once (recorded: the state it will have)."""
    properties, vnet_id = draft.body["properties"], draft.id.parent
    remote = str((properties.get("remoteVirtualNetwork") or {}).get("id", ""))
    other = scene.world.get(remote)
    if vnet_id is None or other is None:
        return
    properties["remoteVirtualNetwork"] = {"id": other.body["id"]}
    opposite = scene.opposite(vnet_id, remote)
    sync = bool(properties.pop("syncRemoteAddressSpace", False))
    sync = sync or draft.query.get("syncremoteaddressspace", "").lower() == "true"
    was_connected = existing is not None and existing.properties["peeringState"] == "Connected"
    known = existing.properties.get("remoteAddressSpace") if existing else None
    if known is None or sync or not was_connected:
        known = {"addressPrefixes": address_prefixes(other)}
    properties["remoteAddressSpace"] = copy.deepcopy(known)
    if opposite is None:
        properties["peeringState"] = "Initiated"
        return
    properties["resourceGuid"] = opposite.properties.get("resourceGuid")
    properties["peeringState"] = "Connected"


def _connect(cloud: Cloud, peering: Resource) -> None:
    """A peering's write has succeeded: its opposite is Connected with it from now on."""
    scene, fresh = cloud.scene, cloud.fresh
    vnet_id = peering.id.parent
    opposite = scene.opposite(vnet_id, remote_of(peering)) if vnet_id else None
    if opposite is None:
        there = scene.world.get(remote_of(peering)) is not None
        _set_state(fresh, peering, "Initiated" if there else "Disconnected")
        return
    if opposite.active is not None:
        _set_state(fresh, peering, "Connected")
        _set_state(fresh, opposite, "Connected")


def _disconnect_opposite(cloud: Cloud, peering: Resource) -> tuple[str, ...]:
    if peering.id.parent is not None:
        disconnect(cloud.fresh, cloud.scene.opposite(peering.id.parent, remote_of(peering)))
    return ()


def disconnect(fresh: Fresh, opposite: Resource | None) -> None:
    """The other peering, or its VNet, is gone."""
    if opposite is not None:
        _set_state(fresh, opposite, "Disconnected")


def _set_state(fresh: Fresh, peering: Resource, state: str) -> None:
    if peering.properties.get("peeringState") != state:
        peering.properties["peeringState"] = state
        peering.body["etag"] = fresh.etag()
    if peering.active is not None and peering.active_properties.get("peeringState") != state:
        peering.active = copy.deepcopy(peering.active)
        peering.active["properties"]["peeringState"] = state


def _present(view: View, peering: Resource) -> Body:
    """What a GET of a peering adds: both views of the remote address space, and the level."""
    scene, remote = view.scene, remote_of(peering)
    other = scene.world.get(remote)
    opposite = scene.opposite(peering.id.parent, remote) if peering.id.parent else None
    known = peering.properties.get("remoteAddressSpace") or {"addressPrefixes": []}
    current = {"addressPrefixes": address_prefixes(other)} if other else known
    added: Body = {"remoteVirtualNetworkAddressSpace": current}
    added["peeringSyncLevel"] = _level(scene, peering, opposite, current == known)
    if peering.properties.get("useRemoteGateways") and other is not None:
        gateways = scene.gateways(other.id)
        added["remoteGateways"] = [{"id": each.body["id"]} for each in gateways]
    return added


def _level(scene: Scene, peering: Resource, opposite: Resource | None, local: bool) -> str:
    own = scene.world.get(peering.id.parent) if peering.id.parent else None
    remote = False
    if opposite is not None and own is not None:
        theirs = opposite.properties.get("remoteAddressSpace") or {}
        remote = list(theirs.get("addressPrefixes") or ()) == address_prefixes(own)
    if local:
        return "FullyInSync" if remote else "RemoteNotInSync"
    return "LocalNotInSync" if remote else "LocalAndRemoteNotInSync"


PEERING = Provider(
    type=rt.PEERING,
    noun="VirtualNetworkPeering",
    references=("remoteVirtualNetwork",),
    coverage=(
        Coverage(
            names="`virtualNetworks/virtualNetworkPeerings`",
            modelled="Initiated, Connected, Disconnected; sync level; the four flags; every "
            "refusal that a switch can meet; opposite sides follow at once; across tenants with a "
            "token of either",
            not_modelled="subnet peering (501)",
            rests_on="recording; refusals from issue threads; text unknown: a random code per run",
        ),
    ),
    shape={
        "remoteVirtualNetwork": REFERENCE,
        "allowVirtualNetworkAccess": bool,
        "allowForwardedTraffic": bool,
        "allowGatewayTransit": bool,
        "useRemoteGateways": bool,
        "doNotVerifyRemoteGateways": bool,
        "peerCompleteVnets": bool,
        "enableOnlyIPv6Peering": bool,
        "localSubnetNames": [str],
        "remoteSubnetNames": [str],
    },
    defaults={
        "allowVirtualNetworkAccess": True,
        "allowForwardedTraffic": False,
        "allowGatewayTransit": False,
        "useRemoteGateways": False,
        "doNotVerifyRemoteGateways": False,
        "peerCompleteVnets": True,
        "routeServiceVips": {},
    },
    read_only=frozenset(
        {
            "peeringState",
            "peeringSyncLevel",
            "remoteAddressSpace",
            "remoteVirtualNetworkAddressSpace",
            "remoteGateways",
            "routeServiceVips",
        }
    ),
    has_guid=True,
    idle_on_delete=frozenset({"remoteVirtualNetwork"}),
    prepare=_prepare,
    validate=_validate,
    present=_present,
    finish_write=_connect,
    finish_delete=_disconnect_opposite,
)
