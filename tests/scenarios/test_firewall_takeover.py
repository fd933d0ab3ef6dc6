"""A lease that was lost while spokes behind a firewall were moving: the next run completes them."""

from __future__ import annotations

import pytest

from erfailover.runtime.state.local import LocalStore
from tests.support.firewall_stage import FirewallSite, firewall, firewall_worlds
from tests.support.firewall_world import SPOKES
from tests.support.processes import ELSEWHERE, puts

__all__ = ["firewall", "firewall_worlds"]

AWAY = ("switch", "--to", "ipsec", "--yes", "--planned")
FIRST_BREAK, FIRST_MAKE, LAST_MAKE = 7, 10, 12
"""After so many writes: two for each of three spokes prepare them."""


def lose_lease(site: FirewallSite, writes: int) -> None:
    """A switch to IPsec whose lease was taken by another machine after some writes."""
    stage = site.stage
    folder = stage.folder / "state"
    before = puts(stage)
    stolen: list[int] = []

    def steal() -> None:
        if puts(stage) >= before + writes and not stolen:
            stolen.append(puts(stage))
            journal = next(folder.rglob("journal.jsonl"))
            LocalStore(journal.parent).acquire(ELSEWHERE, take_over=True)

    stage.lab.listen(steal)
    assert stage.run(*AWAY) == 3
    assert stolen


@pytest.mark.parametrize("writes", [FIRST_BREAK, FIRST_MAKE, LAST_MAKE])
def test_the_next_run_completes_the_spokes_with_their_next_hops(
    firewall: FirewallSite, writes: int
) -> None:
    firewall.write_site("overlay")
    monitor = firewall.monitor()
    lose_lease(firewall, writes)
    firewall.stage.do(*AWAY, "--take-over")
    assert [monitor.explain(spoke) for spoke in SPOKES] == ["", "", ""]
    assert {item["path"] for item in firewall.stage.json("status")["spokes"]} == {"ipsec"}
    assert monitor.cuts == []


def test_an_undo_after_a_lost_lease_takes_all_of_them_back(firewall: FirewallSite) -> None:
    firewall.write_site("overlay")
    before = firewall.list_routes("udr-dg")
    monitor = firewall.monitor()
    lose_lease(firewall, LAST_MAKE)
    firewall.stage.do("switch", "--undo", "--yes", "--take-over")
    assert [monitor.explain(spoke) for spoke in SPOKES] == ["", "", ""]
    assert firewall.list_routes("udr-dg") == before
    assert monitor.cuts == []
