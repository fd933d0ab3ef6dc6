"""A plan kept in a file: carried out later, refused where the world has moved."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.stage import Stage

PLAN = "plan.json"
SAVE = ("switch", "--to", "ipsec", "--dry-run", "--out", PLAN)
PEERING = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"


def list_writes(stage: Stage, before: int) -> list[str]:
    return [write for write in stage.writes()[before:] if not write.startswith("POST")]


def changed_by_hand(stage: Stage, **flags: bool) -> None:
    with stage.lab.lock:
        stage.resource(PEERING, "vnet1-to-vnet2").properties.update(flags)


def test_a_saved_plan_is_carried_out_as_it_was_shown(provisioned: Stage) -> None:
    stage = provisioned
    before = len(stage.writes())
    stage.do(*SAVE)
    assert "To apply it: erfailover switch --plan plan.json" in stage.err
    saved = json.loads((stage.folder / PLAN).read_text())
    assert list_writes(stage, before) == []
    printed = stage.json("switch", "--to", "ipsec", "--dry-run")
    assert printed["digest"] == saved["digest"], "the same world, the same digest"
    assert stage.run("switch", "--plan", PLAN, "--dry-run") == 0
    stage.pass_time(600.0)

    report = stage.json("switch", "--plan", PLAN, "--yes", "--planned")
    assert report["verified"] is True
    assert report["changed"] == [
        step["write"]["peering"].rsplit("/", 1)[-1] for step in saved["steps"]
    ]
    journal = next(stage.folder.glob("state/sites/*/journal.jsonl")).read_text()
    begun = [item for line in journal.splitlines() if (item := json.loads(line)).get("digest")]
    assert begun[-1]["digest"] == saved["digest"], "history ties the run to what was reviewed"

    before = len(stage.writes())
    assert stage.run("switch", "--plan", PLAN, "--yes", "--planned") == 3, (
        "it was carried out already"
    )
    assert "Azure has changed since plan.json was created" in stage.err
    assert list_writes(stage, before) == []


def test_a_plan_is_refused_after_somebody_changed_a_flag(provisioned: Stage) -> None:
    stage = provisioned
    stage.do(*SAVE)
    changed_by_hand(stage, allowForwardedTraffic=False)
    before = len(stage.writes())
    assert stage.run("switch", "--plan", PLAN, "--yes", "--planned") == 3
    assert "vnet1-to-vnet2: forwarded traffic yes -> no" in stage.err
    assert "erfailover switch --to ipsec --dry-run --out FILE" in stage.err
    assert list_writes(stage, before) == []


def test_a_plan_is_refused_where_the_site_file_would_have_other_steps(provisioned: Stage) -> None:
    stage = provisioned
    stage.do(*SAVE)
    file = stage.folder / "erfailover.yaml"
    text = file.read_text("utf-8")
    at = text.index("vnet3-to-vnet1")
    file.write_text(
        text[:at] + text[at:].replace("forwarded_traffic: true", "forwarded_traffic: false", 1),
        "utf-8",
    )
    assert stage.run("switch", "--plan", PLAN, "--yes", "--planned") == 3
    assert "step 1 of vnet1 would differ" in stage.err


def garbage(stage: Stage) -> None:
    (stage.folder / PLAN).write_bytes(b"\xff\xfe not a plan")


def other_json(stage: Stage) -> None:
    (stage.folder / PLAN).write_text('["a", "plan"]')


def edit_plan(stage: Stage) -> None:
    file = stage.folder / PLAN
    file.write_text(file.read_text().replace('"remove": 0', '"remove": 1'))


def change_plan_format(stage: Stage) -> None:
    file = stage.folder / PLAN
    file.write_text(file.read_text().replace("erfailover-plan/1", "erfailover-plan/9"))


def rename_site(stage: Stage) -> None:
    file = stage.folder / "erfailover.yaml"
    file.write_text(file.read_text("utf-8").replace("site: poc", "site: other", 1), "utf-8")


def delete_plan(stage: Stage) -> None:
    (stage.folder / PLAN).unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (garbage, "expected a saved plan, found no JSON"),
        (other_json, "expected a saved plan, found other JSON"),
        (edit_plan, "was changed after erfailover wrote it"),
        (change_plan_format, "expected the format erfailover-plan/1, found erfailover-plan/9"),
        (rename_site, "is a plan for site poc"),
        (delete_plan, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_is_no_plan_of_this_site_is_said_to_be_none(
    provisioned: Stage, spoil: Any, message: str
) -> None:
    stage = provisioned
    stage.do(*SAVE)
    spoil(stage)
    before = len(stage.writes())
    assert stage.run("switch", "--plan", PLAN, "--yes", "--planned") == 2
    assert message in stage.err
    assert stage.writes()[before:] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--plan", PLAN, "--to", "ipsec"),
        ("--to", "ipsec", "--out", PLAN),
        ("--undo", "--dry-run", "--out", PLAN),
        ("--to", "ipsec", "-o", "az"),
        ("--to", "ipsec", "--dry-run", "--out", "nowhere/plan.json"),
        (),
    ],
)
def test_what_does_not_go_together_is_refused(
    provisioned: Stage, arguments: tuple[str, ...]
) -> None:
    assert provisioned.run("switch", *arguments) == 2
    assert not list(provisioned.folder.glob("*plan.json*"))


def test_the_plan_of_a_prestage_is_none_of_a_switch(provisioned: Stage) -> None:
    stage = provisioned
    (stage.folder / PLAN).write_text(stage.do("prestage", "--dry-run", "-o", "json"))
    assert stage.run("switch", "--plan", PLAN) == 2
    assert "expected a plan of a switch, found a plan of prestage" in stage.err


def test_what_dry_run_prints_as_json_is_a_saved_plan(provisioned: Stage) -> None:
    stage = provisioned
    (stage.folder / PLAN).write_text(stage.do("switch", "--to", "ipsec", "--dry-run", "-o", "json"))
    assert stage.json("switch", "--plan", PLAN, "--yes", "--planned")["verified"] is True
