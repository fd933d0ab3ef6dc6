"""ARM resource ids: parsing and comparison.

Azure keeps the letter case a client wrote and compares ids without regard to it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResourceId:
    """A parsed resource id.

    ``types`` and ``names`` have the same length; a peering has
    ``types == ("virtualNetworks", "virtualNetworkPeerings")``.
    A resource group has an empty ``provider`` and no types.
    """

    subscription: str
    resource_group: str
    provider: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def type(self) -> str:
        """The full type, ``Microsoft.Network/virtualNetworks/subnets``."""
        if not self.provider:
            return "Microsoft.Resources/resourceGroups"
        return "/".join((self.provider, *self.types))

    @property
    def name(self) -> str:
        """The last name: of the resource itself."""
        return self.names[-1] if self.names else self.resource_group

    @property
    def parent(self) -> ResourceId | None:
        """The parent resource of a child; None for a resource without one."""
        if not self.names[1:]:
            return None
        return ResourceId(
            self.subscription, self.resource_group, self.provider, self.types[:-1], self.names[:-1]
        )

    @property
    def group(self) -> ResourceId:
        """The resource group that holds the resource."""
        return ResourceId(self.subscription, self.resource_group, "", (), ())

    def child(self, type_: str, name: str) -> ResourceId:
        """Return the id of a child of this resource."""
        return ResourceId(
            self.subscription,
            self.resource_group,
            self.provider,
            (*self.types, type_),
            (*self.names, name),
        )

    def __str__(self) -> str:
        text = f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
        if self.provider:
            text += f"/providers/{self.provider}"
            text += "".join(
                f"/{type_}/{name}" for type_, name in zip(self.types, self.names, strict=True)
            )
        return text


def to_key(resource_id: str | ResourceId) -> str:
    """Return the form in which two ids of the same resource are equal."""
    return str(resource_id).rstrip("/").lower()


def parse(text: str) -> ResourceId | None:
    """Parse a resource or group id; return None if the text is neither."""
    parts = [part for part in text.split("/") if part]
    if not parts[3:] or parts[0].lower() != "subscriptions" or parts[2].lower() != "resourcegroups":
        return None
    subscription, group, rest = parts[1], parts[3], parts[4:]
    if not rest:
        return ResourceId(subscription, group, "", (), ())
    if not rest[3:] or len(rest) % 2 or rest[0].lower() != "providers":
        return None
    return ResourceId(subscription, group, rest[1], tuple(rest[2::2]), tuple(rest[3::2]))
