"""A small ARM client that waits by the lab's clock."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import urllib3

from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.engine.lab import Lab

Json = Any
API = "2024-05-01"


@dataclass(frozen=True)
class Reply:
    """One answer of the lab."""

    status: int
    body: Json
    headers: dict[str, str]

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.body["error"]["message"])


@dataclass
class Arm:
    """Speaks ARM to a served lab, over HTTPS; paths are relative to the resource group."""

    lab: Lab
    clock: SteppedClock
    endpoint: str
    ca_file: str
    group: str = "rg"
    token: str = ""
    pool: urllib3.PoolManager = field(init=False)

    def __post_init__(self) -> None:
        self.pool = urllib3.PoolManager(ca_certs=self.ca_file, retries=False)
        identity = self.lab.identity
        answer = self.pool.request(
            "POST",
            f"{self.endpoint}/{identity.tenant}/oauth2/v2.0/token",
            fields={
                "grant_type": "client_credentials",
                "client_id": identity.client_id,
                "client_secret": identity.client_secret,
                "scope": f"{self.endpoint}/.default",
            },
            encode_multipart=False,
        )
        self.token = json.loads(answer.data)["access_token"]

    @property
    def root(self) -> str:
        return f"/subscriptions/{self.lab.identity.subscription}/resourceGroups/{self.group}"

    def id(self, path: str) -> str:
        """The resource id of ``virtualNetworks/a`` or ``Microsoft.Compute/virtualMachines/b``."""
        provider = "" if path.startswith("Microsoft.") else "Microsoft.Network/"
        return f"{self.root}/providers/{provider}{path}"

    def call(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Reply:
        url = path
        if not path.startswith("https:"):
            url = self.endpoint + (path if path.startswith("/") else self.id(path))
            url += ("&" if "?" in url else "?") + f"api-version={API}"
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        answer = self.pool.request(method, url, body=data, headers=sent | (headers or {}))
        value = json.loads(answer.data) if answer.data else None
        return Reply(answer.status, value, dict(answer.headers.items()))

    def get(self, path: str) -> Json:
        reply = self.call("GET", path)
        assert reply.status == 200, reply
        return reply.body

    def wait(self, reply: Reply) -> Reply:
        """Poll an accepted operation to its end, by the lab's clock."""
        assert reply.status in {200, 201, 202, 204}, reply
        url = reply.headers.get("Azure-AsyncOperation") or reply.headers.get("Location")
        pause_s = int(reply.headers.get("Retry-After", "1"))
        while url:
            self.clock.sleep(pause_s)
            polled = self.call("GET", url)
            pause_s = int(polled.headers.get("Retry-After", "1"))
            if "Azure-AsyncOperation" in reply.headers:
                if polled.body["status"] != "InProgress":
                    assert polled.body["status"] == "Succeeded", polled
                    return polled
            elif polled.status != 202:
                return polled
        return reply

    def put(self, path: str, properties: Json, **top: Json) -> Json:
        """Write a resource and wait; gives back the GET after it."""
        body = {"properties": properties, **top}
        if path.count("/") == 1 or path.startswith("Microsoft."):
            body.setdefault("location", "westeurope")
        self.wait(self.call("PUT", path, body))
        return self.get(path)

    def expect_refusal(self, path: str, properties: Json, **top: Json) -> Reply:
        """Write a resource and be refused."""
        body = {"properties": properties, **top}
        if path.count("/") == 1 or path.startswith("Microsoft."):
            body.setdefault("location", "westeurope")
        reply = self.call("PUT", path, body)
        assert reply.status >= 400, reply
        return reply

    def delete(self, path: str) -> None:
        self.wait(self.call("DELETE", path))

    # The few resources that most tests begin with.

    def make_group(self) -> None:
        assert self.call("PUT", self.root, {"location": "westeurope"}).status in {200, 201}

    def vnet(self, name: str, prefix: str, **subnets: str) -> Json:
        return self.put(
            f"virtualNetworks/{name}",
            {
                "addressSpace": {"addressPrefixes": [prefix]},
                "subnets": [
                    {"name": text, "properties": {"addressPrefix": subnet}}
                    for text, subnet in subnets.items()
                ],
            },
        )

    def public_ip(self, name: str) -> Json:
        return self.put(
            f"publicIPAddresses/{name}",
            {"publicIPAllocationMethod": "Static"},
            sku={"name": "Standard"},
            zones=["1", "2", "3"],
        )

    def gateway_properties(self, name: str, vnet: str, **more: Json) -> Json:
        return {
            "gatewayType": "Vpn",
            "vpnType": "RouteBased",
            "enableBgp": True,
            "sku": {"name": "VpnGw1AZ", "tier": "VpnGw1AZ"},
            "bgpSettings": {"asn": 65010},
            "ipConfigurations": [
                {
                    "name": "default",
                    "properties": {
                        "subnet": {"id": self.id(f"virtualNetworks/{vnet}/subnets/GatewaySubnet")},
                        "publicIPAddress": {"id": self.id(f"publicIPAddresses/{name}-ip")},
                    },
                }
            ],
            **more,
        }

    def gateway(self, name: str, vnet: str, **more: Json) -> Json:
        self.public_ip(f"{name}-ip")
        return self.put(
            f"virtualNetworkGateways/{name}", self.gateway_properties(name, vnet, **more)
        )

    def peering_properties(self, other: str, **flags: bool) -> Json:
        names = {
            "access": "allowVirtualNetworkAccess",
            "forwarded": "allowForwardedTraffic",
            "transit": "allowGatewayTransit",
            "remote": "useRemoteGateways",
        }
        body: Json = {names[key]: value for key, value in flags.items()}
        return {**body, "remoteVirtualNetwork": {"id": self.id(f"virtualNetworks/{other}")}}

    def peering(self, local: str, other: str, **flags: bool) -> Json:
        return self.put(
            f"virtualNetworks/{local}/virtualNetworkPeerings/{local}-to-{other}",
            self.peering_properties(other, **flags),
        )

    def peering_refused(self, local: str, other: str, **flags: bool) -> Reply:
        return self.expect_refusal(
            f"virtualNetworks/{local}/virtualNetworkPeerings/{local}-to-{other}",
            self.peering_properties(other, **flags),
        )
