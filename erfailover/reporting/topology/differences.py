"""Why spokes are drawn in several groups: how each differs from the largest. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from erfailover.model.peering_flags import FLAG_LABELS
from erfailover.reporting.marks import Mark
from erfailover.reporting.topology.model import PeeringPair, PeeringSide, SpokeGroup


def describe_differences(groups: Sequence[SpokeGroup]) -> tuple[str, ...]:
    """Return for each group, in words, how its peerings differ; empty for the largest group.

    A path and its health are shown with every group, and are not repeated here.
    """
    usual = max(groups, key=lambda group: len(group.spokes))
    return tuple(
        "" if group is usual else "; ".join(_iter_group_differences(group, usual))
        for group in groups
    )


def _iter_group_differences(group: SpokeGroup, usual: SpokeGroup) -> Iterator[str]:
    same_path = group.sample.health.path == usual.sample.health.path
    words = []
    for pair, other in zip(group.sample.pairs, usual.sample.pairs, strict=True):
        words += [*_iter_pair_differences(pair, other, same_path=same_path)]
    yield from words
    if not words and group.sample.health.prestaged != usual.sample.health.prestaged:
        yield "prestaged" if group.sample.health.prestaged else "not prestaged"


def _iter_pair_differences(
    pair: PeeringPair, other: PeeringPair, *, same_path: bool
) -> Iterator[str]:
    hub = pair.outward.remote
    there, there_too = (
        [side for side in peering_pair.sides if side.peering] for peering_pair in (pair, other)
    )
    if any(side.condition.mark is Mark.UNKNOWN for side in pair.sides):
        yield f"{hub}: peerings unknown"
    elif not there and there_too:
        yield f"{hub}: not peered"
    elif len(there) == len(pair.sides) and not there_too:
        yield f"{hub}: peered"
        yield from (side.condition.why for side in there if not side.condition.good)
    else:
        flags = [
            _list_flag_differences(*peering_sides) if same_path else ()
            for peering_sides in zip(pair.sides, other.sides, strict=True)
        ]
        lines = [words for words in flags[0] if words in flags[1]]
        if lines:
            yield f"{hub}: {', '.join(lines)}"
        for number, way in enumerate(("to", "from")):
            what = f"peering {way} {hub}"
            yield from _iter_side_differences(what, pair.sides[number], other.sides[number])
            only = [words for words in flags[number] if words not in lines]
            if only:
                yield f"{what}: {', '.join(only)}"


def _iter_side_differences(what: str, side: PeeringSide, usual: PeeringSide) -> Iterator[str]:
    peering, other = side.peering, usual.peering
    if peering is None or other is None or not side.condition.good:
        if (peering is None) != (other is None) or side.condition.mark is not usual.condition.mark:
            yield side.condition.why
    elif peering.state != other.state:
        yield f"{what} is {peering.state}"
    elif peering.sync_level != other.sync_level:
        yield f"{what}: {peering.sync_level or 'sync level unknown'}"


def _list_flag_differences(side: PeeringSide, usual: PeeringSide) -> list[str]:
    """Return the flags that differ, in words: ``forwarded traffic yes``."""
    if side.peering is None or usual.peering is None:
        return []
    before = asdict(usual.peering.flags)
    return [
        f"{FLAG_LABELS[name]} {'yes' if value else 'no'}"
        for name, value in asdict(side.peering.flags).items()
        if value != before[name]
    ]
