"""The NAT set-up of a machine: what to run, and how to see that it holds. Pure.

What runs is what an engineer types: forwarding in the kernel, MASQUERADE on the outside, the
forward rules, the route back to the site through the inside. Every line can be run again; after
a restart of the machine the rules are gone and ``provision`` puts them back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from erfailover.site import Site, TopologyMachine

HOLDS = "erfailover: the NAT set-up holds"
"""What the check prints last, and only where everything before it passed.

Run Command reports success whatever a script's exit status is, so the output has to tell.
"""

OUTSIDE, INSIDE = "eth0", "eth1"


@dataclass(frozen=True, slots=True)
class NatSetup:
    """A machine to set up as a NAT gateway.

    Attributes:
        machine_id: the machine's ARM id.
        script: sets it up; harmless where it is set up already.
        check: prints ``HOLDS`` where it is; changes nothing.
    """

    machine_id: str
    script: tuple[str, ...]
    check: tuple[str, ...]

    @property
    def id(self) -> str:
        """The id of the step."""
        return f"{self.machine_id}/natSetup"

    @property
    def name(self) -> str:
        """The machine's name."""
        return self.machine_id.rsplit("/", 1)[-1]

    @property
    def title(self) -> str:
        """What the step is called."""
        return f"NAT set-up of {self.name}"


def nat_setups(site: Site) -> Iterator[NatSetup]:
    """The NAT set-ups of a site's topology."""
    topology = site.topology
    for name, machine in (topology.machines if topology else {}).items():
        if topology is not None and machine.nat_for is not None:
            inside = list(machine.interfaces.values())[1]
            network, subnet = inside.subnet.split("/")
            # Azure's router has the first address of every subnet (documented).
            router = str(topology.virtual_networks[network].subnets[subnet].prefix[1])
            yield NatSetup(site.machine_id(name), *_scripts(machine, router))


def holds(output: str) -> bool:
    """Whether the output of a check says that the set-up holds."""
    return any(line.strip() == HOLDS for line in output.splitlines())


def _scripts(machine: TopologyMachine, router: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    rules = (
        ("-t nat", f"POSTROUTING -o {OUTSIDE} -j MASQUERADE"),
        ("", f"FORWARD -i {INSIDE} -o {OUTSIDE} -j ACCEPT"),
        ("", f"FORWARD -i {OUTSIDE} -o {INSIDE} -m state --state RELATED,ESTABLISHED -j ACCEPT"),
    )
    checks = [_iptables(table, "-C", rule) for table, rule in rules]
    setup = [
        f"{check} || {_iptables(table, '-A', rule)}"
        for check, (table, rule) in zip(checks, rules, strict=True)
    ]
    route = f"{machine.nat_for} via {router} dev {INSIDE}"
    script = (
        "set -e",
        "sudo sysctl -w net.ipv4.ip_forward=1",
        *setup,
        f"sudo ip route replace {route}",
        "sudo apt-get update -qq",
        "sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq conntrack",
        f"echo '{HOLDS}'",
    )
    check = (
        "set -e",
        "sysctl -n net.ipv4.ip_forward | grep -q 1",
        *checks,
        f"ip route show {machine.nat_for} | grep -q 'via {router} dev {INSIDE}'",
        "sudo conntrack -L -p icmp",
        f"echo '{HOLDS}'",
    )
    return script, check


def _iptables(table: str, action: str, rule: str) -> str:
    return " ".join(part for part in ("sudo iptables", table, action, rule) if part)
