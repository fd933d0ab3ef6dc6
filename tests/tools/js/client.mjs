// The JavaScript SDK against the lab: creates a VNet and a gateway in a resource group, lists the
// VNets, asks the gateway for its BGP peers. It knows the lab by the documented variables alone.
//
// Usage: node client.mjs RESOURCE_GROUP
// Prints one JSON object.

import { NetworkManagementClient } from "@azure/arm-network";
import { DefaultAzureCredential } from "@azure/identity";

const group = process.argv[2];
const location = "westeurope";
const endpoint = process.env.ERFAILOVER_ENDPOINT;
const credential = new DefaultAzureCredential();
const client = new NetworkManagementClient(credential, process.env.AZURE_SUBSCRIPTION_ID, {
  endpoint,
  credentialScopes: [`${endpoint}/.default`],
});

const created = await client.virtualNetworks.beginCreateOrUpdateAndWait(group, "hub", {
  location,
  addressSpace: { addressPrefixes: ["10.9.0.0/16"] },
  subnets: [{ name: "GatewaySubnet", addressPrefix: "10.9.0.0/24" }],
});
const address = await client.publicIPAddresses.beginCreateOrUpdateAndWait(group, "hub-ip", {
  location,
  sku: { name: "Standard" },
  zones: ["1", "2", "3"],
  publicIPAllocationMethod: "Static",
});

const poller = await client.virtualNetworkGateways.beginCreateOrUpdate(group, "hub-gateway", {
  location,
  gatewayType: "Vpn",
  vpnType: "RouteBased",
  enableBgp: true,
  sku: { name: "VpnGw1AZ", tier: "VpnGw1AZ" },
  bgpSettings: { asn: 65010 },
  ipConfigurations: [
    { name: "default", subnet: { id: created.subnets[0].id }, publicIPAddress: { id: address.id } },
  ],
});
const pending = (await client.virtualNetworkGateways.get(group, "hub-gateway")).provisioningState;
const gateway = await poller.pollUntilDone();

const networks = [];
for await (const each of client.virtualNetworks.list(group)) {
  networks.push(each.name);
}
const peers = await client.virtualNetworkGateways.beginGetBgpPeerStatusAndWait(group, "hub-gateway");
const learned = await client.virtualNetworkGateways.beginGetLearnedRoutesAndWait(group, "hub-gateway");

let refused = "";
try {
  await client.virtualNetworks.beginDeleteAndWait(group, "hub");
} catch (error) {
  refused = error.code;
}

console.log(
  JSON.stringify({
    networks,
    pending,
    state: gateway.provisioningState,
    bgpPeeringAddress: gateway.bgpSettings.bgpPeeringAddress,
    peers: peers.value,
    learned: learned.value.map((each) => [each.network, each.origin]),
    refused,
  }),
);
