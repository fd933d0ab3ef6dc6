"""What ``provision`` has to do: desired against existing resources. Pure.

Never moves a spoke to another path: a spoke's peerings are held to the flags of the path that it
is on, and left alone while a switch is under way. Never takes over what others created.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from erfailover.model import ssh_keys
from erfailover.model.arm_json import (
    get_provisioning_state,
    get_section,
    list_objects,
    parse_bool,
    parse_text,
)
from erfailover.model.plan import Change
from erfailover.model.resource_ids import (
    GROUP,
    MACHINE,
    NETWORK,
    PEERING,
    build_child_id,
    get_last_name,
    get_network_id,
)
from erfailover.model.site import Path, Role, Site, Spoke
from erfailover.model.topology import ADMIN_PASSWORD
from erfailover.planning.provision import diff, resources
from erfailover.planning.provision.arm_bodies import TAG, Body, SecretName
from erfailover.planning.provision.diff import Difference
from erfailover.planning.provision.nat import NatSetup, build_setups
from erfailover.planning.provision.resources import DesiredResource

Existing = Mapping[str, Body | None]
"""The existing resources, by id in lower case; None, or no entry, for one that does not exist."""

FAILED = frozenset({"Failed", "Canceled"})


@dataclass(frozen=True, slots=True)
class Action:
    """What happens to one resource.

    Attributes:
        change: ``create``, ``update`` or ``keep``.
        desired: the resource.
        differences: what an update changes.
        note: a further remark, if any.
    """

    change: Change
    desired: DesiredResource
    differences: tuple[Difference, ...] = ()
    note: str | None = None

    @property
    def title(self) -> str:
        """A description of what is changed."""
        return self.desired.title


@dataclass(frozen=True, slots=True)
class SetupAction:
    """What happens to the NAT set-up of one machine."""

    change: Change
    setup: NatSetup

    @property
    def title(self) -> str:
        """A description of what is set up."""
        return self.setup.title


@dataclass(frozen=True, slots=True)
class ProvisionPlan:
    """Everything that a ``provision`` would write.

    Attributes:
        site: the site's name.
        actions: one for every desired resource.
        setups: one for every NAT machine.
        held: spokes between two paths, whose peerings are left alone.
        foreign: resources that block ours and are not ours.
    """

    site: str
    actions: tuple[Action, ...]
    setups: tuple[SetupAction, ...]
    held: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()

    @property
    def every(self) -> tuple[Action | SetupAction, ...]:
        """All actions, resources before set-ups."""
        return (*self.actions, *self.setups)

    @property
    def changes(self) -> tuple[Action | SetupAction, ...]:
        """What is not kept as it is."""
        return tuple(item for item in self.every if item.change is not Change.KEEP)

    def has_writes(self, type_: str) -> bool:
        """Whether a resource of some type is made or updated."""
        changed = (action for action in self.actions if action.change is not Change.KEEP)
        return any(action.desired.type == type_ for action in changed)


def plan(
    site: Site,
    existing: Existing,
    nat_holds: Mapping[str, bool],
    unsettled: Collection[str] = (),
) -> ProvisionPlan:
    """Decide what a ``provision`` does.

    Args:
        site: with a topology and a subscription.
        existing: the resource group, and every resource of the topology that is there.
        nat_holds: whether the NAT set-up of a machine holds, by the set-up's id.
        unsettled: ids (lower case) of connections that may not have the shared key kept here.
    """
    paths = {spoke.name: find_path(site, spoke, existing) for spoke in site.spokes}
    lookup = diff.build_lookup(existing)
    actions, foreign = [], []
    for resource in resources.build_desired(site, paths):
        body = existing.get(resource.id.lower())
        action = _plan_action(resource, body, lookup, unsettled)
        if action.change is Change.UPDATE and not _may_change(site, resource, body, existing):
            if all(difference.path.startswith("tags") for difference in action.differences):
                action = Action(
                    Change.KEEP, resource, (), "not created by erfailover; used unchanged"
                )
            else:
                foreign.append(resource.title)
        actions.append(action)
    actions = _reorder_reconnects(actions)
    names = {item.desired.id for item in actions if item.change is Change.CREATE}
    setups = [
        SetupAction(_decide_setup_change(setup, names, nat_holds), setup)
        for setup in build_setups(site)
    ]
    held = tuple(name for name, path in paths.items() if path is None)
    return ProvisionPlan(site.name, tuple(actions), tuple(setups), held, tuple(foreign))


def find_path(site: Site, spoke: Spoke, existing: Existing) -> Path | None:
    """Return the path whose flags a spoke's peerings must have; None while a switch is in progress.

    A spoke that uses no remote gateway but has a peering to the backup hub is between the break and
    the make of a switch.
    """
    outward = {
        role: existing.get(
            site.build_peering_id(spoke.virtual_network, spoke.get_outward(role).name).lower()
        )
        for role in Role
    }
    if _has_remote_gateways(outward[Role.BACKUP]):
        return Path.IPSEC
    if _has_remote_gateways(outward[Role.PRIMARY]) or outward[Role.PRIMARY] is None:
        return Path.EXPRESSROUTE
    return None if outward[Role.BACKUP] is not None else Path.EXPRESSROUTE


def _has_remote_gateways(peering: Body | None) -> bool:
    return parse_bool(get_section(peering, "properties").get("useRemoteGateways"))


def _plan_action(
    resource: DesiredResource,
    existing: Body | None,
    lookup: diff.Lookup,
    unsettled: Collection[str],
) -> Action:
    if existing is None:
        return Action(Change.CREATE, resource)
    if resource.type == GROUP:
        return Action(Change.KEEP, resource)
    properties = get_section(existing, "properties")
    state = get_provisioning_state(properties)
    if state == "Deleting":
        return Action(Change.CREATE, resource, note="being deleted; recreated after that")
    differing = diff.list_differences(resource.body, existing, lookup)
    if state in FAILED:
        return Action(Change.UPDATE, resource, differing, f"its last write {state.lower()}")
    if state != "Succeeded":
        note = f"{state}: updated once that has ended, if it still differs"
        return Action(Change.UPDATE, resource, differing, note)
    if resource.type == PEERING and properties.get("peeringState") == "Disconnected":
        return Action(Change.UPDATE, resource, differing, DISCONNECTED)
    if resource.id.lower() in unsettled:
        note = "its shared key may be out of date: set again"
        return Action(Change.UPDATE, resource, differing, note)
    kept_keys = _describe_kept_keys(resource.body, existing) if resource.type == MACHINE else None
    return Action(Change.UPDATE if differing else Change.KEEP, resource, differing, kept_keys)


def _describe_kept_keys(desired: Body, existing: Body) -> str | None:
    """Return a remark on a machine that was created with other public keys than the site file's.

    Azure changes none afterwards (observed: 409 PropertyChangeNotAllowed,
    linuxConfiguration.ssh.publicKeys).
    """
    once = desired["properties"]["osProfile"]["linuxConfiguration"].get("ssh")
    if once is None:
        return None
    [key] = once.value["publicKeys"]
    profile = get_section(existing, "properties", "osProfile")
    there = ((profile.get("linuxConfiguration") or {}).get("ssh") or {}).get("publicKeys") or []
    if any(ssh_keys.is_same_key(key["keyData"], str(item.get("keyData"))) for item in there):
        return None
    return "created without the site file's SSH key, which 'az vm user update' can add"


DISCONNECTED = "Disconnected: written again to reconnect it"
FOR_NOW = ", without remote gateways for now"


def _reorder_reconnects(actions: list[Action]) -> list[Action]:
    """Correct the order around a Disconnected peering whose opposite does not exist.

    Azure refuses to make the opposite anew until the Disconnected one has been written
    (recorded: ``RemotePeeringIsDisconnected``), and remote gateways need the opposite. So it is
    written once without them, then the opposite, then as it should be. It is never deleted.
    """
    ends = {_get_ends(item.desired): item for item in actions if item.desired.type == PEERING}
    before: dict[str, Action] = {}
    needed: dict[str, str] = {}
    for (own, remote), action in ends.items():
        opposite = ends.get((remote, own))
        if action.note != DISCONNECTED or opposite is None:
            continue
        if opposite.change is not Change.CREATE:
            continue
        first = action
        if _has_remote_gateways(action.desired.body):
            first = before[action.desired.id] = _build_interim(action, opposite)
        needed[opposite.desired.id] = first.desired.key
    result = []
    for action in actions:
        resource = action.desired
        if resource.id in before:
            result.append(before[resource.id])
        if resource.id in needed:
            needs = resource.needs | {needed[resource.id]}
            action = replace(action, desired=replace(resource, needs=needs))
        result.append(action)
    return result


def _build_interim(action: Action, opposite: Action) -> Action:
    """Return the write of a peering without remote gateways, before its opposite is there."""
    resource = action.desired
    properties = resource.body["properties"] | {"useRemoteGateways": False}
    first = replace(
        resource,
        body=resource.body | {"properties": properties},
        needs=resource.needs - {opposite.desired.id},
        step=FOR_NOW,
    )
    return Action(Change.UPDATE, first, (), DISCONNECTED)


def _get_ends(peering: DesiredResource) -> tuple[str, str]:
    remote = str(peering.body["properties"]["remoteVirtualNetwork"]["id"])
    return get_network_id(peering.id).lower(), remote.lower()


def list_secret_names(body: Any) -> frozenset[str]:
    """Return the names of tunnels' shared keys in a body; machine passwords cannot change."""
    return frozenset(name for name in _iter_secrets(body) if name != ADMIN_PASSWORD)


def _iter_secrets(body: Any) -> Iterator[str]:
    if isinstance(body, SecretName):
        yield body.name
    elif isinstance(body, dict | list):
        for item in body.values() if isinstance(body, dict) else body:
            yield from _iter_secrets(item)


def _may_change(
    site: Site, resource: DesiredResource, body: Body | None, existing: Existing
) -> bool:
    """Whether a resource is ours to change: by its tag, or untagged in a group that is ours.

    A peering has no tags; it goes with its VNet.
    """
    if resource.type == PEERING:
        body = existing.get(get_network_id(resource.id).lower())
    owner = _get_owner(body)
    if owner is None:
        return _get_owner(existing.get(site.build_group_id().lower())) == site.name
    return owner == site.name


def _get_owner(existing: Body | None) -> str | None:
    owner = get_section(existing, "tags").get(TAG)
    return None if owner is None else str(owner)


def _decide_setup_change(
    setup: NatSetup, names: Collection[str], nat_holds: Mapping[str, bool]
) -> Change:
    if setup.machine_id in names:
        return Change.CREATE
    return Change.KEEP if nat_holds.get(setup.id) else Change.UPDATE


def iter_peerings(network_id: str, network: Body | None) -> Iterator[tuple[str, Body]]:
    """Yield a VNet's peerings by id in lower case: its own body carries them."""
    for peering in list_objects(get_section(network, "properties").get("virtualNetworkPeerings")):
        name = parse_text(peering.get("name")) or get_last_name(parse_text(peering.get("id")))
        yield build_child_id(network_id, PEERING, name).lower(), peering


def list_desired(site: Site) -> tuple[DesiredResource, ...]:
    """Every resource of a site that has not been switched."""
    return resources.build_desired(site)


def list_reads(site: Site) -> tuple[str, ...]:
    """Return the ids of the resources to read for a plan; the peerings come with their VNets."""
    return tuple(
        resource.id for resource in list_desired(site) if resource.type not in (GROUP, PEERING)
    )


def list_networks(site: Site) -> tuple[str, ...]:
    """Return the ids of the VNets among them."""
    return tuple(resource.id for resource in list_desired(site) if resource.type == NETWORK)
