"""Every gateway's table on random topologies, against an independent, naive reference."""

from __future__ import annotations

import random

import pytest

from erfailover.lab.core.world import Resource
from erfailover.lab.routing.bgp import Bgp
from erfailover.lab.routing.sessions import BgpTiming
from tests.support import naive_bgp, worlds
from tests.support.worlds import Builder

TIMING = BgpTiming()


class Random:
    """A random site, built in the lab and told to the naive reference from the same facts."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.builder = Builder()
        pool = [f"10.{n}.0.0/16" for n in range(1, 250)]
        pool += [f"172.{n}.{m}.0/22" for n in range(16, 32) for m in range(0, 64, 4)]
        self.random.shuffle(pool)
        self.pool = pool
        self.count = self.random.randint(2, 6)
        asns = self.random.sample(range(64512, 65500), self.count)
        if self.random.random() < 0.3:
            asns[-1] = asns[0]
        self.asns = asns
        self.hub_prefixes: list[list[str]] = []
        self.addresses: list[str] = []
        self.spokes: dict[int, int] = {}
        self.spoke_prefixes: list[list[str]] = []
        self.links: list[tuple[int, int]] = []
        self.down: set[tuple[int, int]] = set()
        self._hubs()
        self._spokes()
        self._links()

    def gateway(self, number: int) -> Resource:
        return self.builder.get("virtualNetworkGateways", f"g{number}")

    def take(self) -> list[str]:
        return [self.pool.pop() for _ in range(self.random.choice((1, 1, 1, 2, 3)))]

    def _hubs(self) -> None:
        for n in range(self.count):
            prefixes = self.take()
            address = f"192.168.{self.random.randint(0, 255)}.{n + 4}"
            self.hub_prefixes.append(prefixes)
            self.addresses.append(address)
            self.builder.vnet(f"hub{n}", *prefixes)
            self.builder.subnet(f"hub{n}", "GatewaySubnet", prefixes[0])
            self.builder.gateway(f"g{n}", f"hub{n}", self.asns[n], address)

    def _spokes(self) -> None:
        for s in range(self.random.randint(1, 6)):
            prefixes = self.take()
            self.spoke_prefixes.append(prefixes)
            self.builder.vnet(f"spoke{s}", *prefixes)
            for n in range(self.count):
                self.builder.peer(f"hub{n}", f"spoke{s}", transit=True)
            self.move(s, self.random.randrange(self.count))

    def move(self, spoke: int, hub: int) -> None:
        self.spokes[spoke] = hub
        for n in range(self.count):
            self.builder.peer(f"spoke{spoke}", f"hub{n}", remote_gateways=n == hub)

    def _links(self) -> None:
        for one in range(self.count):
            for other in range(one + 1, self.count):
                if other == one + 1 or self.random.random() < 0.4:
                    self.links.append((one, other))
        self.carried: dict[tuple[int, int], list[str]] = {}
        for one, other in self.links:
            for here, there in ((one, other), (other, one)):
                far = self.hub_prefixes[there]
                self.carried[here, there] = self.random.choice((far, far, far[:1], [], self.take()))
                self._configure(here, there, self.addresses[there])
                self.builder.connection(f"c{here}-{there}", f"g{here}", f"l{here}-{there}")

    def _configure(self, here: int, there: int, address: str) -> None:
        self.builder.local_gateway(
            f"l{here}-{there}",
            self.builder.public_address(f"g{there}"),
            self.asns[there],
            address,
            *self.carried[here, there],
        )

    def fail(self) -> None:
        one, other = self.random.choice(self.links)
        self.down.add((one, other))
        self._configure(one, other, "192.0.2.1")

    def mend(self) -> None:
        one, other = self.random.choice(self.links)
        self.down.discard((one, other))
        self._configure(one, other, self.addresses[other])

    def flap_the_tunnel(self) -> None:
        one, other = self.random.choice(self.links)
        for key in ("wrong", "key"):
            self.builder.connection(f"c{one}-{other}", f"g{one}", f"l{one}-{other}", key)
            self.builder.wait(self.random.choice((0.0, 1.0, 90.0, 200.0)))

    def move_any(self) -> None:
        self.move(self.random.choice(list(self.spokes)), self.random.randrange(self.count))

    def compute_expected(self) -> dict[str, set[naive_bgp.Row]]:
        routers = []
        for n in range(self.count):
            neighbours = []
            for one, other in self.links:
                if n not in (one, other):
                    continue
                far = other if n == one else one
                dead = (one, other) in self.down
                address = "192.0.2.1" if dead and n == one else self.addresses[far]
                neighbours.append(
                    naive_bgp.Neighbour(
                        address,
                        tuple(self.carried[n, far]),
                        None if dead else f"g{far}",
                    )
                )
            own = [*self.hub_prefixes[n]]
            for spoke, hub in self.spokes.items():
                own += self.spoke_prefixes[spoke] if hub == n else []
            routers.append(
                naive_bgp.Router(
                    f"g{n}", self.asns[n], self.addresses[n], tuple(own), tuple(neighbours)
                )
            )
        return naive_bgp.tables(routers)

    def actual(self, bgp: Bgp) -> dict[str, set[naive_bgp.Row]]:
        tables: dict[str, set[naive_bgp.Row]] = {}
        for n in range(self.count):
            rows = bgp.list_learned_routes(self.gateway(n))
            tables[f"g{n}"] = {
                (
                    row["network"],
                    row.get("nextHop"),
                    row["sourcePeer"],
                    row["origin"],
                    row["asPath"] or None,
                )
                for row in rows
            }
            assert len(rows) == len(tables[f"g{n}"])
        return tables


@pytest.mark.parametrize("seed", range(40))
def test_every_table_agrees_with_a_naive_reference_in_every_state(seed: int) -> None:
    site = Random(seed)
    bgp = worlds.routing(site.builder)
    site.builder.wait(TIMING.connect_s)
    assert site.actual(bgp) == site.compute_expected()
    for _ in range(3):
        site.fail()
        site.builder.wait(TIMING.hold_s + TIMING.connect_s)
        assert site.actual(bgp) == site.compute_expected()
        site.move(site.random.choice(list(site.spokes)), site.random.randrange(site.count))
        site.builder.wait(TIMING.learn_s)
        assert site.actual(bgp) == site.compute_expected()


@pytest.mark.parametrize("seed", range(100, 130))
def test_whatever_happens_the_tables_come_to_rest_where_the_reference_does(seed: int) -> None:
    site = Random(seed)
    bgp = worlds.routing(site.builder)
    for _ in range(12):
        site.random.choice((site.fail, site.mend, site.flap_the_tunnel, site.move_any))()
        site.builder.wait(site.random.choice((0.0, 3.0, 14.9, 15.0, 60.0, 179.0, 181.0)))
    site.builder.wait(TIMING.hold_s + TIMING.connect_s + TIMING.learn_s)
    assert site.actual(bgp) == site.compute_expected()
    for n in range(site.count):
        states = {row["neighbor"]: row["state"] for row in bgp.list_peers(site.gateway(n))}
        for one, other in site.links:
            if n in (one, other) and (one, other) not in site.down:
                assert states[site.addresses[other if n == one else one]] == "Connected"
