"""``erfailover status``: read everything at once, judge, show."""

from __future__ import annotations

from erfailover import report
from erfailover.azure.observing import observe
from erfailover.commands import history
from erfailover.commands.context import Context
from erfailover.errors import StateFailure, UnknownReading, VerificationFailed
from erfailover.health import judge
from erfailover.history import runs, unfinished


def run(context: Context) -> None:
    """Show the status of the site.

    Raises:
        VerificationFailed: the active path is unhealthy.
        UnknownReading: what decides it could not be read.
    """
    site, azure = context.site, context.azure
    observed = observe(azure, site)
    health = judge(site, observed)
    try:
        open_run = unfinished(runs(context.journal.records()))
    except StateFailure as failure:
        context.say(f"Whether a run is unfinished cannot be told: {failure.message}")
        open_run = None
    text = report.status_text(site, observed, health)
    if open_run is not None:
        text = f"{history.open_text(open_run)}\n\n{text}"
    data = {
        "subscription": context.subscription.data(),
        **report.status_data(site, observed, health),
        "unfinished": history.open_data(open_run),
    }
    context.show(text, data)
    if health.healthy is None:
        raise UnknownReading(
            "the state of the active path is unknown: "
            + "; ".join(reason for spoke in health.spokes for reason in spoke.reasons[:1]),
            None if observed.networks else "Is the site provisioned? erfailover provision",
        )
    if not health.healthy:
        raise VerificationFailed("the active path is not healthy", _next(health.path))


def _next(path: str) -> str | None:
    if path == "expressroute":
        return "erfailover switch --to ipsec"
    return "erfailover switch --to expressroute" if path == "ipsec" else None
