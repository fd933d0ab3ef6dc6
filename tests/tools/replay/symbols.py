"""Names, addresses and secrets of a recording, replaced by the project's own.

Owns the replacing. It keeps what the lab's answers depend on: which names are equal, which
prefixes contain which, which value is an enumeration.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from typing import Any

Json = Any

SUBSCRIPTION = "{subscription}"
_GUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_SUBSCRIPTION = re.compile(rf"(/subscriptions/)({_GUID}|[^/]+)")
_PREFIX = re.compile(r"(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})(?:/(\d{1,2}))?")
_SPECIAL = frozenset({"gatewaysubnet", "azurebastionsubnet", "azurefirewallsubnet", "default"})
_SHORT = {
    "resourcegroups": "group",
    "virtualnetworks": "vnet",
    "subnets": "subnet",
    "virtualnetworkpeerings": "peering",
    "publicipaddresses": "address",
    "networkinterfaces": "nic",
    "routetables": "table",
    "routes": "route",
    "networksecuritygroups": "security",
    "securityrules": "rule",
    "virtualnetworkgateways": "gateway",
    "localnetworkgateways": "far",
    "connections": "connection",
    "virtualmachines": "machine",
    "ipconfigurations": "config",
}
_SECRETS = {
    "adminpassword": "Lab-password-1",
    "sharedkey": "lab-key",
    "customdata": base64.b64encode(b"#cloud-config\n").decode(),
    "keydata": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGxhYmxhYmxhYmxhYmxhYmxhYmxhYmxhYmxhYmxhYmxh"
    " lab",
    "publiccertdata": "bGFi",
    "thumbprint": "0" * 40,
    "adminusername": "someone",
    "radiusserversecret": "lab-secret",
    "reversefqdn": "lab.example.",
    "fqdn": "lab.example",
    "internalfqdn": "lab.example",
    "internaldomainnamesuffix": "internal.example",
    "macaddress": "00-00-5E-00-53-01",
    "uri": "https://storage.example/disk.vhd",
    "path": "/home/someone/.ssh/authorized_keys",
}
_NAMES = frozenset({"name", "computername", "domainnamelabel", "internaldnsnamelabel"})
_LITERAL_PARENTS = frozenset({"sku", "plan", "ipaddresses"})


class Symbols:
    """The project's own word for each of a recording's, given in the order they are met."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def name(self, name: str, collection: str = "") -> str:
        """The word for a name; the same for every case it is written in."""
        low = name.lower()
        if low in _SPECIAL or not name:
            return name
        if low not in self._names:
            short = _SHORT.get(collection.lower(), "thing")
            self._counts[short] = self._counts.get(short, 0) + 1
            self._names[low] = f"{short}{self._counts[short]}"
        return self._names[low]

    def path(self, path: str) -> str:
        """A path or an id with its subscription and names replaced."""
        parts = _SUBSCRIPTION.sub(rf"\g<1>{SUBSCRIPTION}", path).split("/")
        low = [part.lower() for part in parts]
        for number in range(1, len(parts)):
            if low[number - 1] == "resourcegroups":
                parts[number] = self.name(parts[number], "resourcegroups")
        if "providers" in low[4:]:
            at = low.index("providers", 4) + 2
            for number in range(at + 1, len(parts), 2):
                if low[number - 1] == "sharedkey":
                    break  # an action of a part, no name
                parts[number] = self.name(parts[number], parts[number - 1])
        return "/".join(parts)

    def body(self, value: Json, key: str = "", collection: str = "") -> Json:
        """A request's body with names, addresses, secrets and free text replaced."""
        if isinstance(value, dict):
            if key == "tags":
                return {f"tag{n + 1}": f"value{n + 1}" for n in range(len(value))}
            return {
                name: self.body(inner, name, key if name.lower() in _NAMES else collection)
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self.body(inner, key, collection) for inner in value]
        return self._text(value, key.lower(), collection) if isinstance(value, str) else value

    def _text(self, value: str, key: str, collection: str) -> str:
        if key in _SECRETS:
            return _SECRETS[key]
        if key == "description":
            return f"a description of {self.name(value)}"
        if key in _NAMES:
            return value if collection.lower() in _LITERAL_PARENTS else self.name(value, collection)
        if "/subscriptions/" in value:
            return self.path(value)
        if key in {"etag", "resourceguid"}:
            return f"{key} of the client"
        return own_address(value)


def own_address(text: str) -> str:
    """An IPv4 address or prefix moved to another place, the same way for each.

    Bits are turned over, so that a prefix contains the same addresses and prefixes as before.
    Public addresses go where documentation has its own.
    """
    match = _PREFIX.fullmatch(text)
    if match is None:
        return text
    try:
        address = ipaddress.IPv4Address(match[1])
    except ValueError:
        return text
    if address in ipaddress.ip_network("10.0.0.0/8"):
        turned = int(address) ^ (64 << 16)
    elif address in ipaddress.ip_network("192.168.0.0/16"):
        turned = int(address) ^ (64 << 8)
    elif match[2] is None and address.is_global:
        turned = int(ipaddress.IPv4Address("203.0.113.0")) + (int(address) & 255)
    else:
        return text
    if match[2] is None:
        return str(ipaddress.IPv4Address(turned))
    if not 0 <= int(match[2]) <= 32:
        return text
    if int(address) & ((1 << (32 - int(match[2]))) - 1):
        return f"{ipaddress.IPv4Address(turned)}/{match[2]}"  # no prefix: kept as wrong as it is
    return str(ipaddress.ip_network((turned, int(match[2])), strict=False))


_MASKS = (
    (re.compile(r"https?://\S+/subscriptions/\S+"), "{url}"),
    (re.compile(r"/subscriptions/[^\s'\",]*[^\s'\",.:]"), "{id}"),
    (re.compile(_GUID), "{guid}"),
    (re.compile(r"'[^']*'"), "{name}"),
    (re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?:/\d+)?"), "{address}"),
    (re.compile(r"\d+"), "{number}"),
)


def template(message: str) -> str:
    """A message with ids, names, addresses and numbers masked."""
    for pattern, word in _MASKS:
        message = pattern.sub(word, message)
    return message.strip()
