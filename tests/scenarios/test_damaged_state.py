"""A damaged journal or lease is said loudly and never keeps a spoke from being moved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.stage import Stage

BEGUN = {
    "at": "2026-11-20T03:14:07.000Z",
    "run": "0dd0dd0dd0dd",
    "event": "begun",
    "command": "switch",
    "to": "ipsec",
    "who": "anna",
    "host": "ops1",
    "pid": 4242,
}
STEP = {"run": BEGUN["run"], "at": BEGUN["at"], "event": "intent", "task": "t", "title": "a step"}
ENDED = {"run": BEGUN["run"], "at": BEGUN["at"], "event": "ended", "outcome": "failed"}


def journal(stage: Stage) -> Path:
    (file,) = stage.folder.joinpath("state").rglob("journal.jsonl")
    return file


def add(stage: Stage, *lines: bytes | dict[str, Any]) -> None:
    with journal(stage).open("ab") as file:
        for line in lines:
            file.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")


def test_damage_is_shown_by_status_and_doctor_and_the_next_switch_sets_it_aside(
    provisioned: Stage,
) -> None:
    stage = provisioned
    add(stage, b"not json", ENDED)
    damaged = journal(stage).read_bytes()
    text = stage.do("status")
    assert "is damaged in line" in " ".join(text.split())
    (problem,) = stage.json("status")["state_problems"]
    assert "is damaged in line" in problem
    assert stage.run("doctor") == 3
    assert "journal" in stage.err
    assert stage.run("history") == 0
    assert "!! the journal" in stage.err
    stage.do("switch", "--to", "ipsec", "--dry-run")
    assert "!! the journal" in stage.err
    assert journal(stage).read_bytes() == damaged

    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    assert "!! the journal" in stage.err
    (path,) = journal(stage).parent.glob("journal.damaged-*.jsonl")
    assert path.read_bytes() == damaged
    assert str(path) in stage.err
    assert stage.json("status")["state_problems"] == []
    assert [item["command"] for item in stage.json("history")] == ["provision", "switch"]
    stage.do("switch", "--undo", "--yes", "--force")
    assert "!!" not in stage.err
    assert stage.json("status")["path"] == "expressroute"


@pytest.mark.parametrize(
    "line",
    [
        {**BEGUN, "to": "moon"},
        {**BEGUN, "run": None},
        {**BEGUN, "pid": "abc"},
        b'{"run": "a", "event": "begun", "pid": ' + b"9" * 5000 + b"}",
        b'{"run": "a", "event": "begun", "at_s": NaN}',
        b"[" * 100_000 + b"]" * 100_000,
        b"\xff\xfe\x00",
    ],
    ids=range(7),
)
def test_undo_guesses_nothing_where_a_switch_may_have_been_recorded(
    provisioned: Stage, line: bytes | dict[str, Any]
) -> None:
    stage = provisioned
    add(stage, line)
    for words in (["switch", "--undo", "--yes"], ["switch", "--undo", "--dry-run"]):
        assert stage.run(*words) == 4
        assert "the last switch of poc is unknown" in stage.err
        assert "--to ipsec|expressroute" in stage.err
    stage.do("status")
    stage.do("history")
    stage.do("switch", "--to", "expressroute", "--yes", "--no-hold-wait", "--force")


@pytest.mark.parametrize(
    "odd",
    [
        [BEGUN, {**STEP, "resource": "nonsense"}],
        [BEGUN, {**STEP, "resource": "/subscriptions/../x\u202e"}],
        [BEGUN, {**ENDED, "result": "x"}],
        [BEGUN, {**ENDED, "result": {"spokes": 5, "failed": [], "routes": "x"}}],
        [BEGUN, {**STEP, "event": "done", "attempts": "many"}],
        [BEGUN, {**STEP, "at_s": "soon"}],
        [{**BEGUN, "message": "\u001b]0;x\u0007", "who": "\u001b[2J"}, STEP],
    ],
    ids=range(7),
)
def test_records_of_odd_shape_crash_no_command(provisioned: Stage, odd: list[Any]) -> None:
    stage = provisioned
    add(stage, *odd)
    for words in (
        ["status"],
        ["history"],
        ["history", "0dd0"],
        ["history", "0dd0", "-o", "json"],
        ["history", "0dd0", "--report", "odd.html"],
        ["history", "0dd0", "--report", "odd.json"],
        ["switch", "--undo", "--dry-run"],
    ):
        assert stage.run(*words) in (0, 4), stage.err
        assert "a bug" not in stage.err
        assert "\x1b" not in stage.out + stage.err
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")


def test_a_damaged_lease_is_shown_refused_and_replaced_if_told_to(provisioned: Stage) -> None:
    stage = provisioned
    journal(stage).with_name("lease.json").write_text('{"since": NaN}')
    assert "lease.json is damaged" in " ".join(stage.do("status").split())
    assert "--take-over" in stage.json("status")["state_problems"][0]
    assert stage.run("doctor") in (3, 4)
    assert stage.run("switch", "--to", "ipsec", "--yes", "--planned") == 3
    assert "lease.json is damaged" in stage.err
    assert "--take-over" in stage.err
    stage.do("switch", "--to", "ipsec", "--yes", "--planned", "--take-over")
    assert stage.json("status")["state_problems"] == []


def test_output_never_replaces_the_site_file(provisioned: Stage) -> None:
    stage = provisioned
    before = Path("erfailover.yaml").read_bytes()
    for words in (
        ["switch", "--to", "ipsec", "--dry-run", "--out", "erfailover.yaml"],
        ["diagram", "-f", "erfailover.yaml", "-o", "svg"],
        ["switch", "--to", "ipsec", "--yes", "--planned", "--report", "x" * 300 + ".html"],
    ):
        assert stage.run(*words) == 2, stage.err
        if "--report" not in words:
            assert "it was not overwritten" in stage.err
    assert Path("erfailover.yaml").read_bytes() == before
    Path("notes.txt").write_text("mine")
    assert stage.run("switch", "--to", "ipsec", "--yes", "--planned", "--report", "notes.txt") == 2
    assert stage.run("init", "--site", "notes.txt", "--force") == 2
    assert Path("notes.txt").read_text() == "mine"
    for words in (["--report", "r.txt"], ["--report", "r.txt"]):
        stage.do("history", *words)
    for _ in range(2):
        stage.do("switch", "--to", "ipsec", "--dry-run", "--out", "plan.json")
