"""``--quiet`` prints the outcome alone, ``-o none`` nothing, and what is piped never moves."""

from __future__ import annotations

import pytest

from tests.support.stage import Stage

TO_IPSEC = ("switch", "--to", "ipsec", "--yes", "--planned")


def test_a_quiet_switch_is_one_line_and_so_is_what_prepares_it(provisioned: Stage) -> None:
    stage = provisioned
    assert stage.do("prestage", "--yes", "-q").splitlines()[0].startswith("poc: 2 of 2 peerings")
    assert stage.err == ""
    assert stage.do(*TO_IPSEC, "--quiet") == "poc is on IPsec; verified.\n"
    assert stage.err == ""
    assert stage.do(*TO_IPSEC, "--quiet", "-o", "none") == ""
    assert stage.err == ""
    report = stage.json("switch", "--to", "expressroute", "--yes", "-q")
    assert report["verified"] is True
    assert stage.err == ""
    stage.do("verify", "-q", "-o", "none")
    assert stage.err == ""


def test_quiet_leaves_errors_and_exit_codes_as_they_are(provisioned: Stage) -> None:
    stage = provisioned
    assert stage.run("switch", "--to", "ipsec", "--quiet") == 3
    assert stage.out == ""
    assert stage.err.startswith("erfailover: vnet1 is healthy on ExpressRoute")
    stage.do("drill", "start", "--yes", "-q")
    assert stage.err == ""
    assert stage.run("switch", "--to", "expressroute", "--quiet", "--yes") == 6
    assert stage.out == "poc is on ExpressRoute, NOT verified. FAILED.\n"
    assert stage.err.startswith("erfailover: switched to expressroute, but not verified: ")


def test_without_a_terminal_every_event_is_a_line_and_nothing_moves(provisioned: Stage) -> None:
    stage = provisioned
    stage.do(*TO_IPSEC)
    for text in (stage.out, stage.err):
        assert "\r" not in text
        assert "\x1b" not in text
    lines = stage.err.splitlines()
    assert sum(line.startswith("     done") for line in lines) == 5
    assert len([line for line in lines if line.startswith("Waiting for:")]) <= 5


def test_an_empty_topology_is_built_and_deleted_quietly(stage: Stage) -> None:
    stage.do("init")
    assert "Next: erfailover status" in stage.do("provision", "--yes", "-q")
    assert stage.err == ""
    assert len(stage.do("destroy", "--yes", "-q").splitlines()) == 1
    assert stage.err == ""


@pytest.mark.parametrize(
    ("command", "columns"),
    [(["status"], 4), (["doctor"], 3), (["verify"], 4), (["history"], 4), (["permissions"], 2)],
)
def test_tsv_has_the_columns_that_the_reference_names(
    command: list[str], columns: int, provisioned: Stage
) -> None:
    provisioned.run(*command, "-o", "tsv")
    rows = [line.split("\t") for line in provisioned.out.splitlines()]
    assert rows
    assert {len(row) for row in rows} == {columns}
    if command == ["status"]:
        assert rows == [["vnet1", "expressroute", "True", "False"]]
