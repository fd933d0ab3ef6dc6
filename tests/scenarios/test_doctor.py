"""``doctor`` on the lab: every check fails once, is unknown once, and none of it writes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from erfailover.azure.blob_store import BlobStore
from erfailover.azure.reader import Reader
from erfailover.errors import StateFailure
from erfailover.lab.arm import service
from erfailover.lab.auth.rbac import Access, Assignment, Eligibility
from erfailover.lab.core.protocol import Request
from erfailover.lab.engine.faults import FOREVER, Fault, FaultKind
from erfailover.lab.engine.throttling import Limits, Throttling
from erfailover.planning.doctor.check import CheckName
from erfailover.planning.hazards.scene import NAMES, REMARKS
from erfailover.runtime.state.local import LocalStore
from tests.support.provoked import PROVOKED, arm_of
from tests.support.resources import group, network
from tests.support.stage import Provisioned, Stage, below_heading
from tests.support.stores import ANNA

PEERING = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"
AUTHORIZATION = "providers/Microsoft.Authorization"
HAZARDS = tuple(name.replace("_", "-") for name in NAMES)
IPV6_, DEFAULT_, PREFIXES_, DNS_, RESIDENTS_, MANAGED_, TUNNELS_ = REMARKED = tuple(
    name.replace("_", "-") for name in REMARKS
)
OF_ROUTING = {CheckName.APPLIANCES, CheckName.RETURN_ROUTES, CheckName.ROUTE_TABLES}
"""Of a site with ``routing`` alone; ``test_firewall_doctor`` provokes them."""
EVERY = {*CheckName, *HAZARDS, *REMARKED} - OF_ROUTING
GATEWAY = "Microsoft.Network/virtualNetworkGateways"
NETWORK = "Microsoft.Network/virtualNetworks"
Begin = Callable[[Stage, pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Trouble:
    """Something that goes wrong, and the checks that must tell."""

    what: str
    begin: tuple[Begin, ...]
    fails: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    warns: tuple[str, ...] = ()


def ask(stage: Stage, method: str, path: str, body: Any = None) -> Any:
    """One request to the lab, past the controller."""
    base = stage.environment["ERFAILOVER_ENDPOINT"]
    token = stage.lab.tokens.issue_access_token(f"{base}/t", base)
    data = b"" if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}"}
    query = {"api-version": "2024-05-01"}
    answer = service.handle(stage.lab, Request(method, path, query, base, data, headers))
    assert answer.status < 400, answer
    return answer.body


def add_lock(level: str, scope: str) -> Begin:
    def begin(stage: Stage, _: pytest.MonkeyPatch) -> None:
        path = f"{group(stage)}{scope}/{AUTHORIZATION}/locks/keep"
        ask(stage, "PUT", path, {"properties": {"level": level}})

    return begin


def deny_actions(*actions: str) -> Begin:
    def begin(stage: Stage, _: pytest.MonkeyPatch) -> None:
        stage.lab.access = Access((Assignment("/", ("*",), actions),))

    return begin


def edit_site_file(old: str, new: str) -> Begin:
    def begin(stage: Stage, _: pytest.MonkeyPatch) -> None:
        site = stage.folder / "erfailover.yaml"
        text = site.read_text().split("\ntopology:")[0] + "\n"
        assert old in text
        site.write_text(text.replace(old, new))

    return begin


def change_resource(type_: str, name: str, change: Callable[[dict[str, Any]], None]) -> Begin:
    def begin(stage: Stage, _: pytest.MonkeyPatch) -> None:
        change(stage.resource(type_, name).body)

    return begin


def fault(result: Fault) -> Begin:
    def begin(stage: Stage, _: pytest.MonkeyPatch) -> None:
        stage.lab.add_faults(result)

    return begin


def eligible(stage: Stage, _: pytest.MonkeyPatch) -> None:
    role = Eligibility("Network Contributor", group(stage))
    stage.lab.access = Access(stage.lab.access.assignments, (role,))


def pin_api_version(version: str) -> Begin:
    versions = f"{{network: {version}, compute: 2025-11-01}}"
    return edit_site_file(
        "location: westeurope",
        f"location: westeurope\ncloud: {{name: public, api_versions: {versions}}}",
    )


SECOND_TENANT = """location: westeurope
tenants: {0f8fad5b-d9cb-469f-a165-70867728950e: default}"""
HOP = "hop: {machine: vm1, address: 10.5.0.4, next_hop_type: VirtualNetworkGateway}"


def wrong_token(stage: Stage, patch: pytest.MonkeyPatch) -> None:
    (stage.folder / "wrong").write_text("not.a.token")
    patch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(stage.folder / "wrong"))


def use_managed_identity(stage: Stage, patch: pytest.MonkeyPatch) -> None:
    patch.delenv("AZURE_FEDERATED_TOKEN_FILE")


def policy(stage: Stage, _: pytest.MonkeyPatch) -> None:
    subscription = group(stage).split("/resourceGroups/")[0]
    definition = f"{subscription}/{AUTHORIZATION}/policyDefinitions/no-peerings"
    rule = {"if": {"field": "type", "equals": PEERING}, "then": {"effect": "deny"}}
    ask(stage, "PUT", definition, {"properties": {"policyRule": rule}})
    assigned = {"properties": {"policyDefinitionId": definition}}
    ask(stage, "PUT", f"{group(stage)}/{AUTHORIZATION}/policyAssignments/no", assigned)


def session_down(stage: Stage, _: pytest.MonkeyPatch) -> None:
    path = network(stage, "localNetworkGateways/lng2")
    body = ask(stage, "GET", path)
    body["properties"]["bgpSettings"]["bgpPeeringAddress"] = "10.4.0.253"
    ask(stage, "PUT", path, body)
    stage.pass_time(600.0)


def tunnel_down(stage: Stage, _: pytest.MonkeyPatch) -> None:
    path = network(stage, "connections/vng2-to-vng3")
    body = ask(stage, "GET", path)
    ask(stage, "PUT", path, {**body, "properties": {**body["properties"], "sharedKey": "another"}})
    stage.pass_time(600.0)


def drill(stage: Stage, _: pytest.MonkeyPatch) -> None:
    stage.do("drill", "start", "--yes")


def hazards(*names: str) -> Begin:
    """What ``test_hazards`` provokes, several at once."""

    def begin(stage: Stage, _: pytest.MonkeyPatch) -> None:
        arm = arm_of(stage)
        for name in names:
            PROVOKED[name.replace("-", "_")][0](arm, stage)
        arm.pool.clear()
        stage.pass_time(60.0)

    return begin


def peering_gone(stage: Stage, _: pytest.MonkeyPatch) -> None:
    path = network(stage, "virtualNetworks/vnet1/virtualNetworkPeerings/vnet1-to-vnet2")
    ask(stage, "DELETE", path)
    stage.pass_time(60.0)


def heavy(stage: Stage, _: pytest.MonkeyPatch) -> None:
    stage.lab.metrics.set(network(stage, "virtualNetworkGateways/vng1"), "AverageBandwidth", 1e8)


def few_left(stage: Stage, _: pytest.MonkeyPatch) -> None:
    stage.lab.throttling = Throttling(Limits(writes=(14, 0.001)))


def no_limits(stage: Stage, _: pytest.MonkeyPatch) -> None:
    stage.lab.throttling = Throttling(None)


def store_at(address: str) -> Begin:
    def begin(stage: Stage, patch: pytest.MonkeyPatch) -> None:
        def look(_: BlobStore) -> None:
            raise StateFailure("the state of the site cannot be reached")

        edit_site_file(
            "location: westeurope", "location: westeurope\nstate: azblob://acct/box/poc"
        )(stage, patch)
        patch.setenv("ERFAILOVER_BLOB_ENDPOINT", f"https://{address}/acct")
        patch.setattr(BlobStore, "look", look)

    return begin


def local_store(stage: Stage) -> LocalStore:
    (folder,) = (stage.folder / "state" / "sites").iterdir()
    return LocalStore(folder)


def hold_lease(stage: Stage, _: pytest.MonkeyPatch) -> None:
    local_store(stage).acquire(ANNA, take_over=False)


def damaged_lease(stage: Stage, _: pytest.MonkeyPatch) -> None:
    local_store(stage).lease_file.write_text("{")


def damaged_journal(stage: Stage, _: pytest.MonkeyPatch) -> None:
    with local_store(stage).journal_file.open("ab") as file:
        file.write(b"not json\n")


def basic(body: dict[str, Any]) -> None:
    body["sku"] = {"name": "Basic", "tier": "Regional"}


def old_size(body: dict[str, Any]) -> None:
    body["properties"]["sku"] = {"name": "VpnGw1", "tier": "VpnGw1"}


def mark_failed(body: dict[str, Any]) -> None:
    body["properties"]["provisioningState"] = "Failed"


def overlap_vnet1(body: dict[str, Any]) -> None:
    body["properties"]["addressSpace"] = {"addressPrefixes": ["10.1.128.0/17"]}


CONNECTION = "Microsoft.Network/connections"
LOCAL_GATEWAY = "Microsoft.Network/localNetworkGateways"


def dual_stack(body: dict[str, Any]) -> None:
    body["properties"]["addressSpace"]["addressPrefixes"].append("fd00:11::/48")


def dns_in_primary_hub(body: dict[str, Any]) -> None:
    body["properties"]["dhcpOptions"] = {"dnsServers": ["10.2.2.4"]}


def deployed_by_a_manager(body: dict[str, Any]) -> None:
    body.setdefault("tags", {})["lab:network-manager"] = "Unenforced"


def a_deployment_stack(stage: Stage, _: pytest.MonkeyPatch) -> None:
    resource = next(item for item in stage.lab.world.resources.values() if item.id.name == "rg-we")
    resource.body.setdefault("tags", {})["lab:deny"] = f"{PEERING}/write"


def tunnel_over_circuit(body: dict[str, Any]) -> None:
    body["properties"]["useLocalAzureIpAddress"] = True


def peer_by_subnets(body: dict[str, Any]) -> None:
    body["properties"] |= {"peerCompleteVnets": False, "localSubnetNames": ["vnet1-sub1"]}


def many_peerings(stage: Stage, _: pytest.MonkeyPatch) -> None:
    """vnet3 is peered with 499 others."""
    path = network(stage, "virtualNetworks/vnet3")
    body = ask(stage, "GET", path)
    rows = body["properties"]["virtualNetworkPeerings"]
    for number in range(499 - len(rows)):
        remote = network(stage, f"virtualNetworks/other{number}")
        rows.append(
            {
                "id": f"{path}/virtualNetworkPeerings/other{number}",
                "name": f"other{number}",
                "properties": {"remoteVirtualNetwork": {"id": remote}},
            }
        )
    result = Fault(FaultKind.ANSWER, "GET", path, times=FOREVER, status=200, body=body)
    stage.lab.add_faults(result)


def announced_to_the_primary_alone(stage: Stage, _: pytest.MonkeyPatch) -> None:
    """The premises tell vng1 what their tunnel to vng2 leads to."""
    path = network(stage, "localNetworkGateways/lng4")
    body = ask(stage, "GET", path)
    body["properties"]["localNetworkAddressSpace"]["addressPrefixes"] += [
        "0.0.0.0/0",
        "192.168.50.0/24",
    ]
    ask(stage, "PUT", path, body)
    stage.pass_time(300.0)


FURTHER_SPOKE = """- virtual_network: vnet4
    spoke_to_primary: {name: a, on_expressroute: {use_remote_gateways: true}, on_ipsec: {}}
    primary_to_spoke: {name: b, on_expressroute: {allow_gateway_transit: true}, on_ipsec: {}}
    spoke_to_backup: {name: c, on_expressroute: absent, on_ipsec: {use_remote_gateways: true}}
    backup_to_spoke: {name: d, on_expressroute: absent, on_ipsec: {allow_gateway_transit: true}}
  - virtual_network: vnet1"""

TROUBLES = (
    Trouble("no token", (wrong_token,), fails=(CheckName.CREDENTIALS,)),
    Trouble(
        "a second tenant, and a managed identity",
        (edit_site_file("location: westeurope", SECOND_TENANT), use_managed_identity),
        fails=(CheckName.TENANTS,),
    ),
    Trouble(
        "IPv6 in a spoke, its DNS server in the primary hub, a tunnel over the circuit",
        (
            change_resource(NETWORK, "vnet1", dual_stack),
            change_resource(NETWORK, "vnet1", dns_in_primary_hub),
            change_resource(CONNECTION, "vng2-to-vng3", tunnel_over_circuit),
            change_resource(NETWORK, "vnet1", deployed_by_a_manager),
            a_deployment_stack,
        ),
        fails=(TUNNELS_, CheckName.DENIALS),
        warns=(IPV6_, DNS_, MANAGED_),
    ),
    Trouble(
        "a default route and a prefix of the primary alone",
        (announced_to_the_primary_alone,),
        warns=(DEFAULT_, PREFIXES_),
    ),
    Trouble(
        "more peerings than a VNet may have",
        (many_peerings, edit_site_file("- virtual_network: vnet1", FURTHER_SPOKE)),
        fails=(CheckName.LIMITS, CheckName.PEERINGS),
    ),
    Trouble(
        "a spoke that is peered by subnets",
        (change_resource(PEERING, "vnet1-to-vnet2", peer_by_subnets),),
        fails=(CheckName.PEERINGS,),
    ),
    Trouble(
        "rights to look only, somebody who writes, traffic, throttling, a wrong clock",
        (
            policy,
            deny_actions(f"{PEERING}/write", "Microsoft.Compute/*"),
            eligible,
            hold_lease,
            damaged_journal,
            heavy,
            few_left,
            fault(Fault(FaultKind.SKEW, times=FOREVER, seconds=400.0)),
        ),
        fails=(
            CheckName.PERMISSIONS,
            CheckName.ELIGIBLE_ROLES,
            CheckName.POLICIES,
            CheckName.LEASE,
            CheckName.JOURNAL,
            CheckName.THROUGHPUT,
            CheckName.THROTTLING,
            CheckName.CLOCK,
        ),
    ),
    Trouble(
        "a lock against writes, failed and retired resources, overlapping networks",
        (
            add_lock("ReadOnly", ""),
            change_resource(NETWORK, "vnet2", mark_failed),
            change_resource(NETWORK, "vnet3", overlap_vnet1),
            change_resource(GATEWAY, "vng2", mark_failed),
            change_resource(GATEWAY, "vng1", old_size),
            change_resource("Microsoft.Network/publicIPAddresses", "vng2-public-ip1", basic),
        ),
        fails=(
            CheckName.LOCKS,
            CheckName.NETWORKS,
            CheckName.OVERLAPS,
            CheckName.BACKUP_GATEWAY,
        ),
        warns=(CheckName.GATEWAY_SKU, CheckName.ADDRESS_SKU),
    ),
    Trouble(
        "a backup session down, a peering gone, a lock against deletion",
        (
            session_down,
            peering_gone,
            add_lock("CanNotDelete", "/providers/Microsoft.Network/virtualNetworks/vnet3"),
        ),
        fails=(
            CheckName.BACKUP_SESSION,
            CheckName.BACKUP_PREFIXES,
            CheckName.PEERINGS,
            CheckName.LOCKS,
        ),
    ),
    Trouble(
        "a tunnel to the backup down, a drill running, a site that is not prestaged as it says",
        (tunnel_down, drill, edit_site_file("location: w", "prestaged: true\nlocation: w")),
        fails=(
            CheckName.CONNECTIONS,
            CheckName.BACKUP_SESSION,
            CheckName.DRILL,
            CheckName.PRESTAGED,
        ),
    ),
    Trouble(
        "a next hop without a Network Watcher, a version that Azure does not list",
        (edit_site_file("probes:\n", f"probes:\n  {HOP}\n"), pin_api_version("2026-02-02")),
        fails=(CheckName.NETWORK_WATCHER, CheckName.API_VERSIONS),
    ),
    Trouble(
        "a next hop of a machine that may not be read, the SDK's own versions",
        (
            edit_site_file("probes:\n", f"probes:\n  {HOP}\n"),
            deny_actions("Microsoft.Compute/virtualMachines/read"),
        ),
        fails=(CheckName.PERMISSIONS,),
        unknown=(CheckName.NETWORK_WATCHER, CheckName.API_VERSIONS),
    ),
    Trouble("gateway routes kept out", (hazards(HAZARDS[0]),), fails=HAZARDS[:1]),
    Trouble("routes astray", (hazards(*HAZARDS[2:4]),), fails=HAZARDS[2:4]),
    Trouble(
        "an appliance, a Route Server, a static prefix in the primary hub",
        (hazards(HAZARDS[1], *HAZARDS[4:]),),
        fails=(HAZARDS[1], *HAZARDS[4:]),
    ),
    Trouble(
        "a spoke with a gateway of its own",
        (edit_site_file("- virtual_network: vnet1", "- virtual_network: vnet4"),),
        fails=(CheckName.OWN_GATEWAY, CheckName.PEERINGS),
        warns=(CheckName.PEERING_NAMES,),
    ),
    Trouble(
        "remote prefixes in a spoke and on this machine",
        (
            edit_site_file(
                "remote_prefixes: [10.5.", "remote_prefixes: [10.1.9.0/24, 127.0.0.0/8, 10.5."
            ),
        ),
        fails=(CheckName.OVERLAPS, CheckName.ENDPOINT_PATH, CheckName.BACKUP_PREFIXES),
    ),
    Trouble(
        "a store behind the circuit",
        (store_at("10.5.0.9"),),
        (CheckName.STORE_PATH,),
        (CheckName.LEASE,),
    ),
    Trouble(
        "no right to see rights, policies and locks",
        (
            edit_site_file("location: westeurope", SECOND_TENANT),
            deny_actions(
                "Microsoft.Authorization/permissions/read",
                "Microsoft.Authorization/locks/read",
                "Microsoft.Authorization/roleEligibilityScheduleInstances/read",
                "Microsoft.Authorization/denyAssignments/read",
                "Microsoft.PolicyInsights/*",
            ),
        ),
        unknown=(
            CheckName.CREDENTIALS,
            CheckName.TENANTS,
            CheckName.PERMISSIONS,
            CheckName.ELIGIBLE_ROLES,
            CheckName.DENIALS,
            CheckName.LOCKS,
            CheckName.POLICIES,
            CheckName.CLOCK,
            CheckName.THROTTLING,
        ),
    ),
    Trouble(
        "no right to read networks and gateways",
        (deny_actions("Microsoft.Network/*/read", "Microsoft.Network/virtualNetworkGateways/*"),),
        unknown=(
            CheckName.NETWORKS,
            CheckName.OWN_GATEWAY,
            CheckName.PEERINGS,
            CheckName.PEERING_NAMES,
            CheckName.OVERLAPS,
            CheckName.BACKUP_GATEWAY,
            CheckName.BACKUP_SESSION,
            CheckName.BACKUP_PREFIXES,
            CheckName.GATEWAY_SKU,
            CheckName.THROUGHPUT,
            CheckName.CONNECTIONS,
            CheckName.SECOND_GATEWAYS,
            CheckName.HOLD_TIME,
            CheckName.DRILL,
            CheckName.PRESTAGED,
            CheckName.LIMITS,
            *HAZARDS,
            *REMARKED,
        ),
    ),
    Trouble(
        "empty tables, a damaged lease, no right to read addresses, a clock that is a little wrong",
        (
            deny_actions("Microsoft.Network/publicIPAddresses/read"),
            fault(Fault(FaultKind.EMPTY, "POST", "virtualNetworkGateways/*/get*", times=FOREVER)),
            fault(Fault(FaultKind.SKEW, times=FOREVER, seconds=60.0)),
            no_limits,
            damaged_lease,
        ),
        unknown=(
            CheckName.ADDRESS_SKU,
            CheckName.BACKUP_SESSION,
            CheckName.BACKUP_PREFIXES,
            CheckName.CLOCK,
            CheckName.THROTTLING,
            CheckName.LEASE,
        ),
    ),
    Trouble(
        "a private store",
        (store_at("192.168.7.7"),),
        unknown=(CheckName.STORE_PATH, CheckName.LEASE, CheckName.JOURNAL),
    ),
)
NEVER_UNKNOWN_HERE = {CheckName.ENDPOINT_PATH, CheckName.JOURNAL}
"""The lab is always on this machine; ``tests/unit/planning/test_doctor_checks.py`` shows the
unknown one."""


NEVER_FAILS = {CheckName.SECOND_GATEWAYS, CheckName.HOLD_TIME}
"""These say what a switch back rests on, and who else fails over: nothing that keeps one back."""


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda item: item.what)
def test_every_trouble_is_told_with_its_remedy_and_nothing_is_written(
    trouble: Trouble, provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    for begin in trouble.begin:
        begin(stage, monkeypatch)
    before = stage.writes()
    code = stage.run("doctor", "-o", "json")
    value = json.loads(stage.out)
    verdicts: dict[str, set[str]] = {}
    for line in value["checks"]:
        verdicts.setdefault(line["name"], set()).add(line["verdict"])
        assert (line["remedy"] is None) is (line["verdict"] == "ok"), line
    for name in trouble.fails:
        assert "FAIL" in verdicts[name], (name, value)
    for name in trouble.warns:
        assert "warning" in verdicts[name], (name, value)
        assert "FAIL" not in verdicts[name]
    for name in trouble.unknown:
        assert "unknown" in verdicts[name], (name, value)
    required = [line for line in value["checks"] if line["required"]]
    unknown = any(line["verdict"] == "unknown" for line in required)
    fails = any("FAIL" in verdict for verdict in verdicts.values())
    assert code == (3 if fails else 4 if unknown else 0)
    if trouble.fails:
        assert code == 3
        assert all(name in stage.err for name in trouble.fails)
    assert stage.writes() == before


NOTES = {RESIDENTS_}
"""What always holds, and is said."""


def test_every_check_was_provoked() -> None:
    provoked = {name for trouble in TROUBLES for name in (*trouble.fails, *trouble.warns)}
    assert provoked | NEVER_FAILS == EVERY - NOTES
    unknown = {name for trouble in TROUBLES for name in trouble.unknown}
    assert unknown | NEVER_UNKNOWN_HERE == EVERY


def test_a_sound_site_passes_every_check(provisioned: Stage) -> None:
    stage = provisioned
    site = stage.folder / "erfailover.yaml"
    versions = "{network: 2026-03-01, compute: 2026-04-01}"
    cloud = f"cloud: {{name: public, api_versions: {versions}}}"
    site.write_text(site.read_text().replace("\nlocation:", f"\n{cloud}\nlocation:", 1))
    gateway = network(stage, "virtualNetworkGateways/vng1")
    stage.lab.metrics.set(gateway, "AverageBandwidth", 1e6)
    value = stage.json("doctor")
    assert {item["verdict"] for item in value["checks"]} == {"ok"}
    assert {item["name"] for item in value["checks"]} == EVERY
    text = stage.do("doctor")
    assert below_heading(text).startswith("poc: no problem found that would prevent a switch")
    assert "the primary carried up to 8 Mbit/s in 24 hours" in " ".join(text.split())
    assert stage.lab.identity.object_id in text
    assert "eyJ" not in text + stage.err


def test_a_site_that_is_not_there_is_told(stage: Stage, provisioned_once: Provisioned) -> None:
    shutil.copy(provisioned_once.folder / "erfailover.yaml", Path("erfailover.yaml"))
    assert stage.run("doctor") == 4
    assert "the resource group does not exist" in " ".join(stage.out.split())


def test_a_role_that_is_eligible_and_not_active_is_told_with_what_to_do(
    provisioned: Stage,
) -> None:
    stage = provisioned
    row = Eligibility("Network Contributor", group(stage))
    limited = (Assignment("/", ("*",), (f"{PEERING}/write",)),)
    owner = stage.lab.access.assignments

    def run_role_check(access: Access) -> dict[str, Any]:
        stage.lab.access = access
        lines = {item["name"]: item for item in stage.json("doctor")["checks"]}
        body: dict[str, Any] = lines[CheckName.ELIGIBLE_ROLES]
        return body

    inactive = run_role_check(Access(limited, (row,)))
    assert inactive["verdict"] == "FAIL"
    assert "Network Contributor at rg-we" in inactive["seen"]
    assert "Privileged Identity Management" in inactive["remedy"]
    assert run_role_check(Access(owner, (row,)))["verdict"] == "ok"
    activated = run_role_check(Access(limited, (Eligibility(row.role, row.scope, active=True),)))
    assert activated["verdict"] == "ok"
    assert "no eligible role" in activated["seen"]


@pytest.mark.parametrize("version", ["2026-03-01", "2025-05-01"])
def test_the_policys_question_is_of_the_version_that_is_written_with(
    version: str, provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK's version, or the one in the site file; the lab's cloud has none newer."""
    stage, requested = provisioned, []
    ask = Reader.ask

    def listening(reader: Reader, method: str, path: str, *rest: Any, **more: Any) -> Any:
        if method == "POST":
            requested.append(rest[1]["resourceDetails"]["apiVersion"])
        return ask(reader, method, path, *rest, **more)

    monkeypatch.setattr(Reader, "ask", listening)
    if version == "2025-05-01":
        pin_api_version(version)(stage, monkeypatch)
    stage.lab.newest_api_version = max(version, "2025-11-01")
    checks = stage.json("doctor")["checks"]
    assert {check["verdict"] for check in checks if check["name"] == CheckName.POLICIES} == {"ok"}
    versions = [check["seen"] for check in checks if check["name"] == CheckName.API_VERSIONS]
    assert versions[0].startswith(f"Microsoft.Network {version}")
    assert set(requested) == {version}
