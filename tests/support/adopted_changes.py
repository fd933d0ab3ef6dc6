"""What happens to the adopted network: changed VNets and gateways, and the paths in the lab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from erfailover.lab.engine.faults import FOREVER, Fault, FaultKind
from tests.support.adopted import Adopted


def change_answers(adopted: Adopted, path: str, change: Callable[[Any], None]) -> None:
    """Every GET of a resource answers its present body, changed."""
    arm = adopted.arm()
    body = arm.get(path)
    arm.pool.clear()
    change(body["properties"])
    fault = Fault(FaultKind.ANSWER, "GET", path, times=FOREVER, status=200, body=body)
    adopted.stage.lab.add_faults(fault)


def circuits_announce(adopted: Adopted, *prefixes: str) -> None:
    """Both circuits announce further prefixes."""
    arm = adopted.arm()
    for name in ("circuit-ams", "circuit-dub"):
        path = adopted.world.circuit(name)
        tags = arm.get(path)["tags"]
        tags["lab:on-premises"] += " " + " ".join(prefixes)
        arm.call("PATCH", path, {"tags": tags})
    arm.pool.clear()
    adopted.stage.pass_time(120.0)


def disable_bgp(adopted: Adopted, *prefixes: str) -> None:
    """The backup's tunnel has static prefixes, at both ends."""
    arm, world = adopted.arm(), adopted.world
    hub = world.backup_gateway.rpartition("/virtualNetworkGateways/")[0]
    premises = hub.replace("rg-hub-neu", "rg-premises")

    def edit(path: str, change: Callable[[Any], None]) -> None:
        body = arm.get(path)
        change(body["properties"])
        arm.finish([arm.call("PUT", path, body)])

    def static(properties: Any) -> None:
        properties["localNetworkAddressSpace"]["addressPrefixes"] = list(prefixes)
        properties.pop("bgpSettings", None)

    edit(f"{hub}/localNetworkGateways/lng-to-premises", static)
    off = {"enableBgp": False}
    far = (f"{premises}/connections/to-azure-{number}" for number in (1, 2))
    for path in (f"{hub}/connections/to-premises", *far):
        edit(path, lambda properties: properties.update(off))
    edit(world.backup_gateway, lambda properties: properties.update(off))
    arm.pool.clear()
    adopted.stage.pass_time(120.0)


def summarize(adopted: Adopted, hub: str, *prefixes: str) -> None:
    """A hub advertises summaries in the place of its spokes' prefixes."""
    arm = adopted.arm()
    body = arm.get(hub)
    body["properties"]["summarizedGatewayPrefixes"] = {"addressPrefixes": list(prefixes)}
    arm.finish([arm.call("PUT", hub, body)])
    arm.pool.clear()
    adopted.stage.pass_time(120.0)


def network(adopted: Adopted, name: str) -> str:
    ids = [str(resource.id) for resource in adopted.stage.lab.world.resources.values()]
    return next(id_ for id_ in ids if id_.endswith(f"/virtualNetworks/{name}"))


def change_vnet_answers(adopted: Adopted, name: str, change: Callable[[Any], None]) -> None:
    """Let every GET of a VNet answer its present body, changed."""
    arm, id_ = adopted.arm(), network(adopted, name)
    body = arm.get(id_)
    arm.pool.clear()
    change(body["properties"])
    fault = Fault(FaultKind.ANSWER, "GET", id_, times=0, status=200, body=body)
    adopted.stage.lab.add_faults(fault)


def subnet_peered(adopted: Adopted) -> None:
    change_vnet_answers(
        adopted,
        "vnet-erp",
        lambda value: value["virtualNetworkPeerings"][0]["properties"].update(
            peerCompleteVnets=False, localSubnetNames=["apps"]
        ),
    )


def paths(adopted: Adopted) -> dict[str, str]:
    """The path of each spoke, as the lab has its peerings."""
    body = {}
    adopted.stage.lab.catch_up()
    kind = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"
    for resource in adopted.stage.lab.world.iter_by_type(kind):
        if resource.properties.get("useRemoteGateways") and resource.id.parent is not None:
            remote = resource.properties["remoteVirtualNetwork"]["id"]
            body[resource.id.parent.name] = remote.rsplit("/", 1)[-1]
    return body


def route_by_appliance(adopted: Adopted, network_id: str, appliance: str) -> None:
    """Send 10.4.0.0/16 from a VNet's first subnet to an appliance."""
    arm = adopted.arm()
    table = f"{network_id.partition('/virtualNetworks/')[0]}/routeTables/rt"
    hop = {"nextHopType": "VirtualAppliance", "nextHopIpAddress": appliance}
    route = {"name": "to-premises", "properties": {"addressPrefix": "10.4.0.0/16", **hop}}
    arm.put(table, {"routes": [route]}, location="westeurope")
    subnet = arm.get(network_id)["properties"]["subnets"][0]
    arm.put(subnet["id"], {**subnet["properties"], "routeTable": {"id": table}})
    arm.pool.clear()
