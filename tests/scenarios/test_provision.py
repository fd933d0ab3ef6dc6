"""Provision, destroy and init: the command line, the real SDK, the lab over HTTPS."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from erfailover.commands.progress import Progress
from erfailover.config.loader import load
from erfailover.model.tasks import Event, State
from erfailover.planning.provision.nat import PER_BOOT
from erfailover.planning.provision.resources import build_desired
from tests.support import azure
from tests.support.model import get_model
from tests.support.resources import shared_keys
from tests.support.stage import Stage

KEY = "a-shared-key-nobody-may-see"
PASSWORD = "A-password-nobody-may-see-1"
CONTENTION = (400, 409, 429)


def gateway_of(stage: Stage, name: str) -> Any:
    return stage.resource("Microsoft.Network/virtualNetworkGateways", name)


@pytest.fixture
def sdk(stage: Stage) -> Iterator[Any]:
    """The SDK itself, for what somebody else does to the same subscription."""
    with azure.session(stage.clock) as session:
        yield session.get_clients(stage.lab.identity.subscription, lambda: None)


def local_gateway(stage: Stage, name: str) -> Any:
    return stage.resource("Microsoft.Network/localNetworkGateways", name).body["properties"]


def test_the_whole_topology_is_made_in_the_time_of_its_slowest_chain(stage: Stage) -> None:
    stage.do("init")
    result = stage.json("provision", "--yes")
    took = {item["title"]: item["elapsed_s"] for item in result["actions"]}
    assert result["failed"] == 0
    assert len(took) == 39
    assert {state for item in result["actions"] for state in [item["state"]]} == {"done"}
    one_gateway = max(took["gateway vng1"], took["gateway vng2"], took["gateway vng3"])
    assert result["elapsed_s"] < one_gateway + 60.0
    assert min(took["gateway vng1"], took["gateway vng2"], took["gateway vng3"]) > 900.0


def test_nothing_is_written_where_azure_would_refuse_it(provisioned: Stage) -> None:
    refused = [
        trace_entry for trace_entry in provisioned.lab.trace if trace_entry.status in CONTENTION
    ]
    assert refused == []


def test_a_second_run_changes_nothing_and_says_so(provisioned: Stage) -> None:
    before = provisioned.writes()
    assert "Nothing to change" in provisioned.do("provision", "--yes")
    after = [write for write in provisioned.writes()[len(before) :] if "runCommand" not in write]
    assert after == []


def test_a_dry_run_shows_everything_and_writes_nothing(stage: Stage) -> None:
    stage.do("init")
    plan = stage.json("provision", "--dry-run")
    assert plan["changes"] == plan["create"] == 39
    assert stage.writes() == []


def test_without_yes_and_without_anybody_to_ask_nothing_is_written(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.do("init")
    assert stage.run("provision") == 3
    assert "--yes" in stage.err
    assert stage.writes() == []


def test_an_interrupted_run_continues_and_makes_nothing_twice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = Progress.tell

    def interrupt(progress: Progress, event: Event) -> None:
        function(progress, event)
        if event.state is State.DONE and event.task.title == "machine vm3":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)  # the main thread hears it

    stage.do("init")
    monkeypatch.setattr(Progress, "tell", interrupt)
    assert stage.run("provision", "--yes") == 130
    monkeypatch.setattr(Progress, "tell", function)
    plan = stage.json("provision", "--dry-run")
    assert 0 < plan["create"] < 39
    stage.do("provision", "--yes")
    puts = Counter(write for write in stage.writes() if write.startswith("PUT"))
    assert set(puts.values()) == {1}
    assert "Nothing to change" in stage.do("provision", "--yes")


def test_a_gateway_that_is_still_being_made_is_waited_for(stage: Stage, sdk: Any) -> None:
    stage.do("init")
    site = load("erfailover.yaml", os.environ)
    desired = {resource.name: resource.body for resource in build_desired(site)}
    group = sdk.resource.resource_groups
    group.create_or_update("rg-we", desired["rg-we"])
    network = sdk.network
    for operations, name in (
        (network.virtual_networks, "vnet2"),
        (network.public_ip_addresses, "vng1-public-ip1"),
        (network.virtual_network_gateways, "vng1"),
    ):
        operations.begin_create_or_update("rg-we", name, desired[name], polling=False)
        stage.pass_time(20.0)
    [plan] = [
        item
        for item in stage.json("provision", "--dry-run")["actions"]
        if item["name"] == "vng1" and item["change"] == "update"
    ]
    assert plan["note"].startswith("Updating: updated once that has ended")
    result = stage.json("provision", "--yes")
    assert result["failed"] == 0
    [vng1] = [item for item in result["actions"] if item["title"] == "gateway vng1"]
    assert vng1["note"] == "no change"
    assert vng1["elapsed_s"] > 900.0
    puts = [write for write in stage.writes() if write.endswith("virtualNetworkGateways/vng1")]
    assert len(puts) == 1


def test_what_differs_is_shown_and_put_right_alone(provisioned: Stage) -> None:
    stage = provisioned
    stage.do("drill", "start", "--yes")
    assert local_gateway(stage, "lng1")["bgpSettings"]["bgpPeeringAddress"] == "10.4.0.253"
    [change] = [
        item for item in stage.json("provision", "--dry-run")["actions"] if item["change"] != "keep"
    ]
    assert change["name"] == "lng1"
    assert change["differences"] == [
        {
            "path": "properties.bgpSettings.bgpPeeringAddress",
            "expected": "10.4.0.254",
            "found": "10.4.0.253",
        }
    ]
    before = len(stage.writes())
    stage.do("provision", "--yes")
    written = [write for write in stage.writes()[before:] if write.startswith("PUT")]
    assert len(written) == 1
    assert local_gateway(stage, "lng1")["bgpSettings"]["bgpPeeringAddress"] == "10.4.0.254"


@pytest.mark.parametrize(
    ("network", "peering"), [("vnet2", "vnet2-to-vnet1"), ("vnet1", "vnet1-to-vnet2")]
)
def test_a_peering_that_somebody_deleted_is_put_back_and_connected(
    provisioned: Stage, sdk: Any, network: str, peering: str
) -> None:
    stage = provisioned
    sdk.network.virtual_network_peerings.begin_delete("rg-we", network, peering, polling=False)
    stage.pass_time(30.0)
    assert stage.json("provision", "--yes")["failed"] == 0
    body = {item["name"]: item for item in stage.json("status")["peerings"]}
    assert {item["state"] for item in body.values()} == {"Connected"}
    assert body["vnet1-to-vnet2"]["use_remote_gateways"] is True
    assert body["vnet2-to-vnet1"]["allow_gateway_transit"] is True


def test_the_nat_set_up_outlives_a_restart_for_what_it_keeps_on_the_disk(
    provisioned: Stage, sdk: Any
) -> None:
    stage = provisioned

    def restart() -> None:
        sdk.compute.virtual_machines.begin_restart("rg-we", "vm3", polling=False)
        stage.pass_time(120.0)

    restart()
    assert stage.reaches("vm1-nic1", "8.8.4.4")
    assert "Nothing to change" in stage.do("provision", "--yes")

    vm3 = stage.resource("Microsoft.Compute/virtualMachines", "vm3")
    get_model(stage.lab).machines.run(vm3, [f"chmod -x {PER_BOOT}"])
    restart()
    assert not stage.reaches("vm1-nic1", "8.8.4.4")
    result = stage.json("provision", "--yes")
    assert [item["title"] for item in result["actions"]] == ["NAT set-up of vm3"]
    assert stage.reaches("vm1-nic1", "8.8.4.4")


def test_a_site_on_its_backup_is_not_moved(provisioned: Stage) -> None:
    provisioned.do("switch", "--to", "ipsec", "--yes", "--planned")
    before = len(provisioned.writes())
    assert "Nothing to change" in provisioned.do("provision", "--yes")
    assert not [write for write in provisioned.writes()[before:] if "Peerings" in write]
    assert provisioned.json("status")["path"] == "ipsec"


def test_secrets_are_written_to_azure_and_nowhere_a_person_sees(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERFAILOVER_SHARED_KEY", KEY)
    monkeypatch.setenv("ERFAILOVER_ADMIN_PASSWORD", PASSWORD)
    stage.do("init")
    message = ""
    for command in (
        ("provision", "--dry-run", "-o", "json"),
        ("provision", "--yes", "-v"),
        ("provision", "--yes", "-v"),
        ("destroy", "--dry-run", "-v"),
    ):
        stage.do(*command)
        message += stage.out + stage.err
    assert set(shared_keys(stage).values()) == {KEY}
    for folder in (stage.folder / "state", stage.folder):
        for file in folder.rglob("*"):
            if file.is_file() and file.name != "secrets.json":
                message += file.read_text(encoding="utf-8", errors="replace")
    assert KEY not in message
    assert PASSWORD not in message


def test_generated_keys_are_kept_and_are_the_same_at_both_ends(provisioned: Stage) -> None:
    keys = shared_keys(provisioned)
    assert keys["vng1-to-vng3"] == keys["vng3-to-vng1"]
    assert keys["vng2-to-vng3"] == keys["vng3-to-vng2"]
    assert keys["vng1-to-vng3"] != keys["vng2-to-vng3"]
    [file] = (provisioned.folder / "state").rglob("secrets.json")
    assert file.stat().st_mode & 0o777 == 0o600
    assert keys["vng1-to-vng3"] in json.loads(file.read_text())["secrets"].values()


def test_a_new_shared_key_goes_to_both_ends(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERFAILOVER_SHARED_KEY", KEY)
    assert provisioned.json("provision", "--yes")["changes"] == 4
    assert set(shared_keys(provisioned).values()) == {KEY}
    monkeypatch.delenv("ERFAILOVER_SHARED_KEY")
    assert "Nothing to change" in provisioned.do("provision", "--yes")


def test_keys_lost_on_this_machine_are_written_anew_to_both_ends(provisioned: Stage) -> None:
    [file] = (provisioned.folder / "state").rglob("secrets.json")
    old = shared_keys(provisioned)
    file.unlink()
    assert provisioned.json("provision", "--yes")["changes"] == 4
    new = shared_keys(provisioned)
    assert not set(new.values()) & set(old.values())
    assert new["vng1-to-vng3"] == new["vng3-to-vng1"]


def test_destroy_leaves_nothing_and_says_so_the_second_time(provisioned: Stage) -> None:
    stage = provisioned
    plan = stage.json("destroy", "--dry-run")
    assert plan["kept"] == []
    assert stage.json("destroy", "--yes")["changes"] == plan["changes"]
    assert [
        trace_entry for trace_entry in stage.lab.trace if trace_entry.status in CONTENTION
    ] == []
    assert list(stage.lab.world.iter_by_type("Microsoft.Network/virtualNetworks")) == []
    assert not list((stage.folder / "state").rglob("secrets.json"))
    before = len(stage.writes())
    assert "Nothing to delete" in stage.do("destroy", "--yes")
    assert len(stage.writes()) == before


def test_destroy_asks_first(provisioned: Stage) -> None:
    before = len(provisioned.writes())
    assert provisioned.run("destroy") == 3
    assert re.search(r"Delete \d+ resources of poc\?", provisioned.err)
    assert len(provisioned.writes()) == before


def test_destroy_keeps_and_names_what_is_not_ours(provisioned: Stage, sdk: Any) -> None:
    stage = provisioned
    network = sdk.network
    network.route_tables.begin_create_or_update(
        "rg-we",
        "theirs",
        {"location": "westeurope", "properties": {"routes": []}},
        polling=False,
    )
    stage.pass_time(10.0)
    result = stage.json("destroy", "--yes")
    assert result["failed"] == 0
    assert "route table theirs: not created by erfailover for poc" in result["kept"]
    assert stage.resource("Microsoft.Network/routeTables", "theirs") is not None
    assert list(stage.lab.world.iter_by_type("Microsoft.Network/virtualNetworkGateways")) == []


def test_destroy_works_on_a_site_that_was_switched(provisioned: Stage) -> None:
    provisioned.do("switch", "--to", "ipsec", "--yes", "--planned")
    assert provisioned.json("destroy", "--yes")["failed"] == 0
    assert list(provisioned.lab.world.iter_by_type("Microsoft.Network/virtualNetworks")) == []


def test_something_of_the_same_name_that_is_not_ours_is_not_touched(stage: Stage, sdk: Any) -> None:
    sdk.resource.resource_groups.create_or_update("rg-we", {"location": "westeurope"})
    sdk.network.virtual_networks.begin_create_or_update(
        "rg-we",
        "vnet1",
        {
            "location": "westeurope",
            "properties": {"addressSpace": {"addressPrefixes": ["10.99.0.0/16"]}},
        },
        polling=False,
    )
    stage.pass_time(10.0)
    stage.do("init")
    before = len(stage.writes())
    assert stage.run("provision", "--yes") == 3
    assert "VNet vnet1" in stage.err
    assert len(stage.writes()) == before


def test_init_writes_a_file_once(stage: Stage) -> None:
    stage.do("init")
    file = stage.folder / "erfailover.yaml"
    file.write_text("site: mine\n")
    assert stage.run("init") == 2
    assert "--force" in stage.err
    assert file.read_text() == "site: mine\n"
    stage.do("init", "--force")
    assert "vnet1-to-vnet2" in Path(file).read_text()


def test_a_nat_machine_is_set_up_by_cloud_init_alone(provisioned: Stage) -> None:
    stage = provisioned
    vm3 = stage.resource("Microsoft.Compute/virtualMachines", "vm3")
    vm3.properties["vmId"] = "another"  # a machine that has never been started
    stage.lab.plane.boot(vm3)
    assert stage.reaches("vm1-nic1", "8.8.4.4")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("location: westeurope", "location: atlantis", "atlantis does not offer VPN"),
        ("location: westeurope", "location: westus", "westus has the availability zones none"),
        ("Standard_B2ats_v2", "Standard_Z9000", "Standard_Z9000: is not offered in this region"),
        ("ubuntu-24_04-lts", "ubuntu-4_10", "Canonical:ubuntu-4_10:server:latest is not offered"),
    ],
)
def test_what_azure_does_not_offer_is_refused_before_the_first_write(
    stage: Stage, before: str, after: str, words: str
) -> None:
    stage.do("init")
    file = Path("erfailover.yaml")
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))
    assert stage.run("provision", "--yes") == 3
    assert words in " ".join(stage.err.split())
    assert stage.writes() == []
