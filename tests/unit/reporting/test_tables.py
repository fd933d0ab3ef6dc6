"""The table of all output: it fits the screen, and no word of it is broken."""

from __future__ import annotations

import pytest

from erfailover.reporting import formats
from erfailover.reporting.screen import Screen
from erfailover.reporting.tables import format_table

NAME = "peer-vnet-prod-weu-erp-001-to-hub-connectivity-weu-001"
HEADINGS = ("peering", "to", "state", "note")


def rows(screen: Screen, name: str = NAME, note: str = "ok") -> list[str]:
    cells = [(name, "hub-connectivity-weu-001", "Connected", note)]
    return format_table(
        "T", HEADINGS, cells, screen, names=("peering",), spare=("to",)
    ).splitlines()


def test_a_table_that_fits_is_not_touched() -> None:
    assert NAME in rows(Screen(120))[-1]
    assert "hub-connectivity-weu-001" in rows(Screen(120))[-1]


def test_a_column_is_left_out_before_a_name_is_cut() -> None:
    last = rows(Screen(80))[-1]
    assert NAME in last
    assert " hub-connectivity-weu-001" not in last


def test_a_name_is_cut_in_its_middle_and_the_row_stays_one_line() -> None:
    assert rows(Screen(50))[-1] == " peer-vnet-prod-…ctivity-weu-001  Connected  ok"
    assert len(rows(Screen(50))) == 5
    assert rows(Screen(50, drawing=False))[-1] == " peer-vnet-prod...tivity-weu-001  Connected  ok"


def test_prose_is_wrapped_at_its_blanks() -> None:
    note = "the remote network is not in sync with what was read before"
    lines = rows(Screen(50), "a", note)
    assert max(map(len, lines)) <= 50
    assert set(note.split()) < set(" ".join(lines).split())


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("length", [1, 21, 64, 80, 300])
def test_the_table_of_a_query_is_no_wider_than_the_screen(width: int, length: int) -> None:
    data = [{f"key{number}": "x" * length for number in range(6)} | {"id": f"/a/{'y' * 200}"}]
    assert max(map(len, formats.format_table(data, Screen(width)).splitlines())) <= width


def test_a_query_of_too_many_columns_says_what_is_left_out() -> None:
    text = formats.format_table([{f"key{number}": "value" for number in range(30)}], Screen(80))
    assert max(map(len, text.splitlines())) <= 80
    assert "more: use -o json or select fewer." in text
