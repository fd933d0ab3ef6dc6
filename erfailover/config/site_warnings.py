"""What is allowed in a site file, but worth a second look. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from erfailover.model.site import Site


def iter_warnings(site: Site) -> Iterator[str]:
    """Yield what a site file leaves to chance, each with its consequence and the key to set.

    Args:
        site: as its file describes it, without the environment's subscription.
    """
    if site.needs_subscription and site.subscription is None:
        yield (
            "no subscription: commands use AZURE_SUBSCRIPTION_ID, or the default of az, which "
            "`az account set` changes; set subscription"
        )
    if not site.probes:
        yield "no probes: a switch is verified by routes alone; add probes"
    elif not any(getattr(probe, "continuous", False) for probe in site.probes.values()):
        yield (
            "no continuous probe: the outage of a switch is estimated, not measured; set "
            "continuous: true on a probe that runs on this machine"
        )
    if site.state is None:
        yield (
            "no state: each machine keeps its own journal and lease, so two machines can write at "
            "the same time; set state"
        )
    if site.timing.failback_hold_time_s <= 0:
        yield (
            "timing.failback_hold_time_s is 0: a failback does not wait until the path is stable"
        )
    watch = site.watch
    if watch.mode == "approve" and not (watch.edge_sessions or watch.probes):
        yield (
            "watch.mode is approve, and the gateway is the only signal: two must agree before the "
            "watch asks for an approval; add watch.probes or watch.edge_sessions"
        )
    if watch.failback == "automatic" and watch.mode == "observe":
        yield "watch.failback has no effect in mode observe; set watch.mode"
