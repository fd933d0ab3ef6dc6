"""The journal: what it keeps, what it tolerates, what it reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from erfailover.errors import UnknownReading
from erfailover.runtime.journal import Journal, peerings_made, replay
from erfailover.runtime.state.local import LocalStore

P = "/subscriptions/0/virtualNetworkPeerings/"


def test_what_was_written_is_read_back_in_order(tmp_path: Path) -> None:
    journal = Journal.open(LocalStore(tmp_path / "site"))
    journal.write("intent", resource="/A")
    journal.write("done", resource="/A")
    assert [record["event"] for record in journal.records()] == ["intent", "done"]
    assert {record["run"] for record in journal.records()} == {journal.run}


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
    assert len(journal.records()) == 1
    later = Journal.open(LocalStore(tmp_path))
    later.write("switch")
    assert [record["run"] for record in later.records()] == [journal.run, later.run]


def test_a_damaged_record_in_the_middle_of_a_run_is_reported_with_its_line() -> None:
    lines = ['{"run": "a", "event": "x"}', "not json", '{"run": "a", "event": "y"}']
    with pytest.raises(UnknownReading, match="line 2"):
        replay(lines)


def test_peerings_made_are_those_created_and_not_deleted_since() -> None:
    records = [
        {"event": "intent", "change": "create", "resource": P + "A"},
        {"event": "intent", "change": "create", "resource": P + "B"},
        {"event": "done", "change": "delete", "resource": P.upper() + "a"},
        {"event": "intent", "change": "update", "resource": P + "C"},
    ]
    assert peerings_made(records) == {P.lower() + "b"}
