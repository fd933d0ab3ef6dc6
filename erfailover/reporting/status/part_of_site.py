"""Notes of a status on a part of a site, or on one whose spokes are on both paths. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from erfailover.model.command_line import switch_to
from erfailover.model.counting import format_count
from erfailover.model.observed import SiteSnapshot
from erfailover.model.site import Path, Site
from erfailover.planning.health import Health
from erfailover.planning.switch import gates
from erfailover.reporting.way_back import format_way_back
from erfailover.reporting.words import format_path


def list_notes(site: Site, observed: SiteSnapshot, health: Health) -> tuple[str, ...]:
    """Return which spokes were not read, and how the rest of a mixed site can follow."""
    return tuple((*_iter_unread(site), *_iter_followers(site, observed, health)))


def _iter_unread(site: Site) -> Iterator[str]:
    if site.others:
        every = format_count(len(site.spokes) + len(site.others), "spoke")
        yield f"Shows {len(site.spokes)} of {every}; the others were not read."


def _iter_followers(site: Site, observed: SiteSnapshot, health: Health) -> Iterator[str]:
    counts = Counter(spoke.path for spoke in health.spokes)
    if not all(counts[path] for path in Path):
        return
    for target in Path:
        command = switch_to(target, site.chosen)
        text = format_way_back(command, target, gates.list_refusals(site, observed, target))
        spokes = format_count(counts[target.other], "spoke")
        yield f"To move the rest to {format_path(target)} ({spokes}): {text}"


def suggest_command(site: Site, observed: SiteSnapshot, health: Health) -> str:
    """Return the command that helps if a path does not work.

    It moves the spokes to the other path if that is ready; otherwise it finds what prevents that.
    """
    paths = {spoke.path for spoke in health.spokes if spoke.healthy is False}
    if len(paths) != 1 or (path := paths.pop()) not in tuple(Path):
        return "erfailover doctor"
    target = Path(path).other
    if gates.list_refusals(site, observed, target):
        return f"{format_path(target)} is not ready either. To see why: erfailover doctor"
    return switch_to(target, site.chosen)
