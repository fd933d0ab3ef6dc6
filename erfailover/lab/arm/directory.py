"""What stands around the resources: tenants, subscriptions, locations, providers, clouds.

Owns the fixed answers that clients ask for before they do anything. az reads all of them.
"""

from __future__ import annotations

from erfailover.lab.arm.api_versions import listed
from erfailover.lab.auth.identity import subscription_name
from erfailover.lab.core import errors
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.arm_url import Kind, Target
from erfailover.lab.core.errors import Refused
from erfailover.lab.core.protocol import Answer, Request
from erfailover.lab.core.world import Body
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.providers.regions import REGIONS, ZONED, ZONES
from erfailover.lab.providers.registry import PROVIDERS

LOCATIONS = ("westeurope", "northeurope", "germanywestcentral", "westus", "westus2", "eastus")


def answer(lab: Cloud, request: Request, target: Target) -> Answer:
    """Answer for a target outside of the resources.

    A token shows its own tenant and the subscriptions that this owns (assumed of applications).
    """
    tenant = lab.tokens.tenant_of(request.headers.get("Authorization", ""))
    match target.kind:
        case Kind.TENANTS:
            return Answer(200, {"value": [_tenant(tenant)]})
        case Kind.SUBSCRIPTIONS:
            mine = [s for s in lab.subscriptions if lab.identity.owner_of(s).id == tenant]
            return Answer(200, {"value": [_subscription(lab, each) for each in mine]})
        case Kind.SUBSCRIPTION:
            return Answer(200, _subscription(lab, target.subscription))
        case Kind.LOCATIONS:
            return Answer(200, {"value": [_location(target, each) for each in LOCATIONS]})
        case Kind.PROVIDERS:
            return Answer(200, {"value": [_provider(lab, target, each) for each in _NAMESPACES]})
        case Kind.PROVIDER:
            for each in _NAMESPACES:
                if each.lower() == target.name.lower():
                    return Answer(200, _provider(lab, target, each))
            raise Refused(errors.not_modelled(f"the resource provider {target.name}"))
        case Kind.OPERATIONS:
            return Answer(200, _operations(target.name))
        case _:
            raise Refused(errors.not_modelled(target.name))


_NAMESPACES = (rt.NETWORK, rt.COMPUTE, "Microsoft.Resources")


def _tenant(tenant: str) -> Body:
    return {
        "id": f"/tenants/{tenant}",
        "tenantId": tenant,
        "displayName": "erfailover lab",
        "defaultDomain": "lab.local",
        "tenantType": "AAD",
        "tenantCategory": "Home",
    }


def _subscription(lab: Cloud, subscription: str) -> Body:
    return {
        "id": f"/subscriptions/{subscription}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": subscription,
        "tenantId": lab.identity.owner_of(subscription).id,
        "displayName": subscription_name(lab.subscriptions.index(subscription)),
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def _location(target: Target, name: str) -> Body:
    return {
        "id": f"/subscriptions/{target.subscription}/locations/{name}",
        "name": name,
        "type": "Region",
        "displayName": name,
        "regionalDisplayName": name,
        "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
    }


def _provider(lab: Cloud, target: Target, namespace: str) -> Body:
    """What a provider lists (published: REST spec resources, ``Providers_Get``).

    Azure writes locations as people do (``West Europe``); the lab, as in a resource.
    """
    versions = listed(namespace, lab.newest_api_version)
    types = [each.type.split("/", 1)[1] for each in PROVIDERS if each.provider == namespace]
    if namespace == "Microsoft.Resources":
        types = ["resourceGroups", "subscriptions"]
    return {
        "id": f"/subscriptions/{target.subscription}/providers/{namespace}",
        "namespace": namespace,
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": [
            {
                "resourceType": each,
                "locations": list(REGIONS),
                "zoneMappings": [
                    {"location": place, "zones": list(ZONES)} for place in sorted(ZONED)
                ],
                "apiVersions": versions,
                "capabilities": "SupportsTags, SupportsLocation",
            }
            for each in types
        ],
    }


EXTENSIONS = {
    "microsoft.authorization": (
        "Microsoft.Authorization/permissions/read",
        "Microsoft.Authorization/locks/read",
        "Microsoft.Authorization/policyAssignments/read",
        "Microsoft.Authorization/denyAssignments/read",
        "Microsoft.Authorization/roleEligibilityScheduleInstances/read",
        "Microsoft.Authorization/roleAssignmentScheduleInstances/read",
    ),
    "microsoft.policyinsights": ("Microsoft.PolicyInsights/checkPolicyRestrictions/read",),
    "microsoft.insights": ("Microsoft.Insights/metrics/read",),
}
"""Actions of the providers that extend others (published: their lists of permissions)."""
FURTHER = {
    rt.NETWORK.lower(): (
        "Microsoft.Network/virtualNetworks/peer/action",
        "Microsoft.Network/virtualNetworks/"
        "listNetworkManagerEffectiveConnectivityConfigurations/read",
        "Microsoft.Network/virtualNetworkGateways/connections/read",
        "Microsoft.Network/expressRouteCircuits/peerings/routeTablesSummary/read",
        "Microsoft.Network/locations/operations/read",
        "Microsoft.Network/locations/operationResults/read",
    ),
    rt.COMPUTE.lower(): ("Microsoft.Compute/locations/operations/read",),
}
"""Actions that belong to no resource of the lab (published in the same lists)."""


def _operations(namespace: str) -> Body:
    """``providerOperations`` of one provider: the actions of the types that the lab has.

    Published: REST spec authorization 2022-04-01. A type's verbs and POSTs follow Azure's rule for
    names; whether Azure lists each of the newest POSTs so is assumed.
    """
    key = namespace.lower()
    types = [each for each in PROVIDERS if each.provider.lower() == key]
    plain = (*EXTENSIONS.get(key, ()), *FURTHER.get(key, ()))
    if not types and not plain:
        raise Refused(errors.not_modelled(f"the operations of {namespace or 'all providers'}"))
    rows = [
        {
            "name": each.type.split("/", 1)[1],
            "displayName": each.noun,
            "operations": [
                _action(f"{each.type}/{verb}")
                for verb in ("read", "write", "delete", *(f"{a}/action" for a in each.actions))
            ],
        }
        for each in types
    ]
    return {
        "id": f"/providers/Microsoft.Authorization/providerOperations/{namespace}",
        "type": "Microsoft.Authorization/providerOperations",
        "name": namespace,
        "displayName": namespace,
        "resourceTypes": rows,
        "operations": [_action(each) for each in plain],
    }


def _action(name: str) -> Body:
    return {"name": name, "displayName": name, "isDataAction": False}


def cloud_metadata(base: str, api_version: str) -> Body | list[Body]:
    """``/metadata/endpoints``: the lab as a cloud, as az registers one."""
    host = base.removeprefix("https://")
    cloud: Body = {
        "name": "erfailover-lab",
        "portal": base,
        "authentication": {
            "loginEndpoint": base,
            "audiences": [base],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "media": base,
        "graphAudience": base,
        "graph": base,
        "suffixes": {"storage": host, "keyVaultDns": host, "sqlServerHostname": host},
        "batch": base,
        "resourceManager": base,
        "gallery": base,
        "activeDirectoryDataLake": base,
        "microsoftGraphResourceId": base,
    }
    return [cloud] if api_version >= "2018" else cloud
