"""Spokes of another tenant: each request has a token of its own, a peering one of the peer's too.

The adopted network, whose third subscription belongs to another tenant; either one is the home.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from erfailover.lab.auth.identity import Identity, Tenant
from tests.support.adopted import Adopted, Made, made_once  # noqa: F401
from tests.support.stage import Stage, lab_in

THREE = ("--spoke", "vnet-erp", "--spoke", "vnet-data", "--spoke", "vnet-shop")
TO_IPSEC = ("switch", "--to", "ipsec")
OTHER = "0e0f7a3c-5b4f-4a55-8f0b-6f6f3c1d2e11"
PEERING = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"


@dataclass
class Across(Adopted):
    """The network across two tenants: the hubs' and vnet-shop's."""

    known: Identity
    home: str

    @property
    def away(self) -> str:
        """The tenant that the credential does not sign in to."""
        return next(each.id for each in self.known.tenants if each.id != self.home)

    def site(self, *lines: str) -> None:
        """Put lines at the end of the site file."""
        file = self.stage.folder / "erfailover.yaml"
        file.write_text(file.read_text() + "\n".join(("", *lines, "")))

    def name_the_other(self, credential: str = "default") -> None:
        """Name the other tenant in the site file."""
        self.site("tenants:", f"  {self.away}: {credential}")

    def paths(self) -> dict[str, str]:
        """The hub whose gateway each of the three spokes uses."""
        found = {}
        self.stage.lab.catch_up()
        for each in self.stage.lab.world.of_type(PEERING):
            if each.properties.get("useRemoteGateways") and each.id.parent is not None:
                remote = each.properties["remoteVirtualNetwork"]["id"]
                found[each.id.parent.name] = remote.rsplit("/", 1)[-1]
        return {name: found.get(name, "") for name in ("vnet-erp", "vnet-data", "vnet-shop")}


@pytest.fixture(params=["the hubs' tenant", "the spoke's tenant"])
def across(
    tmp_path: Path,
    made_once: Made,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> Iterator[Across]:
    """The site adopted while all was one tenant's; now vnet-shop's subscription is another's."""
    first, second, third = made_once.tenant.subscriptions[:3]
    known = replace(
        made_once.tenant,
        subscription=first,
        further=(second,),
        others=(Tenant(OTHER, "3c8d2f5e-91f4-4ad2-8a55-2b7a1a0f4d10", (third,)),),
    )
    with lab_in(tmp_path, made_once.tenant, monkeypatch) as (lab, clock, environment):
        lab.restore(made_once.snapshot)
        adopted = Adopted(Stage(lab, clock, tmp_path, capsys, environment), made_once.world)
        adopted.stage.do(*adopted.init, *THREE)
    with lab_in(tmp_path, known, monkeypatch) as (lab, clock, environment):
        lab.restore(made_once.snapshot)
        home = known.tenant if request.param == "the hubs' tenant" else OTHER
        monkeypatch.setenv("AZURE_TENANT_ID", home)
        yield Across(Stage(lab, clock, tmp_path, capsys, environment), made_once.world, known, home)


def test_all_move_there_and_back_whichever_tenant_is_the_home(across: Across) -> None:
    stage = across.stage
    across.name_the_other()
    status = stage.json("status")
    assert status["ready"] is True
    plan = stage.json(*TO_IPSEC, "--dry-run")
    assert plan["left_out"] == {} or plan["left_out"] == []
    assert {step["spoke"] for step in plan["steps"]} == {"vnet-erp", "vnet-data", "vnet-shop"}
    stage.do(*TO_IPSEC, "--yes")
    assert set(across.paths().values()) == {"hub-neu"}
    stage.do("switch", "--to", "expressroute", "--yes")
    assert set(across.paths().values()) == {"hub-weu"}
    assert not [each for each in stage.lab.trace if each.status in (401, 403) and each.write]
    refused = [each.path for each in stage.lab.trace if each.status == 401]
    assert all(each.count("/") == 2 for each in refused), "asked of whom a subscription is"
