"""Virtual network peerings: rules and life cycle.

Owns ``peeringState``, the remote address space that a peering knows, and ``peeringSyncLevel``.
Recorded: a peering without its opposite is Initiated and RemoteNotInSync; with it both are
Connected; deleting one turns the other Disconnected; both share one ``resourceGuid``. Codes and
messages of refusals are Azure's if a public source shows them; an unknown code is made up in every
run.
"""

from __future__ import annotations

import copy

from erfailover.lab.core import addresses, errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import ValueGenerator
from erfailover.lab.core.rule_context import RuleContext, get_address_prefixes, get_remote_id
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft
from erfailover.lab.providers.network import network_manager
from erfailover.lab.providers.provider import Cloud, Coverage, Provider, View
from erfailover.lab.providers.rules import validate_provisioned
from erfailover.lab.providers.shapes import REFERENCE

MOST_PEERINGS = 500
"""Peerings that one VNet may have (documented limit)."""


def _validate(context: RuleContext, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Return the refusal of a peering; its references have already been validated."""
    peering_id, body = draft.id, draft.body
    vnet_id = peering_id.parent
    remote = str((body["properties"].get("remoteVirtualNetwork") or {}).get("id", ""))
    if vnet_id is None or not remote:
        return errors.property_missing("remoteVirtualNetwork", str(peering_id))
    local, other = context.world.get(vnet_id), context.world.get(remote)
    if local is None or other is None or other.id.parent is not None:
        return errors.reference_missing(remote, str(peering_id))
    return (
        _validate_scope(draft)
        or (network_manager.validate_peering(context, peering_id, local) if existing else None)
        or _validate_pair(context, peering_id, local, other, existing)
        or (None if existing else _validate_spaces(context, peering_id, local, other))
        or _validate_state(context, peering_id, local, other, existing)
        or _validate_transit(context, peering_id, body, local, other)
        or _validate_remote_gateways(context, peering_id, body, local, other)
    )


def _validate_scope(draft: Draft) -> Refusal | None:
    """Return the refusal of a peering of single subnets or of IPv6 only."""
    properties = draft.body["properties"]
    partial = properties.get("peerCompleteVnets") is False
    fields = ("localSubnetNames", "remoteSubnetNames", "enableOnlyIPv6Peering")
    if partial or any(properties.get(field) for field in fields):
        return errors.not_modelled("a peering of subnets (peerCompleteVnets: false)")
    return None


def _validate_pair(
    context: RuleContext,
    peering_id: ids.ResourceId,
    local: Resource,
    other: Resource,
    existing: Resource | None,
) -> Refusal | None:
    if local is other:
        return context.unknown.refuse(
            "peering with itself",
            f"Peering {peering_id} cannot reference its own virtual network {local.id}.",
        )
    if existing is not None and ids.to_key(get_remote_id(existing)) != ids.to_key(other.id):
        return context.unknown.refuse(
            "remote virtual network changed",
            f"The remote virtual network of peering {peering_id} cannot be changed.",
        )
    peerings = context.list_peerings(local.id)
    for peering in peerings:
        if peering is not existing and ids.to_key(get_remote_id(peering)) == ids.to_key(other.id):
            return Refusal(
                400,
                "AnotherPeeringAlreadyReferencesRemoteVnet",
                "Peering already references remote virtual network. Cannot add another peering "
                "referencing the same remote virtual network.",
                details=(),
            )
    if existing is None and len(peerings) >= MOST_PEERINGS:
        return context.unknown.refuse(
            "too many peerings",
            f"Virtual network {local.id} cannot have more than {MOST_PEERINGS} peerings.",
        )
    return None


def _validate_spaces(
    context: RuleContext, peering_id: ids.ResourceId, local: Resource, other: Resource
) -> Refusal | None:
    ours, theirs = get_address_prefixes(local), get_address_prefixes(other)
    shared = addresses.find_overlap(ours, theirs)
    if shared is not None:
        return Refusal(
            400,
            "VnetAddressSpacesOverlap",
            f"Cannot create or update peering {peering_id}. Virtual networks {local.id} and "
            f"{other.id} cannot be peered because their address spaces overlap. Overlapping "
            f"address prefixes: {shared[0]}, {shared[1]}",
            details=(),
        )
    for peering in context.list_peerings(local.id):
        third = context.world.get(get_remote_id(peering))
        if third is None or third is other:
            continue
        shared = addresses.find_overlap(theirs, get_address_prefixes(third))
        if shared is not None:
            return refuse_overlap(peering_id, other, third, shared)
    return None


def refuse_overlap(
    resource_id: ids.ResourceId, vnet: Resource, third: Resource, shared: tuple[str, str]
) -> Refusal:
    """Return the refusal of a space that overlaps a peered VNet's (message assumed)."""
    return Refusal(
        400,
        "VnetAddressSpaceOverlapsWithAlreadyPeeredVnet",
        f"Cannot create or update {resource_id}. The address space of virtual network {vnet.id} "
        f"overlaps with that of virtual network {third.id}, which is peered already. "
        f"Overlapping address prefixes: {shared[0]}, {shared[1]}",
        details=(),
    )


def _validate_state(
    context: RuleContext,
    peering_id: ids.ResourceId,
    local: Resource,
    other: Resource,
    existing: Resource | None,
) -> Refusal | None:
    opposite = context.find_opposite(local.id, str(other.id))
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


def _validate_transit(
    context: RuleContext, peering_id: ids.ResourceId, body: Body, local: Resource, other: Resource
) -> Refusal | None:
    if body["properties"].get("allowGatewayTransit"):
        return _validate_gateways_idle(context, peering_id, local)
    opposite = context.find_opposite(local.id, str(other.id))
    if opposite is None or not opposite.properties.get("useRemoteGateways"):
        return None
    return context.unknown.refuse(
        "transit withdrawn while in use",
        f"Peering {peering_id} cannot have AllowGatewayTransit flag set to false, because "
        f"corresponding remote peering {opposite.id} has UseRemoteGateways flag set to true.",
    )


def _validate_remote_gateways(
    context: RuleContext, peering_id: ids.ResourceId, body: Body, local: Resource, other: Resource
) -> Refusal | None:
    properties = body["properties"]
    if not properties.get("useRemoteGateways"):
        return None
    if properties.get("allowGatewayTransit"):
        return context.unknown.refuse(
            "transit and remote gateways",
            f"Peering {peering_id} cannot have both AllowGatewayTransit and UseRemoteGateways "
            "flags set to true.",
        )
    if context.list_gateways(local.id):
        return context.unknown.refuse(
            "remote gateways beside an own gateway",
            f"Peering {peering_id} cannot have UseRemoteGateways flag set to true, because "
            f"virtual network {local.id} has a gateway of its own.",
        )
    for peering in context.list_peerings(local.id):
        if peering.id.name.lower() != peering_id.name.lower() and peering.properties.get(
            "useRemoteGateways"
        ):
            return context.unknown.refuse(
                "second remote gateway",
                f"Peering {local.id.name}/{peering_id.name} cannot have UseRemoteGateways flag "
                f"set to true, because another peering {peering.id} already has UseRemoteGateways "
                "flag set to true.",
            )
    return _validate_remote_side(context, peering_id, body, local, other)


def _validate_remote_side(
    context: RuleContext, peering_id: ids.ResourceId, body: Body, local: Resource, other: Resource
) -> Refusal | None:
    # If the opposite peering does not exist yet, the flag is accepted: the proof of concept
    # created the spoke's side first, with success (observed).
    opposite = context.find_opposite(local.id, str(other.id))
    if opposite is not None and not opposite.properties.get("allowGatewayTransit"):
        return context.unknown.refuse(
            "remote side forbids transit",
            f"Peering {peering_id} cannot have UseRemoteGateways flag set to true, because "
            "corresponding remote peering has AllowGatewayTransit flag set to false.",
        )
    if body["properties"].get("doNotVerifyRemoteGateways"):
        return None
    if not context.list_gateways(other.id):
        return Refusal(
            400,
            "RemoteVnetHasNoGateways",
            f"Peering {peering_id} cannot have UseRemoteGateway flag set to true because remote "
            f"virtual network {other.id} referenced by the peering does not have any gateways.",
            details=(),
        )
    return _validate_gateways_idle(context, peering_id, other)


def _validate_gateways_idle(
    context: RuleContext, peering_id: ids.ResourceId, vnet: Resource
) -> Refusal | None:
    """Return the refusal if a gateway or its connection is being written."""
    gateways = context.list_gateways(vnet.id)
    users = [
        connection for gateway in gateways for connection in context.list_connections(gateway.id)
    ]
    return validate_provisioned(
        context, peering_id, (str(resource.id) for resource in (*gateways, *users))
    )


def _prepare(context: RuleContext, draft: Draft, existing: Resource | None) -> None:
    """Set what a peering's write shows at once (recorded: the state it will have)."""
    properties, vnet_id = draft.body["properties"], draft.id.parent
    remote = str((properties.get("remoteVirtualNetwork") or {}).get("id", ""))
    other = context.world.get(remote)
    if vnet_id is None or other is None:
        return
    properties["remoteVirtualNetwork"] = {"id": other.body["id"]}
    opposite = context.find_opposite(vnet_id, remote)
    sync = bool(properties.pop("syncRemoteAddressSpace", False))
    sync = sync or draft.query.get("syncremoteaddressspace", "").lower() == "true"
    was_connected = existing is not None and existing.properties["peeringState"] == "Connected"
    remote_space = existing.properties.get("remoteAddressSpace") if existing else None
    if remote_space is None or sync or not was_connected:
        remote_space = {"addressPrefixes": get_address_prefixes(other)}
    properties["remoteAddressSpace"] = copy.deepcopy(remote_space)
    if opposite is None:
        properties["peeringState"] = "Initiated"
        return
    properties["resourceGuid"] = opposite.properties.get("resourceGuid")
    properties["peeringState"] = "Connected"


def _connect(cloud: Cloud, peering: Resource) -> None:
    """Connect a peering whose write has succeeded with its opposite."""
    context, generator = cloud.context, cloud.generator
    vnet_id = peering.id.parent
    opposite = context.find_opposite(vnet_id, get_remote_id(peering)) if vnet_id else None
    if opposite is None:
        there = context.world.get(get_remote_id(peering)) is not None
        _set_state(generator, peering, "Initiated" if there else "Disconnected")
        return
    if opposite.active is not None:
        _set_state(generator, peering, "Connected")
        _set_state(generator, opposite, "Connected")


def _disconnect_opposite(cloud: Cloud, peering: Resource) -> tuple[str, ...]:
    if peering.id.parent is not None:
        disconnect(
            cloud.generator, cloud.context.find_opposite(peering.id.parent, get_remote_id(peering))
        )
    return ()


def disconnect(generator: ValueGenerator, opposite: Resource | None) -> None:
    """Disconnect a peering whose opposite, or remote VNet, is gone."""
    if opposite is not None:
        _set_state(generator, opposite, "Disconnected")


def _set_state(generator: ValueGenerator, peering: Resource, state: str) -> None:
    if peering.properties.get("peeringState") != state:
        peering.properties["peeringState"] = state
        peering.body["etag"] = generator.make_etag()
    if peering.active is not None and peering.active_properties.get("peeringState") != state:
        peering.active = copy.deepcopy(peering.active)
        peering.active["properties"]["peeringState"] = state


def _present(view: View, peering: Resource) -> Body:
    """Add what only a GET shows: both views of the remote address space, and the level."""
    context, remote = view.context, get_remote_id(peering)
    other = context.world.get(remote)
    opposite = context.find_opposite(peering.id.parent, remote) if peering.id.parent else None
    remote_space = peering.properties.get("remoteAddressSpace") or {"addressPrefixes": []}
    current = {"addressPrefixes": get_address_prefixes(other)} if other else remote_space
    added: Body = {"remoteVirtualNetworkAddressSpace": current}
    added["peeringSyncLevel"] = _get_sync_level(context, peering, opposite, current == remote_space)
    if peering.properties.get("useRemoteGateways") and other is not None:
        gateways = context.list_gateways(other.id)
        added["remoteGateways"] = [{"id": gateway.body["id"]} for gateway in gateways]
    return added


def _get_sync_level(
    context: RuleContext, peering: Resource, opposite: Resource | None, local: bool
) -> str:
    own = context.world.get(peering.id.parent) if peering.id.parent else None
    remote = False
    if opposite is not None and own is not None:
        theirs = opposite.properties.get("remoteAddressSpace") or {}
        remote = list(theirs.get("addressPrefixes") or ()) == get_address_prefixes(own)
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
