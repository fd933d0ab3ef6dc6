"""A lease that was lost between break and make: whoever takes it over completes the spoke first."""

from __future__ import annotations

from pathlib import Path

import pytest

from erfailover.model.fencing import compute_arrival_limit_s, compute_reversal_delay_s
from erfailover.runtime.state.local import RELIED_ON_S, LocalStore
from tests.support.flags import ON_EXPRESSROUTE, ON_IPSEC, flags
from tests.support.processes import ELSEWHERE, SWITCH, puts
from tests.support.stage import Stage

MAKE, RESTORE = "vnet1-to-vnet3", "vnet1-to-vnet2"


@pytest.fixture
def lost(provisioned: Stage) -> Stage:
    """A switch to IPsec whose lease was taken by another machine right after the break."""
    stage = provisioned
    folder = next(stage.folder.joinpath("state").rglob("journal.jsonl")).parent
    store, before = LocalStore(folder), puts(stage)
    stolen: list[int] = []

    def steal() -> None:
        if puts(stage) >= before + 3 and not stolen:
            stolen.append(puts(stage))
            store.acquire(ELSEWHERE, take_over=True)

    stage.lab.listen(steal)
    assert stage.run(*SWITCH) == 3
    assert puts(stage) == before + 3
    assert "vnet1 has NO path" in stage.err
    assert stage.json("status")["path"] == "none"
    return stage


def list_timed_puts(stage: Stage, since: int) -> list[tuple[str, float]]:
    """Every PUT from one on: the resource's name, and when it was sent in modelled seconds."""
    trace_entries = [trace_entry for trace_entry in stage.lab.trace if trace_entry.method == "PUT"]
    return [
        (Path(trace_entry.path).name, trace_entry.at_s) for trace_entry in trace_entries[since:]
    ]


def test_the_same_direction_is_completed_at_once_and_made_sure_of(lost: Stage) -> None:
    before, began_s = puts(lost), lost.lab.trace[-1].at_s
    lost.do(*SWITCH, "--take-over")
    (first, at_s), *rest = list_timed_puts(lost, before)
    assert first == MAKE
    assert at_s - began_s < 30.0
    assert rest
    assert rest[0][1] - began_s > compute_arrival_limit_s(RELIED_ON_S)
    assert "Azure may still accept a write of run" in lost.err
    assert flags(lost.json("status")) == ON_IPSEC


def test_the_other_direction_waits_until_nothing_of_the_lost_holder_can_arrive(
    lost: Stage,
) -> None:
    before, began_s = puts(lost), lost.lab.trace[-1].at_s
    lost.do("switch", "--undo", "--yes", "--take-over")
    (first, at_s), *rest = list_timed_puts(lost, before)
    assert first == MAKE
    assert at_s - began_s < 30.0
    assert rest[0][1] - began_s > compute_reversal_delay_s(600.0)
    by_name = flags(lost.json("status"))
    assert {name: by_name[name] for name in ON_EXPRESSROUTE} == ON_EXPRESSROUTE


@pytest.mark.parametrize(
    "words", [("prestage", "--yes"), ("drill", "start", "--yes"), ("destroy", "--yes")]
)
def test_any_other_command_is_refused_until_that_is_done(
    lost: Stage, words: tuple[str, ...]
) -> None:
    before = len(lost.writes())
    assert lost.run(*words, "--take-over") == 3
    assert "vnet1 may have NO path" in lost.err
    assert "erfailover switch --to ipsec" in lost.err
    assert len(lost.writes()) == before
