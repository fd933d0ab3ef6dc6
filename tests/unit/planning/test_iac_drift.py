"""What stands otherwise in Azure than in code that also manages it."""

from __future__ import annotations

from dataclasses import replace

from erfailover.model.peering_flags import Flags
from erfailover.model.site import Path, SitePeering
from erfailover.planning.iac.drift import find_drift
from erfailover.reporting.status import drift
from tests.support import sites

SITE = replace(sites.site("vnet1", "vnet9"), managed_by="terraform")


def test_on_expressroute_nothing_differs() -> None:
    observed = sites.make_snapshot(SITE, sites.make_state(Path.EXPRESSROUTE, SITE))
    assert find_drift(SITE, observed) is None


def test_on_ipsec_the_primary_peerings_differ_and_the_command_is_named() -> None:
    iac_drift = find_drift(SITE, sites.make_snapshot(SITE, sites.make_state(Path.IPSEC, SITE)))
    assert iac_drift is not None
    assert [name.rsplit("/", 1)[-1] for name in iac_drift.differing] == [
        "vnet1-to-vnet2",
        "vnet2-to-vnet1",
        "vnet9-to-vnet2",
        "vnet2-to-vnet9",
    ]
    assert "Terraform's next apply would undo this: 4 peerings" in drift.format_text(iac_drift)
    assert "erfailover export terraform" in drift.format_text(iac_drift)


def test_without_code_there_is_nothing_to_warn_of() -> None:
    by_hand = replace(SITE, managed_by=None)
    assert (
        find_drift(by_hand, sites.make_snapshot(SITE, sites.make_state(Path.IPSEC, SITE))) is None
    )


def test_what_the_site_keeps_does_not_differ() -> None:
    flags = Flags(allow_forwarded_traffic="keep", use_remote_gateways=True)
    (spoke, _) = SITE.spokes
    peering = SitePeering("vnet1-to-vnet2", flags, Flags(allow_forwarded_traffic="keep"))
    site = replace(SITE, spokes=(replace(spoke, spoke_to_primary=peering),))
    for forwarded in (True, False):
        state = sites.make_state(Path.EXPRESSROUTE, SITE)
        state["vnet1-to-vnet2"] = (
            Flags(allow_forwarded_traffic=forwarded, use_remote_gateways=True),
            "Connected",
        )
        assert find_drift(site, sites.make_snapshot(site, state)) is None
