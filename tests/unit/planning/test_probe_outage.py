"""What outage the answers of a continuous probe make."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from erfailover.planning.probes.outage import OutageMeter
from erfailover.reporting.run.outage import compute_from_probes


def measure_outage(*answers: bool | None) -> dict[str, Any]:
    """One answer a second, from second 10 on."""
    tally = OutageMeter("door", "TCP x:1", 1.0)
    for number, up in enumerate(answers):
        tally.note(10.0 + number, up, "no such program")
    return tally.to_data()


def test_an_outage_is_from_the_first_lost_to_the_next_answered() -> None:
    data = measure_outage(True, False, False, True, True, False, True)
    assert data["outages"] == [
        {"began_s": 11.0, "ended_s": 13.0, "lost": 2},
        {"began_s": 15.0, "ended_s": 16.0, "lost": 1},
    ]
    assert (data["longest_s"], data["total_s"], data["lost"]) == (2.0, 3.0, 3)
    assert (data["down_at_first"], data["down_at_last"]) == (False, False)
    (outage,) = compute_from_probes([data])
    assert outage.description == (
        "Outage (measured): 2 s (door: TCP x:1, every 1 s: 3 of 7 lost). 2 times, 3 s in total."
    )


def test_what_was_down_before_and_what_stays_down_is_said() -> None:
    data = measure_outage(False, True, False, False)
    assert (data["down_at_first"], data["down_at_last"]) == (True, True)
    assert data["outages"][-1] == {"began_s": 12.0, "ended_s": None, "lost": 2}
    (outage,) = compute_from_probes([data])
    assert "It was already down before the first write; counted from then on." in outage.description
    assert "STILL DOWN" in outage.description


def test_questions_far_apart_do_not_stand_for_the_outage_alone() -> None:
    (outage,) = compute_from_probes([measure_outage(True, True)])
    assert outage.fine
    tally = OutageMeter("door", "TCP x:1", 1.0)
    for at_s in (0.0, 1.0, 84.0):
        tally.note(at_s, True)
    (outage,) = compute_from_probes([tally.to_data()])
    assert not outage.fine
    assert (
        "at most 1 min 24 s apart" in outage.description
        or "at most 1 min 23 s apart" in outage.description
    )


def test_what_could_not_be_asked_is_neither_up_nor_down() -> None:
    data = measure_outage(True, False, None, False, True)
    assert data["outages"] == [{"began_s": 11.0, "ended_s": 14.0, "lost": 2}]
    (outage,) = compute_from_probes([measure_outage(None, None)])
    assert outage.known is False
    assert outage.longest_s is None
    assert "not measured: no such program" in outage.description
    (outage,) = compute_from_probes([measure_outage()])
    assert "it never ran" in outage.description


@given(st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=40))
def test_outages_hold_all_that_was_lost_and_never_overlap(answers: list[bool | None]) -> None:
    data = measure_outage(*answers)
    assert sum(item["lost"] for item in data["outages"]) == answers.count(False)
    ends = [10.0]
    for value in data["outages"]:
        assert value["began_s"] >= ends[-1]
        ends += [value["began_s"], value["ended_s"] or 10.0 + len(answers)]
    assert ends == sorted(ends)
    assert all(item["ended_s"] is not None for item in data["outages"][:-1])
    assert data["longest_s"] <= data["total_s"] or len(data["outages"]) == 0
