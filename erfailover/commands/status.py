"""``erfailover status``: read everything at once, judge, show."""

from __future__ import annotations

from functools import partial
from typing import Any

from erfailover.as_code import as_code_warning
from erfailover.azure.circuits import of_both, stand_in_address
from erfailover.azure.observing import observe
from erfailover.circuits import Circuits
from erfailover.clock import all_at_once
from erfailover.commands import history
from erfailover.commands.context import Context
from erfailover.drills import drill_state
from erfailover.errors import StateFailure, UnknownReading, VerificationFailed
from erfailover.health import Health, judge
from erfailover.history import runs, unfinished
from erfailover.model import Observed, Reading
from erfailover.reporting import drill as drills
from erfailover.reporting import status as told
from erfailover.site import Role


def run(context: Context) -> None:
    """Show the status of the site.

    Raises:
        VerificationFailed: the active path is unhealthy.
        UnknownReading: what decides it could not be read.
    """
    site = context.site
    observed, connected, stand_in = _read(context)
    health = judge(site, observed, connected)
    drill = drill_state(site, connected.get(Role.PRIMARY), stand_in)
    try:
        open_run = unfinished(runs(context.journal.records()))
    except StateFailure as failure:
        context.say(f"Whether a run is unfinished cannot be told: {failure.message}")
        open_run = None
    as_code = as_code_warning(site, observed)
    parts = [
        drills.text(drill),
        history.open_text(open_run) if open_run is not None else None,
        as_code.text if as_code is not None else None,
        _text(context, observed, health, connected),
    ]
    data = {
        "subscription": context.subscription.data(),
        **told.data(site, observed, health),
        "connections": drills.circuits_data(connected),
        "drill": drills.data(drill),
        "as_code": None if as_code is None else as_code.data,
        "unfinished": history.open_data(open_run),
    }
    context.show("\n\n".join(filter(None, parts)), data)
    if health.healthy is None:
        raise UnknownReading(
            "the state of the active path is unknown: "
            + "; ".join(reason for spoke in health.spokes for reason in spoke.reasons[:1]),
            None if observed.networks else "Is the site provisioned? erfailover provision",
        )
    if not health.healthy:
        raise VerificationFailed("the active path is not healthy", _next(health.path))


def _read(context: Context) -> tuple[Observed, dict[Role, Circuits], Reading[str] | None]:
    """All reads at once: the site, what its gateways hang on, the stand-in of the drill."""
    site, azure = context.site, context.azure
    reads: list[Any] = [
        partial(observe, azure, site),
        partial(stand_in_address, azure, site),
        partial(of_both, azure, site),
    ]
    observed, stand_in, connected = all_at_once(context.clock, reads)
    return observed, {role: connected[role] for role in observed.gateways}, stand_in


def _text(
    context: Context, observed: Observed, health: Health, connected: dict[Role, Circuits]
) -> str:
    parts = [told.text(context.site, observed, health)]
    parts += [drills.circuits_text(each) for each in connected.values()]
    return "\n\n".join(filter(None, parts))


def _next(path: str) -> str | None:
    if path == "expressroute":
        return "erfailover switch --to ipsec"
    return "erfailover switch --to expressroute" if path == "ipsec" else None
