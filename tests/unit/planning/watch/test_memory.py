"""The detector's memory as JSON data."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erfailover.model.watch import WatchState
from erfailover.planning.watch.memory import Memory, from_data

MOMENTS = st.none() | st.floats(0, 4e9)
MEMORIES = st.builds(
    Memory,
    state=st.sampled_from(WatchState),
    since=st.floats(0, 4e9),
    at=MOMENTS,
    failing_since=MOMENTS,
    failing_at=MOMENTS,
    quick=st.integers(0, 9),
    up_since=MOMENTS,
    up_at=MOMENTS,
    unread_since=MOMENTS,
    backup_since=MOMENTS,
    backup_reported=st.booleans(),
    unknown_reported=st.booleans(),
    incident=MOMENTS,
    operator_at=MOMENTS,
    locked_out=st.none() | st.text(),
    counted_from=st.floats(0, 4e9),
    pause_reported=st.booleans(),
    lockout_reported=st.booleans(),
    withheld=st.none() | st.text(),
)


@given(MEMORIES)
def test_a_memory_survives_json(memory: Memory) -> None:
    assert from_data(json.loads(json.dumps(memory.to_data()))) == memory


JUNK = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text()
    | st.lists(st.none())
)


@given(st.dictionaries(st.sampled_from([field.name for field in fields(Memory)]), JUNK))
def test_damaged_data_gives_a_memory_of_the_right_types(data: dict[str, Any]) -> None:
    memory = from_data({**data, "a later version": 1})
    assert from_data(json.loads(json.dumps(memory.to_data()))) == memory
    assert (memory.locked_out is not None) is (data.get("locked_out") is not None)


@pytest.mark.parametrize("data", [None, [], "text", 1])
def test_no_data_is_a_fresh_memory(data: object) -> None:
    assert from_data(data) == Memory()
