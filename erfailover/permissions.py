"""Which rights each command needs, on what; whether they are granted; custom roles. Pure.

Owns THE table of actions: the role definitions, what ``doctor`` asks after and what
``erfailover permissions`` prints all come from it. It never asks Azure anything.

Rules (published: role-definitions of Azure RBAC): an assignment grants what its ``actions`` match
and its ``notActions`` do not; assignments add up; ``*`` stands for any characters; case does not
matter. Names of actions: published, resource provider operations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from erfailover.site import Path, Role, Site

NETWORK = "Microsoft.Network"
NETWORKS = f"{NETWORK}/virtualNetworks"
PEERINGS = f"{NETWORKS}/virtualNetworkPeerings"
GATEWAYS = f"{NETWORK}/virtualNetworkGateways"
LOCAL_GATEWAYS = f"{NETWORK}/localNetworkGateways"
MACHINES = "Microsoft.Compute/virtualMachines"
BLOB_ROLE = "Storage Blob Data Contributor"


class RoleKind(StrEnum):
    """The two custom roles: who looks, and who switches."""

    READ = "read"
    SWITCH = "switch"


class On(Enum):
    """What an action is needed on."""

    NETWORK = "hub and spoke networks"
    GATEWAY = "the hubs' gateways"
    LOCAL_GATEWAY = "the drill's local network gateway"
    MACHINE = "the machines of the probes"
    GROUP = "resource groups"
    POLLING = "operations under way"
    """Assumed to be open to whoever may begin one: ``doctor`` does not insist on these."""
    ADDRESS = "the gateways' public addresses"


@dataclass(frozen=True, slots=True)
class Need:
    """One action that somebody needs.

    Attributes:
        action: as Azure names it.
        on: what it is needed on.
        steps: the commands and steps that need it.
        role: the role that holds it; what the reading one holds, the switching one holds too.
    """

    action: str
    on: On
    steps: tuple[str, ...]
    role: RoleKind


READ, SWITCH = RoleKind.READ, RoleKind.SWITCH
LOOKS = ("status", "doctor", "switch")
DOCTOR = ("doctor",)
PROBES = ("verify", "switch: probes")

NEEDS = (
    Need(f"{NETWORKS}/read", On.NETWORK, LOOKS, READ),
    Need(f"{GATEWAYS}/read", On.GATEWAY, LOOKS, READ),
    Need(f"{GATEWAYS}/getBgpPeerStatus/action", On.GATEWAY, LOOKS, READ),
    Need(f"{GATEWAYS}/getLearnedRoutes/action", On.GATEWAY, LOOKS, READ),
    Need(f"{NETWORK}/locations/operationResults/read", On.POLLING, LOOKS, READ),
    Need(f"{NETWORK}/publicIPAddresses/read", On.ADDRESS, DOCTOR, READ),
    Need("Microsoft.Authorization/permissions/read", On.GROUP, DOCTOR, READ),
    Need("Microsoft.Authorization/locks/read", On.GROUP, DOCTOR, READ),
    Need("Microsoft.Authorization/policyAssignments/read", On.GROUP, DOCTOR, READ),
    Need("Microsoft.PolicyInsights/checkPolicyRestrictions/read", On.GROUP, DOCTOR, READ),
    Need("Microsoft.Insights/metrics/read", On.GATEWAY, DOCTOR, READ),
    Need(f"{PEERINGS}/read", On.NETWORK, ("switch: steps 1 to 5",), SWITCH),
    Need(f"{PEERINGS}/write", On.NETWORK, ("switch: steps 1 to 5",), SWITCH),
    Need(f"{NETWORKS}/peer/action", On.NETWORK, ("switch: steps 1 to 5",), SWITCH),
    Need(f"{PEERINGS}/delete", On.NETWORK, ("switch: steps 6, 7",), SWITCH),
    Need(f"{NETWORK}/locations/operations/read", On.POLLING, ("switch", "drill"), SWITCH),
    Need(f"{MACHINES}/runCommand/action", On.MACHINE, PROBES, SWITCH),
    Need("Microsoft.Compute/locations/operations/read", On.POLLING, PROBES, SWITCH),
    Need(f"{LOCAL_GATEWAYS}/read", On.LOCAL_GATEWAY, ("drill",), SWITCH),
    Need(f"{LOCAL_GATEWAYS}/write", On.LOCAL_GATEWAY, ("drill",), SWITCH),
)
"""Every action that ``status``, ``doctor``, ``switch``, ``verify`` and ``drill`` need.

``provision`` and ``destroy`` make and delete what they are told to, and need a contributor.
"""


@dataclass(frozen=True, slots=True)
class Grant:
    """One role assignment as ``Microsoft.Authorization/permissions`` lists it."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()

    def grants(self, action: str) -> bool:
        """Whether it grants an action."""
        return _any(self.actions, action) and not _any(self.not_actions, action)


def granted(action: str, grants: Iterable[Grant]) -> bool:
    """Whether one of several assignments grants an action."""
    return any(each.grants(action) for each in grants)


def needs(site: Site, role: RoleKind = SWITCH) -> tuple[Need, ...]:
    """The actions that a site needs, for reading only or for switching too."""
    return tuple(
        each for each in NEEDS if (role is SWITCH or each.role is READ) and _applies(site, each)
    )


def _applies(site: Site, need: Need) -> bool:
    if need.on is On.MACHINE or need.action.startswith("Microsoft.Compute/"):
        return bool(site.probes)
    if need.on is On.LOCAL_GATEWAY:
        return bool(resources(site, On.LOCAL_GATEWAY))
    if need.action == f"{PEERINGS}/delete":
        return removes_peerings(site)
    return True


def removes_peerings(site: Site) -> bool:
    """Whether a switch back may remove peerings: the site file calls some ``absent``."""
    return any(
        peering.on(path) is None
        for spoke in site.spokes
        for peering in (spoke.spoke_to_backup, spoke.backup_to_spoke)
        for path in Path
    )


def resources(site: Site, on: On) -> tuple[str, ...]:
    """The ids of what an action is needed on, as far as the site file names them."""
    match on:
        case On.NETWORK:
            found = [site.network_id(each) for each in site.network_names()]
        case On.GATEWAY:
            found = [site.gateway_id(site.hub(role).gateway) for role in Role]
        case On.LOCAL_GATEWAY:
            name: str | None = getattr(site.drill, "local_network_gateway", None)
            found = [site.resource_id(LOCAL_GATEWAYS, name)] if name else []
        case On.MACHINE:
            probes = site.probes.values()
            names = [each.machine for each in probes] + [each.through or "" for each in probes]
            found = [site.machine_id(each) for each in names if each]
        case _:
            return ()
    return _unique(found)


def groups(site: Site) -> tuple[str, ...]:
    """The ids of the resource groups that hold what the site file names."""
    kinds = (On.NETWORK, On.GATEWAY, On.LOCAL_GATEWAY, On.MACHINE)
    return _unique([group_of(each) for kind in kinds for each in resources(site, kind)])


def group_of(resource_id: str) -> str:
    """The id of the resource group that holds a resource."""
    return "/".join(resource_id.split("/")[:5])


def role_definition(site: Site, role: RoleKind) -> dict[str, Any]:
    """A custom role with nothing but what is needed, as ``az role definition create`` takes it.

    Published: custom roles can be assigned to resource groups; ``AssignableScopes`` lists them.
    """
    what = "reads the state of" if role is READ else "reads and switches"
    return {
        "Name": f"erfailover {role}: {site.name}",
        "IsCustom": True,
        "Description": f"erfailover {what} the site {site.name}.",
        "Actions": [each.action for each in needs(site, role)],
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": list(groups(site)),
    }


def rows(site: Site) -> Iterator[tuple[Need, tuple[str, ...]]]:
    """Every need of a site, with the resource groups or resources that it is needed on."""
    for need in needs(site):
        where = resources(site, need.on)
        yield need, where or groups(site)


def _unique(found: Iterable[str]) -> tuple[str, ...]:
    return tuple({each.lower(): each for each in found}.values())


def _any(patterns: Iterable[str], action: str) -> bool:
    return any(
        re.fullmatch(".*".join(map(re.escape, each.lower().split("*"))), action.lower())
        for each in patterns
    )
