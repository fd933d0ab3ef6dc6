"""Which subscription a site is in, and who says so.

Owns the precedence: the site file, ``AZURE_SUBSCRIPTION_ID``, az's default. Reads az's profile,
and nothing else of az's; never calls Azure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from erfailover.config.validate_site import A_SUBSCRIPTION
from erfailover.errors import UsageFailure
from erfailover.model.resource_ids import GUID, get_subscription
from erfailover.model.site import Site

VARIABLE = "AZURE_SUBSCRIPTION_ID"
AZ = "az"
AZ_CLOUDS = {
    "public": "AzureCloud",
    "usgovernment": "AzureUSGovernment",
    "china": "AzureChinaCloud",
}
"""What az calls the clouds (azure-cli 2.91, ``cloud.py``)."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription and where it comes from.

    Attributes:
        id: None if a site needs none and none is named.
        origin: ``site file``, ``AZURE_SUBSCRIPTION_ID``, ``az``, ``resource ids``, ``the lab``.
    """

    id: str | None
    origin: str

    @property
    def may_change(self) -> bool:
        """Whether ``az account set`` changes it behind the site file's back."""
        return self.origin == AZ

    @property
    def description(self) -> str:
        """The choice in words."""
        return f"Subscription {self.id or 'none'} (from {self.words})"

    @property
    def words(self) -> str:
        """Where it comes from, in words."""
        return "the default of az" if self.origin == AZ else self.origin

    def to_data(self) -> dict[str, str | None]:
        """Return the choice as plain data."""
        return {"id": self.id, "from": self.origin}


def choose(site: Site, file: str, environment: Mapping[str, str]) -> Subscription:
    """Return the subscription in which a site's names are resources.

    A site that names every resource by its full id needs none; its first hub's is then reported, so
    that a variable or ``az account set`` changes nothing about it.

    Args:
        site: as its file has it.
        file: the site file, for the message.
        environment: variables.

    Raises:
        UsageFailure: it needs one and none is named, or the name is not a subscription id.
    """
    if site.subscription is not None:
        return Subscription(site.subscription, "site file")
    if not site.needs_subscription:
        return Subscription(get_subscription(site.primary.virtual_network), "resource ids")
    named = environment.get(VARIABLE, "").strip()
    if named:
        if not GUID.fullmatch(named):
            raise UsageFailure(
                f"{VARIABLE} is {named!r}; expected {A_SUBSCRIPTION}",
                "'az account show --query id -o tsv' prints it.",
            )
        return Subscription(named, VARIABLE)
    actual, why_not = read_az_default(site, environment)
    if actual is not None:
        return Subscription(actual, AZ)
    raise UsageFailure(
        f"no subscription: {file} does not set subscription, {VARIABLE} is not set, and {why_not}",
        f"Add subscription: <id> to the site file, export {VARIABLE}=<id>, or run az login and "
        "az account set --subscription <id>.",
    )


@dataclass(frozen=True, slots=True)
class AzNames:
    """What az's profile knows of a subscription; empty if nothing.

    Attributes:
        subscription: its display name.
        tenant: the id of its tenant.
        domain: the default domain of that tenant.
    """

    subscription: str = ""
    tenant: str = ""
    domain: str = ""


def read_az_names(subscription: str, environment: Mapping[str, str]) -> AzNames:
    """Return what az's profile knows of a subscription: no request is needed for that."""
    try:
        rows = _read_az_profile(_get_az_folder(environment))
    except (OSError, ValueError, KeyError, TypeError):
        return AzNames()
    row = next((body for body in rows if str(body.get("id")).lower() == subscription.lower()), {})
    keys = ("name", "tenantId", "tenantDefaultDomain")
    return AzNames(*(str(row.get(key) or "") for key in keys))


def _get_az_folder(environment: Mapping[str, str]) -> str:
    home = Path(environment.get("HOME", "~")).expanduser()
    return environment.get("AZURE_CONFIG_DIR") or str(home / ".azure")


def _read_az_profile(folder: str) -> list[dict[str, Any]]:
    """Return the subscriptions in az's profile.

    Raises:
        OSError, ValueError, KeyError, TypeError: there is no profile, or it cannot be read.
    """
    read: Any = json.loads((Path(folder) / "azureProfile.json").read_text("utf-8-sig"))
    return [item for item in read["subscriptions"] if isinstance(item, dict)]


def read_az_default(site: Site, environment: Mapping[str, str]) -> tuple[str | None, str]:
    """Return the subscription that az has set, or None and why there is none.

    az writes its profile in UTF-8 with a byte order mark (azure-cli 2.91, ``_session.py``). It
    keeps the subscriptions of all clouds in it; one of another cloud than the site's is not taken.
    """
    folder = _get_az_folder(environment)
    try:
        rows = _read_az_profile(folder)
    except FileNotFoundError:
        return None, f"az is not signed in (nothing in {folder})"
    except (OSError, ValueError, KeyError, TypeError):
        return None, f"az's profile in {folder} cannot be read"
    row = next((body for body in rows if body.get("isDefault")), None)
    if row is None:
        return None, "az has no default subscription"
    # az stores a tenant without subscriptions as one, under the tenant's id.
    name = str(row.get("name") or "")
    if not GUID.fullmatch(str(row.get("id"))) or name.startswith("N/A(tenant level"):
        return None, "az's default is an account without a subscription"
    cloud = str(row.get("environmentName") or "")
    desired = AZ_CLOUDS.get(site.cloud_name) if site.cloud_name else None
    if not environment.get("ERFAILOVER_ENDPOINT") and desired and cloud and cloud != desired:
        return None, f"az's default is in the cloud {cloud}, the site in {desired}"
    return str(row["id"]), ""
