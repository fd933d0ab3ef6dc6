"""The JSON types of the properties that a client may write.

Owns the check of a request against the shape of its type, so that nothing behind it meets a value
of another JSON type, and the shapes that several types share. Properties that a shape does not
name pass unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from erfailover.lab.core.world import Body

Shape = Any
"""``str``, ``bool``, ``int`` for a value; ``[shape]`` for a list; a mapping for an object."""

REFERENCE = {"id": str}
PREFIXES = {"addressPrefixes": [str]}
IP_CONFIGURATION = {
    "name": str,
    "properties": {
        "subnet": REFERENCE,
        "publicIPAddress": REFERENCE,
        "privateIPAddress": str,
        "privateIPAllocationMethod": str,
        "primary": bool,
        "loadBalancerBackendAddressPools": [REFERENCE],
    },
}
BGP_SETTINGS = {
    "asn": int,
    "bgpPeeringAddress": str,
    "peerWeight": int,
    "bgpPeeringAddresses": [
        {
            "ipconfigurationId": str,
            "customBgpIpAddresses": [str],
            "defaultBgpIpAddresses": [str],
            "tunnelIpAddresses": [str],
        }
    ],
}


def make_children_shape(properties: Shape) -> Shape:
    """Return the shape of a list of children, given the shape of a child's properties."""
    return [{"id": str, "name": str, "properties": properties}]


def find_fault(body: Body, properties: Shape) -> str | None:
    """Describe the first value of the wrong JSON type in a request; return None if all fit."""
    top = {
        "id": str,
        "name": str,
        "location": str,
        "tags": {},
        "sku": {"name": str, "tier": str},
        "zones": [str],
        "properties": properties,
    }
    return _find_value_fault(body, top, "$") or _find_tags_fault(body.get("tags"))


def _find_tags_fault(tags: object) -> str | None:
    if isinstance(tags, dict) and not all(isinstance(value, str) for value in tags.values()):
        return "the tags at $.tags must be strings"
    return None


def _find_value_fault(value: object, shape: Shape, path: str) -> str | None:
    if value is None:
        return None
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"a list was expected at {path}"
        inner = (_find_value_fault(item, shape[0], f"{path}[{i}]") for i, item in enumerate(value))
        missing = next((i for i, item in enumerate(value) if item is None), None)
        if missing is not None:
            return f"null was not expected at {path}[{missing}]"
        return next((fault for fault in inner if fault), None)
    if isinstance(shape, Mapping):
        if not isinstance(value, dict):
            return f"an object was expected at {path}"
        faults = (
            _find_value_fault(value.get(key), inner_shape, f"{path}.{key}")
            for key, inner_shape in shape.items()
        )
        return next((fault for fault in faults if fault), None)
    wrong = not isinstance(value, shape) or (shape is int and isinstance(value, bool))
    names = {str: "a string", bool: "a boolean", int: "a number", dict: "an object"}
    return f"{names[shape]} was expected at {path}" if wrong else None
