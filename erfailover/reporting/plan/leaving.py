"""What working traffic a switch interrupts, in words. Pure."""

from __future__ import annotations

from erfailover.model.counting import join_names
from erfailover.model.durations import describe_usual
from erfailover.model.plan import SwitchPlan
from erfailover.model.site import Site
from erfailover.planning.switch.estimate import estimate_plan
from erfailover.reporting.words import format_path

FEW = 3
"""How many spokes are named."""


def describe_healthy(plan: SwitchPlan) -> str:
    """Return which spokes a plan takes off a path that works: ``vnet1 is healthy on IPsec``."""
    names = plan.leaves_healthy
    are = "is" if len(names) == 1 else "are"
    return f"{join_names(names, FEW)} {are} healthy on {format_path(plan.target.other)}"


def describe_interruption(site: Site, plan: SwitchPlan) -> str:
    """Return which spokes are healthy, and for how long each is interrupted.

    Args:
        site: the site.
        plan: a switch that leaves a healthy path.
    """
    name = "It" if len(plan.leaves_healthy) == 1 else "Each"
    whole = estimate_plan(site, plan)
    time = f" for {describe_usual(whole.cut)}" if whole and whole.cut else ""
    prefixes = join_names([str(prefix) for prefix in site.remote_prefixes], FEW)
    return f"{describe_healthy(plan)}. {name} is cut off from {prefixes}{time}."
