"""Where a command works, and as whom: site, lab or subscription, tenant, cloud, identity. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import Any

from erfailover.errors import escape_controls


@dataclass(frozen=True, slots=True)
class AzureContext:
    """Where a command works, and as whom. A text that is not known is empty.

    Attributes:
        site: the site's name.
        lab: ``host:port`` of the lab; empty on Azure.
        speed: how many times faster than the wall the clock runs.
        subscription: the id of the subscription in which the site's names are resources.
        subscription_from: where that id comes from: ``site file``, ``AZURE_SUBSCRIPTION_ID``, ...
        subscription_name: its display name.
        tenant: the id of the tenant of the sign-in.
        tenant_name: that tenant's domain.
        cloud: ``AzureCloud`` and the like, as az calls it, or the host of the endpoint.
        identity: a user's sign-in name, or an application's id.
        version: of erfailover.
    """

    site: str
    lab: str = ""
    speed: float = 1.0
    subscription: str = ""
    subscription_from: str = ""
    subscription_name: str = ""
    tenant: str = ""
    tenant_name: str = ""
    cloud: str = ""
    identity: str = ""
    version: str = ""

    def to_data(self) -> dict[str, Any]:
        """Return the context as plain data, for the journal and for JSON output."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class VisibleSubscription:
    """A subscription that the identity sees."""

    id: str
    name: str = ""


def from_data(value: Any) -> AzureContext | None:
    """Return the context that a record of the journal holds; None if it holds none."""
    if not isinstance(value, Mapping):
        return None
    by_name = {
        field.name: escape_controls(str(value[field.name]))
        for field in fields(AzureContext)
        if field.name != "speed" and value.get(field.name) is not None
    }
    known_speed = value.get("speed")
    speed = float(known_speed) if isinstance(known_speed, int | float) else 1.0
    return AzureContext(**{"site": "", **by_name}, speed=speed if isfinite(speed) else 1.0)


def find_identity(claims: Mapping[str, Any]) -> str:
    """Return who a token's claims say is signed in; empty if they do not say.

    The claims are not verified: the name is shown, and nothing depends on it.
    """
    users = ("upn", "unique_name", "preferred_username")
    applications = ("app_displayname", "appid", "azp", "oid")
    names = applications if claims.get("idtyp") == "app" else (*users, *applications)
    return next((to_one_line(claims[name]) for name in names if claims.get(name)), "")


def to_one_line(text: Any) -> str:
    """Return a name that Azure or a file gave as one line without control characters."""
    return escape_controls(" ".join(str(text).split()))
