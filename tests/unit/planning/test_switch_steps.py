"""The table of steps is whole, and nothing but the table knows what a step's number means."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import erfailover
from erfailover.model.plan import Phase, StepKind
from erfailover.planning.switch.procedure import NUMBERED, RULES, STEPS, Side, format_steps

PRODUCT = Path(erfailover.__file__).parent
TABLE = "planning/switch/procedure.py"
OTHER_NUMBERS = {"azure/readers/cache.py": "the readings of a run are numbered"}
"""Modules whose ``number`` is of something else."""
NUMBERED_TEXT = re.compile(r"\bsteps? (from )?[0-9]")


def violations(source: str) -> Iterator[str]:
    """Where a module uses a step's number other than to show it.

    Showing is an f-string, or the value of ``"number"`` in plain data. Anything else (a comparison,
    a key, an argument) could decide on it. A text that has a number written out is found too.
    """
    tree = ast.parse(source)
    names: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue):
            names.add(id(node.value))
        elif isinstance(node, ast.Dict):
            names |= {
                id(value)
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and key.value == "number"
            }
        elif isinstance(node, ast.Call):
            names.add(id(node.func))  # a function of that name: svg.number(...)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "number" and id(node) not in names:
            yield f"line {node.lineno}: {ast.unparse(node)} is used, not shown"
        if isinstance(node, ast.Compare) and any(
            isinstance(comparator, ast.Subscript) and ast.unparse(comparator.slice) == "'number'"
            for comparator in (node.left, *node.comparators)
        ):
            yield f"line {node.lineno}: {ast.unparse(node)} compares a number"
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and NUMBERED_TEXT.search(node.value)
        ):
            yield f"line {node.lineno}: a step's number is written out: {node.value!r}"


def modules() -> dict[str, str]:
    """The sources of the controller, by path within the package."""
    return {
        name: path.read_text(encoding="utf-8")
        for path in sorted(PRODUCT.rglob("*.py"))
        if not (name := path.relative_to(PRODUCT).as_posix()).startswith("lab/")
    }


def test_no_module_but_the_table_decides_on_a_steps_number() -> None:
    sources = modules()
    assert {TABLE, *OTHER_NUMBERS, "commands/switch/execution.py"} <= set(sources)
    by_name = {
        name: list(violations(source))
        for name, source in sources.items()
        if name not in (TABLE, *OTHER_NUMBERS)
    }
    assert {name: lines for name, lines in by_name.items() if lines} == {}


@pytest.mark.parametrize(
    "injected",
    [
        "late = step.number > 4",
        "late = 4 < step.number",
        "hub = step.number in {1, 5, 7}",
        "part = PARTS[step.number]",
        "part = PARTS.get(node.step.number)",
        "late = phase(step.number) == 2",
        "late = document['number'] == 5",
        "match step.number:\n    case 4:\n        late = True",
        "text = 'switch: steps 1 to 5'",
        "text = f'as in step 3 of {spoke}'",
        "def undo():\n    'Undo step 3.'",
    ],
)
def test_a_number_that_decides_something_is_found_wherever_it_is_put(injected: str) -> None:
    source = modules()["commands/switch/execution.py"]
    assert list(violations(f"{source}\n\n{injected}\n"))


@pytest.mark.parametrize(
    "harmless",
    ["text = f'{step.number}. {step.title}'", "data = {'number': step.number}", "svg.number(1.5)"],
)
def test_showing_a_number_is_allowed(harmless: str) -> None:
    assert list(violations(harmless)) == []


def test_every_kind_of_step_is_in_the_table_once() -> None:
    assert [rule.kind for rule in STEPS] == list(StepKind)
    assert dict(RULES) == {rule.kind: rule for rule in STEPS}


def test_the_numbers_count_the_rows() -> None:
    last = [rule for rule in STEPS if rule.kind is StepKind.MOVE_NEXT_HOPS]
    rest = [rule for rule in STEPS if rule not in last]
    assert [rule.number for rule in (*rest, *last)] == list(range(1, len(STEPS) + 1))
    assert list(NUMBERED.values()) == list(STEPS)


def test_every_step_has_a_phase_and_the_phases_follow_one_another() -> None:
    phases = [rule.phase for rule in STEPS]
    assert set(phases) == set(Phase)
    assert phases == sorted(phases, key=list(Phase).index)


def test_the_gate_is_before_the_first_step_of_the_switch_and_nowhere_else() -> None:
    switch = [rule for rule in STEPS if rule.phase is Phase.SWITCH]
    assert [rule.kind for rule in switch] == [
        StepKind.BREAK,
        StepKind.MAKE,
        StepKind.MOVE_NEXT_HOPS,
    ]
    assert [rule for rule in STEPS if rule.gated] == switch[:1]
    assert [rule for rule in STEPS if rule.contingency] == switch


def test_break_and_make_wait_for_no_other_spokes_write_on_a_hub() -> None:
    assert not any(rule.writes_hub for rule in STEPS if rule.phase is Phase.SWITCH)
    assert {rule.side for rule in STEPS if rule.writes_hub} == {
        Side.ARRIVING_TO_SPOKE,
        Side.LEAVING_TO_SPOKE,
    }


def test_a_reason_names_another_step_by_its_number_in_the_table() -> None:
    _, why = RULES[StepKind.MAKE].format_words("vnet1", "vnet3", "vnet2")
    number = RULES[StepKind.BREAK].number
    assert why == (
        f"connects the spoke to the new gateway. If Azure rejects it, step {number} is rolled back"
    )
    for rule in STEPS:
        assert not NUMBERED_TEXT.search(rule.title + rule.why)
        assert not re.search("[{}]", "".join(rule.format_words("vnet1", "vnet3", "vnet2")))


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ({StepKind.BREAK}, "step 3"),
        ({StepKind.PREPARE_SPOKE, StepKind.ALLOW_TRANSIT}, "steps 1, 2"),
        ({StepKind.ALLOW_TRANSIT, StepKind.BREAK, StepKind.MAKE}, "steps 1, 3, 4"),
        ({rule.kind for rule in STEPS if rule.phase is not Phase.CLEANUP}, "steps 1 to 4, 9"),
    ],
)
def test_steps_in_words(kinds: set[StepKind], words: str) -> None:
    assert format_steps(kinds) == words
