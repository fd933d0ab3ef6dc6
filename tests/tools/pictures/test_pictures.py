"""The pictures in the documentation show what the code of today makes."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from erfailover.model.plan import Phase, StepKind
from erfailover.planning.switch.procedure import STEPS as ALL_STEPS
from tests.tools.pictures import procedure
from tests.tools.pictures.__main__ import STORY

IMAGES = Path(__file__).parents[3] / "docs" / "images"

STEPS = [rule for rule in ALL_STEPS if rule.kind is not StepKind.MOVE_NEXT_HOPS]
"""Those of the sample site, which has no firewall."""


def list_parts(svg: str) -> list[tuple[str, str, str]]:
    """All that a picture says, without where it stands: texts, and what each part is."""
    root = ElementTree.fromstring(svg)
    return [
        (element.get("id", ""), element.get("class", ""), (element.text or "").strip())
        for element in root.iter()
        if element.get("id") or element.get("class") or (element.text or "").strip()
    ]


def test_the_picture_of_the_procedure_is_what_procedure_and_schedule_give() -> None:
    committed = (IMAGES / "procedure.svg").read_text(encoding="utf-8")
    assert list_parts(committed) == list_parts(procedure.draw_switch()), (
        "run scripts/update-pictures"
    )


def test_it_has_every_step_of_the_table_the_gate_and_what_is_taken_back() -> None:
    ids = [name for name, _, _ in list_parts(procedure.draw_switch()) if name]
    steps = [f"step/{rule.number}" for rule in STEPS]
    assert ids == [
        *("guards", *steps[:2], "gate", *steps[2:], "outcome"),
        *(f"back/{rule.number}" for rule in STEPS if rule.contingency),
    ]


def test_it_frames_every_phase_and_says_whose_peering_a_step_writes() -> None:
    parts = list_parts(procedure.draw_switch())
    frames = [n for n, (_, kind, _) in enumerate(parts) if kind == "group"]
    titles = [next(text for _, _, text in parts[n:] if text) for n in frames]
    assert titles == [phase.value for phase in Phase]
    words = [text for _, _, text in parts]
    for rule in STEPS:
        title = next(n for n, word in enumerate(words) if word.startswith(f"{rule.number}. "))
        assert words[title + 1].endswith(rule.side.value)


@pytest.mark.parametrize("name", [name for name, _ in STORY])
def test_a_picture_of_the_topology_shows_the_whole_site(name: str) -> None:
    parts = list_parts((IMAGES / f"topology-{name}.svg").read_text(encoding="utf-8"))
    words = {text for _, _, text in parts}
    assert {"vnet1", "vnet2", "vnet3", "gateway vng1", "gateway vng2", "10.5.0.0/16"} <= words
    path = "IPsec" if name == "after" else "ExpressRoute"
    assert any(f"vnet1 is on {path}" in word for word in words)
