"""Pause and approval: read, changed by several processes at once, damaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from erfailover.errors import StateFailure
from erfailover.model.site import Path as SitePath
from erfailover.model.watch import Approval, Pause
from erfailover.model.watch_documents import PauseRecord, parse_approval, parse_pause_record
from erfailover.runtime.state.documents import Document, LocalDocuments
from erfailover.runtime.state.watch_records import (
    change_approval,
    change_pause,
    clear_approval,
    read_approval,
    read_pause,
    write_approval,
)

PAUSE = Pause("Maintenance", 1000.0, 2000.0, "anna@ops1")
APPROVAL = Approval(
    "7c2e91", SitePath.IPSEC, 1000.0, 4600.0, "the\nplan", {"steps": [1, {"a": None}]}
)


@dataclass(frozen=True)
class Interrupted(LocalDocuments):
    """Documents that other processes change between a read and the write after it."""

    others: list[Callable[[], object]] = field(default_factory=list)

    def read(self, key: str) -> Document | None:
        document = super().read(key)
        if self.others:
            self.others.pop()()
        return document


def test_there_is_neither_pause_nor_approval_at_first(tmp_path: Path) -> None:
    documents = LocalDocuments(tmp_path / "new")
    assert read_pause(documents) == (None, None)
    assert read_approval(documents) is None
    clear_approval(documents, "7c2e91")
    assert not (tmp_path / "new").exists()


def test_a_pause_is_read_as_it_was_written_and_ends(tmp_path: Path) -> None:
    documents = LocalDocuments(tmp_path)
    change_pause(documents, lambda record: replace(record, pause=PAUSE))
    assert read_pause(documents) == (PAUSE, None)
    record = parse_pause_record((tmp_path / "pause.json").read_bytes())
    assert record.find_pause(1999.9) == PAUSE
    assert record.find_pause(2000.0) is None
    before, after = change_pause(documents, lambda record: PauseRecord(None, 1500.0, "bert@ops2"))
    assert (before.pause, after.resumed_by) == (PAUSE, "bert@ops2")
    assert read_pause(documents) == (None, 1500.0)


def test_a_change_is_made_again_on_what_another_process_wrote(tmp_path: Path) -> None:
    other = LocalDocuments(tmp_path)
    resumed = PauseRecord(None, 1500.0, "bert@ops2")
    documents = Interrupted(tmp_path, others=[lambda: change_pause(other, lambda record: resumed)])
    before, _ = change_pause(documents, lambda record: replace(record, pause=PAUSE))
    assert before == resumed
    assert read_pause(documents) == (PAUSE, 1500.0)


def test_a_change_that_others_always_precede_fails(tmp_path: Path) -> None:
    other = LocalDocuments(tmp_path)
    times = iter(range(1000))

    def resume() -> None:
        change_pause(other, lambda record: PauseRecord(None, float(next(times)), ""))

    documents = Interrupted(tmp_path, others=[resume] * 100)
    with pytest.raises(StateFailure, match="other processes keep changing it"):
        change_pause(documents, lambda record: replace(record, pause=PAUSE))


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"[]",
        b'{"pause": 1}',
        b'{"pause": {"reason": "x"}}',
        b'{"pause": {"reason": "x", "since": 1e300}}',
        b'{"pause": {"reason": "x", "since": -1}}',
        b'{"pause": {"reason": "x", "since": 1, "until": NaN}}',
        b'{"resumed_at": Infinity}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_a_damaged_pause_is_unknown_and_replaced(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "pause.json").write_bytes(damaged)
    documents = LocalDocuments(tmp_path)
    with pytest.raises(StateFailure, match="is damaged") as failure:
        read_pause(documents)
    assert "erfailover resume" in str(failure.value.hint)
    change_pause(documents, lambda record: replace(record, pause=PAUSE))
    assert read_pause(documents) == (PAUSE, None)


def test_an_approval_is_read_as_it_was_written_given_and_cleared(tmp_path: Path) -> None:
    documents = LocalDocuments(tmp_path)
    write_approval(documents, APPROVAL)
    assert read_approval(documents) == APPROVAL

    def approve(approval: Approval | None) -> Approval:
        assert approval is not None
        return replace(approval, approved_by="anna@ops1", approved_at=1001.5)

    change_approval(documents, approve)
    given = read_approval(documents)
    assert given == replace(APPROVAL, approved_by="anna@ops1", approved_at=1001.5)
    clear_approval(documents, "another")
    assert read_approval(documents) == given
    clear_approval(documents, APPROVAL.id)
    assert read_approval(documents) is None


def test_a_newer_approval_is_not_cleared(tmp_path: Path) -> None:
    newer = replace(APPROVAL, id="newer")
    write_approval(LocalDocuments(tmp_path), APPROVAL)
    documents = Interrupted(
        tmp_path, others=[lambda: write_approval(LocalDocuments(tmp_path), newer)]
    )
    clear_approval(documents, APPROVAL.id)
    assert read_approval(documents) == newer


@pytest.mark.parametrize(
    "damaged", [b"", b"{}", b'{"id": 1}', b"null", b"\xff", b'{"target": "moon"}']
)
def test_a_damaged_approval_is_none_and_replaced(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "approval.json").write_bytes(damaged)
    documents = LocalDocuments(tmp_path)
    assert read_approval(documents) is None
    write_approval(documents, APPROVAL)
    assert read_approval(documents) == APPROVAL


def test_a_moment_of_an_approval_is_in_range(tmp_path: Path) -> None:
    write_approval(LocalDocuments(tmp_path), APPROVAL)
    text = (tmp_path / "approval.json").read_bytes()
    assert parse_approval(text) == APPROVAL
    with pytest.raises(ValueError, match="range"):
        parse_approval(text.replace(b"4600.0", b"1e300"))
