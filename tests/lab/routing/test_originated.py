"""What a gateway originates, and when it learns of a change of peerings."""

from __future__ import annotations

import pickle

from erfailover.lab.core.world import World
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.originated import OriginatedPrefixes
from erfailover.lab.routing.records import Gateway
from tests.support import worlds
from tests.support.worlds import Builder

LEARN_S = 10.0


class Scene:
    """The proof of concept without anything that speaks BGP."""

    def __init__(self) -> None:
        self.builder: Builder = worlds.proof_of_concept()
        self.world: World = self.builder.world
        self.network = Network(self.world)
        self.originated = OriginatedPrefixes(self.world, self.network, LEARN_S)
        self.world.listeners.append(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        if self.network.refresh():
            self.originated.reconcile()

    def get(self, name: str) -> Gateway:
        return next(item for item in self.network.gateways.all.values() if item.name == name)


def test_a_gateway_advertises_its_vnet_its_spokes_and_the_static_prefixes() -> None:
    it = Scene()
    assert it.originated.list_own(it.get("vng3")) == ("10.4.0.0/16",)
    assert [prefix for prefix, _ in it.originated.list_spokes(it.get("vng3"))] == ["10.5.0.0/16"]
    assert it.originated.list_static(it.get("vng3")) == ("10.2.0.0/16", "10.3.0.0/16")
    assert it.originated.list_advertised(it.get("vng3")) == (
        "10.4.0.0/16",
        "10.5.0.0/16",
        "10.2.0.0/16",
        "10.3.0.0/16",
    )
    assert it.originated.list_hosts(it.get("vng3")) == ("10.2.0.254/32", "10.3.0.254/32")
    assert it.originated.list_network(it.get("vng3"))[-2:] == ("10.2.0.254/32", "10.3.0.254/32")


def test_a_change_of_peerings_shows_after_the_delay_and_counts() -> None:
    it = Scene()
    worlds.leave_primary(it.builder)
    worlds.join_backup(it.builder)
    assert [prefix for prefix, _ in it.originated.list_spokes(it.get("vng1"))] == ["10.1.0.0/16"]
    assert it.originated.list_spokes(it.get("vng2")) == ()
    it.builder.wait(LEARN_S - 1)
    assert it.originated.list_spokes(it.get("vng2")) == ()
    moves = it.originated.moves
    it.builder.wait(1)
    assert it.originated.moves > moves
    assert it.originated.list_spokes(it.get("vng1")) == ()
    assert [prefix for prefix, _ in it.originated.list_spokes(it.get("vng2"))] == ["10.1.0.0/16"]


def test_a_new_gateway_knows_its_spokes_at_once() -> None:
    builder = Builder()
    builder.vnet("hub", "10.1.0.0/16")
    builder.vnet("spoke", "10.2.0.0/16")
    builder.subnet("hub", "GatewaySubnet", "10.1.0.0/24")
    builder.peer("hub", "spoke", transit=True)
    builder.peer("spoke", "hub", remote_gateways=True)
    builder.gateway("g", "hub", 65000, "10.1.0.254")
    network = Network(builder.world)
    network.refresh()
    originated = OriginatedPrefixes(builder.world, network, LEARN_S)
    originated.reconcile()
    (gateway,) = network.gateways.all.values()
    assert originated.list_advertised(gateway) == ("10.1.0.0/16", "10.2.0.0/16")
    assert originated.list_hosts(gateway) == ()


def test_a_summary_takes_the_place_of_what_it_covers() -> None:
    it = Scene()
    it.builder.patch("virtualNetworks", "vnet4", summarizedGatewayPrefixes=_prefixes("10.4.0.0/15"))
    advertised = it.originated.list_advertised(it.get("vng3"))
    assert advertised == ("10.4.0.0/15", "10.2.0.0/16", "10.3.0.0/16")


def test_a_change_under_way_is_saved_with_the_world() -> None:
    it = Scene()
    worlds.leave_primary(it.builder)
    it.world.listeners.clear()
    restored: OriginatedPrefixes
    restored, world = pickle.loads(pickle.dumps((it.originated, it.world)))
    assert restored.list_spokes(it.get("vng1")) != ()
    world.advance_to(world.now + LEARN_S)
    assert restored.list_spokes(it.get("vng1")) == ()


def _prefixes(*prefixes: str) -> dict[str, list[str]]:
    return {"addressPrefixes": list(prefixes)}
