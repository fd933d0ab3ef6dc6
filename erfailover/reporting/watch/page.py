"""The page of ``erfailover watch``: every site, the worst first. Pure.

Names and messages come from site files and from Azure: Jinja2 escapes everything except the
diagrams, which are made as XML. The page holds no inline style or script, so that its content
security policy can forbid them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from erfailover.model.counting import format_count, join_names
from erfailover.model.durations import format_duration
from erfailover.model.moments import format_moment
from erfailover.model.watch import (
    Event,
    Observation,
    Signal,
    SignalStatus,
    SiteView,
    SpokeState,
    WatchReading,
    WatchState,
)
from erfailover.reporting.watch.assets import read_asset
from erfailover.reporting.watch.health import compute_stale_after
from erfailover.reporting.words import NO_PATH, format_path

GOOD, WARN, BAD, IDLE = "good", "warn", "bad", "idle"
"""The tones: colours and marks in the style sheet. The words say the same."""


@dataclass(frozen=True, slots=True)
class StateWords:
    """How a state is shown.

    Attributes:
        word: the state in one or two words.
        tone: its colour.
        text: what it means, for a reader who sees the page for the first time.
    """

    word: str
    tone: str
    text: str


STATES: Mapping[WatchState, StateWords] = MappingProxyType(
    {
        WatchState.FAILED: StateWords(
            "Failed", BAD, "ExpressRoute is down: two signals agree, in two readings."
        ),
        WatchState.LOCKED_OUT: StateWords(
            "Locked out", BAD, "Nothing is switched until an operator runs erfailover resume."
        ),
        WatchState.SUSPECT: StateWords(
            "Suspect", WARN, "A signal of ExpressRoute is down; the next reading decides."
        ),
        WatchState.UNKNOWN: StateWords(
            "Unknown", WARN, "ExpressRoute cannot be judged. Nothing is switched on a guess."
        ),
        WatchState.ON_BACKUP: StateWords(
            "On backup", WARN, "The spokes are on IPsec; ExpressRoute is not healthy."
        ),
        WatchState.DEGRADED: StateWords(
            "Degraded", WARN, "Traffic passes, but not everything is in order."
        ),
        WatchState.RECOVERING: StateWords(
            "Recovering", WARN, "The spokes are on IPsec; ExpressRoute is healthy again."
        ),
        WatchState.PAUSED: StateWords("Paused", WARN, "Readings continue; nothing is switched."),
        WatchState.HEALTHY: StateWords(
            "Healthy", GOOD, "The spokes are on ExpressRoute. IPsec is ready to take over."
        ),
    }
)
"""The worst first: the order of the sites on the page."""
MODES: Mapping[str, str] = MappingProxyType(
    {
        "observe": "notifies only",
        "approve": "switches after an approval",
        "automatic": "switches by itself",
    }
)
SIGNALS: Mapping[Signal, str] = MappingProxyType(
    {
        Signal.GATEWAY: "Gateway",
        Signal.EDGE: "Circuit edge",
        Signal.PROBES: "Probes",
    }
)
STATUSES: Mapping[SignalStatus, tuple[str, str]] = MappingProxyType(
    {
        SignalStatus.UP: (GOOD, "up"),
        SignalStatus.DOWN: (BAD, "down"),
        SignalStatus.UNKNOWN: (WARN, "unknown"),
    }
)
BACKUP_STATUSES: Mapping[SignalStatus, tuple[str, str]] = MappingProxyType(
    {
        SignalStatus.UP: (GOOD, "ready"),
        SignalStatus.DOWN: (BAD, "not ready"),
        SignalStatus.UNKNOWN: (WARN, "unknown"),
    }
)
SEVERITIES = MappingProxyType({"info": IDLE, "warning": WARN, "critical": BAD})
LISTED = 12
"""So many spokes are listed at once, exceptions first; the others are folded away."""
EVENTS = 15
"""So many events are listed at once; the others are folded away."""
NAMED = 6
"""So many spokes without a path are named in the verdict."""
WARNINGS = 3
"""So many warnings are part of the verdict; all are listed below it."""
_ROOT_STYLE = re.compile(r'^(<svg\b[^>]*?) style="[^"]*"')


@dataclass(frozen=True, slots=True)
class Row:
    """A signal, or another observation, as a row of a table."""

    name: str
    tone: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence below the verdict."""

    tone: str
    text: str


def render_page(views: Sequence[SiteView], now: float, version: str) -> str:
    """Return the whole page; complete without JavaScript.

    Args:
        views: the watched sites.
        now: the present, from which ages are computed.
        version: a page with another version reloads itself.
    """
    ordered = order_views(views)
    return _load_template("page.html").render(
        sites=[*map(_describe_site, ordered)],
        title=format_title(ordered),
        now=now,
        version=version,
        **_build_filters(now),
    )


def render_sites(views: Sequence[SiteView]) -> str:
    """Return the part of the page that changes; the script of the page adds the ages."""
    ordered = order_views(views)
    return _load_template("sites.html").render(
        sites=[*map(_describe_site, ordered)], **_build_filters(None)
    )


def render_login(message: str, version: str) -> str:
    """Return the page that asks for the token."""
    return _load_template("login.html").render(message=message, version=version)


def order_views(views: Sequence[SiteView]) -> list[SiteView]:
    """Return the sites, the worst first; equally bad ones by name."""
    states = [*STATES]
    return sorted(
        views,
        key=lambda view: (
            not _is_stranded(view),
            choose_words(view).tone == IDLE,
            states.index(view.state),
            view.site,
        ),
    )


def format_title(views: Sequence[SiteView]) -> str:
    """Return the title of the window: the worst site and its state."""
    if not views:
        return "erfailover watch"
    worst = order_views(views)[0]
    more = f" (+{len(views) - 1})" if len(views) > 1 else ""
    return f"{choose_words(worst).word}: {worst.site}{more}"


def choose_words(view: SiteView) -> StateWords:
    """Return the words for a site's state, or why there is none yet."""
    if view.reading is not None or view.state is not WatchState.UNKNOWN:
        return STATES[view.state]
    if view.is_leader:
        return StateWords("Starting", IDLE, "The first reading has not ended yet.")
    if view.leader:
        text = f"{view.leader} leads this site; this replica takes over if that one fails."
        return StateWords("Standby", IDLE, text)
    return StateWords("No leader", WARN, "No replica leads this site yet; nothing is switched.")


def count_spokes(spokes: Sequence[SpokeState]) -> list[tuple[str, int, str]]:
    """Return how many spokes are on each path, as tone, count and words; the worst first."""
    paths = Counter(spoke.path for spoke in spokes)
    unhealthy = sum(spoke.healthy is False and spoke.path != "none" for spoke in spokes)
    counts = [
        (BAD, paths.pop("none", 0), NO_PATH["none"]),
        (BAD, unhealthy, "not carried by their path"),
        (WARN, paths.pop("unknown", 0), NO_PATH["unknown"]),
        *((IDLE, count, f"on {format_path(path)}") for path, count in sorted(paths.items())),
    ]
    return [item for item in counts if item[1]]


def sort_spokes(spokes: Sequence[SpokeState]) -> tuple[list[SpokeState], list[SpokeState]]:
    """Return the exceptions, the worst first, and the others.

    An exception has no path, an unknown one, one that does not carry it, or another path than most.
    """
    paths = Counter(spoke.path for spoke in spokes if spoke.path not in NO_PATH)
    usual = paths.most_common(1)[0][0] if paths else ""

    def rate(spoke: SpokeState) -> int:
        faults = (spoke.path == "none", spoke.healthy is False, spoke.path == "unknown")
        return next((number for number, fault in enumerate(faults) if fault), len(faults))

    exceptions = [spoke for spoke in spokes if spoke.path != usual or spoke.healthy is False]
    others = [spoke for spoke in spokes if spoke.path == usual and spoke.healthy is not False]
    return sorted(exceptions, key=rate), others


def _is_stranded(view: SiteView) -> bool:
    return bool(view.reading and view.reading.without_path)


def _describe_site(view: SiteView) -> dict[str, Any]:
    """Return what the template shows of a site."""
    words = choose_words(view)
    reading = view.reading
    spokes = reading.spokes if reading else ()
    exceptions, others = sort_spokes(spokes)
    listed = [*exceptions, *others][:LISTED]
    return {
        "view": view,
        "id": _build_id(view.site),
        "words": words,
        "tone": BAD if _is_stranded(view) else words.tone,
        "lines": [*_list_notes(view)],
        "stale_after_s": compute_stale_after(view),
        "mode": MODES.get(view.mode, ""),
        "signals": [*_list_signals(reading)] if reading else [],
        "counts": count_spokes(spokes),
        "total": format_count(len(spokes), "spoke"),
        "exceptions": [_describe_spoke(spoke) for spoke in listed],
        "others": [_describe_spoke(spoke) for spoke in [*exceptions, *others][len(listed) :]],
        "diagram": Markup(_ROOT_STYLE.sub(r"\1", view.svg)),  # made by reporting.svg
        "days": [*_group_by_day(view.events[:EVENTS])],
        "older": [*_group_by_day(view.events[EVENTS:])],
        "older_count": format_count(len(view.events[EVENTS:]), "older event"),
        "target": format_path(view.approval.target) if view.approval else "",
    }


def _list_notes(view: SiteView) -> Iterator[Note]:
    reading = view.reading
    if reading and reading.without_path:
        names = join_names(reading.without_path, NAMED)
        verb = "has" if len(reading.without_path) == 1 else "have"
        yield Note(BAD, f"{names} {verb} NO path.")
    for row in _list_signals(reading) if reading else ():
        if row.tone == BAD:
            yield Note(BAD, f"{row.name} {row.status}" + (f": {row.reason}" if row.reason else "."))
    for warning in reading.warnings[:WARNINGS] if reading else ():
        yield Note(WARN, warning)
    if view.store_problem:
        yield Note(
            BAD, f"The shared store cannot be used, so nothing new is begun: {view.store_problem}"
        )
    if view.run:
        yield Note(IDLE, f"Under way: {view.run}")
    if view.withheld:
        yield Note(WARN, f"No switch is made: {view.withheld}")
    if reading and reading.operator_run:
        yield Note(IDLE, f"{reading.operator_run} holds the site's lease; the watch only observes.")
    if reading and reading.unfinished_run and not view.run:
        yield Note(WARN, f"Run {reading.unfinished_run} of a watcher has not ended.")


def _list_signals(reading: WatchReading) -> Iterator[Row]:
    for signal, observation in reading.signals.items():
        yield _build_row(SIGNALS[signal], observation, STATUSES)
    yield _build_row("IPsec", reading.backup, BACKUP_STATUSES)
    if reading.witness.status is not SignalStatus.UP or reading.witness.reason:
        yield _build_row("Witness", reading.witness, STATUSES)
    for warning in reading.warnings:
        yield Row("Warning", WARN, "", warning)


def _build_row(
    name: str, observation: Observation, words: Mapping[SignalStatus, tuple[str, str]]
) -> Row:
    return Row(name, *words[observation.status], observation.reason)


def _describe_spoke(spoke: SpokeState) -> Row:
    path = NO_PATH.get(spoke.path, format_path(spoke.path))
    if spoke.path == "none" or spoke.healthy is False:
        return Row(spoke.name, BAD, path, "" if spoke.path == "none" else "not carried")
    if spoke.path == "unknown" or spoke.healthy is None:
        return Row(spoke.name, WARN, path, "unknown")
    return Row(spoke.name, GOOD, path, "carried")


def _group_by_day(events: Sequence[Event]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for day, group in groupby(events, lambda event: format_moment(event.at).split()[0]):
        yield (
            day,
            [
                {
                    "tone": GOOD if event.resolves else SEVERITIES[event.severity.value],
                    "word": "resolved" if event.resolves else event.severity.value,
                    "at": event.at,
                    "text": event.text,
                }
                for event in group
            ],
        )


def _build_id(site: str) -> str:
    """Return an id for an element: unique, and with no character that an URL would escape."""
    return "site-" + re.sub(r"[^A-Za-z0-9-]", lambda match: f"_{ord(match[0]):x}_", site)


def _build_filters(now: float | None) -> dict[str, Any]:
    """Return how the template writes moments.

    Args:
        now: the present; None if the script of the page fills in the ages.
    """

    def format_age(at: float) -> str:
        return "" if now is None else format_duration(max(now - at, 0.0))

    def format_rest(at: float) -> str:
        return "" if now is None else format_duration(max(at - now, 0.0))

    def is_late(at: float, after_s: float) -> bool:
        return now is not None and now - at > after_s

    return {"utc": format_moment, "age": format_age, "rest": format_rest, "late": is_late}


@cache
def _load_template(name: str) -> Template:
    environment = Environment(
        loader=FunctionLoader(read_asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
