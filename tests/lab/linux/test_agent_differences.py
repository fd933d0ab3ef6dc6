"""However a layout came about, the kernel is as if the agent had been given it alone."""

from __future__ import annotations

import difflib
import random
import re
from pathlib import Path

import pytest

from erfailover.lab.linux.layout import Interface, Layout, Link, LinkEnd, Node, Route, Rule
from tests.lab.linux.agent_bed import AgentBed

pytestmark = pytest.mark.slow

NODES = ("a", "b", "c", "d")
STEPS = 12


def make_layout(chance: random.Random) -> Layout:
    """Return nodes joined at random, with addresses, routes, rules and rulesets at random."""
    names = sorted(chance.sample(NODES, chance.randint(2, len(NODES))))
    links = []
    devices: dict[str, list[str]] = {name: [] for name in names}
    pairs = [(one, two) for one in names for two in names if one < two]
    for one, two in pairs:
        if chance.random() < 0.7:
            ends = []
            for node, far in ((one, two), (two, one)):
                device = f"to-{far}"
                devices[node].append(device)
                ends.append(LinkEnd(node, make_interface(chance, device, node, far)))
            links.append(Link(f"{one}{two}", (ends[0], ends[1])))
    nodes = tuple(make_node(chance, name, devices[name]) for name in names)
    return Layout(nodes, tuple(links))


def make_interface(chance: random.Random, device: str, node: str, far: str) -> Interface:
    numbers = NODES.index(node), NODES.index(far)
    low, high = min(numbers), max(numbers)
    host = 1 + (numbers[0] > numbers[1])
    addresses = (
        f"10.{low}.{high}.{host}/24",
        f"10.{low}.{high}.{host + 10}/24",
        f"172.16.{numbers[0]}.{numbers[1]}/32",
    )
    return Interface(
        device,
        f"02:00:00:{chance.randint(0, 1):02x}:{numbers[0]:02x}:{numbers[1]:02x}",
        tuple(each for each in addresses if chance.random() < 0.6),
        {f"169.254.0.{number}": f"02:00:00:00:00:0{number}" for number in (1, 2)}
        if chance.random() < 0.5
        else {},
        chance.random() < 0.5,
        chance.choice((1400, 1500)),
    )


def make_node(chance: random.Random, name: str, devices: list[str]) -> Node:
    loopback = f"192.0.2.{1 + NODES.index(name)}/32"
    has_loopback = chance.random() < 0.6
    source = loopback.split("/")[0] if has_loopback and chance.random() < 0.5 else ""
    routes = {}
    for _ in range(chance.randint(0, 8)):
        kind = chance.choice(("unicast", "unicast", "unicast", "blackhole", "unreachable", "local"))
        if kind == "unicast" and not devices:
            continue
        route = Route(
            prefix=chance.choice(("0.0.0.0/0", "10.200.0.0/16", "10.200.1.0/24", "10.9.9.9/32")),
            device=chance.choice(devices) if kind == "unicast" else "",
            via=chance.choice(("", "10.250.0.1", "10.250.0.2")) if kind == "unicast" else "",
            table=chance.choice((254, 254, 100, 1000)),
            kind=kind,
            metric=chance.choice((0, 0, 50)),
            source=source if kind == "unicast" else "",
        )
        routes[route.table, route.prefix, route.metric] = route
    rules = {
        priority: Rule(
            priority,
            chance.choice((0, 100, 1000)),
            chance.choice(("", *devices)),
        )
        for priority in chance.sample((900, 1000, 2000), chance.randint(0, 3))
    }
    ruleset = (
        f"table ip t {{\n  chain c {{\n    ip saddr 1.1.1.{chance.randint(1, 2)} drop\n  }}\n}}"
    )
    return Node(
        name,
        "vnet",
        forwarding=chance.random() < 0.7,
        addresses=(loopback,) if has_loopback else (),
        routes=tuple(routes.values()),
        rules=tuple(rules.values()),
        nft=ruleset if chance.random() < 0.5 else "",
    )


def look(bed: AgentBed) -> dict[str, list[str]]:
    """Return what the kernel has in each namespace."""
    return {
        node: sorted(
            re.sub(r"@\S+|link-netns\S* \S+| state \S+|NO-CARRIER,", "", line).strip()
            for line in text.splitlines()
        )
        for node in bed.run("ls /run/netns").split()
        for text in [
            bed.run(
                "ip -o link | sed 's/^[0-9]*: //'; ip -o addr | sed 's/^[0-9]*: //'; "
                "ip route show table all; ip rule; ip neigh show nud permanent; "
                "nft list ruleset; cd /proc/sys/net/ipv4; "
                "grep . ip_forward conf/*/proxy_arp conf/*/rp_filter conf/*/send_redirects",
                node,
            )
        ]
    }


@pytest.mark.parametrize("seed", range(4))
def test_a_sequence_of_layouts_ends_as_the_last_one_alone(
    linux_plane: None, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    layouts = [make_layout(chance) for _ in range(STEPS)]
    with AgentBed(tmp_path) as bed:
        for layout in layouts:
            bed.apply(layout)
        changed = look(bed)
        assert bed.apply(layouts[-1])["writes"] == 0
    with AgentBed(tmp_path) as bed:
        bed.apply(layouts[-1])
        fresh = look(bed)
    assert changed.keys() == fresh.keys()
    for node, lines in changed.items():
        difference = difflib.unified_diff(fresh[node], lines, "alone", "after others", n=0)
        assert "\n".join(difference) == ""
