"""What the readers make of bodies that Azure could send: no field of any crashes one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.network.models import EffectiveConnectivityConfiguration

from erfailover.azure import run_command
from erfailover.azure.client.errors import translate
from erfailover.azure.reader import Reader
from erfailover.azure.readers import (
    api_versions,
    circuits,
    doctor,
    gateway_tables,
    network,
    network_watcher,
    operations,
    probes,
    routing,
)
from erfailover.azure.readers.adoption import discover
from erfailover.errors import AzureErrorKind, AzureFailure, Failure
from erfailover.lab.core.clock import SteppedClock
from erfailover.model.arm_json import list_objects, parse_bool, parse_int, parse_number, parse_text
from erfailover.model.observed import Reading
from erfailover.model.peering_flags import Flags
from erfailover.model.probes import InterfaceRoute, NextHop
from erfailover.model.resource_ids import canonicalize
from erfailover.model.site import Hub, Role, Site
from erfailover.planning import conditions
from erfailover.planning.adoption.adopt import AdoptionOptions, adopt
from erfailover.planning.iac import export
from erfailover.planning.probes import answers
from tests.support.http_answer import Answer
from tests.support.mutations import mutants

FACTS = Path(__file__).parents[2] / "tools" / "replay" / "facts"
OBSERVED = Path(__file__).parents[2] / "lab" / "observed_bgp.json"
NETWORKS = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network"
HUB, SPOKE = f"{NETWORKS}/virtualNetworks/hub", f"{NETWORKS}/virtualNetworks/spoke"
OTHER = f"{NETWORKS}/virtualNetworks/other"
CLASSIC = f"{NETWORKS}/virtualNetworks/old".replace("Microsoft.Network", "Microsoft.ClassicNetwork")
GATEWAY = f"{NETWORKS}/virtualNetworkGateways/gw"
SUBNET = "virtualNetworks/subnets"
NEXT_HOP = {
    "nextHopType": "VirtualAppliance",
    "nextHopIpAddress": "10.2.2.4",
    "routeTableId": f"{NETWORKS}/routeTables/t",
}
FEW = 4
"""How many recorded bodies of each type are taken: those that differ in their fields."""


def shape(body: Any) -> Any:
    """The names of a body's fields."""
    if isinstance(body, dict):
        return tuple((key, shape(item)) for key, item in sorted(body.items()))
    return tuple(map(shape, body[:1])) if isinstance(body, list) else ()


def load_recorded_bodies(type_: str, provider: str = "Microsoft.Network") -> list[dict[str, Any]]:
    """Recorded bodies of a type, each with the id and the name that Azure gives it."""
    document: dict[Any, dict[str, Any]] = {}
    own = NETWORKS.replace("Microsoft.Network", provider)
    for file in sorted(FACTS.glob("*.json")):
        for step in json.loads(file.read_text())["steps"]:
            parts = step["path"].partition(f"/providers/{provider}/")[2].split("/")
            body = step.get("body")
            if "/".join(parts[::2]) == type_ and isinstance(body, dict):
                named = {"id": f"{own}/{'/'.join(parts)}", "name": parts[-1]}
                document.setdefault(shape(body), {**named, **body})
    assert document, type_
    return sorted(document.values(), key=lambda row: -len(str(row)))[:FEW]


class FakeReader:
    """Answers every question with the same body, which is what the readers are shown."""

    def __init__(self, body: Any) -> None:
        self.clock = SteppedClock()
        self.body = body

    def get(self, resource_id: str, deadline_s: float = 0.0) -> Any:
        return self.body

    def list_children(self, parent_id: str, *_: Any, **__: Any) -> list[Any]:
        return [self.body]

    def list_connections(self, gateway_id: str, deadline_s: float = 0.0) -> list[Any]:
        return [self.body]

    def list_group_resources(self, group_id: str) -> list[Any]:
        return [self.body]

    def read_action(self, *_: Any, **__: Any) -> Any:
        value = self.body.get("value") if isinstance(self.body, dict) else None
        return {"RouteServiceRole_IN_0": [self.body], "value": value or [self.body]}

    def ask(self, *_: Any, **__: Any) -> Any:
        return SimpleNamespace(body=self.body)

    def read_gateway_action(self, *_: Any, **__: Any) -> list[Any]:
        return [self.body]


def site() -> Site:
    return Site("s", Hub(HUB, GATEWAY), Hub(SPOKE, GATEWAY), (), ())


def read_network(body: Any) -> None:
    virtual_network = network.parse_network(body, HUB)
    assert virtual_network.id
    reader: Any = FakeReader(body)
    around = routing.read(reader, site())
    assert around.get_network(HUB).value is not None
    for peering in virtual_network.peerings:
        row = network.find_peering_row(body, peering.id)
        assert row is not None
        export.render_terraform([export.parse_peering(row, peering.id)], "now")


class HubReader(FakeReader):
    """Answers with a hub, a gateway in it, and a spoke that uses that."""

    def get(self, resource_id: str, deadline_s: float = 0.0) -> Any:
        if resource_id.lower() == GATEWAY.lower():
            return {"id": GATEWAY, "name": "gw", "properties": {"gatewayType": "ExpressRoute"}}
        if resource_id.lower() not in (SPOKE.lower(), OTHER.lower()):
            return self.body
        uses = {"useRemoteGateways": True, "peeringState": "Connected"}
        peering = {"name": "to-hub", "properties": {"remoteVirtualNetwork": {"id": HUB}, **uses}}
        return {"id": resource_id, "properties": {"virtualNetworkPeerings": [peering]}}


def read_hub(body: Any) -> None:
    reader: Any = HubReader(body)
    gateways = {Role.PRIMARY: None, Role.BACKUP: GATEWAY}
    discovered = discover(reader, {Role.PRIMARY: HUB, Role.BACKUP: OTHER}, gateways)
    assert adopt(discovered, AdoptionOptions(remote_prefixes=(IPv4Network("10.9.0.0/16"),))).spokes


def hub() -> dict[str, Any]:
    """A VNet with a gateway in it, peered with another one and a classic one."""
    peerings = [
        {
            "id": f"{HUB}/virtualNetworkPeerings/p{number}",
            "name": f"p{number}",
            "properties": {
                "remoteVirtualNetwork": {"id": remote},
                "peeringState": "Connected",
                "allowGatewayTransit": True,
                "useRemoteGateways": number == 1,
            },
        }
        for number, remote in enumerate((SPOKE, f"{SPOKE}2", CLASSIC))
    ]
    address = {"id": f"{GATEWAY}/ipConfigurations/default"}
    subnet = {"name": "GatewaySubnet", "properties": {"ipConfigurations": [address]}}
    space = {"addressPrefixes": ["10.1.0.0/16"]}
    properties = {
        "addressSpace": space,
        "subnets": [subnet],
        "virtualNetworkPeerings": peerings,
        "provisioningState": "Succeeded",
    }
    return {"id": HUB, "name": "hub", "tags": {"a": "b"}, "properties": properties}


def read_peering(body: Any) -> None:
    peering_id = f"{HUB}/virtualNetworkPeerings/p"
    assert network.parse_peering(body, HUB).id
    written = [export.parse_peering(body, peering_id)]
    assert "allow_virtual_network_access" in export.render_terraform(written, "now")
    assert "remoteVirtualNetwork" in "".join(export.render_bicep(written, "now").values())


def read_gateway(body: Any) -> None:
    unread: Reading[Any] = Reading(None, "not asked")
    gateway = network.parse_gateway(Role.PRIMARY, body, unread, unread, GATEWAY)
    conditions.check_gateway_provisioned(gateway, Role.PRIMARY)
    reader: Any = FakeReader(body)
    circuits.read_circuits(reader, GATEWAY)


def read_route_table(body: Any) -> None:
    reader: Any = FakeReader(body)
    routing.read(reader, site())


def read_machine(body: Any) -> None:
    reader: Any = FakeReader(body)
    assert probes._read_system(reader, "m")
    network_watcher.find_primary_interface(body)


def read_run_command(body: Any) -> None:
    result = run_command._parse_result(list_objects(body.get("value")))
    assert isinstance(result.stdout + result.stderr, str)


def read_address(body: Any) -> None:
    reader: Any = FakeReader(body)
    doctor._read_gateway(reader, site(), Role.PRIMARY)


def read_effective_routes(body: Any) -> None:
    """As a table of the SDK: its rows are objects."""
    for probe in (WAY, replace(WAY, next_hop=IPv4Address("10.1.0.4"))):
        answer = answers.judge_routes(list_objects(body.get("value")), probe)
        assert answer.observation


def read_next_hop(body: Any) -> None:
    hop = NextHop(machine="m", address=IPv4Address("10.5.0.4"), next_hop_type="Internet")
    assert answers.judge_next_hop(body, hop).observation


def read_circuit(body: Any) -> None:
    reader: Any = FakeReader(body)
    assert circuits._read_circuit(reader, f"{NETWORKS}/expressRouteCircuits/c").value
    assert circuits._read_circuit_sessions(reader, f"{NETWORKS}/expressRouteCircuits/c").circuit
    circuits.parse_failover_test(body)


def read_lists(body: Any) -> None:
    """What doctor and the roles are told by providers, deny assignments and managers."""
    reader: Any = FakeReader(body)
    api_versions._read_offers(reader, "network", "s")
    set(operations._iter_names(body))
    doctor._parse_denial(body)
    doctor._get_role_name(body)
    routing._read_managed(reader, HUB)


def read_tables(body: Any) -> None:
    peers = tuple(map(gateway_tables.parse_peer, list_objects(body.get("peers"))))
    routes = tuple(map(gateway_tables.parse_route, list_objects(body.get("routes"))))
    gateway = network.parse_gateway(Role.PRIMARY, {}, Reading(peers), Reading(routes), GATEWAY)
    conditions.check_all_peers_connected(gateway, Role.PRIMARY)
    conditions.check_gateway_learned(gateway, Role.PRIMARY, ())
    conditions.check_originated(gateway, Role.PRIMARY, ())


def read_error(body: Any) -> None:
    for status in (200, 400, 404, 409, 429, 500):
        error = HttpResponseError(response=Answer(status, body))  # type: ignore[arg-type]
        assert translate(error, "GET x").message


def tables() -> list[dict[str, Any]]:
    def arm(row: dict[str, Any]) -> dict[str, Any]:
        words = ((key.split("_"), item) for key, item in row.items())
        return {first + "".join(map(str.title, rest)): item for (first, *rest), item in words}

    value = json.loads(OBSERVED.read_text())["observations"]
    whole = [
        {
            "peers": [arm(row) for row in item["peers"]],
            "routes": [arm(row) for row in item.get("learned_routes") or item.get("routes") or ()],
        }
        for item in value
    ]
    assert any(body["routes"] for body in whole)
    return whole


WAY = InterfaceRoute(interface="i", prefix=IPv4Network("10.5.0.0/16"), next_hop_type="Internet")


def effective_routes() -> list[dict[str, Any]]:
    row = {"source": "VirtualNetworkGateway", "state": "Active", "addressPrefix": ["10.5.0.0/16"]}
    row |= {"nextHopType": "VirtualNetworkGateway", "nextHopIpAddress": ["10.2.1.4"]}
    return [{"value": [row, {**row, "addressPrefix": ["fd00::/48", "Storage"], "name": "r"}]}]


def circuit() -> dict[str, Any]:
    private = {"peeringType": "AzurePrivatePeering", "state": "Enabled", "peerASN": 65020}
    provider = {"peeringLocation": "Amsterdam", "bandwidthInMbps": 1000}
    properties = {
        "circuitProvisioningState": "Enabled",
        "serviceProviderProvisioningState": "Provisioned",
        "serviceProviderProperties": provider,
        "peerings": [{"name": "AzurePrivatePeering", "properties": private}],
    }
    summary = {"neighbor": "169.254.1.1", "v": 4, "as": 65020, "upDown": "1d2h", "statePfxRcd": "5"}
    test = {"testGuid": "g", "status": "Running", "startTime": "2026-11-01T00:00:00Z"}
    return {"name": "c", "properties": properties, "value": [summary], **test}


def lists() -> dict[str, Any]:
    """One body with the fields of all that ``read_lists`` reads."""
    offer = {"resourceType": "virtualNetworks", "apiVersions": ["2026-03-01"], "locations": ["W"]}
    action = {"name": "Microsoft.Network/virtualNetworks/read"}
    grant = {"actions": ["*/write"], "notActions": []}
    named = {"roleDefinition": {"displayName": "Owner"}}
    properties = {
        "denyAssignmentName": "stack",
        "scope": "/subscriptions/s",
        "permissions": [grant],
        "principals": [{"id": "p"}],
        "excludePrincipals": [],
        "doNotApplyToChildScopes": False,
        "roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/r",
        "expandedProperties": named,
    }
    configuration = {"connectivityCapabilities": {"peeringEnforcement": "Enforced"}}
    effective = {"id": "/x/connectivityConfigurations/c", "properties": configuration}
    return {
        "resourceTypes": [{**offer, "operations": [action]}],
        "operations": [action],
        "properties": properties,
        "value": [effective],
    }


def errors() -> list[dict[str, Any]]:
    details = [{"code": "RetryableErrorDueToAnotherOperation", "message": "busy"}]
    error = {"code": "RetryableError", "message": "A retryable error occurred."}
    return [
        {"error": {**error, "details": details}},
        {"Error": {"Code": "ResourceGroupDeletionBlocked", "Message": "blocked", "Target": None}},
        {"status": "Failed", "error": error},
    ]


CASES: dict[str, tuple[Callable[[Any], Any], Callable[[], list[dict[str, Any]]]]] = {
    "VNet": (read_network, lambda: [*load_recorded_bodies("virtualNetworks"), hub()]),
    "hub": (read_hub, lambda: [hub()]),
    "peering": (
        read_peering,
        lambda: load_recorded_bodies("virtualNetworks/virtualNetworkPeerings"),
    ),
    "gateway": (read_gateway, lambda: load_recorded_bodies("virtualNetworkGateways")),
    "connection": (read_gateway, lambda: load_recorded_bodies("connections")),
    "local network gateway": (read_gateway, lambda: load_recorded_bodies("localNetworkGateways")),
    "route table": (read_route_table, lambda: load_recorded_bodies("routeTables")),
    "subnet": (
        lambda body: repr(routing._parse_subnet(body)),
        lambda: load_recorded_bodies(SUBNET),
    ),
    "machine": (read_machine, lambda: load_recorded_bodies("virtualMachines", "Microsoft.Compute")),
    "run command": (
        read_run_command,
        lambda: load_recorded_bodies("virtualMachines/runCommand", "Microsoft.Compute"),
    ),
    "network interface": (
        network_watcher._get_address,
        lambda: load_recorded_bodies("networkInterfaces"),
    ),
    "public address": (read_address, lambda: load_recorded_bodies("publicIPAddresses")),
    "effective routes": (read_effective_routes, effective_routes),
    "next hop": (read_next_hop, lambda: [NEXT_HOP]),
    "circuit": (read_circuit, lambda: [circuit()]),
    "lists for doctor": (read_lists, lambda: [lists()]),
    "tables of a gateway": (read_tables, lambda: tables()[:2]),
    "error": (read_error, errors),
}


def every(bodies: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    for body in bodies:
        yield "as recorded", body
        yield from mutants(body)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", CASES)
def test_no_changed_field_of_a_recorded_body_crashes_a_reader(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    read, bodies = CASES[name]
    count = refused = 0
    for text, body in every(bodies()):
        count += 1
        try:
            read(body)
        except Failure:
            refused += 1
        except Exception as error:
            raise AssertionError(f"{name}: {text}: {type(error).__name__}: {error}") from error
    with capsys.disabled():
        print(f"\n{name}: {count} bodies, {refused} refused with a reason")
    assert count > 30
    assert refused < count / 2


@pytest.mark.parametrize(
    ("written", "enforced"),
    [("Enforced", True), ("enforced", True), ("Unenforced", False), (None, False), ({}, False)],
)
def test_whether_a_manager_enforces_peerings_is_read_where_the_sdk_says(
    written: Any, enforced: bool
) -> None:
    row = {"id": "/x/connectivityConfigurations/spokes", "connectivityCapabilities": "elsewhere"}
    properties = {"connectivityCapabilities": {"peeringEnforcement": written}}
    parsed = EffectiveConnectivityConfiguration({**row, "properties": properties})
    assert parsed.connectivity_capabilities == properties["connectivityCapabilities"]
    reader: Any = FakeReader({"value": [{**row, "properties": properties}]})
    (configuration,) = routing._read_managed(reader, HUB)
    assert (configuration.name, configuration.enforced) == ("spokes", enforced)


def test_effective_routes_are_judged_whatever_their_types_and_letter_case() -> None:
    row: dict[str, Any] = {"state": "ACTIVE", "addressPrefix": ["10.0.0.0/8", None, 7]}
    hop = {"nextHopType": "internet", "nextHopIpAddress": None}
    assert answers.judge_routes([{**row, **hop}], WAY).up is True
    assert answers.judge_routes([{**row, **hop, "state": None}], WAY).up is True
    assert answers.judge_routes([{**row, **hop, "state": "Invalid"}], WAY).up is False
    assert answers.judge_routes([{**row, "nextHopType": None}], WAY).observation.endswith(
        "an unknown hop"
    )
    assert answers.judge_routes([{**hop, "addressPrefix": 7}], WAY).up is False


def test_values_are_read_whatever_their_type_and_letter_case() -> None:
    properties = {
        "allowVirtualNetworkAccess": None,
        "useRemoteGateways": "True",
        "allowGatewayTransit": "false",
        "peeringState": "connected",
        "peeringSyncLevel": "FULLYINSYNC",
        "provisioningState": None,
        "remoteVirtualNetwork": {"id": HUB.upper().replace("/HUB", "/hub")},
    }
    peering = network.parse_peering({"name": "p", "properties": properties}, SPOKE)
    assert peering.flags == Flags(use_remote_gateways=True)
    assert (peering.state, peering.sync_level) == ("Connected", "FullyInSync")
    assert (peering.id, peering.provisioning_state) == (
        f"{SPOKE}/virtualNetworkPeerings/p",
        "Succeeded",
    )
    segments = peering.remote_virtual_network.split("/")
    assert segments[1::2] == ["subscriptions", "resourceGroups", "providers", "virtualNetworks"]
    peer = gateway_tables.parse_peer({"asn": "65010", "state": "CONNECTED", "routesReceived": "7"})
    assert (peer.asn, peer.state, peer.routes_received) == (65010, "Connected", 7)
    assert gateway_tables.parse_peer({"state": "Rebooting"}).state == "Rebooting"


@pytest.mark.parametrize(
    ("value", "read"),
    [("12", 12), (12.0, 12), (True, None), ("x", None), (None, None), (float("nan"), None)],
)
def test_a_whole_number_may_be_written_as_text(value: Any, read: int | None) -> None:
    assert parse_int(value) == read


def test_what_is_no_text_number_or_truth_value_counts_as_absent() -> None:
    assert (parse_text({}), parse_text(None), parse_text(True), parse_text(7)) == ("", "", "", "7")
    assert (parse_number("1e3"), parse_number([]), parse_number("inf")) == (1000.0, None, None)
    assert (parse_bool("yes", default=True), parse_bool("FALSE", default=True), parse_bool(1)) == (
        True,
        False,
        False,
    )


@pytest.mark.parametrize(
    ("id_", "written"),
    [
        (
            "/SUBSCRIPTIONS/S/resourcegroups/Rg/PROVIDERS/microsoft.network/virtualnetworks/V"
            "/virtualnetworkpeerings/P/",
            "/subscriptions/S/resourceGroups/Rg/providers/Microsoft.Network/virtualNetworks/V"
            "/virtualNetworkPeerings/P",
        ),
        (
            "/subscriptions/s/resourcegroups/Größe/providers/microsoft.classicnetwork"
            "/virtualnetworks/old",
            "/subscriptions/s/resourceGroups/Größe/providers/Microsoft.ClassicNetwork"
            "/virtualNetworks/old",
        ),
        (
            "/subscriptions/s/resourceGroups/virtualnetworks/providers/Microsoft.Network"
            "/virtualNetworks/subnets",
            "/subscriptions/s/resourceGroups/virtualnetworks/providers/Microsoft.Network"
            "/virtualNetworks/subnets",
        ),
        ("a name", "a name"),
        ("", ""),
    ],
)
def test_an_id_is_written_in_arms_form_and_keeps_its_names(id_: str, written: str) -> None:
    assert canonicalize(id_) == written


def test_a_classic_vnet_is_not_read_and_is_no_crash() -> None:
    session: Any = None
    for id_ in (CLASSIC, "/providers/Microsoft.Internal/things/v", "v"):
        with pytest.raises(AzureFailure, match="cannot be read") as caught:
            Reader(session).get(id_)
        assert caught.value.kind is AzureErrorKind.NOT_SUPPORTED
