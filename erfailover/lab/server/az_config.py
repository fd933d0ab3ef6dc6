"""The az CLI's configuration folder, by which an unmodified az reaches the lab.

Owns the files that ``az cloud register``, ``az cloud set`` and ``az login --service-principal``
would leave behind (azure-cli 2.91): the lab as the active cloud, its subscriptions, its
client as a service principal. The folder holds the client's secret and is its owner's alone.
"""

from __future__ import annotations

import configparser
import io
import json
from pathlib import Path

from erfailover.lab.auth.identity import Identity, get_subscription_name
from erfailover.lab.server.files import make_private_folder, write_private

CLOUD = "ErfailoverLab"


def write_configuration(directory: Path, identity: Identity, endpoint: str) -> Path:
    """Write a folder for ``AZURE_CONFIG_DIR`` and return it."""
    make_private_folder(directory)
    files = {
        "config": _format_ini(_build_settings()),
        "clouds.config": _format_ini({CLOUD: _build_cloud(endpoint)}),
        "azureProfile.json": json.dumps(_build_profile(identity)),
        "service_principal_entries.json": json.dumps(_build_entries(identity)),
    }
    for name, content in files.items():
        write_private(directory / name, content.encode())
    for cached in ("msal_token_cache.json", "msal_http_cache.bin"):
        (directory / cached).unlink(missing_ok=True)
    return directory


def _build_settings() -> dict[str, dict[str, str]]:
    return {
        "cloud": {"name": CLOUD},
        "core": {
            "instance_discovery": "false",
            "encrypt_token_cache": "false",
            "collect_telemetry": "false",
            "survey_message": "false",
            "login_experience_v2": "off",
            "display_region_identified": "false",
        },
        "auto-upgrade": {"enable": "no"},
        "extension": {"use_dynamic_install": "no"},
    }


def _build_cloud(endpoint: str) -> dict[str, str]:
    names = (
        "active_directory",
        "active_directory_graph_resource_id",
        "active_directory_resource_id",
        "gallery",
        "management",
        "microsoft_graph_resource_id",
        "resource_manager",
        "sql_management",
    )
    endpoints = {f"endpoint_{name}": endpoint for name in names}
    # az fetches the aliases of images from here; the lab has none.
    endpoints["endpoint_vm_image_alias_doc"] = f"{endpoint}/aliases.json"
    host = endpoint.removeprefix("https://")
    return endpoints | {f"suffix_{name}": host for name in ("storage_endpoint", "keyvault_dns")}


def _build_profile(identity: Identity) -> dict[str, object]:
    owned = [(tenant, own) for tenant in identity.tenants for own in tenant.subscriptions]
    return {
        "installationId": identity.object_id,
        "subscriptions": [
            {
                "id": subscription,
                "name": get_subscription_name(number),
                "state": "Enabled",
                "user": {"name": identity.client_id, "type": "servicePrincipal"},
                "isDefault": number == 0,
                "tenantId": tenant.id,
                "environmentName": CLOUD,
                "homeTenantId": tenant.id,
                "managedByTenants": [],
            }
            for number, (tenant, subscription) in enumerate(owned)
        ],
    }


def _build_entries(identity: Identity) -> list[dict[str, str]]:
    return [
        {
            "client_id": identity.client_id,
            "tenant": tenant.id,
            "client_secret": identity.client_secret,
        }
        for tenant in identity.tenants
    ]


def _format_ini(sections: dict[str, dict[str, str]]) -> str:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_dict(sections)
    written = io.StringIO()
    parser.write(written)
    return written.getvalue()
