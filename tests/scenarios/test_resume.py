"""A run that died: reported by status, resumed by the same command, undone by --undo."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from erfailover.errors import VerificationFailed
from tests.support.clocks import ResumedClock
from tests.support.express_site import Maker
from tests.support.flags import ON_EXPRESSROUTE, ON_IPSEC, flags
from tests.support.leaks import decode_base64_words
from tests.support.processes import SPEED, command, puts, wait_for_puts
from tests.support.stage import Stage, below_heading

BREAK = 3
"""The write that takes a spoke off its path."""


def kill_after_write(stage: Stage, write: int) -> None:
    """A switch to IPsec whose process is killed right after a write was accepted."""
    stage.lab.clock = ResumedClock(SPEED, stage.clock.now())
    process = command("switch", "--to", "ipsec", "--yes", "--planned")
    wait_for_puts(stage, process, write)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    stage.clock.sleep(stage.lab.clock.now() - stage.clock.now())
    stage.lab.clock = stage.clock


@pytest.mark.parametrize("write", [1, 2, 3, 4, 5])
def test_a_killed_switch_is_told_and_continued_without_repeating_a_write(
    provisioned: Stage, write: int
) -> None:
    stage = provisioned
    stage.watch("vm1-nic1", "8.8.4.4")
    before = puts(stage)
    kill_after_write(stage, write)
    value = stage.json("status")["unfinished"]
    if write == BREAK:
        stage.pass_time(30.0)
        assert stage.run("status") == VerificationFailed.exit_code
        assert stage.err.endswith("vnet1 has NO path\n  erfailover switch --to ipsec\n")
    assert value["outcome"] == "died"
    assert value["to_continue"] == "erfailover switch --to ipsec"
    assert value["to_go_back"] == "erfailover switch --undo"
    stage.run("status")
    assert below_heading(stage.out).splitlines()[1].startswith("INCOMPLETE: switch --to ipsec died")

    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    assert puts(stage) == before + 5
    assert flags(stage.json("status")) == ON_IPSEC
    assert stage.json("status")["unfinished"] is None
    assert stage.cuts == []


@pytest.mark.parametrize("write", [1, 3, 4])
def test_a_killed_switch_is_taken_back(provisioned: Stage, write: int) -> None:
    stage = provisioned
    stage.watch("vm1-nic1", "8.8.4.4")
    kill_after_write(stage, write)
    stage.do("switch", "--undo", "--yes")
    assert flags(stage.json("status")) == ON_EXPRESSROUTE
    assert stage.json("status")["healthy"] is True
    assert stage.cuts == []


def test_an_operation_in_flight_is_re_attached_to(provisioned: Stage) -> None:
    stage = provisioned
    journal = next(Path("state").rglob("journal.jsonl"))
    count = len(journal.read_text().splitlines())
    stage.lab.clock = ResumedClock(10.0, stage.clock.now())
    process = command("switch", "--to", "ipsec", "--yes", "--planned", speed=10.0)
    accepted: dict[str, str] | None = None
    while accepted is None:
        assert process.poll() is None
        whole, _, _ = journal.read_text().rpartition("\n")  # the last line may be half written
        records = [json.loads(line) for line in whole.splitlines()[count:]]
        accepted = next((record for record in records if record["event"] == "accepted"), None)
    process.kill()
    process.communicate()
    stage.clock.sleep(stage.lab.clock.now() - stage.clock.now())
    stage.lab.clock = stage.clock
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    assert "Resuming an operation of an earlier run: 1. allow vnet1 to use the gateway" in stage.err
    assert "allow vnet1 to use the gateway in vnet3: Succeeded" in stage.err
    watched = [trace_entry.path for trace_entry in stage.lab.trace if trace_entry.method == "GET"]
    operation = re.search(r"/operations/([0-9a-f-]+)", accepted["operation"])
    assert operation
    assert any(operation.group(1) in path for path in watched)


def test_undo_without_a_switch_is_refused_and_says_what_to_type(provisioned: Stage) -> None:
    assert provisioned.run("switch", "--undo", "--yes") == 3
    assert "erfailover switch --to" in provisioned.err


def test_history_tells_each_run_with_steps_and_correlation_ids(provisioned: Stage) -> None:
    stage = provisioned
    stage.do("drill", "start", "--yes")
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    value = stage.json("history")
    assert [(item["command"], item["outcome"]) for item in value] == [
        ("provision", "done"),
        ("drill start", "done"),
        ("switch", "done"),
    ]
    steps = value[-1]["steps"]
    assert [step["outcome"] for step in steps] == ["done"] * 5
    assert all(step["correlation_ids"] and step["operation"] for step in steps)
    text = stage.do("history", value[-1]["id"][:6])
    assert "switch --to ipsec: done" in text
    assert steps[0]["correlation_ids"][0] in text
    assert stage.run("history", "nothing") == 2


def test_no_secret_is_in_the_journal_or_in_what_is_printed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {
        "ERFAILOVER_SHARED_KEY": "k3yOfT3st!ng",
        "ERFAILOVER_ADMIN_PASSWORD": "P4ss-w0rd-xyz",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    stage.do("init")
    stage.do("provision", "--yes", "-v")
    printed = stage.out + stage.err
    stage.pass_time(60.0)
    stage.do("switch", "--to", "ipsec", "--yes", "--planned", "-v")
    printed += stage.out + stage.err
    journal = next(Path("state").rglob("journal.jsonl")).read_text()
    token = Path(stage.environment["AZURE_FEDERATED_TOKEN_FILE"]).read_text()
    for secret in (*secrets.values(), token, stage.lab.identity.client_secret):
        assert secret not in journal + printed + decode_base64_words(journal, printed)
    assert "Bearer " not in journal + printed


def test_a_peering_with_the_primary_that_another_client_deleted_is_created_again(
    provisioned: Stage,
) -> None:
    stage = provisioned
    stage.do("drill", "start", "--yes")
    stage.do("switch", "--to", "ipsec", "--yes")
    maker = Maker(stage.lab, stage.clock, "rg-we")
    maker.ask("DELETE", "virtualNetworks/vnet1/virtualNetworkPeerings/vnet1-to-vnet2")
    maker.wait(30)
    plan = stage.json("switch", "--to", "ipsec", "--dry-run")
    changes = {step["number"]: step["write"]["change"] for step in plan["steps"]}
    assert (changes[3], changes[5], changes[8]) == ("keep", "update", "create")
    assert stage.json("switch", "--to", "ipsec", "--yes")["verified"] is True
    peerings = {item["name"]: item["state"] for item in stage.json("status")["peerings"]}
    assert peerings["vnet1-to-vnet2"] == peerings["vnet2-to-vnet1"] == "Connected"
