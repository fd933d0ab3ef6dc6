"""The life of a peering: Initiated, Connected, Disconnected, and how far both ends agree.

Owns ``peeringState``, the remote address space that a peering knows, and ``peeringSyncLevel``.
Recorded: a peering without its opposite is Initiated and RemoteNotInSync; with it both are
Connected; deleting one turns the other Disconnected; both share one ``resourceGuid``.
"""

from __future__ import annotations

import copy

from erfailover.lab import ids
from erfailover.lab.fresh import Fresh
from erfailover.lab.scene import Scene, address_prefixes, remote_of
from erfailover.lab.world import Body, Resource


def begin(scene: Scene, peering_id: ids.ResourceId, body: Body, existing: Resource | None) -> None:
    """Fill in what a peering's write shows at once (recorded: the state it will have)."""
    properties = body["properties"]
    vnet_id = peering_id.parent
    remote = str((properties.get("remoteVirtualNetwork") or {}).get("id", ""))
    other = scene.world.get(remote)
    if vnet_id is None or other is None:
        return
    properties["remoteVirtualNetwork"] = {"id": other.body["id"]}
    opposite = scene.opposite(vnet_id, remote)
    sync = bool(properties.pop("syncRemoteAddressSpace", False))
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


def connect(scene: Scene, fresh: Fresh, peering: Resource) -> None:
    """A peering's write has succeeded: its opposite is Connected with it from now on."""
    vnet_id = peering.id.parent
    opposite = scene.opposite(vnet_id, remote_of(peering)) if vnet_id else None
    if opposite is None:
        there = scene.world.get(remote_of(peering)) is not None
        _set_state(fresh, peering, "Initiated" if there else "Disconnected")
        return
    if opposite.active is not None:
        _set_state(fresh, peering, "Connected")
        _set_state(fresh, opposite, "Connected")


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


def shown(scene: Scene, peering: Resource) -> Body:
    """What a GET of a peering adds: both views of the remote address space, and the level."""
    remote = remote_of(peering)
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
