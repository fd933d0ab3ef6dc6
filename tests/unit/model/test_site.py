"""The part of a site that some spokes are."""

from __future__ import annotations

from dataclasses import replace

from erfailover.model.site import Path, Site
from tests.support.sites import site

WHOLE = site("vnet1", "vnet7", "vnet8")


def names(of: Site) -> list[str]:
    return [spoke.name for spoke in of.spokes]


def test_a_part_has_the_chosen_spokes_in_the_order_of_the_site_and_knows_the_others() -> None:
    part = WHOLE.select_spokes(("vnet8", "vnet1"))
    assert names(part) == ["vnet1", "vnet8"]
    assert part.chosen == ("vnet1", "vnet8")
    assert [spoke.name for spoke in part.others] == ["vnet7"]
    assert part.list_network_names() == ("vnet2", "vnet3", "vnet1", "vnet8")
    for text in ("site", "primary", "backup", "remote_prefixes", "timing", "subscription"):
        assert getattr(part, text) == getattr(WHOLE, text)


def test_all_spokes_are_the_whole_site() -> None:
    assert WHOLE.select_spokes(("vnet8", "vnet7", "vnet1")) is WHOLE
    assert (WHOLE.chosen, WHOLE.others) == ((), ())


def test_a_part_of_a_part_knows_every_other_spoke_of_the_site() -> None:
    part = WHOLE.select_spokes(("vnet1", "vnet7")).select_spokes(("vnet7",))
    assert names(part) == ["vnet7"]
    assert {spoke.name for spoke in part.others} == {"vnet1", "vnet8"}


def test_a_changed_part_stays_a_part() -> None:
    part = WHOLE.select_spokes(("vnet1",))
    ready = replace(part, spokes=tuple(spoke.to_prestaged() for spoke in part.spokes))
    assert ready.chosen == ("vnet1",)
    assert len(ready.others) == 2
    assert ready.spokes[0].spoke_to_backup.get_flags(Path.EXPRESSROUTE) is not None
