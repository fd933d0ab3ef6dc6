"""Compares the lab's answers with the facts, aspect by aspect.

Owns what counts as agreement. A request that the lab answers 501 to is not modelled: it is
counted by itself, and so is what rests on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from erfailover.lab.core import ids
from erfailover.lab.core.arm_url import TargetKind, parse
from erfailover.lab.providers.registry import PROVIDERS
from tests.tools.replay import bodies
from tests.tools.replay.facts import Facts, Step
from tests.tools.replay.player import Answer, Player
from tests.tools.replay.recording import KEPT_HEADERS
from tests.tools.replay.symbols import template

Json = Any
ASPECTS = ("status", "code", "message", "headers", "polls", "state", "always keys", "keys")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Where the lab's answer is another than Azure's."""

    step: int
    request: str
    aspect: str
    azure: str
    lab: str

    @property
    def also_absent(self) -> bool:
        """Whether the recording's own answer lacks the key, which most answers have."""
        return self.azure.endswith("(absent from the recording too)")

    def __str__(self) -> str:
        return f"{self.step} {self.request}: {self.aspect}: Azure {self.azure}, lab {self.lab}"


@dataclass(slots=True)
class Outcome:
    """How far a lab agrees with one recording, per aspect: how many of how many."""

    facts: Facts
    agreed: Counter[str] = field(default_factory=Counter)
    looked: Counter[str] = field(default_factory=Counter)
    disagreements: list[Disagreement] = field(default_factory=list)
    not_modelled: list[str] = field(default_factory=list)
    rests_on_it: int = 0
    types: Counter[str] = field(default_factory=Counter)
    refused_before: tuple[str, ...] = ()
    by_type: dict[str, Counter[str]] = field(default_factory=dict)


def compare(facts: Facts, answers: list[Answer | None], player: Player) -> Outcome:
    """Compare every step."""
    outcome = Outcome(facts, refused_before=tuple(player.refused_before))
    lost = {ids.to_key(path) for path in player.not_modelled}
    lost_operations: set[int] = set()
    for number, (step, answer) in enumerate(zip(facts.steps, answers, strict=True)):
        if _rests_on_lost(step, lost, lost_operations):
            outcome.rests_on_it += 1
            lost_operations.add(number)
            continue
        if answer is not None and answer.status == 501 and step.status != 501:
            outcome.not_modelled.append(f"{_request(facts, step)}: {_message(answer.body)}")
            lost_operations.add(number)
            if step.method in {"PUT", "DELETE", "PATCH"}:
                lost.add(ids.to_key(step.path))
            continue
        _compare_step(outcome, number, step, answer)
    return outcome


def _rests_on_lost(step: Step, lost: set[str], operations: set[int]) -> bool:
    if step.polls is not None:
        return step.polls in operations
    path, body = ids.to_key(step.path), str(step.body).lower()
    if any(path == name or path.startswith(name + "/") for name in lost):
        return True
    return any(f"'{name}'" in body or f"'{name}/" in body for name in lost)


def _request(facts: Facts, step: Step) -> str:
    if step.polls is not None:
        return f"poll of {facts.steps[step.polls].method} {step_type(facts, step)} by {step.by}"
    return f"{step.method} {step_type(facts, step)}"


def step_type(facts: Facts, step: Step) -> str:
    """The resource type, with the action or part, that a step addresses."""
    if step.polls is not None:
        step = facts.steps[step.polls]
    target = parse(step.path, PROVIDERS)
    if target.kind in {TargetKind.GROUP, TargetKind.GROUPS}:
        text = " [list]" if target.kind is TargetKind.GROUPS else ""
        return f"Microsoft.Resources/resourceGroups{text}"
    name = target.type.type if target.type is not None else target.kind.value
    if target.kind is TargetKind.PART:
        colon = "/" if target.name.startswith("sharedkey") else ":"
        return f"{name}{colon}{target.name}"
    return name + (" [list]" if target.kind is TargetKind.COLLECTION else "")


def _compare_step(outcome: Outcome, number: int, step: Step, answer: Answer | None) -> None:
    facts = outcome.facts
    request = _request(facts, step)
    outcome.types[step_type(facts, step)] += 1

    def note(aspect: str, azure: Json, lab: Json) -> None:
        _count(outcome, step_type(facts, step), aspect, azure == lab)
        if azure != lab:
            disagreement = Disagreement(number, request, aspect, str(azure), str(lab))
            outcome.disagreements.append(disagreement)

    if answer is None:
        note("status", step.status, "no URL to poll")
        return
    status = f"{answer.status} {_code(answer.body) or ''} {_message(answer.body)}".strip()
    note("status", step.status, answer.status if answer.status == step.status else status)
    if step.status >= 400 or step.code is not None:
        note("code", step.code, _code(answer.body))
        if step.message is not None and _code(answer.body) == step.code:
            note("message", step.message, template(_message(answer.body)))
    if answer.status != step.status:
        return
    desired = [name for name in KEPT_HEADERS if name != "retry-after" or facts.keeps_retry_after]
    present = tuple(sorted(name for name in desired if name in answer.headers))
    note("headers", tuple(header for header in step.headers if header in desired), present)
    if step.operation is not None:
        note("polls", step.operation, (answer.body or {}).get("status"))
    if step.state is not None:
        properties = answer.body.get("properties") if isinstance(answer.body, dict) else {}
        note("state", step.state, (properties or {}).get("provisioningState"))
    if step.status < 300 and answer.body:
        for compare_key in _compare_keys(outcome, number, step, answer):
            outcome.disagreements.append(compare_key)


def _count(outcome: Outcome, type_: str, aspect: str, agrees: bool) -> None:
    outcome.looked[aspect] += 1
    outcome.agreed[aspect] += agrees
    row = outcome.by_type.setdefault(type_, Counter())
    row["looked"] += 1
    row["agreed"] += agrees


def _compare_keys(
    outcome: Outcome, number: int, step: Step, answer: Answer
) -> Iterator[Disagreement]:
    facts = outcome.facts
    type_, request = step_type(facts, step), _request(facts, step)
    keys = None
    if step.polls is None:
        keys = bodies.known_keys(f"{type_} | {step.method} {step.status}")
    if keys is not None:
        missing, looked = bodies.missing_always(keys, answer.body)
        for number_ in range(looked):
            _count(outcome, type_, "always keys", number_ >= len(missing))
        recorded = facts.shapes.get(step.keys or "", {})
        for path in missing:
            note = path if path in recorded else f"{path} (absent from the recording too)"
            yield Disagreement(number, request, "always keys", note, "absent")
    there = bodies.shape(answer.body)
    desired = set(keys.always) | set(keys.if_parent) if keys is not None else None
    for path, kind in facts.shapes.get(step.keys or "", {}).items():
        if desired is not None and path not in desired:
            continue
        above = bodies.parent(path)
        if above and above.removesuffix("[]") not in there:
            continue  # the parent's absence is what is to be told
        if above.endswith("[]") and not any(name.startswith(above + ".") for name in there):
            continue  # no item
        _count(outcome, type_, "keys", there.get(path) == kind)
        if there.get(path) != kind:
            yield Disagreement(
                number, request, "keys", f"{path} ({kind})", there.get(path, "absent")
            )


def _code(body: Json) -> str | None:
    result = body.get("error", body) if isinstance(body, dict) else {}
    return result.get("code") if isinstance(result, dict) else None


def _message(body: Json) -> str:
    result = body.get("error", body) if isinstance(body, dict) else {}
    return str(result.get("message", "")) if isinstance(result, dict) else ""
