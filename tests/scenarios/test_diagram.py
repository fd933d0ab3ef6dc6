"""``diagram`` against the lab: it reads, draws, and writes nothing but its file."""

from __future__ import annotations

import shutil
import sys
from xml.etree import ElementTree

import pytest

from erfailover.lab.engine.faults import FOREVER, Fault, FaultKind
from tests.support.stage import Stage

SVG = "{http://www.w3.org/2000/svg}"


def classes(svg: str) -> dict[str, set[str]]:
    """What each card is, by its id."""
    groups = ElementTree.fromstring(svg).iter(f"{SVG}g")
    return {group.get("id", ""): set(group.get("class", "").split()) for group in groups}


def test_it_draws_the_site_before_in_and_after_a_failure_and_changes_nothing(
    provisioned: Stage,
) -> None:
    stage = provisioned
    before = stage.do("diagram")
    assert {"hub", "active", "sound"} <= classes(before)["hub/primary"]
    assert "absent" in classes(before)["peerings/none/backup"]
    assert stage.writes() == []

    stage.do("drill", "start", "--yes")
    dark = stage.do("diagram")
    assert {"active", "broken"} <= classes(dark)["hub/primary"]
    assert "A DRILL IS RUNNING" in dark
    assert "BGP 10.4.0.253 Connecting" in dark

    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    after = stage.do("diagram")
    assert {"active", "sound"} <= classes(after)["hub/backup"]
    assert "active" not in classes(after)["hub/primary"]
    assert "vnet4: vng3" in after


def test_a_file_is_written_in_the_format_of_its_name(provisioned: Stage) -> None:
    stage = provisioned
    assert stage.do("diagram", "--output-file", "site.svg") == ""
    assert "Diagram written to site.svg (read at" in " ".join(stage.err.split())
    assert "hub/primary" in classes((stage.folder / "site.svg").read_text(encoding="utf-8"))
    if shutil.which("rsvg-convert") is None:
        pytest.skip("rsvg-convert is not installed")
    stage.do("diagram", "-f", "site.PNG")
    assert (stage.folder / "site.PNG").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-f", "site.jpg"), "does not end in .svg or .png"),
        (("-f", "site"), "choose the format with -o"),
        (("-f", "site.svg", "-o", "png"), "asks for svg, but -o asks for png"),
        (("-f", "no/such/folder/site.svg"), "mkdir -p"),
        (("-f", "state", "--output", "svg"), "is a folder"),
        (("-o", "site.svg"), "Did you mean 'svg'?"),
    ],
)
def test_what_cannot_be_written_is_said_before_azure_is_asked(
    provisioned: Stage, arguments: tuple[str, ...], message: str
) -> None:
    requested = len(provisioned.lab.trace)
    assert provisioned.run("diagram", *arguments) == 2
    assert message in provisioned.err
    assert len(provisioned.lab.trace) == requested


@pytest.mark.parametrize("arguments", [(), ("-o", "svg"), ("-f", "site.svg"), ("-f", "site.png")])
def test_without_what_lays_it_out_it_says_so_before_azure_is_asked(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    requested = len(provisioned.lab.trace)
    assert provisioned.run("diagram", *arguments) == 2
    assert "pip install 'erfailover[diagram]'" in provisioned.err
    assert len(provisioned.lab.trace) == requested


def test_the_picture_in_the_terminal_needs_nothing_that_lays_it_out(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    assert "╔ vnet2, primary hub ═" in provisioned.do("status")


def test_what_cannot_be_read_is_drawn_as_unknown_and_exits_with_0(provisioned: Stage) -> None:
    stage = provisioned
    forbidden = Fault(
        FaultKind.ANSWER, path="virtualNetworkGateways/vng2", status=403, times=FOREVER
    )
    stage.lab.faults.add(forbidden)
    drawn = stage.do("diagram")
    assert "unknown" in classes(drawn)["hub/backup"]
    assert "Drawn as unknown" in stage.err


def test_of_a_site_of_which_nothing_is_there_nothing_is_drawn(stage: Stage) -> None:
    stage.do("init")
    assert stage.run("diagram") == 4
    assert stage.out == ""
    assert "there is nothing to draw" in stage.err
