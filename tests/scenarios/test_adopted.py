"""A network that somebody else made: adopted, switched, exported, given back as it was."""

from __future__ import annotations

import json
from typing import Any

import hcl2
import pytest
import yaml
from pycep import BicepParser

from erfailover.config.loader import load
from erfailover.lab.engine.faults import FOREVER, Fault, FaultKind
from erfailover.model.peering_flags import Flags
from erfailover.model.site import Path, Role, Site, SiteFailoverTest
from tests.support.adopted import Adopted, Made, adopted, made_once
from tests.support.adopted_changes import change_answers, circuits_announce, disable_bgp, summarize
from tests.support.adopted_world import KEPT_FUTURE, OVER_BOTH, OVER_EXPRESSROUTE_ONLY, SPOKES
from tests.support.stage import below_heading

__all__ = ["Made", "adopted", "made_once"]

FLAGS = ("allowForwardedTraffic", "allowGatewayTransit", "useRemoteGateways", "remoteGateways")
"""What a switch may change of a primary peering, and what Azure shows of it in consequence."""


def site_of(adopted: Adopted) -> Site:
    return load(adopted.stage.folder / "erfailover.yaml", {})


def test_a_network_that_is_there_becomes_a_site_by_reading_alone(adopted: Adopted) -> None:
    stage, world = adopted.stage, adopted.world
    before = len(stage.lab.trace)
    out = stage.do(*adopted.init)
    assert adopted.reads_only(before)
    assert "12 spokes, 12 on ExpressRoute" in out
    assert "circuits at Amsterdam, Dublin" in out

    site = site_of(adopted)
    assert site.name == "hub-weu"
    assert (site.primary.virtual_network, site.primary.gateway) == (
        world.primary_hub,
        world.primary_gateway,
    )
    assert site.backup.gateway == world.backup_gateway
    assert site.drill == SiteFailoverTest("Amsterdam")
    assert tuple(map(str, site.remote_prefixes)) == OVER_BOTH
    assert f"# - {OVER_EXPRESSROUTE_ONLY}" in (stage.folder / "erfailover.yaml").read_text()
    assert f"{OVER_EXPRESSROUTE_ONLY}: NOT learned by the backup" in stage.err

    by_id = {item.virtual_network: item for item in site.spokes}
    assert by_id.keys() == {world.spoke(spoke_network) for spoke_network in SPOKES}
    for network in SPOKES:
        spoke = by_id[world.spoke(network)]
        assert (spoke.spoke_to_primary.name, spoke.primary_to_spoke.name) == (
            network.to_hub,
            network.from_hub,
        )
        uses = Flags(allow_forwarded_traffic=network.forwarded, use_remote_gateways=True)
        lends = Flags(allow_forwarded_traffic=network.forwarded, allow_gateway_transit=True)
        assert spoke.spoke_to_primary.on_expressroute == uses
        assert spoke.primary_to_spoke.on_expressroute == lends
        assert (spoke.spoke_to_backup.on_expressroute == "absent") is (
            not network.backup.hub_side and not network.backup.spoke_side
        )
    names = {item.name for item in site.spokes}
    assert {"rg-web/vnet-web", "rg-shop/vnet-web", "vnet-erp"} <= names
    assert "vnet-shared is peered with hub-weu and does not use its gateway" in stage.err
    assert "vnet-dr-tools uses the gateway of hub-neu" in stage.err


def collect_peering_ids(site: Site) -> set[str]:
    return {
        peering_id_.lower() for spoke in site.spokes for peering_id_ in site.list_peering_ids(spoke)
    }


def strip_peerings(text: str, site: Site, *names: str) -> Any:
    """A response to a GET without some properties of the site's peerings, wherever they are."""
    ours = collect_peering_ids(site)

    def cut(value: Any) -> Any:
        if isinstance(value, list):
            return [cut(item) for item in value if not is_dropped(item)]
        if not isinstance(value, dict):
            return value
        body = {key: cut(item) for key, item in value.items()}
        if str(body.get("id", "")).lower() in ours:
            document = {key: item for key, item in body["properties"].items() if key not in names}
            body["properties"] = document
        return body

    def is_dropped(value: Any) -> bool:
        return not names and isinstance(value, dict) and str(value.get("id", "")).lower() in ours

    return json.dumps(cut(json.loads(text)), indent=1)


def manage_by_code(adopted: Adopted) -> None:
    file = adopted.stage.folder / "erfailover.yaml"
    file.write_text(file.read_text().replace("# managed_by:", "managed_by:"))


def test_a_switch_touches_its_peerings_alone_and_gives_all_back(adopted: Adopted) -> None:
    """Every resource byte for byte but for ETags; what no SDK knows of a peering included."""
    stage = adopted.stage
    before = adopted.everything()
    stage.do(*adopted.init)
    manage_by_code(adopted)
    file = stage.folder / "erfailover.yaml"
    site = site_of(adopted)
    status = stage.json("status")
    assert (status["healthy"], status["as_code"]) == (True, None)
    assert stage.json("switch", "--to", "ipsec", "--yes", "--planned")["verified"] is True
    status = stage.json("status")
    assert (status["path"], status["healthy"], status["ready"]) == ("ipsec", True, True)
    assert len(status["as_code"]["differing"]) == 2 * 12 + 4  # four of the standby ones

    during = adopted.everything()
    check_untouched(adopted, site, before, during)
    check_terraform(stage.do("export", "terraform"), site)

    first = file.read_text()
    stage.do(*adopted.init, "--force")
    assert [spoke.name for spoke in site_of(adopted).spokes] == [
        spoke.name for spoke in site.spokes
    ]
    assert "on IPsec now, so their flags on ExpressRoute are derived: vnet-data, " in stage.err

    file.write_text(first)
    assert stage.json("switch", "--to", "expressroute", "--yes")["verified"] is True
    after = adopted.everything()
    # One spoke had half of a standby peering: the other half stays, as its site file says.
    names = {name for name in after if name not in before}
    assert {name.rsplit("/", 1)[-1] for name in names} == {"vnet-iot-to-hub-neu"}
    half = ("vnet-iot", "standby-vnet-iot", "hub-neu")
    for text in before:
        if text.rsplit("/", 1)[-1] not in half:
            assert after[text] == before[text]


def check_untouched(
    adopted: Adopted, site: Site, before: dict[str, str], during: dict[str, str]
) -> None:
    """Nothing differs but the flags of the site's peerings, and the peerings that were made."""
    ours = collect_peering_ids(site)
    primary = [name for name in before if name.lower() in ours and "standby" not in name]
    assert len(primary) == 24
    for text in primary:
        assert strip_peerings(during[text], site, *FLAGS) == strip_peerings(
            before[text], site, *FLAGS
        )
        assert json.loads(during[text])["properties"]["futureRouting"] == KEPT_FUTURE
    elsewhere = [name for name in before if name.lower() not in ours]
    assert len(elsewhere) > 60
    for text in elsewhere:
        assert strip_peerings(during[text], site) == strip_peerings(before[text], site)
    for spoke in SPOKES:
        there = json.loads(during[adopted.world.spoke(spoke)])
        assert there["properties"]["futureIsolation"] == KEPT_FUTURE
        assert there["properties"]["dhcpOptions"] == {"dnsServers": list(spoke.dns)}


def check_terraform(text: str, site: Site) -> None:
    """The text is HCL, and names each of the site's peerings once."""
    parsed: Any = hcl2.loads(text)
    assert len(parsed["resource"]) == len(parsed["import"]) == 48
    assert len(parsed["provider"]) == 3
    imported = {json.loads(item["id"]).lower() for item in parsed["import"]}
    assert imported == collect_peering_ids(site)


FEW = ("--spoke", "vnet-erp", "--spoke", "vnet-data")


def test_while_failed_over_code_is_warned_of_and_exported(adopted: Adopted) -> None:
    stage = adopted.stage
    stage.do(*adopted.init, *FEW)
    manage_by_code(adopted)
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    value = stage.json("status")["as_code"]
    assert (value["managed_by"], value["command"]) == ("terraform", "erfailover export terraform")
    assert (
        below_heading(stage.do("status"))
        .splitlines()[1]
        .startswith("WARNING: Terraform's next apply would undo this")
    )

    before = len(stage.lab.trace)
    data = stage.json("export", "bicep")
    stage.do("export", "bicep", "--split", "code")
    body: dict[tuple[str, str], Any] = {}
    for name, text in data["files"].items():
        written = (stage.folder / "code" / name).read_text()
        assert written.splitlines()[1:] == text.splitlines()[1:]  # but for the time
        parsed: Any = BicepParser().parse(text=written)
        for resource in parsed.get("resources", {}).values():
            properties = resource["config"].get("properties")
            if properties:
                remote = properties["remoteVirtualNetwork"]["id"]
                body[resource["config"]["name"], remote] = properties
    assert len(body) == 8
    used = body["peer-vnet-erp-to-hub-neu", adopted.world.backup_hub]
    assert (used["useRemoteGateways"], used["allowForwardedTraffic"]) == (True, True)
    assert stage.run("export", "bicep", "--split", "code") == 2
    assert adopted.reads_only(before)


def test_a_site_that_is_failed_over_is_recognised(adopted: Adopted) -> None:
    stage = adopted.stage
    stage.do(*adopted.init, *FEW)
    first = site_of(adopted)
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    out = stage.do(*adopted.init, *FEW, "--force", "--name", "again")
    assert "2 spokes, 2 on IPsec" in out
    again = site_of(adopted)
    assert again.name == "again"
    for one, other in zip(first.spokes, again.spokes, strict=True):
        for role in Role:
            for was, now in (
                (one.get_outward(role), other.get_outward(role)),
                (one.get_inward(role), other.get_inward(role)),
            ):
                flags = now.get_flags(Path.IPSEC)
                assert (was.name, was.get_flags(Path.IPSEC, flags)) == (now.name, flags)
        home = other.spoke_to_primary.get_flags(Path.EXPRESSROUTE)
        assert home is not None
        assert home.use_remote_gateways
    assert stage.json("switch", "--to", "expressroute", "--yes")["verified"] is True
    assert stage.json("status")["path"] == "expressroute"


def cut_circuits(adopted: Adopted) -> None:
    arm = adopted.arm()
    for name in ("circuit-ams", "circuit-dub"):
        peering = f"{adopted.world.circuit(name)}/peerings/AzurePrivatePeering"
        arm.put(peering, arm.get(peering)["properties"] | {"state": "Disabled"})
    arm.pool.clear()
    adopted.stage.pass_time(120.0)


def test_with_a_dead_primary_the_remote_prefixes_are_unknown_unless_said(
    adopted: Adopted,
) -> None:
    stage = adopted.stage
    cut_circuits(adopted)
    assert stage.run(*adopted.init) == 4
    assert (
        "the remote prefixes are unknown: ergw-weu has learned no prefix from outside" in stage.err
    )
    assert "--remote-prefix" in stage.err
    assert "The backup has learned: 10.4.0.0/16, 10.5.0.0/16" in stage.err
    assert not (stage.folder / "erfailover.yaml").exists()
    stage.do(*adopted.init, *FEW, "--remote-prefix", "10.5.0.0/16")
    assert tuple(map(str, site_of(adopted).remote_prefixes)) == ("10.5.0.0/16",)
    assert stage.run("status") == 6
    assert stage.json("switch", "--to", "ipsec", "--yes", "--planned")["verified"] is True


def test_a_circuit_that_may_not_be_read_is_somebody_elses_and_stops_nothing(
    adopted: Adopted,
) -> None:
    stage = adopted.stage
    stage.lab.add_faults(Fault(FaultKind.FORBIDDEN, "GET", "*/circuit-ams", times=0))
    assert "circuits at Dublin, an unknown location (circuit-ams)" in stage.do(*adopted.init)
    assert site_of(adopted).drill is None


def test_a_vnet_that_may_not_be_read_stops_the_adoption_unless_the_spokes_are_named(
    adopted: Adopted,
) -> None:
    stage = adopted.stage
    stage.lab.add_faults(Fault(FaultKind.FORBIDDEN, "GET", "*/virtualNetworks/vnet-ml", times=0))
    assert stage.run(*adopted.init) == 4
    assert "Unknown whether these are spokes: vnet-ml" in stage.err
    assert not (stage.folder / "erfailover.yaml").exists()
    stage.do(*adopted.init, "--spoke", "vnet-erp", "--spoke", adopted.world.spoke(SPOKES[6]))
    assert [spoke.name for spoke in site_of(adopted).spokes] == ["vnet-erp", "vnet-web"]


def test_a_right_that_lacks_on_the_other_side_is_told_as_such(adopted: Adopted) -> None:
    """Azure's text as users report it of peerings across subscriptions."""
    stage = adopted.stage
    stage.do(*adopted.init, "--spoke", "vnet-shop")
    text = (
        "The client has permission to perform action 'Microsoft.Network/virtualNetworks/"
        "virtualNetworkPeerings/write' on scope 'x'; however, it does not have permission to "
        "perform action 'peer/action' on the linked scope(s) 'y'."
    )
    refusal = Fault(
        FaultKind.ANSWER,
        "PUT",
        "*/hub-neu/*",
        times=0,
        status=403,
        code="LinkedAuthorizationFailed",
        message=text,
    )
    stage.lab.add_faults(refusal)
    assert stage.run("switch", "--to", "ipsec", "--yes", "--planned") == 5
    assert "peer/action on the other VNet, which may be in another subscription" in stage.err
    assert stage.json("status")["path"] == "expressroute"


def test_a_file_that_is_there_stays_and_azure_is_not_even_asked(adopted: Adopted) -> None:
    stage = adopted.stage
    file = stage.folder / "erfailover.yaml"
    file.write_text("mine\n")
    before = len(stage.lab.trace)
    assert stage.run(*adopted.init) == 2
    assert "already exists" in stage.err
    assert (file.read_text(), len(stage.lab.trace)) == ("mine\n", before)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--spoke", "vnet-web"], "two VNets have this name"),
        (["--name", "a b"], "--name: expected up to 63 letters"),
        (["--spoke", "nobody"], "the spokes are vnet-data, vnet-erp"),
        (["--remote-prefix", "10.5.0.0"], "expected an IPv4 prefix like"),
        (["--remote-prefix", "10.5.0.1/16"], "expected an IPv4 prefix like"),
        (["--primary-gateway", "ergw-weu"], "virtualNetworkGateways/<name>, found 'ergw-weu'"),
        (["--primary-hub", "hub-weu"], "virtualNetworks/<name>, found 'hub-weu'"),
        (["--backup-hub", "{world.primary_hub}"], "expected a VNet other than"),
        (["--primary-hub", "{virtual_hub}"], "--primary-hub: wan-weu is a Virtual WAN hub"),
        (["--backup-hub", "{world.primary_hub}x"], "there is no VNet"),
        (
            ["--backup-hub", "{vnet}"],
            "expected one gateway that serves the backup path, found none",
        ),
    ],
)
def test_a_wrong_option_is_told_in_words(adopted: Adopted, words: list[str], text: str) -> None:
    vnet = adopted.world.spoke(SPOKES[0])
    virtual = f"{vnet.rpartition('/virtualNetworks/')[0]}/virtualHubs/wan-weu"
    names = {"world": adopted.world, "vnet": vnet, "virtual_hub": virtual}
    spelled = [word.format(**names) for word in words]
    assert adopted.stage.run(*adopted.init, *spelled) == 2
    assert text in adopted.stage.err
    assert not (adopted.stage.folder / "erfailover.yaml").exists()


def test_an_adopted_network_is_neither_provisioned_nor_destroyed(adopted: Adopted) -> None:
    stage = adopted.stage
    stage.do(*adopted.init)
    assert stage.run("provision", "--yes") == 2
    assert "has no topology" in stage.err
    assert stage.run("destroy", "--yes") == 2
    assert "nothing was provisioned for the site" in stage.err


def test_the_adoption_as_data_says_the_same(adopted: Adopted) -> None:
    data = adopted.stage.json(*adopted.init)
    file = yaml.safe_load((adopted.stage.folder / "erfailover.yaml").read_text())
    assert data["site"] == file["site"]
    adopted_ = [item["prefix"] for item in data["remote_prefixes"] if item["adopted"]]
    assert adopted_ == file["remote_prefixes"]
    assert [item["virtual_network"] for item in data["spokes"]] == [
        item["virtual_network"] for item in file["spokes"]
    ]


def test_what_does_not_come_along_is_said_by_init_doctor_and_plan_alike(adopted: Adopted) -> None:
    stage, world = adopted.stage, adopted.world
    erp = world.spoke(SPOKES[0])
    circuits_announce(adopted, "fd00:5::/48", "0.0.0.0/0")

    def dual_stack(properties: Any) -> None:
        properties["addressSpace"]["addressPrefixes"].append("fd00:11::/48")
        properties["dhcpOptions"] = {"dnsServers": ["10.100.9.9"]}

    change_answers(adopted, erp, dual_stack)
    words = (
        "fd00:5::/48 (learned by ergw-weu)",
        "fd00:11::/48 (vnet-erp)",
        "DNS server 10.100.9.9 of vnet-erp is in hub-weu, which does not move",
        "192.168.50.0/24",
        "0.0.0.0/0",
    )
    stage.do(*adopted.init)
    head = " ".join((stage.folder / "erfailover.yaml").read_text().split("site:")[0].split())
    for word in words:
        assert word in stage.err.replace("\n", " "), word
        assert word in head.replace("# ", ""), word
    doctor = stage.json("doctor")
    warned = " ".join(item["seen"] for item in doctor["checks"] if item["verdict"] == "warning")
    plan = stage.json("switch", "--to", "ipsec", "--dry-run")
    rows = [item for item in plan["hazards"] if item["verdict"] == "FAILS"]
    for word in words:
        assert word in warned, word
        assert word in " ".join(item["seen"] for item in rows), word
    assert {item["weight"] for item in rows} == {"warns"}
    assert plan["not_at_risk"].startswith("traffic between peered VNets")
    assert "warning  ergw-weu has learned 0.0.0.0/0 and vpngw-neu has not" in stage.do(
        "switch", "--to", "ipsec", "--dry-run"
    )


def test_a_leaving_gateway_that_does_not_answer_is_unknown_and_holds_nothing_up(
    adopted: Adopted,
) -> None:
    stage = adopted.stage
    stage.do(*adopted.init, "--spoke", "vnet-erp")
    tables = "virtualNetworkGateways/ergw-weu/get*"
    stage.lab.add_faults(Fault(FaultKind.STUCK, "POST", tables, times=FOREVER, seconds=FOREVER))
    began = stage.clock.now()
    plan = stage.json("switch", "--to", "ipsec", "--dry-run")
    assert stage.clock.now() - began < 30.0
    unknown = [item for item in plan["hazards"] if item["verdict"] == "UNKNOWN"]
    assert len({item["seen"] for item in unknown}) == 1
    assert unknown[0]["seen"].startswith("what ergw-weu has learned is unknown:")
    assert "getLearnedRoutes" in unknown[0]["remedy"]
    assert stage.json("switch", "--to", "ipsec", "--yes", "--planned")["verified"] is True


def test_a_spoke_that_is_peered_by_subnets_is_left_out_and_never_moved(adopted: Adopted) -> None:
    stage = adopted.stage
    stage.do(*adopted.init, "--spoke", "vnet-erp", "--spoke", "vnet-shop")
    erp = adopted.world.spoke(SPOKES[0])

    def peer_by_subnets(properties: Any) -> None:
        properties["virtualNetworkPeerings"][0]["properties"] |= {
            "peerCompleteVnets": False,
            "localSubnetNames": ["apps"],
            "remoteSubnetNames": ["GatewaySubnet"],
        }

    change_answers(adopted, erp, peer_by_subnets)
    assert stage.run("switch", "--to", "ipsec", "--yes", "--planned", "--force") == 3
    assert "vnet-erp" in stage.err
    assert "joins some subnets only" in " ".join(stage.err.split())
    assert stage.run("doctor") == 3
    assert "joins some subnets only" in " ".join(stage.out.split())
    stage.do(*adopted.init, "--force")
    assert "vnet-erp: left out, peer-vnet-erp-to-hub-weu joins some subnets only" in " ".join(
        stage.err.split()
    )
    assert erp not in {spoke.virtual_network for spoke in site_of(adopted).spokes}
    assert stage.run(*adopted.init, "--force", "--spoke", "vnet-erp") == 2
    assert "no spoke can be adopted" in stage.err


def test_a_backup_without_bgp_is_judged_by_its_tunnel_and_moves_the_spokes(
    adopted: Adopted,
) -> None:
    stage = adopted.stage
    disable_bgp(adopted, *OVER_BOTH)
    stage.do(*adopted.init)
    assert tuple(map(str, site_of(adopted).remote_prefixes)) == OVER_BOTH
    assert "IPsec is ready to take over" in stage.do("status")
    checks = {item["name"]: item for item in stage.json("doctor")["checks"]}
    assert checks["backup-bgp-session"]["verdict"] == "ok"
    assert (
        "vpngw-neu has no BGP; connection to-premises is Connected"
        in (checks["backup-bgp-session"]["seen"])
    )
    assert (
        "it reaches 10.4.0.0/16 through connection to-premises" in checks["backup-prefixes"]["seen"]
    )
    assert stage.json("switch", "--to", "ipsec", "--yes", "--planned")["verified"] is True
    assert "12 spokes are on IPsec; healthy" in stage.do("status")
    assert stage.run("switch", "--to", "expressroute", "--yes") == 0


def test_a_static_tunnel_that_leads_elsewhere_or_is_down_is_not_ready(adopted: Adopted) -> None:
    stage = adopted.stage
    disable_bgp(adopted, OVER_BOTH[0])
    stage.do(*adopted.init, *(word for name in OVER_BOTH for word in ("--remote-prefix", name)))
    assert stage.run("switch", "--to", "ipsec", "--yes", "--planned") == 3
    assert f"the local network gateway of no connected tunnel has {OVER_BOTH[1]}" in " ".join(
        stage.err.split()
    )
    arm = adopted.arm()
    connection = f"{adopted.world.backup_gateway.rpartition('/virtualNetworkGateways/')[0]}"
    connection += "/connections/to-premises"
    body = arm.get(connection)
    body["properties"]["sharedKey"] = "another"
    arm.finish([arm.call("PUT", connection, body)])
    arm.pool.clear()
    stage.pass_time(300.0)
    assert stage.run("doctor") == 3
    text = " ".join(stage.out.split())
    assert "vpngw-neu has no BGP; connection to-premises is NotConnected; expected one" in text


def test_a_spoke_that_the_backup_advertises_by_a_summary_is_verified_without_probes(
    adopted: Adopted,
) -> None:
    stage, world = adopted.stage, adopted.world
    summarize(adopted, world.backup_hub, "10.8.0.0/13", "10.200.0.0/16")
    stage.do(*adopted.init, "--spoke", "vnet-erp")
    assert stage.json("switch", "--to", "ipsec", "--yes", "--planned")["verified"] is True
    assert "vnet-erp is on IPsec; healthy" in stage.do("status")
    lines = [
        trace_entry.path
        for trace_entry in stage.lab.trace
        if "getadvertisedroutes" in trace_entry.path.lower()
    ]
    assert lines
    summarize(adopted, world.primary_hub, "10.0.0.0/8")
    assert stage.run("status") == 4
    assert "ergw-weu advertises 10.0.0.0/8 as well, so only a probe can tell" in " ".join(
        stage.out.split()
    )
