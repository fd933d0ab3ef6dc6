"""``--spoke``: part of a site moves, nothing is written for the rest, and the rest can follow."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from erfailover.lab.engine.faults import FOREVER, Fault, FaultKind
from erfailover.runtime.state.local import LocalStore
from tests.support.adopted import Adopted, Made, adopted, made_once
from tests.support.adopted_changes import paths
from tests.support.clocks import ResumedClock
from tests.support.processes import ELSEWHERE, SPEED, command, wait_for_puts

__all__ = ["Made", "adopted", "made_once"]

SPOKES = ("vnet-erp", "vnet-data", "vnet-shop")
TO_IPSEC = ("switch", "--to", "ipsec", "--yes", "--planned")
PRIMARY, BACKUP = "hub-weu", "hub-neu"


@pytest.fixture
def site(adopted: Adopted) -> Adopted:
    """A site of three spokes on ExpressRoute."""
    words = [word for name in SPOKES for word in ("--spoke", name)]
    adopted.stage.do(*adopted.init, *words)
    return adopted


def list_used_hubs(adopted: Adopted) -> list[str]:
    """The hub whose gateway each spoke uses, in the order of ``SPOKES``."""
    by_name = paths(adopted)
    return [by_name.get(name, "none") for name in SPOKES]


def list_written_spokes(adopted: Adopted, since: int) -> set[str]:
    """The spokes that writes named since some: a write that names none is a failure."""
    changes = [write for write in adopted.stage.writes()[since:] if not write.startswith("POST")]
    named = [{name for name in SPOKES if name in change} for change in changes]
    assert all(len(names) == 1 for names in named), changes
    return set().union(*named)


def count(adopted: Adopted) -> int:
    return len(adopted.stage.writes())


def ready(adopted: Adopted) -> dict[str, bool]:
    """Which spokes are prestaged."""
    spokes = adopted.stage.json("status")["spokes"]
    return {spoke["name"]: spoke["prestaged"] for spoke in spokes}


def make_is_refused(adopted: Adopted, spoke: str) -> None:
    """Azure refuses the make of a spoke, and the way back, until the faults are cleared."""
    make, origin = f"*/peer-{spoke}-to-hub-neu", f"*/peer-{spoke}-to-hub-weu"
    adopted.stage.lab.add_faults(
        Fault(FaultKind.FORBIDDEN, "PUT", make, nth=2, times=FOREVER),
        Fault(FaultKind.FORBIDDEN, "PUT", origin, nth=2, times=FOREVER),
    )


def test_one_spoke_moves_alone_and_the_rest_follows(site: Adopted) -> None:
    stage = site.stage
    plan = stage.json("switch", "--to", "ipsec", "--spoke", "vnet-erp", "--dry-run")
    assert plan["spokes"] == ["vnet-erp"]
    assert {step["spoke"] for step in plan["steps"]} == {"vnet-erp"}
    before = count(site)
    report = stage.json(*TO_IPSEC, "--spoke", "VNET-ERP")
    assert report["verified"] is True
    assert report["headline"] == "vnet-erp of hub-weu is on IPsec; verified."
    assert report["command"] == "switch --to ipsec --spoke vnet-erp"
    assert report["to_go_back"] == "erfailover switch --to expressroute --spoke vnet-erp"
    assert list_written_spokes(site, before) == {"vnet-erp"}
    assert list_used_hubs(site) == [BACKUP, PRIMARY, PRIMARY]

    stage.do("status")
    text = " ".join(stage.out.split())
    assert "are on ExpressRoute; healthy. 1 is on IPsec (vnet-erp); healthy." in text
    assert "To move the rest to IPsec (2 spokes): erfailover switch --to ipsec" in text
    assert "To move the rest to ExpressRoute (1 spoke): erfailover switch --to expressroute" in text
    assert stage.json("status")["path"] == "mixed"
    part = stage.json("status", "--spoke", "vnet-erp")
    assert (part["path"], part["healthy"]) == ("ipsec", True)
    stage.do("status", "--spoke", "vnet-erp")
    assert "Shows 1 of 3 spokes; the others were not read." in stage.out

    before = count(site)
    assert stage.json(*TO_IPSEC)["verified"] is True
    assert list_written_spokes(site, before) == {"vnet-data", "vnet-shop"}
    assert list_used_hubs(site) == [BACKUP] * 3

    assert stage.run("switch", "--undo", "--spoke", "vnet-erp", "--yes") == 3
    assert "did not move vnet-erp" in stage.err
    stage.do("switch", "--undo", "--yes")
    assert list_used_hubs(site) == [BACKUP, PRIMARY, PRIMARY], "the earlier run put vnet-erp there"


def test_undo_of_a_part_takes_back_that_part(site: Adopted) -> None:
    stage = site.stage
    stage.do(*TO_IPSEC, "--spoke", "vnet-erp")
    stage.do(*TO_IPSEC, "--spoke", "vnet-data", "--spoke", "vnet-shop")
    plan = stage.json("switch", "--undo", "--dry-run")
    assert plan["spokes"] == ["vnet-data", "vnet-shop"]
    assert plan["undoes"].startswith("switch --to ipsec --spoke vnet-data --spoke vnet-shop (run ")
    before = count(site)
    stage.do("switch", "--undo", "--spoke", "vnet-shop", "--yes")
    assert list_written_spokes(site, before) == {"vnet-shop"}
    assert list_used_hubs(site) == [BACKUP, BACKUP, PRIMARY]
    assert stage.json("history")[-1]["spokes"] == ["vnet-shop"]


def test_a_spoke_that_was_left_without_a_path_is_not_forgotten(site: Adopted) -> None:
    stage = site.stage
    make_is_refused(site, "vnet-erp")
    assert stage.run(*TO_IPSEC, "--spoke", "vnet-erp") == 5
    assert "vnet-erp has NO path" in stage.err
    assert "Run this now: erfailover switch --to ipsec --spoke vnet-erp" in stage.err
    stage.lab.clear_faults()

    before = count(site)
    for words in (("--yes", "--planned"), ("--dry-run",)):
        assert stage.run("switch", "--to", "ipsec", "--spoke", "vnet-data", *words) == 3
        assert "vnet-erp has NO path since run " in stage.err
        text = " ".join(stage.err.split())
        assert (
            "Run this first: erfailover switch --to ipsec --spoke vnet-erp, "
            "or add --spoke vnet-erp to this command." in text
        )
    path = "*/virtualNetworks/vnet-erp"
    stage.lab.add_faults(Fault(FaultKind.FORBIDDEN, "GET", path, times=FOREVER))
    assert stage.run(*TO_IPSEC, "--spoke", "vnet-data") == 4
    assert "vnet-erp may have NO path since run " in stage.err
    stage.lab.clear_faults()
    assert list_written_spokes(site, before) == set()
    stage.do(*TO_IPSEC, "--spoke", "vnet-data", "--spoke", "vnet-erp")
    assert list_used_hubs(site) == [BACKUP, BACKUP, PRIMARY]
    stage.do("switch", "--to", "expressroute", "--spoke", "vnet-data", "--yes")
    assert list_used_hubs(site) == [BACKUP, PRIMARY, PRIMARY]


@pytest.fixture
def lost(site: Adopted) -> Adopted:
    """A switch of vnet-erp whose lease was taken by another machine right after the break."""
    stage, stolen = site.stage, [False]

    def steal() -> None:
        if "vnet-erp" not in paths(site) and not stolen[0]:
            stolen[0] = True
            folder = next(stage.folder.joinpath("state").rglob("lease.json")).parent
            LocalStore(folder).acquire(ELSEWHERE, take_over=True)

    stage.lab.listen(steal)
    assert stage.run(*TO_IPSEC, "--spoke", "vnet-erp") == 3
    assert "vnet-erp has NO path" in stage.err
    assert list_used_hubs(site)[0] == "none"
    return site


def test_a_run_that_lost_its_lease_is_completed_whatever_is_chosen_next(lost: Adopted) -> None:
    stage, before = lost.stage, count(lost)
    stage.do(*TO_IPSEC, "--spoke", "vnet-data", "--take-over")
    assert "Completing run" in stage.err
    assert list_written_spokes(lost, before) == {"vnet-erp", "vnet-data"}
    assert list_used_hubs(lost) == [BACKUP, BACKUP, PRIMARY]
    stage.do("switch", "--undo", "--yes")
    assert list_used_hubs(lost) == [BACKUP, PRIMARY, PRIMARY]


def test_another_command_names_the_command_that_completes_the_part(lost: Adopted) -> None:
    assert lost.stage.run("prestage", "--spoke", "vnet-shop", "--yes", "--take-over") == 3
    assert "Run this first: erfailover switch --to ipsec --spoke vnet-erp" in lost.stage.err


@pytest.mark.parametrize(("write", "place"), [(2, PRIMARY), (3, BACKUP)])
def test_a_killed_part_is_completed_whatever_is_chosen_next(
    site: Adopted, write: int, place: str
) -> None:
    stage = site.stage
    stage.lab.clock = ResumedClock(SPEED, stage.clock.now())
    process = command(*TO_IPSEC, "--spoke", "vnet-erp")
    wait_for_puts(stage, process, write)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    stage.clock.sleep(stage.lab.clock.now() - stage.clock.now())
    stage.lab.clock = stage.clock
    value = stage.json("status")["unfinished"]
    assert value["to_continue"] == "erfailover switch --to ipsec --spoke vnet-erp"

    stage.do(*TO_IPSEC, "--spoke", "vnet-data")
    assert list_used_hubs(site) == [place, BACKUP, PRIMARY]
    assert ("Completing run" in stage.err) is (place == BACKUP)
    assert stage.run("status") == 0


def test_an_unreadable_spoke_that_was_not_chosen_holds_up_nothing(site: Adopted) -> None:
    path = "*/virtualNetworks/vnet-shop"
    site.stage.lab.add_faults(Fault(FaultKind.FORBIDDEN, "GET", path, times=FOREVER))
    requested = len(site.stage.lab.trace)
    assert site.stage.json(*TO_IPSEC, "--spoke", "vnet-erp")["verified"] is True
    paths_asked = [trace_entry.path for trace_entry in list(site.stage.lab.trace)[requested:]]
    assert not [name for name in paths_asked if "/virtualNetworks/vnet-shop" in name]


def test_a_saved_plan_has_its_spokes(site: Adopted) -> None:
    stage = site.stage
    chosen = ("--spoke", "vnet-erp")
    stage.do("switch", "--to", "ipsec", *chosen, "--dry-run", "--out", "part.json")
    assert stage.run("switch", "--plan", "part.json", *chosen) == 2
    assert "--plan and --spoke cannot be combined" in stage.err
    before = count(site)
    stage.do("switch", "--plan", "part.json", "--yes", "--planned")
    assert list_written_spokes(site, before) == {"vnet-erp"}
    assert stage.run("switch", "--plan", "part.json", "--yes", "--planned") == 3
    assert "erfailover switch --to ipsec --spoke vnet-erp --dry-run --out FILE" in " ".join(
        stage.err.split()
    )


def test_prestage_of_a_part_keeps_that_part_ready(site: Adopted) -> None:
    stage = site.stage
    first = ready(site)
    assert not first["vnet-erp"]
    assert not first["vnet-shop"]
    before = count(site)
    stage.do("prestage", "--spoke", "vnet-erp", "--yes")
    assert list_written_spokes(site, before) == {"vnet-erp"}
    stage.do(*TO_IPSEC)
    stage.do("switch", "--to", "expressroute", "--yes")
    assert ready(site) == {**first, "vnet-erp": True}, "vnet-shop's peerings are gone again"
    before = count(site)
    stage.do("unprestage", "--spoke", "vnet-shop", "--yes")
    assert list_written_spokes(site, before) == set()
    stage.do("unprestage", "--spoke", "vnet-erp", "--yes")
    assert ready(site) == first


def test_doctor_looks_at_the_chosen_spokes(site: Adopted) -> None:
    lines: Any = site.stage.json("doctor", "--spoke", "vnet-erp")
    text = str(lines)
    assert "vnet-erp" in text
    assert "vnet-shop" not in text


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("doctor",),
        ("verify",),
        ("prestage",),
        ("unprestage",),
        ("switch", "--undo"),
        ("switch", "--to", "ipsec"),
    ],
    ids=" ".join,
)
def test_a_name_of_no_spoke_is_answered_with_those_there_are(
    site: Adopted, words: tuple[str, ...]
) -> None:
    requested = len(site.stage.lab.trace)
    assert site.stage.run(*words, "--spoke", "vnet-epr") == 2
    assert "--spoke vnet-epr: hub-weu has no such spoke" in site.stage.err
    assert "Did you mean vnet-erp? The spokes of hub-weu: " in site.stage.err
    assert len(site.stage.lab.trace) == requested


def test_a_canary_must_be_among_the_chosen(site: Adopted) -> None:
    chosen = ("--spoke", "vnet-erp", "--spoke", "vnet-data")
    assert site.stage.run(*TO_IPSEC, *chosen, "--canary", "vnet-shop") == 2
    assert "--canary vnet-shop is not one of the chosen spokes: " in site.stage.err
    report = site.stage.json(*TO_IPSEC, *chosen, "--canary", "VNET-DATA")
    assert report["verified"] is True
    assert list_used_hubs(site) == [BACKUP, BACKUP, PRIMARY]


def test_verify_runs_the_probes_of_the_chosen_spokes(site: Adopted) -> None:
    stage = site.stage
    file = Path("erfailover.yaml")
    text = file.read_text("utf-8").replace("\nprobes:", "\n# probes:")
    file.write_text(f"{text}\nprobes:\n  shell: {{command: ['true']}}\n", "utf-8")
    assert stage.run("verify", "--spoke", "vnet-erp") == 2
    assert "no probe of hub-weu relates to vnet-erp" in stage.err
    stage.do("verify", "--spoke", "vnet-erp", "--expect", "shell=up")
    stage.do("verify")
