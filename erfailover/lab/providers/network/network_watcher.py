"""Network Watchers: one per region and subscription; they answer next-hop queries."""

from __future__ import annotations

from erfailover.lab.core import ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Resource
from erfailover.lab.providers.bodies import Draft
from erfailover.lab.providers.provider import Coverage, Provider


def _validate(context: RuleContext, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Return the refusal of a second Network Watcher in a region (documented)."""
    region = draft.body.get("location")
    for watcher in context.world.iter_by_type(rt.NETWORK_WATCHER):
        same = (watcher.id.subscription, watcher.body.get("location")) == (
            draft.id.subscription,
            region,
        )
        if same and ids.to_key(watcher.id) != ids.to_key(draft.id):
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
            modelled="one per region and subscription; the next hop of a running machine, by its "
            "effective routes",
            not_modelled="automatic creation with the first VNet of a region; all other tools",
            rests_on="document",
        ),
    ),
    shape={},
    validate=_validate,
)
