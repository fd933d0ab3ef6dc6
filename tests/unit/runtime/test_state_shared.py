"""A store that machines share, and going on without it (``--break-glass``)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from erfailover.errors import Refused, StateFailure
from erfailover.model.lease import LeaseStanding
from erfailover.model.state_location import BlobLocation, parse
from erfailover.runtime.state.shared import SharedStore
from tests.support.stores import ANNA, BERT, Remote, store


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(inner=store(tmp_path / "remote"))


def make_shared_store(
    tmp_path: Path, remote: Remote, lines: list[str] | None = None, *, break_glass: bool = False
) -> SharedStore:
    say = (lines if lines is not None else []).append
    return SharedStore(remote, store(tmp_path / "own"), break_glass, say)


def test_a_shared_store_out_of_reach_is_named_with_the_way_out(
    tmp_path: Path, remote: Remote
) -> None:
    remote.down = True
    with pytest.raises(StateFailure, match="azblob://there does not answer") as failure:
        make_shared_store(tmp_path, remote).acquire(ANNA, take_over=False)
    assert "--break-glass" in (failure.value.hint or "")
    assert not (tmp_path / "own" / "lease.json").exists()


def test_with_break_glass_it_goes_on_loudly_and_is_merged_at_the_next_lease(
    tmp_path: Path, remote: Remote
) -> None:
    remote.journal, remote.down, lines = b'{"n":1}\n', True, list[str]()
    glass = make_shared_store(tmp_path, remote, lines, break_glass=True)
    glass.acquire(ANNA, take_over=False)
    assert any("azblob://there does not answer" in text for text in lines)
    assert all(text.startswith("!!") for text in lines)
    glass.append(b'{"n":2}\n')
    glass.renew()
    assert glass.read() == b'{"n":2}\n'
    glass.release()

    remote.down = False
    later = make_shared_store(tmp_path, remote)
    assert later.read() == b'{"n":1}\n{"n":2}\n'
    later.acquire(BERT, take_over=False)
    later.append(b'{"n":3}\n')
    assert remote.journal == b'{"n":1}\n{"n":2}\n{"n":3}\n'
    assert not (tmp_path / "own" / "journal.jsonl").exists()


def test_what_was_merged_before_a_crash_is_not_merged_twice(tmp_path: Path, remote: Remote) -> None:
    store(tmp_path / "own").append(b'{"n":1}\n{"n":2}\n')
    remote.journal = b'{"n":1}\n'
    make_shared_store(tmp_path, remote).acquire(ANNA, take_over=False)
    assert remote.journal == b'{"n":1}\n{"n":2}\n'


def test_a_store_that_fails_midway_ends_the_run_or_is_gone_without(
    tmp_path: Path, remote: Remote
) -> None:
    plain = make_shared_store(tmp_path, remote)
    plain.acquire(ANNA, take_over=False)
    remote.down = True
    for act in (plain.renew, lambda: plain.append(b"x\n")):
        with pytest.raises(StateFailure):
            act()
    remote.down = False
    plain.release()

    remote.inner = store(tmp_path / "another")
    glass = make_shared_store(tmp_path, remote, break_glass=True)
    glass.acquire(ANNA, take_over=False)
    remote.down = True
    glass.renew()
    glass.append(b"{}\n")
    assert glass.read() == b"{}\n"


def test_break_glass_does_not_bring_a_lost_lease_back(tmp_path: Path, remote: Remote) -> None:
    glass = make_shared_store(tmp_path, remote, break_glass=True)
    glass.acquire(ANNA, take_over=False)
    remote.lost = True
    with pytest.raises(Refused):
        glass.renew()
    with pytest.raises(Refused):
        glass.append(b"{}\n")


def test_on_one_machine_a_run_without_the_shared_store_and_one_with_it_never_meet(
    tmp_path: Path, remote: Remote
) -> None:
    remote.down = True
    make_shared_store(tmp_path, remote, break_glass=True).acquire(ANNA, take_over=False)
    remote.down = False
    with pytest.raises(Refused, match="anna@ops1"):
        make_shared_store(tmp_path, remote).acquire(BERT, take_over=False)


def test_a_location_is_read() -> None:
    assert parse("azblob://acct1/state/we/poc") == BlobLocation("acct1", "state", "we/poc")
    assert str(parse("azblob://acct1/state/we/poc/")) == "azblob://acct1/state/we/poc"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("s3://bucket/site", "azblob://"),
        ("azblob://acct1/state", "folder are required"),
        ("azblob://Acct/state/site", "'Acct'"),
        ("azblob://acct1/a--b/site", "'a--b'"),
        ("azblob://acct1/state/../site", "'..'"),
        ("azblob://acct1/state/a b", "'a b'"),
    ],
)
def test_a_wrong_location_is_told(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=re.escape(wrong)):
        parse(text)


def test_looking_shows_the_shared_lease_and_whoever_holds_only_this_machines_own(
    tmp_path: Path, remote: Remote
) -> None:
    shared_store = make_shared_store(tmp_path, remote)
    assert shared_store.look().standing is LeaseStanding.FREE
    assert remote.inner is not None
    remote.inner.acquire(BERT, take_over=False)
    held = shared_store.look()
    assert (held.standing, held.record and held.record.holder) == (LeaseStanding.LIVE, BERT)
    store(tmp_path / "own").acquire(ANNA, take_over=False)
    own = shared_store.look()
    assert own.record is not None
    assert own.record.holder == ANNA
