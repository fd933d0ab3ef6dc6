"""The pictures in the documentation show what the code of today makes."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from erfailover.planning.switch.procedure import STEPS
from tests.tools.pictures import procedure
from tests.tools.pictures.__main__ import STORY

IMAGES = Path(__file__).parents[3] / "docs" / "images"


def told(svg: str) -> list[tuple[str, str, str]]:
    """All that a picture says, without where it stands: texts, and what each part is."""
    root = ElementTree.fromstring(svg)
    return [
        (each.get("id", ""), each.get("class", ""), (each.text or "").strip())
        for each in root.iter()
        if each.get("id") or each.get("class") or (each.text or "").strip()
    ]


def test_the_picture_of_the_procedure_is_what_procedure_and_schedule_give() -> None:
    committed = (IMAGES / "procedure.svg").read_text(encoding="utf-8")
    assert told(committed) == told(procedure.drawn()), "run scripts/update-pictures"


def test_it_has_every_step_of_a_first_switch_the_gate_and_what_is_taken_back() -> None:
    ids = [name for name, _, _ in told(procedure.drawn()) if name]
    steps = [f"vnet1/{rule.number}" for rule in STEPS[:5]]
    assert set(ids) == {"guards", *steps, "gate", "back/3", "back/4", "outcome"}


@pytest.mark.parametrize("name", [name for name, _ in STORY])
def test_a_picture_of_the_topology_shows_the_whole_site(name: str) -> None:
    parts = told((IMAGES / f"topology-{name}.svg").read_text(encoding="utf-8"))
    words = {text for _, _, text in parts}
    assert {"vnet1", "vnet2", "vnet3", "gateway vng1", "gateway vng2", "10.5.0.0/16"} <= words
    path = "IPsec" if name == "after" else "ExpressRoute"
    assert any(f"vnet1 is on {path}" in each for each in words)
