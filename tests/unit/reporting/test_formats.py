"""Formats and queries: what az prints, printed likewise."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from erfailover.reporting import formats
from erfailover.reporting.formats import QueryProblem, format_result, parse_query
from erfailover.reporting.screen import Screen

DATA: dict[str, Any] = {
    "path": "ipsec",
    "healthy": True,
    "ready": None,
    "gateways": [
        {"name": "vng1", "role": "primary", "asn": 65000, "up": False, "peers": [1, 2], "x": {}},
        {"name": "vng2", "role": "backup", "asn": None, "up": True, "peers": [], "x": {"a": 1}},
    ],
}

AS_AZ_PRINTS_TSV = [
    ("path", "ipsec\n"),
    ("healthy", "true\n"),
    ("[healthy]", "true\n"),
    ("ready", ""),
    ("[ready]", "None\n"),
    ("nothing", ""),
    ("gateways[].name", "vng1\nvng2\n"),
    ("gateways[].[name, asn, up]", "vng1\t65000\tFalse\nvng2\tNone\tTrue\n"),
    ("gateways[].{up: up, name: name}", "False\tvng1\nTrue\tvng2\n"),
    ("gateways", "65000\tvng1\t2\tprimary\tFalse\t\nNone\tvng2\t0\tbackup\tTrue\t\n"),
    ("gateways[?role=='nobody']", ""),
    ("length(gateways)", "2\n"),
]
"""Printed by knack 0.14, az's own library, given the same data and query."""


@pytest.mark.parametrize(("text", "expected"), AS_AZ_PRINTS_TSV)
def test_tsv_is_what_az_prints(text: str, expected: str) -> None:
    assert format_result("", DATA, "tsv", parse_query(text)) == expected


def test_tsv_without_a_query_is_one_row_of_the_whole_with_lists_by_their_length() -> None:
    assert format_result("for people", DATA, "tsv") == "2\tTrue\tipsec\tNone\n"


def test_json_and_yaml_keep_the_order_that_a_query_asks_for() -> None:
    text = parse_query("gateways[0].{up: up, name: name}")
    assert format_result("", DATA, "json", text) == '{\n  "up": false,\n  "name": "vng1"\n}\n'
    assert format_result("", DATA, "yaml", text) == "up: false\nname: vng1\n"
    assert format_result("", DATA, "yaml", parse_query("path")) == "ipsec\n"


def test_a_table_of_a_query_has_a_column_a_key_and_leaves_nested_values_out() -> None:
    table = format_result("", DATA, "table", parse_query("gateways"))
    head, rule, *rows = table.splitlines()
    assert head.split() == ["Name", "Role", "Asn", "Up"]
    assert set(rule.strip()) == {"─"}
    assert rows[0].split() == ["vng1", "primary", "65000", "False"]
    assert rows[1].split() == ["vng2", "backup", "True"]


def test_a_table_of_lists_numbers_its_columns_and_one_of_a_word_is_called_result() -> None:
    assert "Column1" in format_result("", DATA, "table", parse_query("gateways[].[name, asn]"))
    assert format_result("", DATA, "table", parse_query("path")).split() == [
        "Result",
        "─" * 6,
        "ipsec",
    ]


def test_a_table_folds_in_a_narrow_terminal_and_not_in_a_wide_one() -> None:
    long = {"id": "/subscriptions/" + "x" * 200, "name": "vng1"}
    narrow = format_result("", [long], "table", parse_query("[*]"), Screen(80))
    assert max(map(len, narrow.splitlines())) <= 80
    assert "x" * 200 in format_result("", [long], "table", parse_query("[*]"), Screen(10_000))


def test_a_table_is_ascii_alone_where_a_terminal_can_show_no_more() -> None:
    assert format_result(
        "", DATA, "table", parse_query("gateways"), Screen(drawing=False)
    ).isascii()


def test_square_brackets_in_a_value_are_no_markup() -> None:
    result = format_result("", [{"seen": "[red]10.0.0.0/8[/red]"}], "table", parse_query("[*]"))
    assert "[red]10.0.0.0/8[/red]" in result


def test_the_table_of_a_result_without_a_query_is_the_text_for_people() -> None:
    assert format_result("for people", DATA, "table") == "for people\n"


def test_none_prints_nothing() -> None:
    assert format_result("for people", DATA, "none") == ""
    assert format_result("for people", DATA, "none", parse_query("path")) == ""


@pytest.mark.parametrize(
    ("text", "what", "at"),
    [
        ("", "empty", 1),
        ("gateways[", "ends too early", 10),
        ("gateways[?role==backup']", "'", 23),
        ("a b", "unexpected 'b'", 3),
        ("a..b", "unexpected '.'", 3),
        ("#", "unexpected '#'", 1),
        ("a[].lenght(@)", "unknown function lenght()", 5),  # codespell:ignore lenght
    ],
)
def test_a_query_that_is_wrong_is_told_with_its_place(text: str, what: str, at: int) -> None:
    with pytest.raises(QueryProblem) as caught:
        parse_query(text)
    message = str(caught.value)
    assert what in message.splitlines()[0]
    assert f"(character {at})" in message
    assert message.splitlines()[1:3] == [f"  {text}", " " * (at + 1) + "^"]


def test_a_query_that_does_not_suit_the_result_is_a_problem_of_the_query() -> None:
    with pytest.raises(QueryProblem, match="length"):
        format_result("", DATA, "json", parse_query("length(healthy)"))


def test_every_format_is_one_that_az_has() -> None:
    assert set(formats.FORMATS) < {"json", "jsonc", "none", "table", "tsv", "yaml", "yamlc"}
    assert json.loads(format_result("", DATA, "json")) == DATA


PATHOLOGICAL = [
    "(" * 3000 + "path" + ")" * 3000,
    "!" * 4000 + "path",
    "[" + "1" * 5000 + "]",
    "`" + "[" * 2000 + "`",
    "a" * 10_001,
    "|".join(["@"] * 2000),
    "|".join(["[@]"] * 300),
    "|".join(["[@,@]"] * 60),
    "|".join(["[@,@]"] * 60) + "|to_string(@)",
    "|".join(["[@,@][]"] * 60),
    "|".join(["[" + ",".join("@" * 9) + "]"] * 9),
    "|".join(["{a:@,b:@}"] * 40),
    "|".join(["[@,@]"] * 40) + "|[0]==[1]",
    "gateways[::0]",
    "&path",
    "[&path]",
]


@pytest.mark.parametrize("text", PATHOLOGICAL, ids=range(len(PATHOLOGICAL)))
@pytest.mark.parametrize("format_", ["json", "yaml", "tsv", "table"])
def test_a_pathological_query_is_refused_within_two_seconds(text: str, format_: str) -> None:
    began = time.monotonic()
    with pytest.raises(QueryProblem) as problem:
        format_result("", DATA, format_, parse_query(text))
    assert time.monotonic() - began < 2.0
    assert len(str(problem.value)) < 1000


def test_a_large_result_can_be_queried() -> None:
    data = {"spokes": [{"name": f"vnet{number}", "ok": True} for number in range(5000)]}
    assert format_result("", data, "tsv", parse_query("length(spokes[?ok].name)")) == "5000\n"
    assert (
        len(format_result("", data, "tsv", parse_query("spokes[*].[name, ok]")).splitlines())
        == 5000
    )
