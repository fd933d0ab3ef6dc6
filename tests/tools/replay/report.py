"""How far the lab agrees with recordings, in lines and tables.

Owns the wording and the marked block of the documentation; it decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.tools.replay.compare import ASPECTS, Outcome
from tests.tools.replay.known import KNOWN, key_reason
from tests.tools.replay.modelled import fill_agreement_column

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
    for disagreement in outcome.disagreements:
        yield f"    {disagreement}"
    for text in dict.fromkeys(outcome.not_modelled):
        yield f"    not modelled: {text}"
    for text in outcome.refused_before:
        yield f"    presumed, but the lab refuses it: {text}"


def breaks(outcome: Outcome) -> bool:
    """Whether something that must agree does not."""
    return any(disagreement.aspect in STRICT for disagreement in outcome.disagreements)


def total(outcomes: list[Outcome]) -> str:
    """All recordings in one line."""
    agreed, looked = _sums(outcomes)
    parts = [f"{aspect} {_share(agreed[aspect], looked[aspect])}" for aspect in ASPECTS]
    return f"{len(outcomes)} recordings: " + ", ".join(parts)


def rewrite(document: Path, outcomes: list[Outcome]) -> None:
    """Put the tables into the marked block of a document."""
    text = document.read_text("utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    text = f"{head}{BEGIN}\n{block(outcomes)}\n{END}{tail}"
    document.write_text(fill_agreement_column(text, outcomes), "utf-8")


def block(outcomes: list[Outcome]) -> str:
    """The tables: in all, per type, per recording, and what stays different."""
    parts = (
        _intro(outcomes),
        "#### By resource type and action",
        _types_table(outcomes),
        "#### What stays different",
        _differences(outcomes),
        "#### By recording",
        _recordings_table(outcomes),
    )
    return "\n\n".join(parts)


def _intro(outcomes: list[Outcome]) -> str:
    requests = sum(len(outcome.facts.steps) for outcome in outcomes)
    lost = sum(len(outcome.not_modelled) + outcome.rests_on_it for outcome in outcomes)
    skipped: Counter[str] = Counter()
    for item in outcomes:
        skipped.update(item.facts.skipped)
    before = sum(len(step.before) for outcome in outcomes for step in outcome.facts.steps)
    agreed, looked = _sums(outcomes)
    rows = ["| aspect | agreed | of | share |", "|---|---|---|---|"]
    for aspect in ASPECTS:
        share = f"{100 * agreed[aspect] / looked[aspect]:.2f} %" if looked[aspect] else "-"
        rows.append(f"| {aspect} | {agreed[aspect]} | {looked[aspect]} | {share} |")
    reasons = Counter({_plain_reason(name): 0 for name in skipped})
    for name, count in skipped.items():
        reasons[_plain_reason(name)] += count
    left_out = "; ".join(f"{name} {count}" for name, count in reasons.most_common())
    return (
        f"{len(outcomes)} recordings, {requests} requests. Each is replayed at its own date and in "
        "its own order: an operation takes as long as the recording sees it under way. *always "
        "keys* are those that 95 % and more of recorded answers of that kind carry, *keys* those "
        "of the recording's own answer, with their JSON types. az and its like drop `Retry-After`; "
        "there it is not compared.\n\n"
        + "\n".join(rows)
        + f"\n\n{lost} requests meet the lab's 501, or rest on one that does. Left out of the "
        f"recordings, {sum(skipped.values())} requests: {left_out}. Made beforehand because a "
        f"recording presumes them: {before} resources (groups, and what a left out deployment had "
        "made), listed in each file of `tests/tools/replay/facts` as `before`."
    )


def _plain_reason(name: str) -> str:
    return name.split(":")[0]


def _sums(outcomes: list[Outcome]) -> tuple[Counter[str], Counter[str]]:
    agreed: Counter[str] = Counter()
    looked: Counter[str] = Counter()
    for outcome in outcomes:
        agreed.update(outcome.agreed)
        looked.update(outcome.looked)
    return agreed, looked


def _types_table(outcomes: list[Outcome]) -> str:
    played: Counter[str] = Counter()
    sums: dict[str, Counter[str]] = {}
    used: dict[str, set[str]] = {}
    for outcome in outcomes:
        played.update(outcome.types)
        for type_, row in outcome.by_type.items():
            sums.setdefault(type_, Counter()).update(row)
            used.setdefault(type_, set()).add(outcome.facts.name)
    rows = ["| type or action | recordings | requests | agreement |", "|---|---|---|---|"]
    for type_ in sorted(sums):
        row = sums[type_]
        share = 100 * row["agreed"] / row["looked"]
        rows.append(
            f"| {type_} | {len(used[type_])} | {played[type_]} | "
            f"{row['agreed']}/{row['looked']} ({share:.2f} %) |"
        )
    return "\n".join(rows)


def _differences(outcomes: list[Outcome]) -> str:
    rows = [
        f"- {item.recording}, request {', '.join(str(step) for step in sorted(item.steps))}: "
        f"{item.reason}"
        for item in KNOWN
    ]
    keys: Counter[tuple[str, str]] = Counter()
    for outcome in outcomes:
        for disagreement in outcome.disagreements:
            if disagreement.aspect in {"keys", "always keys"}:
                path = disagreement.azure.split(" ")[0]
                keys[(f"{disagreement.request}: `{path}`", key_reason(disagreement.azure))] += 1
    rows.append("- Keys that the lab's answers lack, or have in another JSON type, with how often:")
    for (text, why), count in sorted(keys.items()):
        rows.append(f"  - {text} ({count}): {why or 'no reason'}")
    lost = {text for outcome in outcomes for text in outcome.not_modelled}
    rows.append("- Not modelled, answered 501:")
    rows += [f"  - {text}" for text in sorted(lost)]
    refused = {text for outcome in outcomes for text in outcome.refused_before}
    if refused:
        rows.append("- Presumed by a recording and not modelled:")
        rows += [f"  - {text.rsplit('/', 1)[-1]}" for text in sorted(refused)]
    return "\n".join(rows)


def _recordings_table(outcomes: list[Outcome]) -> str:
    head = ("recording", "from", "date", "requests", *ASPECTS, "501", "left out")
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for outcome in outcomes:
        cells = [_share(outcome.agreed[aspect], outcome.looked[aspect]) for aspect in ASPECTS]
        source = outcome.facts.source
        commit = source.get("commit", "")[:9]
        where = f"{source.get('repository', '')}{' ' + commit if commit else ''}"
        first = (outcome.facts.name, where, str(outcome.facts.date), str(len(outcome.facts.steps)))
        last = (
            len(outcome.not_modelled) + outcome.rests_on_it,
            sum(outcome.facts.skipped.values()),
        )
        rows.append(f"| {' | '.join((*first, *cells, *map(str, last)))} |")
    return "\n".join(rows)
