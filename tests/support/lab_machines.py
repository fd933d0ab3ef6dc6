"""Scripts for machines of the lab, started side by side, and their output."""

from __future__ import annotations

from tests.support.arm_client import Arm, Reply

NAT = """
sudo iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE
sudo iptables -A FORWARD -i eth1 -o eth0 -j ACCEPT
sudo iptables -A FORWARD -i eth0 -o eth1 -m state --state RELATED,ESTABLISHED -j ACCEPT
sudo ip route add 10.0.0.0/8 via 10.2.2.1 dev eth1
sudo sysctl -w net.ipv4.ip_forward=1
sudo apt install conntrack
"""


def start(arm: Arm, name: str, *script: str) -> Reply:
    body = {"commandId": "RunShellScript", "script": list(script)}
    return arm.call("POST", f"Microsoft.Compute/virtualMachines/{name}/runCommand", body)


def get_command_output(reply: Reply) -> str:
    return str(reply.body["properties"]["output"]["value"][0]["message"])
