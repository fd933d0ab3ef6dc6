"""What is at risk while a plan of peerings is carried out, and what is not. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from erfailover.model.durations import HOLD_TIME_S, LEARNING_S, Usual, duration
from erfailover.model.plan import Change, SwitchPlan
from erfailover.model.resource_ids import last_of
from erfailover.model.site import ROLE_OF_PATH, Site
from erfailover.planning.switch.estimate import Expected
from erfailover.planning.switch.procedure import phase


@dataclass(frozen=True, slots=True)
class Risk:
    """Something that is at risk for a while.

    Attributes:
        when: during which steps.
        what: what is at risk, in words.
        usual: for how long; None where that is not an estimate of ours.
    """

    when: str
    what: str
    usual: Usual | None = None


UNTOUCHED = (
    "Internet and NAT, and traffic between peered VNets: no peering with the primary hub is "
    "removed, and none loses access"
)
"""What no step of any plan puts at risk (``procedure``, invariant 1)."""


def risks(site: Site, plan: SwitchPlan, expected: Expected | None) -> tuple[Risk, ...]:
    """What is at risk while a plan is carried out, in the order of its steps."""
    return tuple(_risks(site, plan, expected))


def _risks(site: Site, plan: SwitchPlan, expected: Expected | None) -> Iterator[Risk]:
    arriving, leaving = ROLE_OF_PATH[plan.target], ROLE_OF_PATH[plan.target.other]
    hub = last_of(site.hub(arriving).virtual_network)
    added = sorted({step.number for step in plan.writes if step.write.change is Change.CREATE})
    if added:
        yield Risk(
            _steps(added),
            f"new peerings: routes between the spokes and {hub}, and the VirtualNetwork tag of "
            "their security groups is wider. No path is touched",
        )
    numbers = {step.number for step in plan.writes if phase(step.number) == 1}
    if 3 in numbers:
        prefixes = ", ".join(map(str, site.remote_prefixes))
        lost = last_of(site.hub(leaving).gateway)
        yield Risk(
            "between 3 and 4, each spoke",
            f"the spoke's path over the gateway is away, to {prefixes} and back; what {lost} does "
            "not carry any more is not lost by it",
            expected.cut if expected else None,
        )
    if numbers:
        yield Risk(
            "after 4",
            f"the far end has yet to learn the way by BGP: about {duration(LEARNING_S)} (assumed), "
            f"up to {duration(HOLD_TIME_S)} while it holds the routes of a dead session",
        )
    removed = sorted({step.number for step in plan.writes if step.write.change is Change.DELETE})
    if removed:
        yield Risk(
            _steps(removed), "the routes of these peerings go; none is removed that carries a path"
        )


def _steps(numbers: list[int]) -> str:
    word = "step" if len(numbers) == 1 else "steps"
    return f"{word} {', '.join(map(str, numbers))}"
