"""The peerings of a site as code: Terraform (azurerm 4) and Bicep. Pure.

Owns what of a peering's ARM JSON is worth saying in either language; never what should be
there: the text says what is. Arguments follow the azurerm provider's documentation of
``azurerm_virtual_network_peering`` (4.x) and Azure's template reference of
``Microsoft.Network/virtualNetworks/virtualNetworkPeerings``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from erfailover.model.arm_json import get_section, list_texts, parse_bool, parse_text
from erfailover.model.peering_flags import FLAGS, Flags
from erfailover.model.resource_ids import NETWORK, PEERING, canonicalize, get_network_id, parse

BICEP_API = "2024-05-01"
SNAKE = {
    **{flag.arm_name: flag.name for flag in FLAGS},
    "peerCompleteVnets": "peer_complete_virtual_networks_enabled",
    "enableOnlyIPv6Peering": "only_ipv6_peering_enabled",
    "localSubnetNames": "local_subnet_names",
    "remoteSubnetNames": "remote_subnet_names",
}
"""ARM's names in the azurerm provider's words."""
DEFAULTS: Mapping[str, bool] = {
    "peerCompleteVnets": True,
    "enableOnlyIPv6Peering": False,
    "doNotVerifyRemoteGateways": False,
}


@dataclass(frozen=True, slots=True)
class ExportedPeering:
    """A peering as it is: its place, where it leads, what is set on it."""

    id: str
    subscription: str
    group: str
    network: str
    name: str
    remote: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The four flags, and what else is set beside its default; in ARM's words."""


def parse_peering(body: Mapping[str, Any], peering_id: str = "") -> ExportedPeering:
    """Return a peering from its ARM JSON; its ids spelled as Azure documents them.

    Args:
        body: what Azure answered.
        peering_id: its id; empty if the body has it.
    """
    id_ = canonicalize(peering_id or parse_text(body.get("id")))
    where = parse(id_)
    _, network, name = where.names
    properties = get_section(body, "properties")
    settings: dict[str, Any] = Flags.from_arm(properties).to_arm()
    for text, default in DEFAULTS.items():
        is_found = parse_bool(properties.get(text), default=default)
        if is_found is not default:
            settings[text] = is_found
    for text in ("localSubnetNames", "remoteSubnetNames"):
        if names := list_texts(properties.get(text)):
            settings[text] = tuple(names)
    remote = canonicalize(parse_text(get_section(properties, "remoteVirtualNetwork").get("id")))
    return ExportedPeering(id_, where.subscription, where.group, network, name, remote, settings)


def build_symbols(peerings: Sequence[ExportedPeering]) -> list[str]:
    """Return a name for each that both languages take, unique whatever the letter case."""
    names = [
        re.sub(r"\W+", "_", f"{peering.network}_{peering.name}", flags=re.ASCII)
        for peering in peerings
    ]
    names = [text if re.match(r"[A-Za-z]", text) else f"peering_{text}" for text in names]
    counts = Counter(text.lower() for text in names)
    counter: Counter[str] = Counter()
    unique = []
    for name in names:
        counter[name.lower()] += 1
        twin = counts[name.lower()] > 1
        unique.append(f"{name}_{counter[name.lower()]}" if twin else name)
    return unique


# --- Terraform --------------------------------------------------------------------------------


def render_terraform(peerings: Sequence[ExportedPeering], taken_at: str) -> str:
    """One Terraform file: a provider for each subscription, each peering with its import."""
    names = dict(zip((peering.id for peering in peerings), build_symbols(peerings), strict=True))
    blocks = [
        f"# The peerings of the site's spokes at {taken_at}, for azurerm 4.x.\n"
        "# The import blocks need Terraform 1.5 or later. Remove the providers and imports that\n"
        "# you already have, and rename the resources to match yours."
    ]
    blocks += [
        _render_provider(fromkey)
        for fromkey in dict.fromkeys(peering.subscription for peering in peerings)
    ]
    for exported_peering in peerings:
        blocks += [
            _render_import(exported_peering, names[exported_peering.id]),
            _render_resource(exported_peering, names, peerings),
        ]
    return "\n\n".join(blocks) + "\n"


def format_alias(subscription: str) -> str:
    """Return the alias of a subscription's provider."""
    return f"subscription_{re.sub(r'[^0-9A-Za-z]', '_', subscription)}"


def _render_provider(subscription: str) -> str:
    return (
        'provider "azurerm" {\n'
        f"  alias           = {format_hcl(format_alias(subscription))}\n"
        f"  subscription_id = {format_hcl(subscription)}\n"
        "  features {}\n"
        "}"
    )


def _render_import(peering: ExportedPeering, name: str) -> str:
    to = f"azurerm_virtual_network_peering.{name}"
    return f"import {{\n  to = {to}\n  id = {format_hcl(peering.id)}\n}}"


def _render_resource(
    peering: ExportedPeering, names: Mapping[str, str], others: Sequence[ExportedPeering]
) -> str:
    rows = {
        "provider": f"azurerm.{format_alias(peering.subscription)}",
        "name": format_hcl(peering.name),
        "resource_group_name": format_hcl(peering.group),
        "virtual_network_name": format_hcl(peering.network),
        "remote_virtual_network_id": format_hcl(peering.remote),
        **{
            SNAKE[key]: format_hcl(value) for key, value in peering.settings.items() if key in SNAKE
        },
    }
    width = max(map(len, rows))
    lines = [f'resource "azurerm_virtual_network_peering" "{names[peering.id]}" {{']
    lines += [f"  {key.ljust(width)} = {value}" for key, value in rows.items()]
    lender = _find_lender(peering, others)
    if lender is not None:
        needed = f"azurerm_virtual_network_peering.{names[lender.id]}"
        lines += ["", f"  depends_on = [{needed}]"]
    return "\n".join([*lines, "}"])


def _find_lender(
    peering: ExportedPeering, others: Iterable[ExportedPeering]
) -> ExportedPeering | None:
    """Return the opposite that lends the gateway this one uses; Azure requires it first."""
    if not peering.settings["useRemoteGateways"]:
        return None
    own = get_network_id(peering.id).lower()
    for other in others:
        there = get_network_id(other.id).lower()
        if there == peering.remote.lower() and other.remote.lower() == own:
            return other
    return None


def format_hcl(value: object) -> str:
    """Return a value as HCL writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(format_hcl(item) for item in value)}]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + text.replace("${", "$${").replace("%{", "%%{") + '"'


# --- Bicep ------------------------------------------------------------------------------------


def render_bicep(peerings: Sequence[ExportedPeering], taken_at: str) -> dict[str, str]:
    """Bicep files by name: one a resource group, and ``main.bicep`` that deploys them all.

    A Bicep file deploys into one resource group, and a peering belongs to that of its VNet.
    Azure refuses a second write to a VNet while one is under way: so one comes after the other.
    """
    groups: dict[tuple[str, str], list[ExportedPeering]] = {}
    for peering in peerings:
        groups.setdefault((peering.subscription.lower(), peering.group.lower()), []).append(peering)
    files: dict[str, str] = {}
    modules = []
    for number, rows in enumerate(groups.values(), 1):
        first = rows[0]
        name = f"{number:02}-{re.sub(r'[^0-9A-Za-z_.-]+', '_', first.group)}.bicep"
        files[name] = _render_group_file(rows, taken_at)
        lines = [
            f"module group{number:02} {format_bicep(name)} = {{",
            f"  name: {format_bicep(f'peerings-{number:02}')}",
            f"  scope: resourceGroup({format_bicep(first.subscription)}, "
            f"{format_bicep(first.group)})",
        ]
        lines += _render_depends_on(f"group{number - 1:02}") if number > 1 else []
        modules.append("\n".join([*lines, "}"]))
    head = (
        f"// The peerings of the site's spokes at {taken_at}.\n"
        "// az deployment group create -g <any of the groups> -f main.bicep\n"
        "targetScope = 'resourceGroup'"
    )
    return {"main.bicep": "\n\n".join([head, *modules]) + "\n", **files}


def _render_group_file(peerings: Sequence[ExportedPeering], taken_at: str) -> str:
    first = peerings[0]
    parts = [
        f"// The peerings in {first.group} at {taken_at}.\n"
        "// az deployment group create -f <this> "
        f"--subscription {first.subscription} -g {first.group}\n"
        "targetScope = 'resourceGroup'"
    ]
    networks = list(dict.fromkeys(peering.network for peering in peerings))
    labels = {name: f"network{number:02}" for number, name in enumerate(networks, 1)}
    parts += [
        f"resource {labels[name]} '{NETWORK}@{BICEP_API}' existing = "
        f"{{\n  name: {format_bicep(name)}\n}}"
        for name in networks
    ]
    before: dict[str, str] = {}
    for exported_peering, symbol in zip(peerings, build_symbols(peerings), strict=True):
        parts.append(
            _render_bicep_peering(
                exported_peering,
                symbol,
                labels[exported_peering.network],
                before.get(exported_peering.network),
            )
        )
        before[exported_peering.network] = symbol
    return "\n\n".join(parts) + "\n"


def _render_depends_on(symbol: str) -> list[str]:
    return ["  dependsOn: [", f"    {symbol}", "  ]"]


def _render_bicep_peering(
    peering: ExportedPeering, symbol: str, parent: str, before: str | None
) -> str:
    type_ = f"{PEERING}@{BICEP_API}"
    lines = [
        f"resource {symbol} '{type_}' = {{",
        f"  parent: {parent}",
        f"  name: {format_bicep(peering.name)}",
        "  properties: {",
        "    remoteVirtualNetwork: {",
        f"      id: {format_bicep(peering.remote)}",
        "    }",
    ]
    for key, value in peering.settings.items():
        lines += _render_bicep_row(key, value)
    lines += ["  }", *(_render_depends_on(before) if before else [])]
    return "\n".join([*lines, "}"])


def _render_bicep_row(key: str, value: object) -> list[str]:
    if isinstance(value, tuple):
        return [f"    {key}: [", *(f"      {format_bicep(item)}" for item in value), "    ]"]
    return [f"    {key}: {str(value).lower()}"]


def format_bicep(text: str) -> str:
    """Return a text as Bicep writes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${") + "'"
