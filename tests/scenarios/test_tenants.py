"""Spokes of another tenant: each request has a token of its own, a peering one of the peer's too.

The adopted network, whose third subscription belongs to another tenant; either one is the home.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from erfailover.lab.auth.identity import Identity, Tenant
from erfailover.lab.engine.faults import Fault, FaultKind
from erfailover.lab.server.az_config import write_configuration
from tests.support.adopted import Adopted, Made, made_once  # noqa: F401
from tests.support.az import Az, install_az
from tests.support.stage import Stage, lab_in

THREE = ("--spoke", "vnet-erp", "--spoke", "vnet-data", "--spoke", "vnet-shop")
TO_IPSEC = ("switch", "--to", "ipsec", "--planned")
BACKUP_APART = "the spokes' tenant, the backup hub apart"
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
        return next(tenant.id for tenant in self.known.tenants if tenant.id != self.home)

    def site(self, *lines: str) -> None:
        """Put lines at the end of the site file."""
        file = self.stage.folder / "erfailover.yaml"
        file.write_text(file.read_text() + "\n".join(("", *lines, "")))

    def name_the_other(self, credential: str = "default") -> None:
        """Name the other tenant in the site file."""
        self.site("tenants:", f"  {self.away}: {credential}")

    def checks(self) -> list[dict[str, str]]:
        """What ``doctor`` says of tenants."""
        self.stage.run("doctor", "-o", "json")
        assert self.stage.out, self.stage.err
        rows = json.loads(self.stage.out)["checks"]
        return [row for row in rows if row["name"] == "tenants"]

    def read_output(self) -> str:
        """What the last command printed, on one line."""
        return " ".join((self.stage.out + self.stage.err).split())

    def paths(self) -> dict[str, str]:
        """The hub whose gateway each of the three spokes uses."""
        body = {}
        self.stage.lab.catch_up()
        for resource in self.stage.lab.world.iter_by_type(PEERING):
            if resource.properties.get("useRemoteGateways") and resource.id.parent is not None:
                remote = resource.properties["remoteVirtualNetwork"]["id"]
                body[resource.id.parent.name] = remote.rsplit("/", 1)[-1]
        return {name: body.get(name, "") for name in ("vnet-erp", "vnet-data", "vnet-shop")}


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
    text, apart = (third, second) if request.param == BACKUP_APART else (second, third)
    identity = replace(
        made_once.tenant,
        subscription=first,
        further=(text,),
        others=(Tenant(OTHER, "3c8d2f5e-91f4-4ad2-8a55-2b7a1a0f4d10", (apart,)),),
    )
    with lab_in(tmp_path, made_once.tenant, monkeypatch) as (lab, clock, environment):
        lab.restore(made_once.snapshot)
        adopted = Adopted(Stage(lab, clock, tmp_path, capsys, environment), made_once.world)
        adopted.stage.do(*adopted.init, *THREE)
    with lab_in(tmp_path, identity, monkeypatch) as (lab, clock, environment):
        lab.restore(made_once.snapshot)
        home = OTHER if request.param == "the spoke's tenant" else identity.tenant
        monkeypatch.setenv("AZURE_TENANT_ID", home)
        yield Across(
            Stage(lab, clock, tmp_path, capsys, environment), made_once.world, identity, home
        )


def test_all_move_there_and_back_whichever_tenant_is_the_home(across: Across) -> None:
    stage = across.stage
    across.name_the_other()
    status = stage.json("status")
    assert status["ready"] is True
    plan = stage.json(*TO_IPSEC, "--dry-run")
    assert plan["left_out"] == []
    assert {step["spoke"] for step in plan["steps"]} == {"vnet-erp", "vnet-data", "vnet-shop"}
    stage.do(*TO_IPSEC, "--yes")
    assert set(across.paths().values()) == {"hub-neu"}
    stage.do("switch", "--to", "expressroute", "--yes")
    assert set(across.paths().values()) == {"hub-weu"}
    assert not [
        trace_entry
        for trace_entry in stage.lab.trace
        if trace_entry.status in (401, 403) and trace_entry.write
    ]
    refused = [trace_entry.path for trace_entry in stage.lab.trace if trace_entry.status == 401]
    assert all(name.count("/") == 2 for name in refused), "asked of whom a subscription is"


def test_a_spoke_of_a_tenant_that_is_not_named_is_left_out_and_doctor_says_what_can(
    across: Across,
) -> None:
    stage, shop = across.stage, across.world.subscriptions[2]
    checks = across.checks()
    assert {check["verdict"] for check in checks} == {"FAIL"}
    assert all("in another tenant than this sign-in" in check["seen"] for check in checks)
    if across.home == OTHER:
        assert stage.run(*TO_IPSEC, "--yes") == 4
        assert "is in another tenant than" in across.read_output()
        assert set(across.paths().values()) == {"hub-weu"}
        return
    assert stage.run("doctor") == 3
    assert f"subscription {shop}: " in checks[0]["seen"]
    for words in ("tenants:", "managed identity cannot", "multi-tenant application", "guest user"):
        assert words in checks[0]["remedy"]
    plan = stage.json(*TO_IPSEC, "--dry-run")
    assert [item["spoke"] for item in plan["left_out"]] == ["vnet-shop"]
    assert stage.json("status")["ready"] is not True
    assert stage.run(*TO_IPSEC, "--yes") == 4
    assert "1 spoke was not switched to ipsec: vnet-shop: " in across.read_output()
    assert across.paths() == {"vnet-erp": "hub-neu", "vnet-data": "hub-neu", "vnet-shop": "hub-weu"}


def test_doctor_says_of_which_tenants_there_are_tokens(across: Across) -> None:
    across.name_the_other()
    checks = across.checks()
    assert [check["verdict"] for check in checks] == ["ok"]
    assert all(tenant.id in checks[0]["seen"] for tenant in across.known.tenants)
    across.stage.lab.tokens.without_client.add(across.away)
    checks = across.checks()
    assert {check["verdict"] for check in checks} == {"FAIL"}
    assert f"no token of tenant {across.away} (credential default): " in checks[0]["seen"]
    assert "AADSTS700016" in checks[0]["seen"]


def test_a_tenant_without_a_token_leaves_out_its_own_spokes(across: Across) -> None:
    across.name_the_other()
    stage = across.stage
    stage.lab.tokens.without_client.add(across.away)
    if across.home == OTHER:  # the hubs are the other tenant's
        assert stage.run(*TO_IPSEC, "--yes") == 4
        assert f"no token of tenant {across.away}" in across.read_output()
        assert set(across.paths().values()) == {"hub-weu"}
        return
    plan = stage.json(*TO_IPSEC, "--dry-run")
    assert [item["spoke"] for item in plan["left_out"]] == ["vnet-shop"]
    assert f"no token of tenant {OTHER}" in plan["left_out"][0]["seen"]
    assert stage.run(*TO_IPSEC, "--yes") == 4
    assert f"vnet-shop: no token of tenant {OTHER}" in across.read_output()
    assert "Run the same command again to move them." in across.read_output()
    assert across.paths() == {"vnet-erp": "hub-neu", "vnet-data": "hub-neu", "vnet-shop": "hub-weu"}
    stage.lab.tokens.without_client.clear()
    stage.do(*TO_IPSEC, "--yes")
    assert set(across.paths().values()) == {"hub-neu"}


def test_a_tenant_that_refuses_at_the_gate_keeps_its_spokes_where_they_are(across: Across) -> None:
    across.name_the_other()
    stage, tokens = across.stage, across.stage.lab.tokens
    tokens.lifetime_s = 200.0  # too short for a break: the gate asks for others
    before = len(stage.writes())

    def refuse_once_writes_begin() -> None:
        if len(stage.writes()) > before:
            tokens.without_client.add(across.away)

    stage.lab.listen(refuse_once_writes_begin)
    assert stage.run(*TO_IPSEC, "--yes") == 5
    assert f"no token of tenant {across.away}" in across.read_output()
    assert "NO path" not in across.read_output()
    by_name = across.paths()
    assert by_name["vnet-shop"] == "hub-weu"
    others = "hub-neu" if across.away == OTHER else "hub-weu"
    assert (by_name["vnet-erp"], by_name["vnet-data"]) == (others, others)


def test_the_make_waits_for_no_token(across: Across) -> None:
    """Tokens that last too short are replaced at the gate; from the break on none is given."""
    across.name_the_other()
    stage, tokens = across.stage, across.stage.lab.tokens
    tokens.lifetime_s = 400.0
    given_at_break: list[int] = []
    planned: list[int] = []
    before = len(stage.writes())

    def look() -> None:
        if len(stage.writes()) > before and not planned:
            planned.append(len(tokens.granted))
            tokens.lifetime_s = 3600.0
        if "" in across.paths().values():
            given_at_break.append(len(tokens.granted))
            if across.paths()["vnet-shop"] == "":
                tokens.without_client.update(tenant.id for tenant in across.known.tenants)

    stage.lab.listen(look)
    stage.do(*TO_IPSEC, "--yes")
    assert tokens.without_client, "vnet-shop was taken off its path"
    assert set(across.paths().values()) == {"hub-neu"}
    assert set(tokens.granted[planned[0] : given_at_break[-1]]) == {
        tenant.id for tenant in across.known.tenants
    }
    assert len(tokens.granted) == given_at_break[-1]


def test_a_token_that_azure_no_longer_takes_at_the_make_is_replaced(across: Across) -> None:
    across.name_the_other()
    stage = across.stage
    make = "*/vnet-shop/virtualNetworkPeerings/*neu*"
    stage.lab.add_faults(Fault(FaultKind.EXPIRED_TOKEN, "PUT", make, nth=2))
    stage.do(*TO_IPSEC, "--yes")
    assert [trace_entry for trace_entry in stage.lab.trace if trace_entry.faults]
    assert set(across.paths().values()) == {"hub-neu"}


def test_a_tenant_is_signed_in_to_by_the_credential_of_the_site_file(across: Across) -> None:
    across.name_the_other("workload-identity")
    assert across.stage.json("status")["ready"] is True


@pytest.mark.parametrize("credential", ["azure-cli", "environment"])
def test_a_credential_that_is_not_set_up_is_named(across: Across, credential: str) -> None:
    across.name_the_other(credential)
    assert across.stage.run(*TO_IPSEC, "--dry-run") == (0 if across.away == OTHER else 4)
    assert f"no token of tenant {across.away} (credential {credential}): " in across.read_output()


def test_the_log_has_no_token(across: Across) -> None:
    across.name_the_other()
    across.stage.do("status", "-vv")
    assert "eyJ" not in across.read_output()


def test_a_network_across_tenants_is_adopted_with_both_named(across: Across) -> None:
    stage = across.stage
    unreadable = 4 if across.away == OTHER else 5  # spokes; the hubs
    assert stage.run(*across.init, "--force") == unreadable
    stage.do(*across.init, "--force", "--tenant", across.away)
    assert f"tenants:\n  {across.away}: default\n" in (stage.folder / "erfailover.yaml").read_text(
        "utf-8"
    )
    assert stage.json("status")["ready"] is True
    for wrong, message in (
        ("contoso.com", "expected a tenant's id (a GUID), found 'contoso.com'"),
        (f"{across.away}=managed-identity", "gets tokens for its home tenant only"),
        (f"{across.away}=x", "found 'x'"),
    ):
        assert stage.run(*across.init, "--force", "--tenant", wrong) == 2
        assert message in across.read_output()


def test_an_application_with_a_secret_signs_in_to_both(
    across: Across, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", across.known.client_secret)
    monkeypatch.delenv("AZURE_FEDERATED_TOKEN_FILE")
    across.name_the_other("environment")
    assert across.stage.json("status")["ready"] is True


def test_a_managed_identity_gives_no_token_of_another_tenant(
    across: Across, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lab's is of the hubs' tenant."""
    monkeypatch.delenv("AZURE_FEDERATED_TOKEN_FILE")
    across.site("tenants:", f"  {OTHER}: default")
    assert across.stage.run(*TO_IPSEC, "--dry-run") == 0
    assert "vnet-shop is left out" in across.read_output()
    assert "from the wrong issuer" in across.read_output()
    lines = [f"{check['seen']} {check['remedy']}" for check in across.checks()]
    assert any(
        "a managed identity belongs to one tenant" in name and "multi-tenant application" in name
        for name in lines
    )


@pytest.fixture(scope="module")
def az() -> Az:
    """Install az before a lab's variables name the certificates to trust."""
    return install_az()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_az_signs_in_to_the_other_tenant(
    az: Az, across: Across, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = across.stage.environment["ERFAILOVER_ENDPOINT"]
    folder = write_configuration(across.stage.folder / "az", across.known, endpoint)
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(folder))
    monkeypatch.setenv("PATH", str(az.program.parent), prepend=os.pathsep)
    across.name_the_other("azure-cli")
    assert across.stage.json("status")["ready"] is True


def test_the_script_of_az_commands_says_what_az_cannot(across: Across) -> None:
    words = "sends no token for another tenant"
    if across.away == OTHER:
        across.stage.do(*TO_IPSEC, "--dry-run", "-o", "az")
        assert words not in across.read_output().replace("# ", "")
    across.name_the_other()
    across.stage.do(*TO_IPSEC, "--dry-run", "-o", "az")
    assert words in across.read_output().replace("# ", "")


@pytest.mark.parametrize("across", [BACKUP_APART], indirect=True)
def test_a_backup_hub_of_another_tenant_is_reached_and_nothing_breaks_without_its_token(
    across: Across,
) -> None:
    """Only the make needs the other tenant's token: the break would be taken without it."""
    across.name_the_other()
    stage, tokens = across.stage, across.stage.lab.tokens
    stage.do(*TO_IPSEC, "--yes")
    assert set(across.paths().values()) == {"hub-neu"}
    stage.do("switch", "--to", "expressroute", "--yes")
    assert set(across.paths().values()) == {"hub-weu"}
    tokens.lifetime_s = 200.0
    before = len(stage.writes())

    def refuse_once_writes_begin() -> None:
        if len(stage.writes()) > before:
            tokens.without_client.add(OTHER)

    stage.lab.listen(refuse_once_writes_begin)
    assert stage.run(*TO_IPSEC, "--yes") == 5
    assert f"no token of tenant {OTHER}" in across.read_output()
    assert set(across.paths().values()) == {"hub-weu"}
