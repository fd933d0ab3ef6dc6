"""A network that somebody else made: for a lab, by plain ARM requests.

Owns a world as adopting meets it: three subscriptions, two regions, an ExpressRoute gateway
with circuits at two peering locations as primary, an active-active VPN gateway as backup,
twelve spokes with habits of their own, and VNets that are nobody's spoke. It imports nothing of
the controller. ``scripts/adopted-world`` makes it in the lab that the environment names.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import urllib3

Json = Any
API = "2024-05-01"
NORTH, WEST = "northeurope", "westeurope"
FUTURE: Json = {"scope": "Regional", "weights": [1, 2], "note": None}
"""A field that no SDK knows; Azure keeps no null."""
KEPT_FUTURE: Json = {"scope": "Regional", "weights": [1, 2]}


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int
    body: Json
    headers: dict[str, str]


@dataclass
class Arm:
    """Speaks ARM with a bearer token; ``sleep`` takes Azure's seconds."""

    endpoint: str
    token: str
    ca_file: str
    sleep: Callable[[float], None]
    pool: urllib3.PoolManager = field(init=False)

    def __post_init__(self) -> None:
        self.pool = urllib3.PoolManager(ca_certs=self.ca_file, retries=False)

    def call(self, method: str, path: str, body: Json = None) -> Reply:
        url = path
        if not path.startswith("https:"):
            url = f"{self.endpoint}{path}{'&' if '?' in path else '?'}api-version={API}"
        data = None if body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        answer = self.pool.request(method, url, body=data, headers=sent)
        value = json.loads(answer.data) if answer.data else None
        reply = Reply(answer.status, value, dict(answer.headers.items()))
        if reply.status >= 400:
            raise RuntimeError(f"{method} {path}: {reply.status}: {json.dumps(value)}")
        return reply

    def get(self, path: str) -> Json:
        return self.call("GET", path).body

    def begin(self, resource_id: str, body: Json) -> Reply:
        return self.call("PUT", resource_id, body)

    def finish(self, replies: Iterable[Reply]) -> None:
        """Poll accepted operations to their ends."""
        for reply in replies:
            url = reply.headers.get("Azure-AsyncOperation")
            while url:
                polled = self.call("GET", url)
                if polled.body["status"] == "InProgress":
                    self.sleep(5.0)
                    continue
                if polled.body["status"] != "Succeeded":
                    raise RuntimeError(f"{url}: {json.dumps(polled.body)}")
                break

    def put(self, resource_id: str, properties: Json, **top: Json) -> Json:
        self.finish([self.begin(resource_id, {"properties": properties, **top})])
        return self.get(resource_id)


@dataclass(frozen=True)
class Peered:
    """How a spoke is peered with the backup hub beforehand: not, one way, or both ways."""

    hub_side: bool = False
    spoke_side: bool = False
    forwarded: bool = True


@dataclass(frozen=True)
class SpokeNetwork:
    """One spoke as its owners made it."""

    subscription: int
    group: str
    location: str
    name: str
    prefixes: tuple[str, ...]
    forwarded: bool = False
    backup: Peered = Peered()
    dns: tuple[str, ...] = ()
    route_table: bool = False
    portal_names: bool = True
    """Peerings named as in the portal's examples; else as somebody's Terraform does."""

    @property
    def to_hub(self) -> str:
        """The name of its peering to the primary hub."""
        return f"peer-{self.name}-to-hub-weu" if self.portal_names else "to-hub"

    @property
    def from_hub(self) -> str:
        """The name of the primary hub's peering to it."""
        return f"peer-hub-weu-to-{self.name}" if self.portal_names else f"spoke-{self.name}"


def _space(number: int) -> tuple[str, ...]:
    return (f"10.{number}.0.0/16",)


BOTH = Peered(hub_side=True, spoke_side=True)
SPOKES = (
    SpokeNetwork(0, "rg-erp", WEST, "vnet-erp", _space(11), True, dns=("10.11.0.4",)),
    SpokeNetwork(0, "rg-erp", WEST, "vnet-erp-test", _space(12), route_table=True),
    SpokeNetwork(0, "rg-web", WEST, "vnet-web", _space(13), True, BOTH, route_table=True),
    SpokeNetwork(0, "rg-data", WEST, "vnet-data", (*_space(14), *_space(114)), False, BOTH),
    SpokeNetwork(0, "rg-data", NORTH, "vnet-warehouse", _space(15), True),
    SpokeNetwork(1, "rg-operations", NORTH, "vnet-monitoring", _space(16), dns=("10.16.0.4",)),
    SpokeNetwork(2, "rg-shop", WEST, "vnet-web", _space(17), True, portal_names=False),
    SpokeNetwork(2, "rg-shop", WEST, "vnet-shop", _space(18), portal_names=False),
    SpokeNetwork(2, "rg-iot", WEST, "vnet-iot", _space(19), True, Peered(True), portal_names=False),
    SpokeNetwork(2, "rg-iot", NORTH, "vnet-iot-edge", _space(20), portal_names=False),
    SpokeNetwork(2, "rg-ml", WEST, "vnet-ml", _space(21), route_table=True, portal_names=False),
    SpokeNetwork(2, "rg-ml", WEST, "vnet-ml-lab", _space(22), True, portal_names=False),
)
"""Two of them have one name."""

OVER_BOTH = ("10.4.0.0/16", "10.5.0.0/16")
"""What both hubs' gateways learn from the premises."""
OVER_EXPRESSROUTE_ONLY = "192.168.50.0/24"


@dataclass(frozen=True)
class AdoptedWorld:
    """The ids by which the world is met."""

    subscriptions: tuple[str, ...]

    def id(self, subscription: int, group: str, path: str) -> str:
        """The id of a resource of Microsoft.Network."""
        return (
            f"/subscriptions/{self.subscriptions[subscription]}/resourceGroups/{group}"
            f"/providers/Microsoft.Network/{path}"
        )

    @property
    def primary_hub(self) -> str:
        return self.id(0, "rg-hub-weu", "virtualNetworks/hub-weu")

    @property
    def backup_hub(self) -> str:
        return self.id(1, "rg-hub-neu", "virtualNetworks/hub-neu")

    @property
    def primary_gateway(self) -> str:
        return self.id(0, "rg-hub-weu", "virtualNetworkGateways/ergw-weu")

    @property
    def backup_gateway(self) -> str:
        return self.id(1, "rg-hub-neu", "virtualNetworkGateways/vpngw-neu")

    def circuit(self, name: str) -> str:
        return self.id(0, "rg-circuits", f"expressRouteCircuits/{name}")

    def spoke(self, spoke: SpokeNetwork) -> str:
        return self.id(spoke.subscription, spoke.group, f"virtualNetworks/{spoke.name}")


def build(arm: Arm, say: Callable[[str], None] = lambda text: None) -> AdoptedWorld:
    """Make the world in an empty lab that has three subscriptions."""
    rows = [item["subscriptionId"] for item in arm.get("/subscriptions")["value"]]
    if len(rows) < 3:
        raise RuntimeError("three subscriptions are needed: erfailover lab up --subscriptions 3")
    return _Maker(arm, AdoptedWorld(tuple(rows[:3])), say).make()


@dataclass
class _Maker:
    arm: Arm
    world: AdoptedWorld
    say: Callable[[str], None]

    def make(self) -> AdoptedWorld:
        self.say("Groups, hubs, addresses ...")
        self._groups()
        self._hubs()
        self.say("Three gateways, at once; the spokes meanwhile ...")
        gateways = [*self._gateways()]
        self._circuits()
        for spoke in SPOKES:
            self._spoke(spoke)
        self.arm.finish(gateways)
        self.say("Tunnels and circuits ...")
        self._tunnels()
        self._connect_circuits()
        self.say("Peerings ...")
        self._peerings()
        self.arm.sleep(120.0)
        return self.world

    def _groups(self) -> None:
        groups = {
            (0, "rg-hub-weu", WEST),
            (0, "rg-circuits", WEST),
            (0, "rg-shared", WEST),
            (1, "rg-hub-neu", NORTH),
            (1, "rg-premises", NORTH),
            *(
                (spoke_network.subscription, spoke_network.group, spoke_network.location)
                for spoke_network in SPOKES
            ),
        }
        names: set[tuple[int, str]] = set()
        for subscription, group, location in sorted(groups):
            if (subscription, group) not in names:
                names.add((subscription, group))
                path = f"/subscriptions/{self.world.subscriptions[subscription]}"
                self.arm.call("PUT", f"{path}/resourceGroups/{group}", {"location": location})

    def _vnet(
        self, vnet_id: str, location: str, prefixes: Sequence[str], subnets: Json, **more: Json
    ) -> None:
        tags = more.pop("tags", {"made-by": "somebody else"})
        rows = [{"name": name, "properties": inner} for name, inner in subnets.items()]
        space = {"addressPrefixes": list(prefixes)}
        self.arm.put(
            vnet_id, {"addressSpace": space, "subnets": rows, **more}, location=location, tags=tags
        )

    def _hubs(self) -> None:
        world = self.world
        for vnet_id, location, prefix in (
            (world.primary_hub, WEST, "10.100.0.0/16"),
            (world.backup_hub, NORTH, "10.200.0.0/16"),
            (world.id(1, "rg-premises", "virtualNetworks/premises"), NORTH, "10.4.0.0/16"),
        ):
            subnet = {"addressPrefix": prefix.replace("/16", "/26")}
            self._vnet(vnet_id, location, [prefix], {"GatewaySubnet": subnet})
        office = world.id(1, "rg-premises", "virtualNetworks/office")
        self._vnet(office, NORTH, ["10.5.0.0/16"], {"desks": {"addressPrefix": "10.5.0.0/24"}})
        shared = world.id(0, "rg-shared", "virtualNetworks/vnet-shared")
        self._vnet(shared, WEST, ["10.30.0.0/16"], {"tools": {"addressPrefix": "10.30.0.0/24"}})
        tools = world.id(1, "rg-operations", "virtualNetworks/vnet-dr-tools")
        self._vnet(tools, NORTH, ["10.31.0.0/16"], {"tools": {"addressPrefix": "10.31.0.0/24"}})
        for group, name in (
            ("rg-hub-neu", "pip-vpngw-1"),
            ("rg-hub-neu", "pip-vpngw-2"),
            ("rg-premises", "pip-premises"),
        ):
            self.arm.put(
                world.id(1, group, f"publicIPAddresses/{name}"),
                {"publicIPAllocationMethod": "Static"},
                location=NORTH,
                sku={"name": "Standard"},
                zones=["1", "2", "3"],
            )

    def _gateways(self) -> Iterable[Reply]:
        world = self.world
        yield self._gateway(
            world.primary_gateway,
            WEST,
            world.primary_hub,
            "ErGw1AZ",
            [],
            gatewayType="ExpressRoute",
        )
        yield self._gateway(
            world.backup_gateway,
            NORTH,
            world.backup_hub,
            "VpnGw2AZ",
            [world.id(1, "rg-hub-neu", f"publicIPAddresses/pip-vpngw-{n}") for n in (1, 2)],
            activeActive=True,
            bgpSettings={"asn": 65010},
        )
        yield self._gateway(
            world.id(1, "rg-premises", "virtualNetworkGateways/router"),
            NORTH,
            world.id(1, "rg-premises", "virtualNetworks/premises"),
            "VpnGw1AZ",
            [world.id(1, "rg-premises", "publicIPAddresses/pip-premises")],
            bgpSettings={"asn": 65020},
        )

    def _gateway(
        self, id_: str, location: str, vnet: str, sku: str, addresses: Sequence[str], **more: Json
    ) -> Reply:
        subnet = {"id": f"{vnet}/subnets/GatewaySubnet"}
        inners = [{"subnet": subnet, "publicIPAddress": {"id": address}} for address in addresses]
        properties = {
            "gatewayType": "Vpn",
            "vpnType": "RouteBased",
            "enableBgp": True,
            "sku": {"name": sku, "tier": sku},
            "ipConfigurations": [
                {"name": f"config{number}", "properties": inner}
                for number, inner in enumerate(inners or [{"subnet": subnet}], 1)
            ],
            **more,
        }
        body = {"location": location, "properties": properties, "tags": {"owner": "network team"}}
        return self.arm.begin(id_, body)

    def _circuits(self) -> None:
        for name, place, prefixes in (
            ("circuit-ams", "Amsterdam", (*OVER_BOTH, OVER_EXPRESSROUTE_ONLY)),
            ("circuit-dub", "Dublin", OVER_BOTH),
        ):
            provider = {
                "serviceProviderName": "Equinix",
                "peeringLocation": place,
                "bandwidthInMbps": 500,
            }
            self.arm.put(
                self.world.circuit(name),
                {"serviceProviderProperties": provider},
                location=WEST,
                sku={"name": "Premium_MeteredData", "tier": "Premium", "family": "MeteredData"},
                tags={"lab:on-premises": " ".join(prefixes)},
            )
            self.arm.put(
                f"{self.world.circuit(name)}/peerings/AzurePrivatePeering",
                {
                    "peeringType": "AzurePrivatePeering",
                    "peerASN": 65020,
                    "primaryPeerAddressPrefix": "192.168.1.0/30",
                    "secondaryPeerAddressPrefix": "192.168.2.0/30",
                    "vlanId": 100,
                },
            )

    def _spoke(self, spoke: SpokeNetwork) -> None:
        """A spoke's VNet, with what its owners set and no switch may touch."""
        world = self.world
        subnet: Json = {"addressPrefix": spoke.prefixes[0].replace("/16", "/24")}
        if spoke.route_table:
            table = world.id(spoke.subscription, spoke.group, f"routeTables/rt-{spoke.name}")
            route = {"addressPrefix": "10.77.0.0/16", "nextHopType": "None"}
            self.arm.put(
                table,
                {"routes": [{"name": "nowhere", "properties": route}]},
                location=spoke.location,
                tags={"cost-centre": spoke.group},
            )
            subnet["routeTable"] = {"id": table}
        self._vnet(
            world.spoke(spoke),
            spoke.location,
            spoke.prefixes,
            {"apps": subnet},
            tags={"made-by": "somebody else", "application": spoke.name},
            dhcpOptions={"dnsServers": list(spoke.dns)},
            flowTimeoutInMinutes=10,
            futureIsolation=FUTURE,
        )

    def _tunnels(self) -> None:
        """From the backup to the premises, and from there to both of its instances."""
        world = self.world
        router = world.id(1, "rg-premises", "virtualNetworkGateways/router")
        pairs = [(world.backup_gateway, router, "rg-hub-neu", "to-premises", 0)]
        pairs += [
            (router, world.backup_gateway, "rg-premises", f"to-azure-{n + 1}", n) for n in (0, 1)
        ]
        for near, far, group, name, instance in pairs:
            properties = self.arm.get(far)["properties"]
            configuration = properties["ipConfigurations"][instance]
            public = self.arm.get(configuration["properties"]["publicIPAddress"]["id"])
            bgp = properties["bgpSettings"]
            address = bgp["bgpPeeringAddresses"][instance]["defaultBgpIpAddresses"][0]
            local = world.id(1, group, f"localNetworkGateways/lng-{name}")
            self.arm.put(
                local,
                {
                    "gatewayIpAddress": public["properties"]["ipAddress"],
                    "localNetworkAddressSpace": {"addressPrefixes": []},
                    "bgpSettings": {"asn": bgp["asn"], "bgpPeeringAddress": address},
                },
                location=NORTH,
            )
            self.arm.put(
                world.id(1, group, f"connections/{name}"),
                {
                    "connectionType": "IPsec",
                    "enableBgp": True,
                    "sharedKey": "only-the-lab-knows-it",
                    "virtualNetworkGateway1": {"id": near},
                    "localNetworkGateway2": {"id": local},
                },
                location=NORTH,
            )

    def _connect_circuits(self) -> None:
        for name in ("circuit-ams", "circuit-dub"):
            self.arm.put(
                self.world.id(0, "rg-hub-weu", f"connections/to-{name}"),
                {
                    "connectionType": "ExpressRoute",
                    "virtualNetworkGateway1": {"id": self.world.primary_gateway},
                    "peer": {"id": self.world.circuit(name)},
                },
                location=WEST,
            )

    def _peerings(self) -> None:
        world = self.world
        for spoke in SPOKES:
            text, flags = world.spoke(spoke), {"forwarded": spoke.forwarded}
            self._peer(world.primary_hub, spoke.from_hub, text, **flags, transit=True)
            self._peer(text, spoke.to_hub, world.primary_hub, **flags, remote=True)
            ready = {"forwarded": spoke.backup.forwarded}
            if spoke.backup.hub_side:
                name = f"standby-{spoke.name}"
                self._peer(world.backup_hub, name, text, **ready, transit=spoke.backup.spoke_side)
            if spoke.backup.spoke_side:
                self._peer(text, "standby", world.backup_hub, **ready)
        premises = world.id(1, "rg-premises", "virtualNetworks/premises")
        office = world.id(1, "rg-premises", "virtualNetworks/office")
        shared = world.id(0, "rg-shared", "virtualNetworks/vnet-shared")
        tools = world.id(1, "rg-operations", "virtualNetworks/vnet-dr-tools")
        self._peer(premises, "to-office", office, transit=True)
        self._peer(office, "to-premises", premises, remote=True)
        self._peer(world.primary_hub, "peer-hub-weu-to-vnet-shared", shared)
        self._peer(shared, "peer-vnet-shared-to-hub-weu", world.primary_hub)
        self._peer(world.backup_hub, "to-dr-tools", tools, transit=True)
        self._peer(tools, "to-hub-neu", world.backup_hub, remote=True)

    def _peer(
        self,
        owner: str,
        name: str,
        other: str,
        *,
        forwarded: bool = False,
        transit: bool = False,
        remote: bool = False,
    ) -> None:
        self.arm.put(
            f"{owner}/virtualNetworkPeerings/{name}",
            {
                "remoteVirtualNetwork": {"id": other},
                "allowVirtualNetworkAccess": True,
                "allowForwardedTraffic": forwarded,
                "allowGatewayTransit": transit,
                "useRemoteGateways": remote,
                "enableOnlyIPv6Peering": False,
                "futureRouting": FUTURE,
            },
        )


def main() -> None:
    """Make the world in the lab that the environment names."""
    from azure.identity import DefaultAzureCredential

    endpoint = os.environ.get("ERFAILOVER_ENDPOINT", "")
    if not endpoint.startswith("https://127.0.0.1:"):
        sys.exit('No lab is named: eval "$(erfailover lab env)" first.')
    speed = float(os.environ.get("ERFAILOVER_CLOCK_SPEED", "1"))
    token = DefaultAzureCredential().get_token(f"{endpoint}/.default").token
    ca_file = os.environ["REQUESTS_CA_BUNDLE"]
    arm = Arm(endpoint, token, ca_file, lambda seconds: time.sleep(seconds / speed))
    try:
        world = build(arm, lambda text: print(text, file=sys.stderr))
    except RuntimeError as problem:
        sys.exit(str(problem))
    print(f"primary_hub={world.primary_hub}\nbackup_hub={world.backup_hub}")


if __name__ == "__main__":
    main()
