"""The journal: what it keeps, what it tolerates, what it reports."""

from __future__ import annotations

import json
import random
import secrets
import time
from pathlib import Path

import pytest

from erfailover.model.history import collect_runs, find_last_switch
from erfailover.model.journal_lines import MOST_BYTES, JournalLines, read, remove_damage
from erfailover.runtime.journal import Journal, find_created_peerings, is_prestaged
from erfailover.runtime.state.local import LocalStore
from tests.support.stores import store

P = "/subscriptions/0/virtualNetworkPeerings/"


def test_what_was_written_is_read_back_in_order(tmp_path: Path) -> None:
    journal = Journal.open(LocalStore(tmp_path / "site"))
    journal.write("intent", resource="/A")
    journal.write("done", resource="/A")
    assert [record["event"] for record in journal.read_records()] == ["intent", "done"]
    assert {record["run"] for record in journal.read_records()} == {journal.run}


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    journal = Journal.open(LocalStore(tmp_path / "site"))
    journal.write("switch")
    file = tmp_path / "site" / "journal.jsonl"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_torn_last_line_is_tolerated_and_the_next_record_stands_alone(tmp_path: Path) -> None:
    journal = Journal.open(LocalStore(tmp_path))
    journal.write("switch")
    with (tmp_path / "journal.jsonl").open("a") as file:
        file.write('{"event": "creat')
    assert len(journal.read_records()) == 1
    later = Journal.open(LocalStore(tmp_path))
    later.write("switch")
    assert [record["run"] for record in later.read_records()] == [journal.run, later.run]


def test_a_damaged_line_is_reported_with_its_number_and_passed_over() -> None:
    content = b'{"run": "a", "event": "x"}\nnot json\n{"run": "a", "event": "y"}\n'
    lines = read(content)
    assert [record["event"] for record in lines.records] == ["x", "damaged", "y"]
    assert lines.damage == ((2, "not JSON"),)
    assert (
        lines.describe_damage("/state") == "the journal in /state is damaged in line 2 (not JSON)"
    )


BEGUN = {"at": "2026-11-20T03:14:07.000Z", "run": "a", "event": "begun", "command": "switch"}


@pytest.mark.parametrize("end", [b"\n", b"\0\0\0\n", b""])
@pytest.mark.parametrize("length", range(1, len(json.dumps(BEGUN))))
def test_a_record_that_was_cut_off_anywhere_is_no_damage(length: int, end: bytes) -> None:
    torn = json.dumps(BEGUN).encode()[:length] + end
    after = b'{"run": "a", "event": "y"}\n' if end else b""
    lines = read(torn + after)
    assert lines.damage == ()
    assert [record["event"] for record in lines.records] == (["y"] if end else [])


@pytest.mark.parametrize(
    "odd",
    [
        {"run": None},
        {"run": 7},
        {"event": []},
        {"pid": "abc"},
        {"pid": -1},
        {"pid": 1.5},
        {"pid": True},
        {"result": "x"},
        {"attempts": "many"},
        {"to": "moon"},
        {"to": ["ipsec"]},
        {"at_s": "soon"},
        {"at_s": 1e300},
        {"spokes": "vnet1"},
        {"spokes": [1]},
        {"message": {}},
        {"command": 1},
        {"deep": json.loads("[" * 61 + "]" * 61)},
    ],
)
def test_a_record_of_an_odd_shape_is_damage(odd: dict[str, object]) -> None:
    lines = read(json.dumps(BEGUN | odd).encode() + b"\n")
    assert [record["event"] for record in lines.records] == ["damaged"]
    assert len(lines.damage) == 1
    assert collect_runs(lines.records) == []


@pytest.mark.parametrize(
    "line",
    [
        b'{"run": "a", "event": "x", "pid": ' + b"9" * 5000 + b"}",
        b'{"run": "a", "event": "x", "at_s": NaN}',
        b'{"run": "a", "event": "x", "at_s": 1e999}',
        b'{"run": "a", "event": "x", "at_s": -Infinity}',
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"run": "\xff", "event": "x"}',
        '{"run": "ü", "event": "x"}'.encode(),
        b"null",
        b"7",
        b"\x1b[2J",
        b'{"run": "a", "event": "' + b"x" * (MOST_BYTES + 1) + b'"}',
    ],
)
def test_a_line_that_is_no_record_is_damage_and_found_so_quickly(line: bytes) -> None:
    began = time.monotonic()
    assert len(read(line + b"\n").damage) == 1
    assert time.monotonic() - began < 2.0


def test_a_journal_of_noise_never_fails_and_its_mended_form_is_whole() -> None:
    seed = secrets.randbits(32)
    chance = random.Random(seed)
    records = [json.dumps({**BEGUN, "run": f"r{number}", "to": "ipsec"}) for number in range(20)]
    until = time.monotonic() + 2.0
    while time.monotonic() < until:
        content = bytearray("\n".join(records).encode())
        for _ in range(chance.randint(1, 30)):
            at = chance.randrange(len(content))
            piece = chance.choice([bytes([chance.randrange(256)]), b"\n", b'"', b"{}", b"[" * 99])
            content[at : at + chance.randint(0, 9)] = piece
        lines = read(bytes(content))
        collect_runs(lines.records)
        find_created_peerings(lines.records)
        whole = remove_damage(bytes(content))
        assert (whole is None) == (not lines.damage), seed
        assert whole is None or read(whole) == JournalLines(lines.records), seed


def test_a_damaged_journal_is_kept_beside_and_a_fresh_one_has_its_records(tmp_path: Path) -> None:
    local_store = store(tmp_path)
    damaged = b'{"run": "a", "event": "x"}\nnot json\n{"run": "b", "event": "y"}\n'
    local_store.append(damaged)
    (aside,) = local_store.mend()
    assert Path(aside).read_bytes() == damaged
    assert Path(aside).name.startswith("journal.damaged-20270115T080000Z")
    lines = Journal.open(local_store).read()
    assert lines.damage == ()
    assert [record["event"] for record in lines.records] == ["x", "damaged", "y"]
    assert local_store.mend() == ()
    for file in tmp_path.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600


SWITCH: dict[str, object] = {"run": "a", "event": "begun", "command": "switch", "to": "ipsec"}
LATER: dict[str, object] = {"run": "b", "event": "begun", "command": "switch", "to": "expressroute"}
DAMAGE: dict[str, object] = {"run": "damaged", "event": "damaged", "line": 1}


def test_the_last_switch_is_certain_unless_something_behind_it_is_damaged() -> None:
    run = find_last_switch([SWITCH, DAMAGE, LATER])
    assert run is not None
    assert run.target == "expressroute"
    assert find_last_switch([]) is None
    uncertain: list[list[dict[str, object]]] = [
        [DAMAGE],
        [SWITCH, DAMAGE],
        [SWITCH, LATER, DAMAGE, {"event": "ended"}],
    ]
    for records in uncertain:
        with pytest.raises(ValueError, match="damaged"):
            find_last_switch(records)


def test_peerings_made_are_those_created_and_not_deleted_since() -> None:
    records = [
        {"event": "intent", "change": "create", "resource": P + "A"},
        {"event": "intent", "change": "create", "resource": P + "B"},
        {"event": "done", "change": "delete", "resource": P.upper() + "a"},
        {"event": "intent", "change": "update", "resource": P + "C"},
    ]
    assert find_created_peerings(records) == {P.lower() + "b"}


def test_the_spokes_that_are_prestaged_are_those_of_the_last_run_of_each() -> None:
    spokes = ("vnet1", "vnet7")

    def make_begun_record(command: str, *chosen: str) -> dict[str, object]:
        return {"run": "a", "event": "begun", "command": command, "spokes": list(chosen) or None}

    assert is_prestaged([], spokes) == frozenset()
    assert is_prestaged([{"run": "a", "event": "begun", "command": "prestage"}], spokes) == {
        *spokes
    }
    assert is_prestaged([make_begun_record("prestage", "vnet1", "gone")], spokes) == {"vnet1"}
    rows = [make_begun_record("prestage"), make_begun_record("unprestage", "vnet1")]
    assert is_prestaged(rows, spokes) == {"vnet7"}
    assert is_prestaged([*rows, make_begun_record("prestage", "vnet1")], spokes) == {*spokes}
    assert is_prestaged([*rows, make_begun_record("unprestage")], spokes) == frozenset()
