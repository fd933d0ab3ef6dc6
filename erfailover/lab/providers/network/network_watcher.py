"""Network Watchers: one a region and subscription, asked for next hops."""

from __future__ import annotations

from erfailover.lab.core import ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.scene import Scene
from erfailover.lab.core.world import Resource
from erfailover.lab.providers.bodies import Draft
from erfailover.lab.providers.provider import Coverage, Provider


def _validate(scene: Scene, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Why a Network Watcher may not be written: there is one a region (documented)."""
    region = draft.body.get("location")
    for each in scene.world.of_type(rt.NETWORK_WATCHER):
        same = (each.id.subscription, each.body.get("location")) == (draft.id.subscription, region)
        if same and ids.key(each.id) != ids.key(draft.id):
            return Refusal(
                400,
                "NetworkWatcherCountLimitReached",
                f"Subscription already has a Network Watcher in the region {region}.",
            )
    return None


NETWORK_WATCHER = Provider(
    type=rt.NETWORK_WATCHER,
    noun="NetworkWatcher",
    actions=("nexthop",),
    coverage=(
        Coverage(
            names="`Microsoft.Network/networkWatchers`, `nextHop`",
            modelled="one a region and subscription; the next hop of a running machine, by its "
            "effective routes",
            not_modelled="that Azure makes one itself with the first VNet of a region; all other "
            "tools",
            rests_on="document",
        ),
    ),
    shape={},
    validate=_validate,
)
