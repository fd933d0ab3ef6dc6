"""A way back is offered as it is, or with why it would be refused."""

from __future__ import annotations

from dataclasses import replace

from erfailover.model.observed import Reading
from erfailover.model.site import Path, Role
from erfailover.planning.switch.gates import list_refusals
from erfailover.reporting.way_back import explain_refusals, format_way_back
from tests.support.sites import gateway, make_snapshot, make_state, peer, route, site

SITE = site()
BACK = "erfailover switch --undo"


def test_a_way_back_that_would_work_is_offered_as_it_is() -> None:
    snapshot = make_snapshot(SITE, make_state(Path.IPSEC, SITE))
    assert list_refusals(SITE, snapshot, Path.EXPRESSROUTE) == ()
    assert format_way_back(BACK, Path.EXPRESSROUTE, ()) == BACK


def test_a_way_back_to_a_dead_path_says_why_and_never_how_to_force_it() -> None:
    dead = gateway(Role.PRIMARY, route("10.5.0.0/16"), peers=(peer(state="Connecting"),))
    snapshot = make_snapshot(
        SITE, make_state(Path.IPSEC, SITE), (dead, gateway(Role.BACKUP, route("10.5.0.0/16")))
    )
    text = format_way_back(
        BACK, Path.EXPRESSROUTE, list_refusals(SITE, snapshot, Path.EXPRESSROUTE)
    )
    assert text.startswith(f"{BACK} (refused for now: ExpressRoute is not ready: vng1: ")
    assert "force" not in text
    assert list_refusals(SITE, snapshot, Path.IPSEC) == ()


def test_what_is_not_known_is_not_called_not_ready() -> None:
    snapshot = make_snapshot(SITE, make_state(Path.IPSEC, SITE))
    unread = replace(snapshot, gateways={Role.BACKUP: snapshot.gateways[Role.BACKUP]})
    text = explain_refusals(Path.EXPRESSROUTE, list_refusals(SITE, unread, Path.EXPRESSROUTE))
    assert text == (
        "whether ExpressRoute is ready is unknown: the primary hub's gateway could not be read"
    )
    empty = replace(snapshot.gateways[Role.PRIMARY], peers=Reading(None, "no answer"))
    unknown = replace(snapshot, gateways={**snapshot.gateways, Role.PRIMARY: empty})
    assert list_refusals(SITE, unknown, Path.EXPRESSROUTE)
