"""Azure's rules for the names of resources. Pure.

Published: "Naming rules and restrictions for Azure resources", Azure Resource Manager.
"""

from __future__ import annotations

import re
from unicodedata import category

from erfailover.model.resource_ids import GROUP, MACHINE, NETWORK, ResourceId

LONGEST_GROUP, LONGEST_MACHINE = 90, 64
"""In characters (published: naming rules for Azure resources)."""

_NETWORK_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_NOT_IN_MACHINES = frozenset("~!@#$%^&*()=+_[]{}\\|;:.'\",<>/? ")
_OF_GROUPS = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Nd"))


def is_group(name: str) -> bool:
    """Return whether Azure allows a name for a resource group; letters of any script count."""
    return (
        1 <= len(name) <= LONGEST_GROUP
        and not name.endswith(".")
        and all(text in "_-.()" or category(text) in _OF_GROUPS for text in name)
    )


def is_machine(name: str) -> bool:
    """Return whether Azure allows a name for a virtual machine with Linux."""
    return (
        1 <= len(name) <= LONGEST_MACHINE
        and name.isprintable()
        and not _NOT_IN_MACHINES.intersection(name)
        and not name.endswith("-")
    )


def describe_expected(type_: str) -> str:
    """Return in words what names Azure allows for resources of a type."""
    if type_ == GROUP:
        return "a resource group name: up to 90 letters, digits and _-.(), not ending in a dot"
    if type_.lower() == MACHINE.lower():
        return "a machine name: up to 64 letters, digits and hyphens, not ending in a hyphen"
    least, most = _get_lengths(type_)
    return (
        f"a name that Azure allows: {least} to {most} of A-Z, a-z, 0-9 and _.-, beginning with a "
        "letter or digit, ending with a letter, digit or _"
    )


def is_name(type_: str, name: str) -> bool:
    """Return whether Azure allows a name for a resource of a type."""
    if type_ == GROUP:
        return is_group(name)
    if type_.lower() == MACHINE.lower():
        return is_machine(name)
    least, most = _get_lengths(type_)
    return least <= len(name) <= most and _NETWORK_NAME.fullmatch(name) is not None


def has_valid_names(id_: ResourceId) -> bool:
    """Return whether Azure allows the names in an id: the resource group's and the resource's."""
    return bool(id_.names) and is_group(id_.group) and is_name(id_.type, id_.names[-1])


def _get_lengths(type_: str) -> tuple[int, int]:
    """Return how long a name may be; the same for all resources of a network but VNets.

    The shortest name of a VNet has two characters (published); one is let through, since Azure
    refuses it itself.
    """
    return 1, 64 if type_.lower() == NETWORK.lower() else 80
