"""What an HTTP status means depends on its code and on the URL that answered it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from erfailover.lab.engine.faults import Fault, FaultKind
from tests.support.adopted import Adopted, Made, adopted, made_once

__all__ = ["Made", "adopted", "made_once"]

ERP = ("--spoke", "vnet-erp")
TO_IPSEC = ("switch", "--to", "ipsec", "--yes", "--planned")


def network(adopted: Adopted, name: str) -> str:
    ids = [str(resource.id) for resource in adopted.stage.lab.world.resources.values()]
    return next(id_ for id_ in ids if id_.endswith(f"/virtualNetworks/{name}"))


def answers(path: str, status: int, code: str, message: str = "m", times: int = 0) -> Fault:
    return Fault(
        FaultKind.ANSWER, "GET", path, times=times, status=status, code=code, message=message
    )


def fake_other_tenant(adopted: Adopted, name: str) -> None:
    adopted.stage.lab.add_faults(
        Fault(FaultKind.OTHER_TENANT, "GET", network(adopted, name), times=0)
    )


def test_a_vnet_of_another_tenant_beside_the_hub_is_a_remark(adopted: Adopted) -> None:
    fake_other_tenant(adopted, "vnet-shared")
    adopted.stage.do(*adopted.init)
    assert "vnet-shared, peered with hub-weu: " in adopted.stage.err
    assert "in another tenant" in adopted.stage.err
    adopted.stage.do(*adopted.init, *ERP, "--force")


def test_a_spoke_of_another_tenant_stops_the_adoption_of_all_and_not_of_others(
    adopted: Adopted,
) -> None:
    fake_other_tenant(adopted, "vnet-shop")
    stage = adopted.stage
    assert stage.run(*adopted.init) == 4
    assert "in another tenant" in stage.err
    assert "list the spokes with --spoke" in stage.err
    stage.do(*adopted.init, *ERP)
    assert stage.run(*adopted.init, "--spoke", "vnet-shop", "--force") == 4
    assert "--spoke vnet-shop could not be read" in stage.err


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (404, "SubscriptionNotFound", "cannot see the subscription"),
        (404, "ResourceGroupNotFound", "the resource group does not exist"),
        (404, "InvalidResourceType", "does not offer the resource type or the API version"),
        (400, "NoRegisteredProviderFound", "does not offer the resource type or the API version"),
        (401, "InvalidAuthenticationTokenTenant", "in another tenant"),
    ],
)
def test_a_request_that_did_not_reach_a_vnet_says_nothing_of_it(
    adopted: Adopted, status: int, code: str, words: str
) -> None:
    stage = adopted.stage
    stage.do(*adopted.init, *ERP, "--spoke", "vnet-shop")
    stage.lab.add_faults(answers(network(adopted, "vnet-erp"), status, code))
    assert stage.run("status") == 4
    message = " ".join(f"{stage.out} {stage.err}".split())
    assert words in message
    assert "vnet-erp does not exist" not in message


@pytest.mark.parametrize("nth", [3, 4, 5, 6])
def test_a_look_at_an_operation_that_answers_404_is_no_failure_of_the_write(
    adopted: Adopted, nth: int
) -> None:
    stage = adopted.stage
    stage.do(*adopted.init, *ERP)
    fault = answers("*/locations/*/operations/*", 404, "NotFound", "The entity was not found.", 1)
    stage.lab.add_faults(replace(fault, nth=nth))
    stage.do(*TO_IPSEC)
    assert "rolled back: " not in stage.err
    assert "FAILED" not in f"{stage.out} {stage.err}"
    breaks = [write for write in stage.writes() if write.endswith("/peer-vnet-erp-to-hub-weu")]
    assert len([break_ for break_ in breaks if break_.startswith("PUT")]) == 1


def test_a_look_that_answers_server_errors_for_ever_is_given_up_for_the_resource(
    adopted: Adopted,
) -> None:
    stage = adopted.stage
    stage.do(*adopted.init, *ERP)
    stage.lab.add_faults(answers("*/locations/*/operations/*", 503, "ServiceUnavailable"))
    before = stage.clock.now()
    assert stage.json(*TO_IPSEC)["verified"] is True
    assert stage.clock.now() - before < 400, "30 s for each of five writes, no ten minutes"
    writes = [write for write in stage.writes() if "/vnet-erp/virtualNetworkPeerings/" in write]
    assert len(writes) == 3, "each was written once"


def test_a_version_that_azure_does_not_know_now_and_then_is_asked_for_again(
    adopted: Adopted,
) -> None:
    stage, code = adopted.stage, "NoRegisteredProviderFound"
    stage.do(*adopted.init, *ERP)
    puts = Fault(FaultKind.ANSWER, "PUT", "*", times=0, every=3, status=400, code=code)
    gets = Fault(
        FaultKind.ANSWER, "GET", "*/virtualNetworks/*", times=0, every=3, status=400, code=code
    )
    stage.lab.add_faults(puts, gets)
    assert stage.json(*TO_IPSEC)["verified"] is True


@pytest.mark.parametrize("path", ["operationResults/*", "operations/*"])
def test_a_table_whose_operation_answers_404_is_asked_for_again(
    adopted: Adopted, path: str
) -> None:
    stage = adopted.stage
    stage.do(*adopted.init, *ERP)
    stage.lab.add_faults(answers(path, 404, "NotFound", "The entity was not found.", 1))
    stage.do("status")


def test_a_refusal_across_tenants_says_what_azure_says(adopted: Adopted) -> None:
    stage = adopted.stage
    stage.do(*adopted.init, *ERP)
    text = (
        "The client has permission to perform action 'peer/action' on scope '/subscriptions/X', "
        "however the current tenant 'A' is not authorized to access linked subscription 'B'."
    )
    fault = Fault(
        FaultKind.ANSWER,
        "PUT",
        "virtualNetworkPeerings/*",
        times=0,
        status=403,
        code="LinkedAuthorizationFailed",
        message=text,
    )
    stage.lab.add_faults(fault)
    assert stage.run(*TO_IPSEC) == 5
    assert "in different tenants" in stage.err
    assert "The identity lacks" not in stage.err
    assert "vnet-erp is unchanged" in stage.err


def test_an_unknown_409_is_waited_out(adopted: Adopted) -> None:
    stage = adopted.stage
    stage.do(*adopted.init, *ERP)
    fault = Fault(
        FaultKind.ANSWER, "PUT", "virtualNetworkPeerings/*", times=3, status=409, code="Unheard0f"
    )
    stage.lab.add_faults(fault)
    stage.do(*TO_IPSEC)


def test_a_classic_vnet_and_one_of_microsofts_own_beside_the_hub_are_remarks(
    adopted: Adopted,
) -> None:
    """The lab holds none, and answers 501 to who makes one; Azure lists them among the peerings."""
    stage, hub, arm = adopted.stage, adopted.world.primary_hub, adopted.arm()
    body = arm.get(hub)
    arm.pool.clear()
    old = network(adopted, "vnet-erp").replace("Microsoft.Network", "Microsoft.ClassicNetwork")
    for number, remote in enumerate((old.lower(), "/providers/Microsoft.Internal/things/x", None)):
        properties = {
            "remoteVirtualNetwork": {"id": remote} if remote else None,
            "allowGatewayTransit": True,
            "peeringState": "Connected",
            "provisioningState": "Succeeded",
        }
        name = f"odd-{number}"
        id_ = f"{hub}/virtualNetworkPeerings/{name}"
        row = {"id": id_, "name": name, "properties": properties}
        body["properties"]["virtualNetworkPeerings"].append(row)
    put = adopted.arm()
    peering = {"properties": {"remoteVirtualNetwork": {"id": old}}}
    with pytest.raises(RuntimeError, match=r"501.*NotModelledByLab"):
        put.call("PUT", f"{hub}/virtualNetworkPeerings/odd", peering)
    put.pool.clear()
    stage.lab.add_faults(Fault(FaultKind.ANSWER, "GET", hub, times=0, status=200, body=body))
    stage.do(*adopted.init)
    assert "vnet-erp, peered with hub-weu, is a classic VNet or one of Microsoft's own" in stage.err
    assert "x, peered with hub-weu, is a classic VNet or one of Microsoft's own" in stage.err
    stage.do("status")
    stage.do("switch", "--to", "ipsec", "--dry-run")
