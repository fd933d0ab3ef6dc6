"""What the journal tells of runs of a part of a site: commands, what is owed, what is undone."""

from __future__ import annotations

from typing import Any

import pytest

from erfailover.model.history import (
    RunRecord,
    collect_runs,
    find_all_owed,
    find_last_switch,
    find_owed,
    find_spokes_to_undo,
    find_unfinished,
    is_cut_off,
)

SITE = ("vnet1", "vnet7", "vnet8")


def switch(
    run: str,
    to: str,
    *spokes: str,
    ended: str | None = "done",
    places: dict[str, str] | None = None,
    completes: str | None = None,
) -> list[dict[str, Any]]:
    """The records of one switch."""
    chosen = list(spokes) or None
    begun = {"event": "begun", "command": "switch", "to": to, "spokes": chosen}
    records: list[dict[str, Any]] = [{"run": run, **begun, "completes": completes}]
    if places:
        records.append({"run": run, "event": "crossing", "to": to, "spokes": list(places)})
    for spoke, place in (places or {}).items():
        if place != "moving":
            records.append({"run": run, "event": "path", "spoke": spoke, "place": place})
    if ended:
        records.append({"run": run, "event": "ended", "outcome": ended})
    return records


def undone(*records: list[dict[str, Any]]) -> tuple[str, ...]:
    return find_spokes_to_undo(collect_runs(row for some in records for row in some), SITE)


def still_owed(*records: list[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    oweds = find_all_owed(collect_runs(row for some in records for row in some))
    return {owed.run: owed.spokes for owed in oweds}


def test_a_run_of_a_part_is_typed_with_its_spokes() -> None:
    (run,) = collect_runs(switch("a", "ipsec", "vnet1", "vnet 7"))
    assert run.typed == "switch --to ipsec --spoke vnet1 --spoke 'vnet 7'"
    assert run.to_continue == f"erfailover {run.typed}"
    many = RunRecord("b", "switch", "", target="ipsec", spokes=tuple(map(str, range(300))))
    assert many.brief == "switch --to ipsec --spoke 0 and 299 more"


def test_undo_of_a_part_is_of_that_part() -> None:
    assert undone(switch("a", "ipsec"), switch("b", "ipsec", "vnet7")) == ("vnet7",)


def test_undo_of_the_whole_site_leaves_what_an_earlier_part_had_moved() -> None:
    part, whole = switch("a", "ipsec", "vnet1"), switch("b", "ipsec")
    assert undone(part, whole) == ("vnet7", "vnet8")
    assert undone(part, whole, switch("c", "ipsec")) == ("vnet7", "vnet8")
    back = switch("c", "expressroute", "vnet1")
    assert undone(part, back, whole) == SITE, "it had gone back meanwhile"


@pytest.mark.parametrize("ended", ["failed", None])
def test_undo_takes_back_what_the_last_run_went_on_with(ended: str | None) -> None:
    part = switch("a", "ipsec", "vnet1", ended=ended)
    assert undone(part, switch("b", "ipsec")) == SITE
    assert undone(switch("a", "ipsec", ended=ended), switch("b", "ipsec")) == SITE


def test_a_run_that_completed_a_lost_one_is_a_part_of_that() -> None:
    lost = switch("a", "ipsec", ended=None, places={"vnet1": "moving"})
    completing = switch("b", "ipsec", "vnet1", completes="a")
    assert undone(lost, completing) == SITE
    last = find_last_switch([*lost, *completing])
    assert last is not None
    assert last.id == "a"
    assert undone(lost, completing, switch("c", "ipsec", "vnet7")) == ("vnet7",)


@pytest.mark.parametrize("ended", ["failed", None])
def test_a_lost_run_is_unfinished_until_its_own_command_has_run(ended: str | None) -> None:
    lost = switch("a", "ipsec", ended=ended, places={"vnet1": "moving"})
    completed = switch("b", "ipsec", "vnet1", completes="a", places={"vnet1": "target"})
    for last in (completed, switch("b", "ipsec", "vnet1", ended=None, completes="a")):
        runs = collect_runs([*lost, *last])
        unfinished = find_unfinished(runs)
        assert unfinished is not None
        assert (unfinished.id, unfinished.to_continue) == ("a", "erfailover switch --to ipsec")
        assert is_cut_off(runs)
    again = switch("c", "ipsec", "vnet1", completes="b", places={"vnet1": "target"})
    runs = collect_runs([*lost, *switch("b", "ipsec", "vnet1", ended=None, completes="a"), *again])
    unfinished = find_unfinished(runs)
    assert unfinished is not None
    assert unfinished.id == "a"
    runs = collect_runs([*lost, *completed, *switch("c", "ipsec")])
    assert find_unfinished(runs) is None
    assert not is_cut_off(runs)


def test_a_run_whose_lost_run_the_journal_does_not_tell_of_is_unfinished_itself() -> None:
    runs = collect_runs(switch("b", "ipsec", "vnet1", completes="a"))
    unfinished = find_unfinished(runs)
    assert unfinished is not None
    assert unfinished.id == "b"


def test_nothing_is_undone_without_a_switch() -> None:
    assert undone([{"run": "a", "event": "begun", "command": "prestage"}]) == ()


def test_a_spoke_stays_owed_whatever_other_spokes_do_since() -> None:
    lost = switch("a", "ipsec", "vnet1", ended="failed", places={"vnet1": "nowhere"})
    other = switch("b", "ipsec", "vnet7", places={"vnet7": "target"})
    assert still_owed(lost, other) == {"a": ("vnet1",)}
    failed = switch("c", "ipsec", ended="failed", places={"vnet8": "moving"})
    assert still_owed(lost, other, failed) == {"a": ("vnet1",), "c": ("vnet8",)}
    assert find_owed(collect_runs([*lost, *other])) is None, "the last switch owes nothing"


@pytest.mark.parametrize(
    "later",
    [
        switch("b", "ipsec"),
        switch("b", "expressroute", "vnet1", "vnet7"),
        switch("b", "ipsec", "vnet1", ended="failed", places={"vnet1": "target"}),
        switch("b", "ipsec", "vnet1", ended="failed", places={"vnet1": "origin"}),
    ],
)
def test_a_spoke_is_owed_until_a_run_has_put_it_on_a_path(later: list[dict[str, Any]]) -> None:
    lost = switch("a", "ipsec", "vnet1", ended="failed", places={"vnet1": "nowhere"})
    assert still_owed(lost, later) == {}


def test_what_is_owed_names_the_command_that_completes_it() -> None:
    lost = switch("a", "ipsec", "vnet1", ended=None, places={"vnet1": "moving"})
    owed = find_owed(collect_runs(lost))
    assert owed is not None
    assert owed.to_continue == "erfailover switch --to ipsec --spoke vnet1"


def drill(*switches: list[dict[str, Any]], ended: str | None = None) -> list[RunRecord]:
    """The runs of a drill of vnet1 with these switches."""
    begun = {"run": "d", "event": "begun", "command": "drill run", "spokes": ["vnet1"]}
    rows: list[dict[str, Any]] = [begun]
    for records in switches:
        rows += [{**record, "drill": "d"} for record in records]
    if ended:
        rows.append({"run": "d", "event": "ended", "outcome": ended})
    return collect_runs(rows)


THERE, BACK = switch("a", "ipsec", "vnet1"), switch("b", "expressroute", "vnet1")
NO_BACK = switch("b", "expressroute", "vnet1", ended="failed")
HALF = switch("a", "ipsec", "vnet1", ended=None, places={"vnet1": "moving"})
STOPPED = switch("a", "ipsec", "vnet1", ended="interrupted")


@pytest.mark.parametrize(
    ("runs", "unfinished"),
    [
        (drill(), "d"),
        (drill(ended="failed"), None),
        (drill(HALF), "a"),
        (drill(THERE), "d"),
        (drill(THERE, ended="failed"), "d"),
        (drill(STOPPED, ended="interrupted"), "a"),
        (drill(THERE, NO_BACK, ended="failed"), "b"),
        (drill(THERE, BACK), None),
        (drill(STOPPED, BACK, ended="interrupted"), None),
        (drill(THERE, BACK, ended="done"), None),
    ],
)
def test_a_drill_is_unfinished_until_its_way_back_has_ended(
    runs: list[RunRecord], unfinished: str | None
) -> None:
    last = find_unfinished(runs)
    assert (last.id if last else None) == unfinished
    if last:
        assert last.to_continue == "erfailover switch --to expressroute --spoke vnet1"
        assert last.to_go_back is None


def test_a_run_after_a_drill_that_was_left_halfway_counts_instead() -> None:
    after = collect_runs(switch("c", "expressroute", "vnet1"))
    assert find_unfinished([*drill(THERE), *after]) is None


def test_a_drill_is_written_as_it_is_typed() -> None:
    run = drill()[0]
    assert run.typed == run.brief == "drill run --canary vnet1"
    assert not switch_run().is_of_drill


def switch_run() -> RunRecord:
    return collect_runs(THERE)[0]
