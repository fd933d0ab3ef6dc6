"""Faults on demand: each kind, and when each strikes."""

from __future__ import annotations

import pytest
import urllib3

from erfailover.lab.engine.faults import (
    Fault,
    FaultError,
    FaultKind,
    Faults,
    make_unreliable_reads,
    read_faults,
)
from tests.support.arm_client import Arm

VNET = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}
BODY = {"location": "westeurope", "properties": VNET}
TABLE = "virtualNetworkGateways/g1/getLearnedRoutes"


def fire(faults: Faults, method: str = "GET", path: str = "/subscriptions/a") -> bool:
    return faults.apply(method, path).other is not None


def test_a_fault_strikes_from_the_nth_request_on_every_so_many_and_so_often() -> None:
    faults = Faults(1)
    faults.add(Fault(FaultKind.EMPTY, nth=3, every=2, times=2))
    struck = [fire(faults) for _ in range(10)]
    assert [number for number, is_hit in enumerate(struck, 1) if is_hit] == [3, 5]


def test_a_fault_without_end_strikes_every_request() -> None:
    faults = Faults(1)
    faults.add(Fault(FaultKind.EMPTY, times=0))
    assert all(fire(faults) for _ in range(20))


def test_a_fault_with_a_chance_strikes_some_requests_and_the_same_ones_again() -> None:
    def struck() -> list[bool]:
        faults = Faults(1)
        faults.add(Fault(FaultKind.EMPTY, times=0, chance=0.5))
        return [fire(faults) for _ in range(50)]

    assert 5 < sum(struck()) < 45
    assert struck() == struck()


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*", "/subscriptions/a", True),
        ("/subscriptions/*", "/subscriptions/a/b", True),
        ("virtualNetworks/*", "/x/providers/microsoft.network/VIRTUALNETWORKS/a", True),
        ("virtualNetworks/?", "/x/virtualNetworks//ab", False),
        ("/virtualNetworks/a", "/x/virtualNetworks/a", False),
        ("virtualNetworks/a", "//x//virtualNetworks//a/", True),
    ],
)
def test_a_path_pattern_matches(pattern: str, path: str, matches: bool) -> None:
    assert Fault(FaultKind.EMPTY, path=pattern).matches("GET", path) is matches


def test_delays_add_up_beside_one_other_fault() -> None:
    faults = Faults(1)
    for fault in (
        Fault(FaultKind.DELAY, seconds=2),
        Fault(FaultKind.EMPTY),
        Fault(FaultKind.DELAY, seconds=3),
        Fault(FaultKind.STALE),
    ):
        faults.add(fault)
    strike = faults.apply("GET", "/a")
    assert strike.delay_s == 5
    assert strike.ids == ("f1 delay", "f3 delay", "f2 empty")
    assert faults.count_hits("f4") == 0


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("x", "a mapping"),
        ({"kind": "x"}, "one of delay"),
        ({"kind": "delay", "second": 3}, "unknown"),
        ({"kind": "delay", "seconds": "3"}, "type float"),
        ({"kind": "delay", "nth": 0}, "1 or more"),
        ({"kind": "delay", "times": True}, "type int"),
        ({"kind": "answer", "status": 42}, "HTTP"),
    ],
)
def test_a_fault_described_wrongly_is_told_so(row: object, words: str) -> None:
    with pytest.raises(FaultError, match=words):
        read_faults([row])


def test_a_delay_holds_the_answer_back(arm: Arm) -> None:
    arm.lab.add_faults(Fault(FaultKind.DELAY, "GET", "resourceGroups/rg", seconds=40))
    before = arm.clock.now()
    arm.get(arm.root)
    assert arm.clock.now() == before + 40


def test_an_answer_stands_in_for_the_work(arm: Arm) -> None:
    fault = Fault(
        FaultKind.ANSWER, "PUT", status=503, code="ServerTimeout", headers={"Retry-After": "7"}
    )
    arm.lab.add_faults(fault)
    reply = arm.call("PUT", "virtualNetworks/v", BODY)
    assert (reply.status, reply.code, reply.headers["Retry-After"]) == (503, "ServerTimeout", "7")
    assert arm.call("GET", "virtualNetworks/v").status == 404
    assert arm.lab.trace[-2].faults == ("f1 answer",)


def test_a_connection_dropped_before_leaves_no_trace_of_the_write(arm: Arm) -> None:
    arm.lab.add_faults(Fault(FaultKind.DROP_BEFORE, "PUT"))
    with pytest.raises(urllib3.exceptions.HTTPError):
        arm.call("PUT", "virtualNetworks/v", BODY)
    assert arm.call("GET", "virtualNetworks/v").status == 404


def test_a_connection_dropped_after_leaves_the_write_done(arm: Arm) -> None:
    arm.lab.add_faults(Fault(FaultKind.DROP_AFTER, "PUT"))
    with pytest.raises(urllib3.exceptions.HTTPError):
        arm.call("PUT", "virtualNetworks/v", BODY)
    assert arm.lab.trace[-1].faults == ("f1 drop-after",)
    arm.clock.sleep(10)
    assert arm.get("virtualNetworks/v")["properties"]["provisioningState"] == "Succeeded"


def test_an_error_may_hide_that_the_work_was_done(arm: Arm) -> None:
    arm.lab.add_faults(Fault(FaultKind.ANSWER_AFTER, "PUT", status=503, code="ServiceUnavailable"))
    reply = arm.call("PUT", "virtualNetworks/v", BODY)
    assert (reply.status, reply.code) == (503, "ServiceUnavailable")
    arm.clock.sleep(10)
    assert arm.get("virtualNetworks/v")["properties"]["provisioningState"] == "Succeeded"


def test_a_failed_operation_polls_200_failed_and_changes_nothing(arm: Arm) -> None:
    arm.vnet("v", "10.0.0.0/16")
    arm.lab.add_faults(Fault(FaultKind.FAILED, "PUT", code="InternalServerError"))
    wider = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16", "10.1.0.0/16"]}}
    reply = arm.call("PUT", "virtualNetworks/v", {**BODY, "properties": wider})
    arm.clock.sleep(10)
    polled = arm.call("GET", reply.headers["Azure-AsyncOperation"])
    assert (polled.status, polled.body["status"], polled.code) == (
        200,
        "Failed",
        "InternalServerError",
    )
    assert arm.get("virtualNetworks/v")["properties"]["provisioningState"] == "Failed"
    active = arm.lab.world.get(arm.id("virtualNetworks/v"))
    assert active is not None
    assert active.active_properties["addressSpace"]["addressPrefixes"] == ["10.0.0.0/16"]
    arm.vnet("v", "10.0.0.0/16")
    assert arm.get("virtualNetworks/v")["properties"]["provisioningState"] == "Succeeded"


def test_a_cancelled_deletion_leaves_the_resource(arm: Arm) -> None:
    arm.vnet("v", "10.0.0.0/16")
    arm.lab.add_faults(Fault(FaultKind.CANCELLED, "DELETE"))
    reply = arm.call("DELETE", "virtualNetworks/v")
    arm.clock.sleep(10)
    assert arm.call("GET", reply.headers["Azure-AsyncOperation"]).body["status"] == "Canceled"
    assert arm.get("virtualNetworks/v")["properties"]["provisioningState"] == "Failed"
    arm.delete("virtualNetworks/v")


def test_a_stuck_operation_holds_its_lock_until_the_fault_is_cleared(arm: Arm) -> None:
    arm.lab.add_faults(Fault(FaultKind.STUCK, "PUT"))
    reply = arm.call("PUT", "virtualNetworks/v", BODY)
    arm.clock.sleep(100_000)
    assert arm.call("GET", reply.headers["Azure-AsyncOperation"]).body["status"] == "InProgress"
    assert arm.call("PUT", "virtualNetworks/v", BODY).code == "RetryableError"
    assert arm.lab.clear_faults() == ("f1",)
    arm.clock.sleep(1)
    assert arm.call("GET", reply.headers["Azure-AsyncOperation"]).body["status"] == "Succeeded"


def test_an_operation_stuck_for_some_seconds_ends_after_them(arm: Arm) -> None:
    arm.lab.add_faults(Fault(FaultKind.STUCK, "PUT", seconds=500))
    reply = arm.call("PUT", "virtualNetworks/v", BODY)
    arm.clock.sleep(490)
    assert arm.call("GET", reply.headers["Azure-AsyncOperation"]).body["status"] == "InProgress"
    arm.clock.sleep(20)
    assert arm.call("GET", reply.headers["Azure-AsyncOperation"]).body["status"] == "Succeeded"


def test_a_fault_of_operations_waits_for_a_request_that_starts_one(arm: Arm) -> None:
    arm.lab.add_faults(Fault(FaultKind.FAILED))
    arm.get(arm.root)
    assert arm.lab.faults.count_hits("f1") == 0
    assert arm.lab.trace[-1].faults == ()
    arm.call("PUT", "virtualNetworks/v", BODY)
    assert arm.lab.faults.count_hits("f1") == 1


def test_an_empty_list_has_status_200(arm: Arm) -> None:
    arm.vnet("v", "10.0.0.0/16")
    arm.lab.add_faults(Fault(FaultKind.EMPTY, "GET", "virtualNetworks"))
    assert arm.get("virtualNetworks") == {"value": []}
    assert len(arm.get("virtualNetworks")["value"]) == 1


def test_a_stale_read_shows_what_an_earlier_one_showed(arm: Arm) -> None:
    arm.vnet("v", "10.0.0.0/16")
    arm.lab.add_faults(Fault(FaultKind.STALE, "GET", "virtualNetworks/v", nth=2, seconds=20))
    before = arm.get("virtualNetworks/v")
    arm.vnet("v", "10.0.0.0/16", apps="10.0.0.0/24")
    assert [entry.faults for entry in arm.lab.trace if entry.faults] == [("f1 stale",)]
    assert before["properties"]["subnets"] == []
    assert len(arm.get("virtualNetworks/v")["properties"]["subnets"]) == 1


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (FaultKind.THROTTLE, 429, "SubscriptionRequestsThrottled"),
        (FaultKind.EXPIRED_TOKEN, 401, "ExpiredAuthenticationToken"),
        (FaultKind.FORBIDDEN, 403, "AuthorizationFailed"),
    ],
)
def test_a_request_is_turned_away(arm: Arm, kind: FaultKind, status: int, code: str) -> None:
    arm.lab.add_faults(Fault(kind, seconds=17))
    reply = arm.call("GET", "virtualNetworks")
    assert (reply.status, reply.code) == (status, code)
    assert reply.headers.get("Retry-After") == ("17" if status == 429 else None)
    assert arm.call("GET", "virtualNetworks").status == 200


def read_learned_networks(arm: Arm) -> list[str]:
    reply = arm.wait(arm.call("POST", TABLE))
    return [str(row["network"]) for row in reply.body["value"]]


def test_a_gateways_table_may_be_empty_or_stale_for_a_while(hub_and_spoke: Arm) -> None:
    arm = hub_and_spoke
    stale = Fault(FaultKind.STALE, "POST", TABLE, times=0, seconds=60)
    arm.lab.add_faults(Fault(FaultKind.EMPTY, "POST", TABLE), stale)
    assert read_learned_networks(arm) == []
    assert read_learned_networks(arm) == ["10.2.0.0/16"]
    arm.peering("hub", "spoke", transit=True)
    arm.peering("spoke", "hub", remote=True)
    arm.clock.sleep(20)
    assert read_learned_networks(arm) == ["10.2.0.0/16"]
    arm.clock.sleep(60)
    assert read_learned_networks(arm) == ["10.2.0.0/16", "10.1.0.0/16"]


def test_a_single_instance_missing_leaves_nothing(hub_and_spoke: Arm) -> None:
    hub_and_spoke.lab.add_faults(Fault(FaultKind.INSTANCE_MISSING, "POST", TABLE))
    assert read_learned_networks(hub_and_spoke) == []
    assert read_learned_networks(hub_and_spoke) == ["10.2.0.0/16"]


def test_unreliable_reads_strike_gateways_tables_alone() -> None:
    for fault in make_unreliable_reads(chance=1.0):
        assert fault.matches("POST", "/x/virtualNetworkGateways/g/getBgpPeerStatus")
        assert not fault.matches("GET", "/x/virtualNetworkGateways/g")
    assert {fault.kind for fault in read_faults("unreliable-reads")} == {
        FaultKind.EMPTY,
        FaultKind.INSTANCE_MISSING,
        FaultKind.STALE,
    }


def test_faults_are_armed_over_the_labs_own_paths(arm: Arm) -> None:
    secret = {"Authorization": f"Bearer {arm.lab.identity.lab_secret}"}
    url = f"{arm.endpoint}/lab/faults"
    row = {"kind": "throttle", "method": "GET", "seconds": 5}
    assert arm.call("POST", url, [row], headers=secret).body == {"ids": ["f1"]}
    assert arm.call("GET", arm.root).status == 429
    (value,) = arm.call("GET", url, headers=secret).body["value"]
    assert value == {"id": "f1", **row, "seen": 1, "fired": 1}
    assert arm.call("POST", url, [{"kind": "x"}], headers=secret).status == 400
    assert arm.call("DELETE", f"{url}/f1", headers=secret).body == {"cleared": ["f1"]}
    assert arm.call("GET", url, headers=secret).body == {"value": []}
