"""The four flags of a peering, and the one table of their names. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from erfailover.model.arm_json import is_truth, parse_bool
from erfailover.model.site_file import Section

Keep = Literal["keep"]


@dataclass(frozen=True, slots=True)
class Flags(Section):
    """The four flags of a peering, in Azure's words and with Azure's defaults.

    ``keep``, in a site file only, leaves a flag as it is in Azure.
    """

    allow_virtual_network_access: bool = True
    """Whether the two VNets can reach each other."""
    allow_forwarded_traffic: bool | Keep = False
    """Whether to accept traffic that does not originate in the peered VNet; ``keep``: leave the
    flag as it is in Azure."""
    allow_gateway_transit: bool = False
    """Whether the peered VNet may use this VNet's gateway."""
    use_remote_gateways: bool = False
    """Whether this VNet uses the peered VNet's gateway; Azure allows one such peering per VNet."""

    @classmethod
    def from_arm(cls, properties: Mapping[str, Any]) -> Flags:
        """Read the flags from the properties of a peering's ARM JSON; Azure's default for null.

        Raises:
            ValueError: one is not a truth value: what a spoke's path depends on is not guessed.
        """
        rows = []
        for name, default in cls().to_arm().items():
            value = properties.get(name)
            if value is not None and not is_truth(value):
                raise ValueError(f"expected true or false under {name!r}")
            rows.append(parse_bool(value, default=default))
        return cls(*rows)

    def to_arm(self) -> dict[str, Any]:
        """Return the flags as properties of a peering's ARM JSON."""
        return {flag.arm_name: getattr(self, flag.name) for flag in FLAGS}

    def drop_remote_gateways(self) -> Flags:
        """Return the same flags, with ``use_remote_gateways`` off."""
        return replace(self, use_remote_gateways=False)

    def resolve_kept(self, flags: Flags | None) -> Flags:
        """Return the same flags, ``keep`` replaced by the existing flag; off if there is none."""
        if self.allow_forwarded_traffic != "keep":
            return self
        result = flags is not None and flags.allow_forwarded_traffic
        return replace(self, allow_forwarded_traffic=result)


@dataclass(frozen=True, slots=True)
class Flag:
    """The names of a flag.

    Attributes:
        name: the field of ``Flags``; also the key in a site file and Terraform's argument.
        arm_name: the property in ARM's JSON and in Bicep.
        az_option: the option of ``az network vnet peering create``.
        label: in text for people.
    """

    name: str
    arm_name: str
    az_option: str
    label: str


FLAGS = (
    Flag(
        "allow_virtual_network_access", "allowVirtualNetworkAccess", "--allow-vnet-access", "access"
    ),
    Flag(
        "allow_forwarded_traffic",
        "allowForwardedTraffic",
        "--allow-forwarded-traffic",
        "forwarded traffic",
    ),
    Flag(
        "allow_gateway_transit", "allowGatewayTransit", "--allow-gateway-transit", "gateway transit"
    ),
    Flag("use_remote_gateways", "useRemoteGateways", "--use-remote-gateways", "remote gateways"),
)
"""In the order of the fields of ``Flags``."""

FLAG_LABELS = {flag.name: flag.label for flag in FLAGS}
