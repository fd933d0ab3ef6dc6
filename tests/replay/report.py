"""How far the lab agrees with recordings, in lines and tables.

Owns the wording and the marked block of the documentation; it decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.replay.compare import ASPECTS, Outcome

BEGIN, END = "<!-- conformance -->", "<!-- /conformance -->"
STRICT = ("status", "code", "headers", "polls", "state")
"""The aspects that must agree."""


def _share(agreed: int, looked: int) -> str:
    return f"{agreed}/{looked}" if looked else "-"


def line(outcome: Outcome) -> str:
    """One recording in one line."""
    parts = [
        f"{aspect} {_share(outcome.agreed[aspect], outcome.looked[aspect])}"
        for aspect in ASPECTS
        if outcome.looked[aspect]
    ]
    parts.append(f"not modelled {len(outcome.not_modelled)}+{outcome.rests_on_it}")
    parts.append(f"skipped {sum(outcome.facts.skipped.values())}")
    return f"{outcome.facts.name}: " + ", ".join(parts)


def details(outcome: Outcome) -> Iterator[str]:
    """Each disagreement, and what is not modelled."""
    for each in outcome.disagreements:
        yield f"    {each}"
    for text in dict.fromkeys(outcome.not_modelled):
        yield f"    not modelled: {text}"
    for text in outcome.refused_before:
        yield f"    presumed, but the lab refuses it: {text}"


def breaks(outcome: Outcome) -> bool:
    """Whether something that must agree does not."""
    return any(each.aspect in STRICT for each in outcome.disagreements)


def total(outcomes: list[Outcome]) -> str:
    """All recordings in one line."""
    agreed: Counter[str] = Counter()
    looked: Counter[str] = Counter()
    for each in outcomes:
        agreed += each.agreed
        looked += each.looked
    parts = [f"{aspect} {_share(agreed[aspect], looked[aspect])}" for aspect in ASPECTS]
    return f"{len(outcomes)} recordings: " + ", ".join(parts)


def rewrite(document: Path, outcomes: list[Outcome]) -> None:
    """Put the tables into the marked block of a document."""
    text = document.read_text("utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    document.write_text(f"{head}{BEGIN}\n{block(outcomes)}\n{END}{tail}", "utf-8")


def block(outcomes: list[Outcome]) -> str:
    """The tables: per recording, per type."""
    head = ("recording", "date", "requests", *ASPECTS, "not modelled", "skipped")
    rows = [f"| {' | '.join(head)} |"]
    rows.append("|---" * (len(ASPECTS) + 5) + "|")
    for each in outcomes:
        cells = [_share(each.agreed[aspect], each.looked[aspect]) for aspect in ASPECTS]
        lost = len(each.not_modelled) + each.rests_on_it
        skipped = sum(each.facts.skipped.values())
        rows.append(
            f"| {each.facts.name} | {each.facts.date} | {len(each.facts.steps)} | "
            + " | ".join(cells)
            + f" | {lost} | {skipped} |"
        )
    return "\n".join(rows)
