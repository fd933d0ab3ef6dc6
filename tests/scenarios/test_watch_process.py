"""``erfailover watch`` as a process: how it begins, stands by, and ends."""

from __future__ import annotations

import json
import signal
import socket
import time

import pytest

from erfailover.lab.auth.rbac import Access, read_roles
from tests.support.clocks import ResumedClock
from tests.support.processes import SPEED, puts
from tests.support.stage import Stage
from tests.support.watch_process import WatchProcess, run_watch
from tests.support.watched import set_primary, set_watch

NO_PAGE = ("--listen", "none")
LEADS = r"process \d+ leads"


@pytest.fixture
def served(provisioned: Stage) -> Stage:
    """The site on a lab whose clock other processes can follow."""
    provisioned.lab.clock = ResumedClock(SPEED, provisioned.clock.now())
    return provisioned


def fail_and_wait_for_puts(stage: Stage, watch: WatchProcess, more: int) -> None:
    """Have the primary path fail, and wait until the watch has written something."""
    watch.wait_for("HEALTHY")
    set_primary(stage, up=False)
    before = puts(stage)
    deadline = time.monotonic() + 120.0
    while puts(stage) < before + more:
        assert time.monotonic() < deadline, watch.read()
        assert watch.process.poll() is None, watch.read()
        time.sleep(0.002)


def read_outcomes(stage: Stage) -> list[tuple[str, str]]:
    return [
        (run["target"], run["outcome"])
        for run in stage.json("history")
        if run["command"] == "switch"
    ]


@pytest.mark.parametrize(
    "arguments", [(), ("--site", "missing.yaml"), ("--listen", "0.0.0.0:9817")], ids=" ".join
)
def test_what_cannot_be_watched_is_refused(stage: Stage, arguments: tuple[str, ...]) -> None:
    if "--listen" in arguments:
        stage.do("init")
    assert stage.run("watch", *arguments) == 2
    assert stage.err.startswith("erfailover: ")


def test_one_site_is_not_watched_twice(stage: Stage) -> None:
    stage.do("init")
    (stage.folder / "again.yaml").symlink_to("erfailover.yaml")
    assert stage.run("watch", "--site", "erfailover.yaml", "--site", "again.yaml") == 2
    assert "erfailover.yaml and again.yaml are both of the site poc" in stage.err


def test_automatic_needs_a_second_signal(stage: Stage) -> None:
    stage.do("init")
    set_watch(stage.folder, mode="automatic")
    assert stage.run("watch", *NO_PAGE) == 2
    assert "two signals must agree before a switch" in stage.err


def test_a_port_that_is_in_use_is_named(stage: Stage) -> None:
    stage.do("init")
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        assert stage.run("watch", "--listen", address) == 2
    assert f"--listen {address} cannot be used: Address already in use\n" in stage.err


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_idle_watch_ends_at_once_and_with_success(served: Stage, sent: signal.Signals) -> None:
    with run_watch(served.folder, "--listen", "127.0.0.1:0") as watch:
        watch.wait_for("HEALTHY")
        assert watch.stop(sent) == 0
        assert watch.ended_s < 2.0
        *_, last = watch.read().splitlines()
        assert "HEALTHY" in last


@pytest.mark.slow
def test_under_nohup_it_outlives_its_terminal(served: Stage) -> None:
    with run_watch(served.folder, *NO_PAGE, prefix=("nohup",)) as watch:
        watch.wait_for("HEALTHY")
        watch.process.send_signal(signal.SIGHUP)
        time.sleep(1.0)
        assert watch.process.poll() is None
        assert watch.stop(signal.SIGTERM) == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("write", [1, 3])
def test_a_switch_that_is_under_way_is_completed_first(served: Stage, write: int) -> None:
    set_watch(served.folder, mode="automatic", probes="[office]")
    with run_watch(served.folder, *NO_PAGE) as watch:
        fail_and_wait_for_puts(served, watch, write)
        assert watch.stop(signal.SIGTERM, timeout_s=120.0) == 0, watch.read()
        said = watch.read()
    assert "poc: the switch is completed first; a second signal stops it at once" in said
    assert "switch --to ipsec: done and verified." in said
    assert read_outcomes(served) == [("ipsec", "done")]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_second_signal_stops_it_at_once_and_the_next_watch_resumes(served: Stage) -> None:
    set_watch(served.folder, mode="automatic", probes="[office]")
    with run_watch(served.folder, *NO_PAGE) as watch:
        fail_and_wait_for_puts(served, watch, 3)
        assert watch.stop(signal.SIGTERM, signal.SIGTERM) == 130, watch.read()
        assert watch.ended_s < 2.0
        assert "done and verified" not in watch.read()
    assert read_outcomes(served) == [("ipsec", "died")]
    with run_watch(served.folder, *NO_PAGE) as watch:
        watch.wait_for("switch --to ipsec: done and verified", 120.0)
    assert read_outcomes(served) == [("ipsec", "died"), ("ipsec", "done")]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("sent", "within_s"), [(signal.SIGTERM, 8.0), (signal.SIGKILL, 25.0)])
def test_a_second_watch_stands_by_and_takes_over(
    served: Stage, sent: signal.Signals, within_s: float
) -> None:
    with run_watch(served.folder, *NO_PAGE) as first:
        first.wait_for(LEADS)
        with run_watch(served.folder, *NO_PAGE) as second:
            second.wait_for(f"standing by; .*process {first.process.pid} leads")
            time.sleep(6.0)
            assert f"process {second.process.pid} leads" not in second.read()
            first.stop(sent)
            assert second.wait_for(f"process {second.process.pid} leads") < within_s
            assert second.stop() == 0


@pytest.mark.slow
def test_a_lab_that_does_not_run_is_said_and_waited_for(served: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        endpoint = f"https://127.0.0.1:{unused.getsockname()[1]}"
    with run_watch(served.folder, *NO_PAGE, variables={"ERFAILOVER_ENDPOINT": endpoint}) as watch:
        watch.wait_for("UNKNOWN.*does not answer")
        assert watch.stop() == 0


@pytest.mark.slow
def test_a_missing_right_is_said(served: Stage) -> None:
    role = json.loads(served.do("permissions", "--role-definition", "read"))
    served.lab.access = Access(read_roles({**role, "Actions": ["Microsoft.Compute/disks/read"]}))
    with run_watch(served.folder, *NO_PAGE) as watch:
        watch.wait_for("UNKNOWN .*the site could not be read: .*vng1.*AuthorizationFailed")
        assert watch.stop() == 0
