"""The peerings with the backup hub made ahead of time: less to do at night, and they stay."""

from __future__ import annotations

from tests.support.stage import Stage

BACKUP = {"vnet3-to-vnet1", "vnet1-to-vnet3"}


def peerings(stage: Stage) -> dict[str, dict[str, object]]:
    return {item["name"]: item for item in stage.json("status")["peerings"] if item["state"]}


def list_written_names(stage: Stage, before: int) -> list[str]:
    return [write.rsplit("/", 1)[-1] for write in stage.writes()[before:] if "POST" not in write]


def test_a_prestaged_site_is_switched_by_two_writes_and_goes_back_prestaged(
    provisioned: Stage,
) -> None:
    stage = provisioned
    stage.watch("vm1-nic1", "8.8.4.4")
    assert stage.json("status")["spokes"][0]["prestaged"] is False
    plan = stage.json("prestage", "--dry-run")
    assert plan["purpose"] == "prestage"
    assert {step["write"]["change"] for step in plan["steps"]} == {"create"}
    assert set(stage.json("prestage", "--yes")["changed"]) == BACKUP
    assert stage.json("status")["spokes"][0]["prestaged"] is True
    assert stage.json("status")["path"] == "expressroute"
    before = len(stage.writes())
    assert stage.json("prestage", "--yes")["changed"] == []
    stage.do("drill", "start", "--yes")

    before = len(stage.writes())
    done = stage.json("switch", "--to", "ipsec", "--yes", "--planned")
    assert list_written_names(stage, before) == [
        "vnet1-to-vnet2",
        "vnet1-to-vnet3",
        "vnet2-to-vnet1",
    ]
    assert done["verified"] is True
    assert done["decision_s"] < done["control_plane_s"] < done["data_plane_s"]
    assert done["data_plane_s"] <= done["verified_s"]
    assert "spoke" not in stage.json("unprestage", "--yes")
    assert stage.json("status")["path"] == "ipsec", "a peering that carries a path is not removed"

    stage.do("prestage", "--yes")
    stage.do("drill", "stop", "--yes")
    stage.do("switch", "--to", "expressroute", "--yes")
    assert stage.json("status")["spokes"][0]["prestaged"] is True
    assert set(stage.json("unprestage", "--yes")["changed"]) == BACKUP
    assert stage.json("status")["spokes"][0]["prestaged"] is False
    assert stage.cuts == []


def test_without_prestage_the_way_back_removes_what_the_way_there_made(provisioned: Stage) -> None:
    stage = provisioned
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    stage.do("switch", "--to", "expressroute", "--yes")
    assert BACKUP.isdisjoint(peerings(stage))


def test_a_site_file_that_says_prestaged_keeps_them_whoever_switches(provisioned: Stage) -> None:
    stage = provisioned
    file = stage.folder / "erfailover.yaml"
    file.write_text("prestaged: true\n" + file.read_text("utf-8"), "utf-8")
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    stage.do("switch", "--to", "expressroute", "--yes")
    assert peerings(stage).keys() >= BACKUP
    assert stage.run("unprestage", "--yes") == 2
    assert "prestaged: true" in stage.err
