"""The outbox keeps order, forgets nothing that was not delivered, and takes nothing twice."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erfailover.commands.watch.outbox import LONGEST_S, MOST_KNOWN, MOST_PENDING, Outbox
from erfailover.model.watch import Event, Severity
from tests.support.notifications import AT, build_event

ONE, TWO = "webhook env:ONE", "apprise env:TWO"
STEPS = ("submit", "deliver", "fail", "store", "restart")


def ids(outbox: Outbox, place: str = ONE) -> list[str]:
    return [event.id for event in outbox.lanes[place].pending]


def test_an_event_is_taken_once() -> None:
    outbox = Outbox.open([ONE, TWO])
    assert outbox.add([build_event("a"), build_event("b"), build_event("a")])
    assert not outbox.add([build_event("b")])
    assert ids(outbox) == ids(outbox, TWO) == ["a", "b"]
    outbox.lanes[ONE].remove(build_event("a"))
    assert not outbox.add([build_event("a")])
    assert ids(outbox) == ["b"]


def test_what_is_read_is_what_was_written() -> None:
    outbox = Outbox.open([ONE, TWO])
    data = MappingProxyType({"n": float("nan"), "t": (1, 2.5, None), "o": ONE.split})
    outbox.add([build_event("a", data=data), build_event("b", resolves=True, text="ü\ud800")])
    outbox.lanes[ONE].remove(build_event("a"))
    again = Outbox.open([ONE, TWO])
    again.merge(outbox.dump())
    assert again.dump() == outbox.dump()
    assert [lane.pending for lane in again.lanes.values()] == [
        lane.pending for lane in outbox.lanes.values()
    ]
    assert (ids(again), ids(again, TWO)) == (["b"], ["a", "b"])
    assert again.lanes[TWO].pending[0].data["t"] == [1, 2.5, None]
    assert not again.add([build_event("a")])


def test_what_was_kept_comes_before_what_was_added_since_and_nothing_twice() -> None:
    before = Outbox.open([ONE, TWO])
    before.add([build_event("a"), build_event("b")])
    before.lanes[ONE].remove(build_event("a"))
    after = Outbox.open([ONE, "webhook env:NEW"])
    after.add([build_event("b"), build_event("a"), build_event("c")])
    after.merge(before.dump())
    assert ids(after) == ["b", "c"]
    assert ids(after, "webhook env:NEW") == ["c"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'{"version": 2}',
        b'{"version": 1, "known": [], "events": [{}], "waiting": {}}',
        b'{"version": 1, "known": [1], "events": [], "waiting": {}}',
        b'{"version": 1, "known": [], "events": [], "waiting": {"webhook env:ONE": ["x"]}}',
        b'{"version": 1, "known": [], "events": []}',
        b"\xff",
    ],
)
def test_damaged_data_is_refused_and_changes_nothing(data: bytes) -> None:
    outbox = Outbox.open([ONE])
    outbox.add([build_event("a")])
    before = outbox.dump()
    with pytest.raises(ValueError, match=r"."):
        outbox.merge(data)
    assert outbox.dump() == before


def test_an_incident_keeps_its_order_and_does_not_hold_up_the_others() -> None:
    lane = Outbox.open([ONE]).lanes[ONE]
    lane.pending = [
        build_event("open1", "i1"),
        build_event("close1", "i1", resolves=True),
        build_event("open2", "i2"),
        build_event("close2", "i2", resolves=True),
    ]
    tried: list[str] = []
    while (event := lane.choose()) is not None and len(tried) < 9:
        lane.note_try(event)
        tried.append(event.id)
        if event.incident == "i2":
            lane.remove(event)
    assert tried == ["open1", "open2", "close2", *["open1"] * 6]


def test_too_many_cost_the_oldest_of_the_least_urgent() -> None:
    outbox = Outbox.open([ONE])
    outbox.add([build_event("critical"), build_event("info1", severity=Severity.INFO)])
    outbox.add([build_event(f"w{i}", severity=Severity.WARNING) for i in range(MOST_PENDING - 2)])
    assert list(outbox.trim(AT)) == []
    outbox.add([build_event("info2", severity=Severity.INFO), build_event("last")])
    lost = [(place, event.id, reason) for place, event, reason in outbox.trim(AT)]
    assert lost == [(ONE, "info1", "more than 1000 wait"), (ONE, "info2", "more than 1000 wait")]
    outbox.add([build_event("one-more")])
    assert [event.id for _, event, _ in outbox.trim(AT)] == ["w0"]
    assert ids(outbox)[0] == "critical"


def test_a_week_is_long_enough() -> None:
    outbox = Outbox.open([ONE])
    outbox.add([build_event("old"), build_event("young", at=AT + 1)])
    lost = [(event.id, reason) for _, event, reason in outbox.trim(AT + LONGEST_S + 0.5)]
    assert lost == [("old", "it is older than 7 d")]
    assert ids(outbox) == ["young"]


def test_what_is_remembered_has_an_end() -> None:
    outbox = Outbox.open([])
    outbox.add([build_event(str(i)) for i in range(MOST_KNOWN + 5)])
    kept = json.loads(outbox.dump())["known"]
    assert kept == [str(i) for i in range(5, MOST_KNOWN + 5)]


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 4))))
def test_whatever_happens_every_event_arrives_after_those_of_its_incident_before_it(
    steps: list[tuple[str, int]],
) -> None:
    outbox, stored, count = Outbox.open([ONE]), Outbox.open([ONE]).dump(), 0
    submitted: list[Event] = []
    delivered: list[Event] = []
    for step, number in [*steps, *[("deliver", 0)] * (len(steps) + 1)]:
        chosen = outbox.lanes[ONE].choose()
        if step == "submit":
            submitted.append(build_event(str(count), f"i{number}"))
            count += 1
            outbox.add(submitted)
            stored = outbox.dump()
        elif step == "store":
            stored = outbox.dump()
        elif step == "restart":
            outbox = Outbox.open([ONE])
            outbox.merge(stored)
            outbox.add(submitted)
        elif chosen is not None:
            outbox.lanes[ONE].note_try(chosen)
            if step == "deliver":
                delivered.append(chosen)
                outbox.lanes[ONE].remove(chosen)
    firsts = list(dict.fromkeys(event.id for event in delivered))
    assert set(firsts) == {event.id for event in submitted}
    for incident in {event.incident for event in submitted}:
        order = [event.id for event in submitted if event.incident == incident]
        assert [name for name in firsts if name in order] == order
    if "restart" not in {step for step, _ in steps}:
        assert len(delivered) == len(firsts)
