"""Four peerings as Azure has them, and Azure's rules for writing them.

The rules are written down here a second time, independently of the controller and of the lab.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from erfailover.model.observed import SiteSnapshot
from erfailover.model.peering_flags import Flags
from erfailover.model.plan import Change, PeeringWrite
from erfailover.model.site import Site
from tests.support import sites
from tests.support.peering_states import OPPOSITE, OUT_B, OUT_P, SITE

OUTWARD = (OUT_P, OUT_B)


@dataclass(frozen=True, slots=True)
class Held:
    """A peering as Azure has it.

    Attributes:
        shown: the flags that a GET shows: those of the last write that was accepted.
        active: the flags in force: those of the last write that succeeded; None before one did.
        state: Initiated, Connected, Disconnected.
        failed: whether the last operation on it failed, so that it shows what is not in force.
    """

    shown: Flags
    active: Flags | None
    state: str
    failed: bool = False


World = tuple[tuple[str, Held], ...]
"""The peerings there are, by name, in the order of the names."""


class RefusedByAzureError(Exception):
    """A write that Azure's rules forbid."""


def find_held(world: World, name: str) -> Held | None:
    return dict(world).get(name)


def replace_held(world: World, name: str, result: Held | None) -> World:
    all_ = dict(world)
    if result is None:
        all_.pop(name, None)
    else:
        all_[name] = result
    return tuple(sorted(all_.items()))


def uses(result: Held | None) -> bool:
    """Whether a peering uses remote gateways, or is shown to."""
    return result is not None and any(
        flags is not None and flags.use_remote_gateways for flags in (result.shown, result.active)
    )


def lends(result: Held | None) -> bool:
    """Whether a peering lends its gateway, by what is shown and what is in force."""
    return result is not None and all(
        flags is not None and flags.allow_gateway_transit for flags in (result.shown, result.active)
    )


def accept_write(world: World, write: PeeringWrite) -> World:
    """What a GET shows once Azure has accepted a write."""
    name, flags = write.name, write.after
    now, opposite = find_held(world, name), find_held(world, OPPOSITE[write.name])
    if write.change is Change.DELETE:
        return world
    if flags is None:
        raise AssertionError("a write without flags")
    if now is None and opposite is not None and opposite.state == "Disconnected":
        raise RefusedByAzureError(f"RemotePeeringIsDisconnected: {name}")
    if flags.use_remote_gateways:
        if any(uses(find_held(world, text)) for text in OUTWARD if text != name):
            raise RefusedByAzureError(f"a second remote gateway: {name}")
        if not lends(opposite):
            raise RefusedByAzureError(f"the opposite side forbids transit: {name}")
    if not flags.allow_gateway_transit and uses(opposite):
        raise RefusedByAzureError(f"transit is in use: {name}")
    if now is None:
        return replace_held(world, name, Held(flags, None, "Initiated"))
    return replace_held(world, name, replace(now, shown=flags, failed=False))


def finish_write(world: World, write: PeeringWrite, *, well: bool) -> World:
    """What an operation comes to."""
    name, opposite = write.name, OPPOSITE[write.name]
    now, other = find_held(world, name), find_held(world, opposite)
    assert now is not None
    if not well:
        return replace_held(world, name, replace(now, failed=True))
    if write.change is Change.DELETE:
        world = replace_held(world, name, None)
        return (
            world
            if other is None
            else replace_held(world, opposite, replace(other, state=DISCONNECTED))
        )
    met = other is not None and other.active is not None
    world = replace_held(
        world, name, Held(now.shown, now.shown, "Connected" if met else "Initiated")
    )
    if met and other is not None:
        world = replace_held(world, opposite, replace(other, state="Connected"))
    return world


DISCONNECTED = "Disconnected"


def observe_world(world: World, site: Site = SITE) -> SiteSnapshot:
    """What the controller reads of a world in which nothing is in flight."""
    snapshot = sites.make_snapshot(site, {name: (item.shown, item.state) for name, item in world})
    failed = {name for name, item in world if item.failed}
    networks = {
        key: replace(
            network,
            peerings=tuple(
                replace(peering, provisioning_state="Failed") if peering.name in failed else peering
                for peering in network.peerings
            ),
        )
        for key, network in snapshot.networks.items()
    }
    return replace(snapshot, networks=networks)
