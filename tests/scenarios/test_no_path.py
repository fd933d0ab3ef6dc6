"""Between break and make: what goes wrong there, and that the spoke has a path at the end."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from erfailover.commands.switch.crossing import Crossing
from erfailover.lab.engine.faults import FOREVER, Fault, FaultKind
from erfailover.runtime.state import local
from erfailover.runtime.state.folder import translate_errors
from tests.support.flags import ON_IPSEC, flags
from tests.support.processes import SWITCH
from tests.support.stage import Stage

MAKE, ORIGIN = "*/vnet1-to-vnet3", "*/vnet1-to-vnet2"
BACK = {"ipsec": 3, "expressroute": 2}
HEALTHY, DEAD = "healthy", "dead"
HTML = {"status": 200, "body": "<html><body>Sign in to the proxy</body></html>"}


def make_fails(kind: FaultKind, times: int = FOREVER, **fields: Any) -> Fault:
    """Every make fails; the first PUT of that peering creates it, with remote gateways off."""
    return Fault(kind, "PUT", MAKE, nth=2, times=times, **fields)


@pytest.fixture(params=[HEALTHY, DEAD])
def either(request: pytest.FixtureRequest, provisioned: Stage) -> Stage:
    """A site whose ExpressRoute path works, or does not."""
    if request.param == DEAD:
        provisioned.do("drill", "start", "--yes")
    return provisioned


def path(stage: Stage) -> str:
    stage.lab.faults.clear()
    return str(stage.json("status")["path"])


TROUBLES = {
    "forbidden once": make_fails(FaultKind.FORBIDDEN, times=1),
    "forbidden three times": make_fails(FaultKind.FORBIDDEN, times=3),
    "failed operation": make_fails(FaultKind.FAILED, times=1, code="InternalServerError"),
    "an answer lost": make_fails(FaultKind.DROP_AFTER, times=1),
    "HTML with 200": make_fails(FaultKind.ANSWER, times=1, **HTML),
    "HTML with 200, and done": make_fails(FaultKind.ANSWER_AFTER, times=1, **HTML),
    "a list": make_fails(FaultKind.ANSWER, times=1, status=200, body=[1, 2]),
    "unknown code": make_fails(FaultKind.ANSWER, times=1, status=400, code="NobodyKnowsThis"),
    "Retry-After of an hour": make_fails(
        FaultKind.ANSWER,
        times=1,
        status=429,
        code="TooManyRequests",
        headers={"Retry-After": "3600", "x-ms-ratelimit-remaining-subscription-writes": "0"},
    ),
    "404 on every poll": Fault(
        FaultKind.ANSWER, "GET", "*/operations/*", nth=4, times=6, status=404
    ),
    "the break forbidden": Fault(FaultKind.FORBIDDEN, "PUT", ORIGIN, times=FOREVER),
    "the break lost": Fault(FaultKind.DROP_AFTER, "PUT", ORIGIN, times=1),
    "the break fails": Fault(FaultKind.FAILED, "PUT", ORIGIN, times=1, code="Oops"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_spoke_has_a_path_when_the_process_ends(either: Stage, trouble: str) -> None:
    either.lab.add_faults(TROUBLES[trouble])
    code = either.run(*SWITCH)
    assert code in (0, 5)
    assert path(either) in (("ipsec",) if code == 0 else ("ipsec", "expressroute"))
    assert "NO path" not in either.err


def test_a_make_that_is_refused_for_good_is_taken_back_at_once(provisioned: Stage) -> None:
    provisioned.lab.add_faults(make_fails(FaultKind.FORBIDDEN))
    began_s = provisioned.clock.now()
    assert provisioned.run(*SWITCH) == 5
    assert "; rolled back: vnet1 uses its previous gateway again" in provisioned.err
    assert provisioned.clock.now() - began_s < 120.0
    assert path(provisioned) == "expressroute"


def test_a_rollback_whose_first_write_is_refused_goes_on(provisioned: Stage) -> None:
    """The make failed as an operation, so that it must be cleared before the origin is restored."""
    provisioned.lab.add_faults(
        Fault(FaultKind.FAILED, "PUT", MAKE, nth=2, times=1, code="Oops"),
        Fault(FaultKind.FORBIDDEN, "PUT", MAKE, nth=3, times=1),
    )
    code = provisioned.run(*SWITCH)
    assert path(provisioned) == ("ipsec" if code == 0 else "expressroute")


def test_if_azure_refuses_both_until_the_deadline_the_spoke_is_named_first(
    provisioned: Stage,
) -> None:
    provisioned.lab.add_faults(
        make_fails(FaultKind.FORBIDDEN),
        Fault(FaultKind.FORBIDDEN, "PUT", ORIGIN, nth=2, times=FOREVER),
    )
    began_s = provisioned.clock.now()
    assert provisioned.run(*SWITCH) == 5
    assert 600.0 < provisioned.clock.now() - began_s < 800.0
    last = provisioned.err.split("erfailover: ")[-1]
    assert last.startswith("vnet1 has NO path: PUT")
    assert "the rollback failed too: PUT" in last
    assert "Run this now: erfailover switch --to ipsec" in last
    assert "still on ExpressRoute" not in provisioned.out + provisioned.err
    assert "on NO path" in provisioned.out
    assert path(provisioned) == "none"
    provisioned.do(*SWITCH)
    assert flags(provisioned.json("status")) == ON_IPSEC


class FullDisk:
    """A disk that is full from the moment the break is accepted."""

    def __init__(self, stage: Stage, patch: pytest.MonkeyPatch) -> None:
        self.full = False
        right = local.LocalStore.append

        def append(store: local.LocalStore, lines: bytes) -> None:
            if self.full:
                with translate_errors(store.folder):
                    raise OSError(errno.ENOSPC, "No space left on device")
            right(store, lines)

        def look() -> None:
            broken = stage.resource(
                "Microsoft.Network/virtualNetworks/virtualNetworkPeerings", "vnet1-to-vnet2"
            )
            self.full = self.full or not broken.properties["useRemoteGateways"]

        patch.setattr(local.LocalStore, "append", append)
        stage.lab.listen(look)


def test_a_disk_that_fills_up_at_the_break_holds_up_no_make(
    either: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(either, monkeypatch)
    either.run(*SWITCH)
    assert disk.full
    assert "!! Lost " in either.err
    assert path(either) == "ipsec"


def test_a_lease_file_that_disappears_at_the_break_holds_up_no_make(either: Stage) -> None:
    folder = next(either.folder.joinpath("state").rglob("journal.jsonl")).parent
    gone: list[bool] = []

    def look() -> None:
        broken = either.resource(
            "Microsoft.Network/virtualNetworks/virtualNetworkPeerings", "vnet1-to-vnet2"
        )
        if not broken.properties["useRemoteGateways"] and not gone:
            gone.append(True)
            (folder / "lease.json").unlink()

    either.lab.listen(look)
    either.do(*SWITCH)
    assert gone
    assert path(either) == "ipsec"


def test_a_damaged_lease_file_holds_up_no_make(either: Stage) -> None:
    folder = next(either.folder.joinpath("state").rglob("journal.jsonl")).parent
    damaged: list[bool] = []

    def look() -> None:
        broken = either.resource(
            "Microsoft.Network/virtualNetworks/virtualNetworkPeerings", "vnet1-to-vnet2"
        )
        if not broken.properties["useRemoteGateways"] and not damaged:
            damaged.append(True)
            (folder / "lease.json").write_text("{")

    either.lab.listen(look)
    either.run(*SWITCH)
    assert damaged
    (folder / "lease.json").unlink()
    assert path(either) == "ipsec"


def test_a_peering_that_somebody_deletes_at_the_break_is_made_again(either: Stage) -> None:
    type_ = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"
    deleted: list[bool] = []

    def look() -> None:
        if (
            not either.resource(type_, "vnet1-to-vnet2").properties["useRemoteGateways"]
            and not deleted
        ):
            deleted.append(True)
            either.lab.world.remove(either.resource(type_, "vnet1-to-vnet3").id)

    either.lab.listen(look)
    code = either.run(*SWITCH)
    assert deleted
    assert path(either) == ("ipsec" if code == 0 else "expressroute")


def test_a_break_whose_record_is_not_confirmed_is_not_sent(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full while the gate is read: nothing is broken, and nobody is alarmed."""
    right = local.LocalStore.append

    def append(store: local.LocalStore, lines: bytes) -> None:
        if b"vnet1-to-vnet2" in lines and b'"intent"' in lines:
            with translate_errors(store.folder):
                raise OSError(errno.ENOSPC, "No space left on device")
        right(store, lines)

    monkeypatch.setattr(local.LocalStore, "append", append)
    assert provisioned.run(*SWITCH) == 5
    assert not [write for write in provisioned.writes() if write.endswith("vnet1-to-vnet2")]
    assert "NO path" not in provisioned.err + provisioned.out
    assert "Traceback" not in provisioned.err
    assert "still on ExpressRoute" in provisioned.out
    assert path(provisioned) == "expressroute"


def test_a_break_that_is_refused_is_followed_by_no_make_although_nothing_can_be_read(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    provisioned.lab.add_faults(Fault(FaultKind.FORBIDDEN, "PUT", ORIGIN, times=FOREVER))
    monkeypatch.setattr(Crossing, "_read", lambda self: None)
    began_s = provisioned.clock.now()
    assert provisioned.run(*SWITCH) == 5
    assert provisioned.clock.now() - began_s < 120.0
    assert "NO path" not in provisioned.err
    lines = [write for write in provisioned.writes() if write.endswith("vnet1-to-vnet3")]
    assert len(lines) == 1  # its creation, with remote gateways off
    assert path(provisioned) == "expressroute"


def test_a_way_back_that_is_refused_twice_is_taken_before_the_deadline(
    provisioned: Stage,
) -> None:
    provisioned.do("drill", "start", "--yes")
    provisioned.lab.add_faults(
        make_fails(FaultKind.FORBIDDEN), Fault(FaultKind.FORBIDDEN, "PUT", ORIGIN, nth=2, times=2)
    )
    assert provisioned.run(*SWITCH) == 5
    assert "; rolled back: vnet1 uses its previous gateway again" in provisioned.err
    assert path(provisioned) == "expressroute"
