"""docs/lab.md says of every type and action what is modelled; its examples are what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from erfailover.lab.core import resource_types as rt
from erfailover.lab.engine.faults import read_faults
from erfailover.lab.engine.lab import Lab
from erfailover.lab.machines.shell.programs import make_machine_programs
from erfailover.lab.providers.registry import PROVIDERS
from erfailover.lab.server.server import LabServer

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = (ROOT / "docs" / "lab.md").read_text("utf-8")


def read_documented_types() -> set[str]:
    """What the first column of the table of types names, in lower case."""
    rows = re.findall(r"^\| (`[^|]*`[^|]*)\|", DOCUMENT, re.MULTILINE)
    return {name.lower() for row in rows for name in re.findall(r"`([^`]+)`", row)}


@pytest.mark.parametrize("resource_type", list(PROVIDERS), ids=lambda value: value.type)
def test_every_type_and_action_is_documented(resource_type: rt.ResourceType) -> None:
    names = read_documented_types()
    tails = {resource_type.type.lower(), resource_type.type.split("/", 1)[1].lower()}
    assert tails & names, f"{resource_type.type} is missing"
    last = resource_type.type.rsplit("/", 1)[1].lower()
    for action in resource_type.actions:
        assert {action, f"{last}/{action}"} & names, f"{resource_type.type}/{action} is missing"


def test_every_variable_is_documented(server: LabServer, lab: Lab) -> None:
    missing = [
        variable for variable in server.build_environment() if f"`{variable}`" not in DOCUMENT
    ]
    assert not missing


def test_the_commands_that_are_named_are_modelled() -> None:
    (row,) = re.findall(r"^\| `virtualMachines/runCommand` .*$", DOCUMENT, re.MULTILINE)
    rows = re.findall(r"`([a-z]+)`", row.split("4 KB:")[1].split("|")[0])
    assert len(rows) > 5
    assert set(rows) <= set(make_machine_programs().by_name)


def test_the_faults_of_the_example_can_be_read() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
    assert len(read_faults(yaml.safe_load(text))) >= 3


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+\.md)\)", DOCUMENT):
        assert (ROOT / "docs" / target).is_file()
    for path in re.findall(
        r"`((?:scripts|tests|erfailover)/[a-z_/.]+(?:-[a-z]+)?[a-z_/.]*)`", DOCUMENT
    ):
        assert (ROOT / path).exists(), path
