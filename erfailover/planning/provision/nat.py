"""The NAT set-up of a machine: what to run, and how to see that it holds. Pure but for its data.

What runs is ``data/nat-gateway`` (``scripts/nat-gateway`` is the same file) with the site's values
in it: by cloud-init when the machine is made, by Run Command if it is there already. It is kept
in cloud-init's per-boot folder, whose scripts run at every start (published, cloud-init module
``scripts-per-boot``), so a restart loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import Site
from erfailover.model.topology import Topology, TopologyMachine

HOLDS = "erfailover: the NAT set-up holds"
"""What the check prints last, and only if everything before it passed.

Run Command reports success whatever a script's exit status is, so the output has to tell.
"""

OUTSIDE, INSIDE = "eth0", "eth1"
PER_BOOT = "/var/lib/cloud/scripts/per-boot/erfailover-nat"
SETTLED = "cloud-init status --wait > /dev/null || true"
"""Waits until the machine's own first start has ended: it may be installing packages."""


@dataclass(frozen=True, slots=True)
class NatSetup:
    """A machine to set up as a NAT gateway.

    Attributes:
        machine_id: the machine's ARM id.
        script: sets it up, for Run Command; harmless if it is set up already.
        check: prints ``HOLDS`` if it is; changes nothing.
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
        return get_last_name(self.machine_id)

    @property
    def title(self) -> str:
        """What the step is called."""
        return f"NAT set-up of {self.name}"


def build_setups(site: Site) -> Iterator[NatSetup]:
    """Yield the NAT set-ups of a site's topology."""
    topology = site.topology
    for name, machine in (topology.machines if topology else {}).items():
        if topology is not None and machine.nat_for is not None:
            lines, check = _build_scripts(topology, machine)
            yield NatSetup(site.build_machine_id(name), ("set -e", SETTLED, *lines), check)


def build_custom_data(topology: Topology, machine: TopologyMachine) -> str | None:
    """Return what cloud-init runs at a machine's first start; None if it is no NAT gateway."""
    if machine.nat_for is None:
        return None
    lines, _ = _build_scripts(topology, machine)
    return "\n".join(("#!/bin/sh", "set -e", *lines, ""))


def is_holding(output: str) -> bool:
    """Whether the output of a check says that the set-up holds."""
    return any(line.strip() == HOLDS for line in output.splitlines())


def _build_scripts(
    topology: Topology, machine: TopologyMachine
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the lines that set a machine up, and those that check it."""
    network, subnet = list(machine.interfaces.values())[1].subnet.split("/")
    # Azure's router has the first address of every subnet (documented).
    router = str(topology.virtual_networks[network].subnets[subnet].prefix[1])
    script = _render_script(str(machine.nat_for), router)
    # A line at a time: it holds no single quote, and a here-document could not be indented.
    lines = [f"echo '{line}' {'>>' if i else '>'} {PER_BOOT}" for i, line in enumerate(script)]
    setup = (*lines, f"chmod 0755 {PER_BOOT}", f"sh {PER_BOOT}", f"echo '{HOLDS}'")
    rules = (
        f"-t nat -C POSTROUTING -o {OUTSIDE} -j MASQUERADE",
        f"-C FORWARD -i {INSIDE} -o {OUTSIDE} -j ACCEPT",
        f"-C FORWARD -i {OUTSIDE} -o {INSIDE} -m state --state RELATED,ESTABLISHED -j ACCEPT",
    )
    check = (
        "set -e",
        "sysctl -n net.ipv4.ip_forward | grep -q 1",
        *(f"sudo iptables {rule}" for rule in rules),
        f"ip route show {machine.nat_for} | grep -q 'via {router} dev {INSIDE}'",
        *(f"grep -qF '{line}' {PER_BOOT}" for line in script if "=" in line.split(" ")[0]),
        "sudo conntrack -L -p icmp",
        f"echo '{HOLDS}'",
    )
    return setup, check


def _render_script(prefix: str, router: str) -> list[str]:
    """Return the script's lines, with a site's values."""
    values = {"OUTSIDE": OUTSIDE, "INSIDE": INSIDE, "PREFIX": prefix, "ROUTER": router}
    text = files("erfailover").joinpath("data/nat-gateway").read_text("utf-8")
    lines = []
    for line in text.splitlines():
        name, equals, _ = line.partition("=")
        lines.append(f"{name}={values[name]}" if equals and name in values else line)
    return lines
