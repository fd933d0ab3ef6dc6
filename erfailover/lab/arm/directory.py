"""Tenant, subscription, location, provider and cloud endpoints.

Owns the fixed answers that clients read before they do anything else. az reads all of them.
"""

from __future__ import annotations

from erfailover.lab.arm.api_versions import list_versions
from erfailover.lab.auth.identity import get_subscription_name
from erfailover.lab.core import errors
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.arm_url import Target, TargetKind
from erfailover.lab.core.errors import RefusalError
from erfailover.lab.core.protocol import Answer, Request
from erfailover.lab.core.world import Body
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.providers.regions import REGIONS, ZONED, ZONES
from erfailover.lab.providers.registry import PROVIDERS

LOCATIONS = ("westeurope", "northeurope", "germanywestcentral", "westus", "westus2", "eastus")


def answer(lab: Cloud, request: Request, target: Target) -> Answer:
    """Answer a request that addresses no resource.

    A token shows its own tenant and the subscriptions of that tenant (assumed of applications).
    """
    tenant = lab.tokens.get_tenant(request.headers.get("Authorization", ""))
    match target.kind:
        case TargetKind.TENANTS:
            return Answer(200, {"value": [_build_tenant(tenant)]})
        case TargetKind.SUBSCRIPTIONS:
            rows = [
                _build_subscription(lab, subscription)
                for subscription in lab.subscriptions
                if lab.identity.find_owner(subscription).id == tenant
            ]
            return Answer(200, {"value": rows})
        case TargetKind.SUBSCRIPTION:
            return Answer(200, _build_subscription(lab, target.subscription))
        case TargetKind.LOCATIONS:
            rows = [_build_location(target, location) for location in LOCATIONS]
            return Answer(200, {"value": rows})
        case TargetKind.PROVIDERS:
            rows = [_build_provider(lab, target, namespace) for namespace in _NAMESPACES]
            return Answer(200, {"value": rows})
        case TargetKind.PROVIDER:
            for namespace in _NAMESPACES:
                if namespace.lower() == target.name.lower():
                    return Answer(200, _build_provider(lab, target, namespace))
            raise RefusalError(errors.not_modelled(f"the resource provider {target.name}"))
        case TargetKind.OPERATIONS:
            return Answer(200, _build_operations(target.name))
        case _:
            raise RefusalError(errors.not_modelled(target.name))


_NAMESPACES = (rt.NETWORK, rt.COMPUTE, "Microsoft.Resources")


def _build_tenant(tenant: str) -> Body:
    return {
        "id": f"/tenants/{tenant}",
        "tenantId": tenant,
        "displayName": "erfailover lab",
        "defaultDomain": "lab.local",
        "tenantType": "AAD",
        "tenantCategory": "Home",
    }


def _build_subscription(lab: Cloud, subscription: str) -> Body:
    return {
        "id": f"/subscriptions/{subscription}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": subscription,
        "tenantId": lab.identity.find_owner(subscription).id,
        "displayName": get_subscription_name(lab.subscriptions.index(subscription)),
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def _build_location(target: Target, name: str) -> Body:
    return {
        "id": f"/subscriptions/{target.subscription}/locations/{name}",
        "name": name,
        "type": "Region",
        "displayName": name,
        "regionalDisplayName": name,
        "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
    }


def _build_provider(lab: Cloud, target: Target, namespace: str) -> Body:
    """Return what a provider lists (published: REST spec resources, ``Providers_Get``).

    Azure writes locations as people do (``West Europe``); the lab, as in a resource.
    """
    versions = list_versions(namespace, lab.newest_api_version)
    types = [
        provider.type.split("/", 1)[1] for provider in PROVIDERS if provider.provider == namespace
    ]
    if namespace == "Microsoft.Resources":
        types = ["resourceGroups", "subscriptions"]
    return {
        "id": f"/subscriptions/{target.subscription}/providers/{namespace}",
        "namespace": namespace,
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": [
            {
                "resourceType": resource_type,
                "locations": list(REGIONS),
                "zoneMappings": [
                    {"location": place, "zones": list(ZONES)} for place in sorted(ZONED)
                ],
                "apiVersions": versions,
                "capabilities": "SupportsTags, SupportsLocation",
            }
            for resource_type in types
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


def _build_operations(namespace: str) -> Body:
    """Return ``providerOperations`` of a provider: the actions of the types that the lab has.

    Published: REST spec authorization 2022-04-01. A type's verbs and POSTs follow Azure's rule for
    names; whether Azure lists each of the newest POSTs so is assumed.
    """
    key = namespace.lower()
    types = [provider for provider in PROVIDERS if provider.provider.lower() == key]
    plain = (*EXTENSIONS.get(key, ()), *FURTHER.get(key, ()))
    if not types and not plain:
        raise RefusalError(errors.not_modelled(f"the operations of {namespace or 'all providers'}"))
    rows = [
        {
            "name": resource_type.type.split("/", 1)[1],
            "displayName": resource_type.noun,
            "operations": [
                _build_action(f"{resource_type.type}/{verb}")
                for verb in (
                    "read",
                    "write",
                    "delete",
                    *(f"{a}/action" for a in resource_type.actions),
                )
            ],
        }
        for resource_type in types
    ]
    return {
        "id": f"/providers/Microsoft.Authorization/providerOperations/{namespace}",
        "type": "Microsoft.Authorization/providerOperations",
        "name": namespace,
        "displayName": namespace,
        "resourceTypes": rows,
        "operations": [_build_action(action) for action in plain],
    }


def _build_action(name: str) -> Body:
    return {"name": name, "displayName": name, "isDataAction": False}


def build_cloud_metadata(base: str, api_version: str) -> Body | list[Body]:
    """Return ``/metadata/endpoints``: the lab as a cloud, as az registers one."""
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
