"""The rights that each command needs on each resource, and the custom roles that grant them. Pure.

``NEEDS`` is the only table of actions: the role definitions, the questions of ``doctor`` and the
output of ``erfailover permissions`` are derived from it. Azure is never asked here.

Rules (published: role-definitions of Azure RBAC): an assignment grants what its ``actions`` match
and its ``notActions`` do not; assignments add up; ``*`` matches any characters; letter case does
not matter. The names of actions are published ("Azure permissions for Networking" and similar
pages), except those of the site failover tests, which are newer: they follow Azure's rule for a
POST, ``{type}/{name}/action`` (assumed; paths: REST spec 2024-05-01, virtualNetworkGateway.json).
Azure refuses a whole role for one name that its provider does not publish (azure-docs 102571), so
these are left out of the reading role unless the provider was asked and publishes them.
A circuit's route table summary is a POST whose action is published as ``routeTablesSummary/read``
(azure-docs, "Azure permissions for Networking", 2024; the list of 2017 called it ``.../action``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from erfailover.model.plan import StepKind
from erfailover.model.probes import RUN_COMMAND, NextHop, list_interfaces, list_machines
from erfailover.model.resource_ids import (
    CIRCUIT,
    CONNECTION,
    FIREWALL,
    GATEWAY,
    HUB,
    HUB_ADDRESS,
    HUB_PEER,
    INTERFACE,
    LOAD_BALANCER,
    LOCAL_GATEWAY,
    MACHINE,
    NETWORK,
    NETWORK_PROVIDER,
    NETWORK_WATCHER,
    PEERING,
    PUBLIC_IP,
    ROUTE,
    ROUTE_TABLE,
    get_group_id,
    get_subscription,
)
from erfailover.model.site import Drill, Path, Role, Site, SiteFailoverTest
from erfailover.planning.switch.procedure import STEPS, Goal, format_steps

BLOB_ROLE = "Storage Blob Data Contributor"


class RoleKind(StrEnum):
    """The two custom roles: who looks, and who switches."""

    READ = "read"
    SWITCH = "switch"


class ActionScope(Enum):
    """What an action is needed on."""

    NETWORK = "hub and spoke networks"
    GATEWAY = "the hubs' gateways"
    LOCAL_GATEWAY = "the drill's local network gateway"
    MACHINE = "the probes' machines"
    INTERFACE = "the probes' network interfaces"
    GROUP = "resource groups"
    POLLING = "operations in progress"
    """Assumed to be open to whoever may start one: ``doctor`` does not insist on these."""
    ADDRESS = "the gateways' public addresses"
    CONNECTED = "what the gateways connect to"
    """Connections, local network gateways, circuits: often another team's, in other groups."""
    ROUTE_TABLE = "the subnets' route tables"
    SPOKE_INTERFACE = "the interfaces in the spokes"
    MOVED_TABLE = "the route tables under routing"
    ROUTE_SERVER = "Route Servers in the hubs"
    WATCHER = "the probes' Network Watchers"
    APPLIANCE = "the appliances in the hubs"
    OF_MACHINE = "the network interfaces of next hop probes' machines"


ELSEWHERE = frozenset(
    {
        ActionScope.POLLING,
        ActionScope.ADDRESS,
        ActionScope.CONNECTED,
        ActionScope.ROUTE_TABLE,
        ActionScope.ROUTE_SERVER,
        ActionScope.WATCHER,
        ActionScope.OF_MACHINE,
        ActionScope.SPOKE_INTERFACE,
        ActionScope.APPLIANCE,
    }
)
"""What the site file does not name: it may lie, and be granted, in other groups than it names."""


@dataclass(frozen=True, slots=True)
class RequiredPermission:
    """One action that a person or an identity needs.

    Attributes:
        action: as Azure names it.
        on: what it is needed on.
        steps: the commands and steps that need it.
        role: the role that holds it; what the reading one holds, the switching one holds too.
    """

    action: str
    on: ActionScope
    steps: tuple[str, ...]
    role: RoleKind
    published: bool = True
    """Whether the name was seen in a list that Microsoft publishes; otherwise it is assumed."""


READ, SWITCH = RoleKind.READ, RoleKind.SWITCH
LOOKS = ("status", "doctor", "switch")
DOCTOR = ("doctor",)
AROUND = ("doctor", "switch: hazards")
REMOVALS = frozenset(rule.kind for rule in STEPS if rule.goal is Goal.REMOVED)
ROUTED = frozenset({StepKind.MOVE_NEXT_HOPS})
CONNECTS = (f"switch: {format_steps(set(StepKind) - REMOVALS - ROUTED)}", "prestage")
MOVES = (f"switch: {format_steps(ROUTED)}",)
PROBES = ("verify", "switch: probes")

NEEDS = (
    RequiredPermission(f"{NETWORK}/read", ActionScope.NETWORK, LOOKS, READ),
    RequiredPermission(f"{GATEWAY}/read", ActionScope.GATEWAY, LOOKS, READ),
    RequiredPermission(f"{GATEWAY}/getBgpPeerStatus/action", ActionScope.GATEWAY, LOOKS, READ),
    RequiredPermission(f"{GATEWAY}/getLearnedRoutes/action", ActionScope.GATEWAY, LOOKS, READ),
    RequiredPermission(f"{GATEWAY}/getAdvertisedRoutes/action", ActionScope.GATEWAY, LOOKS, READ),
    RequiredPermission(f"{GATEWAY}/connections/read", ActionScope.GATEWAY, LOOKS, READ),
    RequiredPermission(
        f"{GATEWAY}/getFailoverAllTestsDetails/action",
        ActionScope.GATEWAY,
        ("status", "doctor", "drill"),
        READ,
        published=False,
    ),
    RequiredPermission(
        f"{NETWORK_PROVIDER}/locations/operationResults/read", ActionScope.POLLING, LOOKS, READ
    ),
    RequiredPermission(
        f"{CONNECTION}/read", ActionScope.CONNECTED, ("status", "doctor", "drill"), READ
    ),
    RequiredPermission(
        f"{CIRCUIT}/read", ActionScope.CONNECTED, ("status", "doctor", "drill"), READ
    ),
    RequiredPermission(
        f"{CIRCUIT}/peerings/routeTablesSummary/read",
        ActionScope.CONNECTED,
        ("doctor", "switch: hold time"),
        READ,
    ),
    RequiredPermission(f"{LOCAL_GATEWAY}/read", ActionScope.CONNECTED, AROUND, READ),
    RequiredPermission(
        f"{LOCAL_GATEWAY}/read", ActionScope.LOCAL_GATEWAY, ("status", "doctor", "drill"), READ
    ),
    RequiredPermission(f"{ROUTE_TABLE}/read", ActionScope.ROUTE_TABLE, AROUND, READ),
    RequiredPermission(f"{HUB}/read", ActionScope.ROUTE_SERVER, AROUND, READ),
    RequiredPermission(f"{HUB_ADDRESS}/read", ActionScope.ROUTE_SERVER, AROUND, READ),
    RequiredPermission(f"{HUB_PEER}/read", ActionScope.ROUTE_SERVER, AROUND, READ),
    RequiredPermission(f"{HUB_PEER}/learnedRoutes/action", ActionScope.ROUTE_SERVER, AROUND, READ),
    RequiredPermission(
        f"{NETWORK}/listNetworkManagerEffectiveConnectivityConfigurations/read",
        ActionScope.NETWORK,
        AROUND,
        READ,
    ),
    RequiredPermission(f"{FIREWALL}/read", ActionScope.APPLIANCE, DOCTOR, READ),
    RequiredPermission(f"{LOAD_BALANCER}/read", ActionScope.APPLIANCE, DOCTOR, READ),
    RequiredPermission(f"{INTERFACE}/read", ActionScope.APPLIANCE, DOCTOR, READ),
    RequiredPermission(f"{MACHINE}/instanceView/read", ActionScope.APPLIANCE, DOCTOR, READ),
    RequiredPermission(f"{PUBLIC_IP}/read", ActionScope.ADDRESS, DOCTOR, READ),
    RequiredPermission("Microsoft.Authorization/permissions/read", ActionScope.GROUP, DOCTOR, READ),
    RequiredPermission(
        "Microsoft.Authorization/denyAssignments/read", ActionScope.GROUP, DOCTOR, READ
    ),
    RequiredPermission("Microsoft.Authorization/locks/read", ActionScope.GROUP, DOCTOR, READ),
    RequiredPermission(
        "Microsoft.Authorization/policyAssignments/read", ActionScope.GROUP, DOCTOR, READ
    ),
    RequiredPermission(
        "Microsoft.Authorization/roleEligibilityScheduleInstances/read",
        ActionScope.GROUP,
        DOCTOR,
        READ,
    ),
    RequiredPermission(
        "Microsoft.Authorization/roleAssignmentScheduleInstances/read",
        ActionScope.GROUP,
        DOCTOR,
        READ,
    ),
    RequiredPermission(
        "Microsoft.PolicyInsights/checkPolicyRestrictions/read", ActionScope.GROUP, DOCTOR, READ
    ),
    RequiredPermission("Microsoft.Insights/metrics/read", ActionScope.GATEWAY, DOCTOR, READ),
    RequiredPermission(
        f"{PEERING}/read", ActionScope.NETWORK, ("switch: a write whose response was lost",), SWITCH
    ),
    RequiredPermission(f"{PEERING}/write", ActionScope.NETWORK, CONNECTS, SWITCH),
    RequiredPermission(f"{NETWORK}/peer/action", ActionScope.NETWORK, CONNECTS, SWITCH),
    RequiredPermission(
        f"{PEERING}/delete",
        ActionScope.NETWORK,
        (f"switch: {format_steps(REMOVALS)}", "unprestage"),
        SWITCH,
    ),
    RequiredPermission(f"{ROUTE_TABLE}/read", ActionScope.MOVED_TABLE, LOOKS, READ),
    RequiredPermission(
        f"{ROUTE}/read", ActionScope.MOVED_TABLE, ("switch: a write whose answer was lost",), SWITCH
    ),
    RequiredPermission(f"{ROUTE}/write", ActionScope.MOVED_TABLE, MOVES, SWITCH),
    RequiredPermission(f"{ROUTE}/delete", ActionScope.MOVED_TABLE, MOVES, SWITCH),
    RequiredPermission(
        f"{NETWORK_PROVIDER}/locations/operations/read",
        ActionScope.POLLING,
        ("switch", "drill"),
        SWITCH,
    ),
    RequiredPermission(f"{MACHINE}/read", ActionScope.MACHINE, PROBES, SWITCH),
    RequiredPermission(f"{NETWORK_WATCHER}/read", ActionScope.WATCHER, PROBES, SWITCH),
    RequiredPermission(f"{NETWORK_WATCHER}/nextHop/action", ActionScope.WATCHER, PROBES, SWITCH),
    RequiredPermission(f"{INTERFACE}/read", ActionScope.OF_MACHINE, PROBES, SWITCH),
    RequiredPermission(f"{MACHINE}/runCommand/action", ActionScope.MACHINE, PROBES, SWITCH),
    RequiredPermission(
        f"{INTERFACE}/effectiveRouteTable/action", ActionScope.INTERFACE, PROBES, SWITCH
    ),
    RequiredPermission(
        f"{INTERFACE}/effectiveRouteTable/action",
        ActionScope.SPOKE_INTERFACE,
        ("switch: routes",),
        SWITCH,
    ),
    RequiredPermission(
        "Microsoft.Compute/locations/operations/read", ActionScope.POLLING, PROBES, SWITCH
    ),
    RequiredPermission(f"{LOCAL_GATEWAY}/write", ActionScope.LOCAL_GATEWAY, ("drill",), SWITCH),
    RequiredPermission(
        f"{GATEWAY}/startSiteFailoverTest/action", ActionScope.GATEWAY, ("drill",), SWITCH, False
    ),
    RequiredPermission(
        f"{GATEWAY}/stopSiteFailoverTest/action", ActionScope.GATEWAY, ("drill",), SWITCH, False
    ),
)
"""Every action that ``status``, ``doctor``, ``switch``, ``verify`` and ``drill`` need.

``provision`` and ``destroy`` create and delete what the site file says, and need a contributor.
"""


@dataclass(frozen=True, slots=True)
class Grant:
    """One role assignment as ``Microsoft.Authorization/permissions`` lists it."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()

    def has_action(self, action: str) -> bool:
        """Whether it grants an action."""
        return _has_match(self.actions, action) and not _has_match(self.not_actions, action)


def is_granted(action: str, grants: Iterable[Grant]) -> bool:
    """Whether one of several assignments grants an action."""
    return any(grant.has_action(action) for grant in grants)


def list_needs(site: Site, role: RoleKind = SWITCH) -> tuple[RequiredPermission, ...]:
    """Return the actions that a site needs, for reading only or for switching too."""
    return tuple(
        permission
        for permission in NEEDS
        if (role is SWITCH or permission.role is READ) and _is_needed(site, permission)
    )


def _is_needed(site: Site, need: RequiredPermission) -> bool:
    if need.on in (ActionScope.APPLIANCE, ActionScope.SPOKE_INTERFACE):
        return bool(site.routing)
    if need.action == f"{MACHINE}/read":
        return bool(list_resources(site, ActionScope.MACHINE))
    if need.on is ActionScope.MACHINE or need.action.startswith("Microsoft.Compute/"):
        return any(isinstance(probe, RUN_COMMAND) for probe in site.probes.values())
    if need.on in (ActionScope.WATCHER, ActionScope.OF_MACHINE):
        return bool(list_resources(site, ActionScope.WATCHER))
    if need.on is ActionScope.INTERFACE:
        return bool(list_resources(site, ActionScope.INTERFACE))
    if need.on is ActionScope.MOVED_TABLE:
        overlays = any(entry.mode == "overlay" for entry in site.routing)
        return overlays or (bool(site.routing) and need.action != f"{ROUTE}/delete")
    if need.on is ActionScope.LOCAL_GATEWAY:
        return bool(list_resources(site, ActionScope.LOCAL_GATEWAY))
    if need.action == f"{PEERING}/delete":
        return can_remove_peerings(site)
    if need.action.endswith("SiteFailoverTest/action"):
        return isinstance(site.drill, SiteFailoverTest)
    if need.action in _OF_EXPRESSROUTE:
        return not isinstance(site.drill, Drill)
    return True


_OF_EXPRESSROUTE = frozenset(
    {
        f"{CIRCUIT}/read",
        f"{CIRCUIT}/peerings/routeTablesSummary/read",
        f"{GATEWAY}/getFailoverAllTestsDetails/action",
    }
)
"""Of no use if a VPN gateway stands in for ExpressRoute, which the site's drill shows."""


def can_remove_peerings(site: Site) -> bool:
    """Whether a switch back may remove peerings: the site file calls some ``absent``."""
    spokes = [spoke.to_prestaged() for spoke in site.spokes] if site.prestaged else site.spokes
    return any(
        peering.get_flags(path) is None
        for spoke in spokes
        for peering in (spoke.spoke_to_backup, spoke.backup_to_spoke)
        for path in Path
    )


def list_overlays(site: Site) -> tuple[str, ...]:
    """Return the ids of the route tables to which a switch may add routes."""
    return tuple(
        site.build_route_table_id(entry.route_table)
        for entry in site.routing
        if entry.mode == "overlay"
    )


def list_resources(site: Site, on: ActionScope) -> tuple[str, ...]:
    """Return the ids of what an action is needed on, as far as the site file names them."""
    match on:
        case ActionScope.NETWORK:
            lines = [
                site.build_network_id(network_name) for network_name in site.list_network_names()
            ]
        case ActionScope.GATEWAY:
            lines = [site.build_gateway_id(site.get_hub(role).gateway) for role in Role]
        case ActionScope.LOCAL_GATEWAY:
            lines = []
            if isinstance(site.drill, Drill):
                lines = [site.build_resource_id(LOCAL_GATEWAY, site.drill.local_network_gateway)]
        case ActionScope.MOVED_TABLE:
            lines = [site.build_route_table_id(entry.route_table) for entry in site.routing]
        case ActionScope.MACHINE:
            probes = site.probes.values()
            lines = [
                site.build_machine_id(machine)
                for probe in probes
                for machine in list_machines(probe)
            ]
        case ActionScope.INTERFACE:
            probes = site.probes.values()
            names = [interface for probe in probes for interface in list_interfaces(probe)]
            lines = [site.build_resource_id(INTERFACE, name) for name in names]
        case ActionScope.WATCHER:
            asking = [probe for probe in site.probes.values() if isinstance(probe, NextHop)]
            lines = [
                f"/subscriptions/{get_subscription(site.build_machine_id(next_hop.machine))}"
                "/resourceGroups/NetworkWatcherRG"
                for next_hop in asking
            ]
        case _:
            return ()
    return _deduplicate(lines)


def list_scopes(site: Site, on: ActionScope) -> tuple[str, ...]:
    """Where an action is to be granted: the resources, or the groups in which they most likely lie.

    A connection is in its gateway's group, a route table in its VNet's, unless put elsewhere;
    the Network Watchers that Azure makes are in ``NetworkWatcherRG`` (published).
    """
    beside = {
        ActionScope.CONNECTED: ActionScope.GATEWAY,
        ActionScope.ADDRESS: ActionScope.GATEWAY,
        ActionScope.ROUTE_TABLE: ActionScope.NETWORK,
        ActionScope.ROUTE_SERVER: ActionScope.GATEWAY,
        ActionScope.OF_MACHINE: ActionScope.MACHINE,
        ActionScope.APPLIANCE: ActionScope.GATEWAY,
        ActionScope.SPOKE_INTERFACE: ActionScope.NETWORK,
    }
    if on in beside:
        return _deduplicate(map(get_group_id, list_resources(site, beside[on])))
    return list_resources(site, on) or list_groups(site)


def list_groups(site: Site) -> tuple[str, ...]:
    """Return the ids of the resource groups that hold what the site file names."""
    kinds = (
        ActionScope.NETWORK,
        ActionScope.GATEWAY,
        ActionScope.LOCAL_GATEWAY,
        ActionScope.MACHINE,
        ActionScope.INTERFACE,
        ActionScope.MOVED_TABLE,
    )
    return _deduplicate(
        [get_group_id(resource) for kind in kinds for resource in list_resources(site, kind)]
    )


@dataclass(frozen=True, slots=True)
class CheckedRole:
    """The actions of a role, held against what the providers publish.

    Attributes:
        actions: what the role has.
        left_out: what it lacks, because Azure would refuse, or might refuse, the role for it.
        unconfirmed: what it has although no published source confirms it.
    """

    actions: tuple[str, ...]
    left_out: tuple[str, ...]
    unconfirmed: tuple[str, ...]


def list_providers(site: Site) -> tuple[str, ...]:
    """Return the resource providers whose actions a site needs."""
    return _deduplicate(need.action.partition("/")[0] for need in list_needs(site))


def select_actions(
    site: Site, role: RoleKind, operations: Mapping[str, frozenset[str]] | None = None
) -> CheckedRole:
    """Return the actions of a role that Azure takes.

    Args:
        site: what the role is for.
        role: to look only, or to switch.
        operations: what each provider publishes, in lower case; a provider that did not answer
            is missing, and then the names that were seen published are trusted.
    """
    actions: list[str] = []
    left_out: list[str] = []
    unconfirmed: list[str] = []
    for need in list_needs(site, role):
        names = (operations or {}).get(need.action.partition("/")[0])
        if names is not None:
            (actions if need.action.lower() in names else left_out).append(need.action)
        elif need.published:
            actions.append(need.action)
        elif role is READ or need.role is READ:
            left_out.append(need.action)
        else:
            actions.append(need.action)
            unconfirmed.append(need.action)
    return CheckedRole(_deduplicate(actions), _deduplicate(left_out), _deduplicate(unconfirmed))


def build_role_definition(
    site: Site,
    role: RoleKind,
    more: Iterable[str] = (),
    actions: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Return a custom role with only what is needed, as ``az role definition create`` takes it.

    Published: custom roles can be assigned to resource groups, of several subscriptions of a
    tenant; ``AssignableScopes`` lists them.

    Args:
        site: what the role is for.
        role: to look only, or to switch.
        more: further scopes: of what the site file does not name, such as circuits.
        actions: what it grants; by default what ``checked`` says without asking.
    """
    what = "reads the state of" if role is READ else "reads and switches"
    return {
        "Name": f"erfailover {role}: {site.name}",
        "IsCustom": True,
        "Description": f"erfailover {what} the site {site.name}.",
        "Actions": list(select_actions(site, role).actions if actions is None else actions),
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": list(
            _deduplicate(
                [
                    *list_groups(site),
                    *(list_resources(site, ActionScope.WATCHER) if role is SWITCH else ()),
                    *more,
                ]
            )
        ),
    }


def iter_rows(site: Site) -> Iterator[tuple[RequiredPermission, tuple[str, ...]]]:
    """Every need of a site, with the resource groups or resources that it is needed on."""
    for need in list_needs(site):
        yield need, list_scopes(site, need.on)


def _deduplicate(names: Iterable[str]) -> tuple[str, ...]:
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(name.lower(), name)
    return tuple(first.values())


def _has_match(patterns: Iterable[str], action: str) -> bool:
    return any(
        re.fullmatch(".*".join(map(re.escape, pattern.lower().split("*"))), action.lower())
        for pattern in patterns
    )
