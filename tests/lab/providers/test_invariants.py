"""Random writes over ARM: after each the world holds together; at rest its routes have a cause.

The gateways' tables are held against the naive reference, told of the topology by a reading of
the bodies of its own.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.world import Resource
from tests.support import naive_bgp
from tests.support.direct import Direct

HUBS = ("h1", "h2", "h3")
ASNS = {"h1": 65001, "h2": 65002, "h3": 65003}
PREFIXES = {name: f"10.{number}.0.0/16" for number, name in enumerate((*HUBS, "s1", "s2", "s3"), 1)}
LINKS = tuple((one, other) for one in HUBS for other in HUBS if one != other)
AT_REST_S = 100_000.0

vnets = st.sampled_from(tuple(PREFIXES))
spokes = st.sampled_from(("s1", "s2", "s3"))
hubs = st.sampled_from(HUBS)
links = st.sampled_from(LINKS)
flags = st.booleans()
used = st.one_of(vnets.map("virtualNetworks/{}".format), hubs.map("publicIPAddresses/{}".format))


class Begun:
    """A lab with VNets, gateways and tunnels, made once and read back for every run."""

    data: bytes = b""
    first: Direct | None = None

    @classmethod
    def again(cls) -> Direct:
        if cls.first is None:
            direct = Direct()
            assert direct.ask("PUT", direct.group, {"location": "westeurope"}).status == 201
            for name in PREFIXES:
                vnet(direct, name)
            for name in HUBS:
                direct.settle()
                gateway(direct, name)
            direct.settle()
            for one, other in LINKS[:4]:
                connect(direct, one, other)
                direct.settle()
            for spoke, hub in (("s1", "h1"), ("s2", "h2")):
                use(direct, spoke, hub)
                direct.settle()
            cls.first, cls.data = direct, direct.lab.snapshot()
        cls.first.lab.restore(cls.data)
        cls.first.lab.trace.clear()
        return cls.first


def vnet(direct: Direct, name: str) -> int:
    prefix = PREFIXES[name]
    subnets = [
        {"name": "GatewaySubnet", "properties": {"addressPrefix": prefix.replace("/16", "/24")}}
    ]
    space = {"addressSpace": {"addressPrefixes": [prefix]}, "subnets": subnets}
    return direct.write(f"virtualNetworks/{name}", space).status


def gateway(direct: Direct, name: str) -> int:
    direct.write(
        f"publicIPAddresses/{name}",
        {"publicIPAllocationMethod": "Static"},
        sku={"name": "Standard"},
        zones=["1", "2", "3"],
    )
    direct.wait(30)
    inner = {
        "subnet": direct.reference(f"virtualNetworks/{name}/subnets/GatewaySubnet"),
        "publicIPAddress": direct.reference(f"publicIPAddresses/{name}"),
    }
    properties = {
        "gatewayType": "Vpn",
        "vpnType": "RouteBased",
        "enableBgp": True,
        "sku": {"name": "VpnGw1AZ", "tier": "VpnGw1AZ"},
        "bgpSettings": {"asn": ASNS[name]},
        "ipConfigurations": [{"name": "default", "properties": inner}],
    }
    return direct.write(f"virtualNetworkGateways/{name}", properties).status


def local_gateway(direct: Direct, one: str, other: str, *, dead: bool = False) -> int:
    public_ip = direct.lab.world.get(direct.id(f"publicIPAddresses/{other}"))
    address = public_ip.properties.get("ipAddress", "") if public_ip is not None else "20.0.0.1"
    peer = PREFIXES[other].replace("0.0/16", "0.253" if dead else "0.254")
    properties = {
        "gatewayIpAddress": address,
        "localNetworkAddressSpace": {"addressPrefixes": [PREFIXES[other]]},
        "bgpSettings": {"asn": ASNS[other], "bgpPeeringAddress": peer},
    }
    return direct.write(f"localNetworkGateways/{one}-{other}", properties).status


def connect(direct: Direct, one: str, other: str) -> int:
    local_gateway(direct, one, other)
    direct.wait(30)
    properties = {
        "connectionType": "IPsec",
        "enableBgp": True,
        "sharedKey": "key",
        "virtualNetworkGateway1": direct.reference(f"virtualNetworkGateways/{one}"),
        "localNetworkGateway2": direct.reference(f"localNetworkGateways/{one}-{other}"),
    }
    return direct.write(f"connections/{one}-{other}", properties).status


def peer(direct: Direct, local: str, other: str, **desired: bool) -> int:
    remote = direct.reference(f"virtualNetworks/{other}")
    path = f"virtualNetworks/{local}/virtualNetworkPeerings/{local}-{other}"
    return direct.write(path, {"remoteVirtualNetwork": remote, **desired}).status


def use(direct: Direct, spoke: str, hub: str) -> None:
    """Let a spoke use a hub's gateway, whatever it used before."""
    for other in HUBS:
        if other != hub:
            peer(direct, spoke, other, useRemoteGateways=False)
            direct.wait(5)
    peer(direct, hub, spoke, allowGatewayTransit=True)
    direct.wait(5)
    peer(direct, spoke, hub, useRemoteGateways=True)


class Writes(RuleBasedStateMachine):
    """Writes of every kind, at any moment of those before."""

    def __init__(self) -> None:
        super().__init__()
        self.direct = Begun.again()
        self.world = self.direct.lab.world

    def list_by_type(self, type_: str) -> list[Resource]:
        return list(self.world.iter_by_type(type_))

    @rule(name=vnets)
    def write_vnet(self, name: str) -> None:
        vnet(self.direct, name)

    @rule(path=used)
    def delete_what_others_may_use(self, path: str) -> None:
        self.direct.ask("DELETE", path)

    @rule(hub=hubs, transit=flags, forwarded=flags, spoke=spokes)
    def write_hubs_peering(self, hub: str, spoke: str, transit: bool, forwarded: bool) -> None:
        self._peer(hub, spoke, allowGatewayTransit=transit, allowForwardedTraffic=forwarded)

    @rule(spoke=spokes, hub=hubs, remote=flags, access=flags)
    def write_spokes_peering(self, spoke: str, hub: str, remote: bool, access: bool) -> None:
        self._peer(spoke, hub, useRemoteGateways=remote, allowVirtualNetworkAccess=access)

    def _peer(self, local: str, other: str, **desired: bool) -> None:
        peer(self.direct, local, other, **desired)

    @rule(spoke=spokes, hub=hubs)
    def use_gateway(self, spoke: str, hub: str) -> None:
        use(self.direct, spoke, hub)

    @rule(hub=hubs)
    def take_gateway_down(self, hub: str) -> None:
        for one, other in LINKS:
            if one == hub:
                self.direct.ask("DELETE", f"connections/{one}-{other}")
        for spoke in ("s1", "s2", "s3"):
            self._peer(spoke, hub, useRemoteGateways=False)
        self.direct.wait(30)
        self.direct.ask("DELETE", f"virtualNetworkGateways/{hub}")

    @rule(local=vnets, other=vnets)
    def delete_peering(self, local: str, other: str) -> None:
        path = f"virtualNetworks/{local}/virtualNetworkPeerings/{local}-{other}"
        self.direct.ask("DELETE", path)

    @rule(link=links)
    def write_connection(self, link: tuple[str, str]) -> None:
        connect(self.direct, *link)

    @rule(link=links, dead=flags)
    def write_local_gateway(self, link: tuple[str, str], dead: bool) -> None:
        local_gateway(self.direct, *link, dead=dead)

    @rule(link=links, type_=st.sampled_from(("connections", "localNetworkGateways")))
    def delete_tunnel(self, link: tuple[str, str], type_: str) -> None:
        self.direct.ask("DELETE", f"{type_}/{link[0]}-{link[1]}")

    @rule(hub=hubs)
    def write_gateway(self, hub: str) -> None:
        gateway(self.direct, hub)

    @rule(hub=hubs)
    def delete_gateway(self, hub: str) -> None:
        self.direct.ask("DELETE", f"virtualNetworkGateways/{hub}")

    @rule(seconds=st.sampled_from((0.5, 2.0, 12.0, 100.0, 200.0, 3000.0)))
    def time_passes(self, seconds: float) -> None:
        self.direct.wait(seconds)

    @rule()
    @precondition(lambda self: self.direct.lab.operations.list_active())
    def everything_comes_to_rest(self) -> None:
        self.direct.wait(AT_REST_S)
        assert self.direct.lab.operations.list_active() == ()
        assert {resource.state for resource in self.world.resources.values()} <= {"Succeeded"}
        self.the_tables_are_the_references()

    def teardown(self) -> None:
        self.direct.wait(AT_REST_S)
        self.the_tables_are_the_references()

    @invariant()
    def nothing_failed_inside(self) -> None:
        codes = {entry.status for entry in self.direct.lab.trace}
        assert not codes & {500, 501}

    @invariant()
    def no_reference_dangles(self) -> None:
        for resource in self.world.resources.values():
            for reference in self.direct.lab.references.read(resource.id, resource.body):
                gone = self.world.get(reference.target) is None
                remaining = resource.properties.get("peeringState") == "Disconnected"
                assert not gone or remaining, f"{resource.id} refers to {reference.target}"

    @invariant()
    def both_sides_of_a_peering_agree(self) -> None:
        for peering in self.list_by_type(rt.PEERING):
            state = peering.active_properties.get("peeringState")
            other = self._opposite(peering)
            if state == "Connected":
                assert other is not None, peering.id
                assert other.active_properties.get("peeringState") == "Connected", peering.id
            elif other is not None and other.active is not None and peering.active is not None:
                assert other.active_properties["peeringState"] != "Connected", peering.id

    @invariant()
    def a_vnet_uses_one_remote_gateway_at_most_and_none_beside_its_own(self) -> None:
        for vnet in self.list_by_type(rt.VNET):
            peerings = self.world.list_children(vnet.id, "virtualNetworkPeerings")
            using = [one for one in peerings if one.properties["useRemoteGateways"]]
            assert len(using) <= 1
            assert not (using and self.direct.lab.context.list_gateways(vnet.id))

    @invariant()
    def every_lock_has_an_operation(self) -> None:
        held = {holder.lower() for holder in self.direct.lab.operations._holders}
        for name, resource in self.world.resources.items():
            assert resource.state == "Succeeded" or name in held, f"{name} is {resource.state}"

    def _opposite(self, peering: Resource) -> Resource | None:
        own = str(peering.id.parent).lower()
        for candidate in self.list_by_type(rt.PEERING):
            remote = candidate.properties["remoteVirtualNetwork"]["id"].lower()
            there = str(candidate.id.parent).lower()
            target = peering.properties["remoteVirtualNetwork"]["id"].lower()
            if remote == own and there == target:
                return candidate
        return None

    def the_tables_are_the_references(self) -> None:
        tables = {}
        for gateway in self.list_by_type(rt.GATEWAY):
            rows = self.direct.lab.plane.list_learned_routes(gateway)
            tables[gateway.id.name] = {
                (
                    row["network"],
                    row.get("nextHop"),
                    row["sourcePeer"],
                    row["origin"],
                    row["asPath"] or None,
                )
                for row in rows
            }
        assert tables == naive_bgp.tables(self._routers())

    def _routers(self) -> list[naive_bgp.Router]:
        """The topology at rest, read off the bodies."""
        gateways = {
            gateway.id.name: gateway.properties for gateway in self.list_by_type(rt.GATEWAY)
        }
        ends: dict[str, list[dict[str, Any]]] = {name: [] for name in gateways}
        for connection in self.list_by_type(rt.CONNECTION):
            near, _, far = connection.id.name.partition("-")
            local = self.world.get(connection.properties["localNetworkGateway2"]["id"])
            assert local is not None
            ends[near].append({"far": far, "local": local.properties})
        return [
            naive_bgp.Router(
                name,
                properties["bgpSettings"]["asn"],
                properties["bgpSettings"]["bgpPeeringAddress"],
                tuple(self._own(name)),
                tuple(self._neighbour(name, end, ends) for end in ends[name]),
            )
            for name, properties in gateways.items()
        ]

    def _own(self, hub: str) -> list[str]:
        own = [PREFIXES[hub]]
        for spoke in ("s1", "s2", "s3"):
            here = self.world.get(
                self.direct.id(f"virtualNetworks/{hub}/virtualNetworkPeerings/{hub}-{spoke}")
            )
            there = self.world.get(
                self.direct.id(f"virtualNetworks/{spoke}/virtualNetworkPeerings/{spoke}-{hub}")
            )
            if here is None or there is None:
                continue
            lent = here.properties["allowGatewayTransit"] and there.properties["useRemoteGateways"]
            access = all(side.properties["allowVirtualNetworkAccess"] for side in (here, there))
            connected = here.properties["peeringState"] == "Connected"
            if lent and access and connected:
                own.append(PREFIXES[spoke])
        return own

    def _neighbour(
        self, near: str, end: dict[str, Any], ends: dict[str, list[dict[str, Any]]]
    ) -> naive_bgp.Neighbour:
        far, local = end["far"], end["local"]
        back = next((end for end in ends.get(far, ()) if end["far"] == near), None)
        agreed = back is not None and self._means(near, far, local)
        agreed = agreed and back is not None and self._means(far, near, back["local"])
        address = local["bgpSettings"]["bgpPeeringAddress"]
        prefixes = tuple(local["localNetworkAddressSpace"]["addressPrefixes"])
        return naive_bgp.Neighbour(address, prefixes, far if agreed else None)

    def _means(self, near: str, far: str, local: dict[str, Any]) -> bool:
        """Whether a local network gateway names the far gateway as it is."""
        public_ip = self.world.get(self.direct.id(f"publicIPAddresses/{far}"))
        there = self.world.get(self.direct.id(f"virtualNetworkGateways/{far}"))
        if public_ip is None or there is None:
            return False
        base = ipaddress.ip_network(PREFIXES[far]).network_address
        names = local["bgpSettings"]["bgpPeeringAddress"] == str(base + 254)
        return bool(names and local["gatewayIpAddress"] == public_ip.properties["ipAddress"])


Writes.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TestRandomWrites = Writes.TestCase
