"""What differs between two readings, and what a watch makes of it."""

from __future__ import annotations

from dataclasses import replace

from erfailover.model.azure_context import AzureContext
from erfailover.model.observed import Reading, SiteSnapshot
from erfailover.model.peering_flags import Flags
from erfailover.model.site import Path, Role, Site
from erfailover.planning.health import judge
from erfailover.reporting.screen import Screen
from erfailover.reporting.status.changes import find_changes, format_changes, list_parts
from erfailover.reporting.status.watch import Event, Page, list_events, render_page
from erfailover.reporting.topology.build import build_picture
from erfailover.reporting.topology.model import Picture
from tests.support.pictures import dark, healthy, make_mixed_snapshot
from tests.support.sites import make_snapshot, make_state, peer, site


def make_picture(of: Site, snapshot: SiteSnapshot) -> Picture:
    return build_picture(of, snapshot, judge(of, snapshot), {})


def make_page(of: Site, snapshot: SiteSnapshot) -> Page:
    return Page(AzureContext("poc", lab="127.0.0.1:43587"), make_picture(of, snapshot), ())


def test_two_equal_readings_differ_in_nothing_though_sessions_grow_older() -> None:
    of = site()
    before = healthy(of)
    older = replace(peer(), connected_duration="01:00:00", messages_sent=99)
    gateways = {
        role: replace(gateway, peers=Reading((older,))) for role, gateway in before.gateways.items()
    }
    after = replace(before, gateways=gateways, taken_at="2026-01-01T00:01:00Z")
    assert find_changes(make_picture(of, before), make_picture(of, after)) == ()


def test_a_path_that_fails_is_told_session_by_session_and_marked_in_its_parts() -> None:
    of = site()
    changes = find_changes(make_picture(of, healthy(of)), make_picture(of, dark(of)))
    lines = format_changes(changes)
    assert "vng1: BGP session with 10.4.0.254: Connected (gone)" in lines
    assert "vng1: BGP session with 10.4.0.253: Connecting (new)" in lines
    assert "vng1: 10.5.0.0/16: learned -> NOT learned" in lines
    assert "vnet1: healthy -> NOT healthy" in lines
    assert list_parts(changes) == {"spokes", "hub/primary", "sessions/primary"}


def test_a_peering_is_told_by_its_vnet_with_old_and_new_flags() -> None:
    of = site()
    before = healthy(of)
    state = make_state(Path.EXPRESSROUTE, of) | {"vnet1-to-vnet2": (Flags(), "Disconnected")}
    after = replace(before, networks=make_snapshot(of, state).networks)
    changes = format_changes(find_changes(make_picture(of, before), make_picture(of, after)))
    assert "vnet1/vnet1-to-vnet2: remote gateways on -> off" in changes
    assert "vnet1/vnet1-to-vnet2: Connected, FullyInSync -> Disconnected, FullyInSync" in changes


def test_a_switch_of_hundreds_is_told_in_a_few_lines() -> None:
    of = site(*(f"spoke{number}" for number in range(300)))
    changes = find_changes(
        make_picture(of, healthy(of)), make_picture(of, make_mixed_snapshot(of, 290))
    )
    lines = format_changes(changes)
    assert any(name.startswith("290 spokes (spoke10, ...): path ExpressRoute") for name in lines)
    assert len(lines) < 20


def test_notes_come_and_go() -> None:
    of = site()
    same = make_picture(of, healthy(of))
    drill = ("*** A DRILL IS RUNNING: x\n*** To stop it: y",)
    assert format_changes(find_changes(same, same, ((), drill))) == ["A DRILL IS RUNNING: x"]
    assert format_changes(find_changes(same, same, (drill, ()))) == [
        "cleared: A DRILL IS RUNNING: x"
    ]


def test_the_verdict_is_an_event_only_where_it_changed() -> None:
    of = site()
    before, after = make_page(of, healthy(of)), make_page(of, dark(of))
    changes = find_changes(before.picture, after.picture)
    lines = [event.text for event in list_events(before, after, changes)]
    assert lines[-1] == "vnet1 is on ExpressRoute; NOT healthy. IPsec is ready to take over."
    assert list_events(after, after, ()) == []


def test_a_page_fits_its_terminal_and_says_that_a_reading_failed() -> None:
    of = site()
    noticed = tuple(Event(f"2026-01-01T00:00:{n:02}Z", f"event {n} " + "x" * 99) for n in range(60))
    page = replace(make_page(of, dark(of)), events=noticed, failure="timed out " * 20)
    lines = render_page(page, "next in 7 s; Ctrl-C to exit", Screen(80), 40).splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert lines[0] == "poc  ·  LAB 127.0.0.1:43587"
    assert lines[2].endswith("next in 7 s; Ctrl-C to exit")
    assert lines[3].startswith("the next read failed: timed out")
    assert "event 59" in "".join(lines)
    assert "event 1 " not in "".join(lines)


def test_what_changed_is_marked_on_the_page_without_colour_too() -> None:
    of = site()
    changes = find_changes(make_picture(of, healthy(of)), make_picture(of, dark(of)))
    page = replace(make_page(of, dark(of)), changed=changes)
    text = render_page(page, "", Screen(80))
    assert "BGP *" in text
    assert "* changed" in text
    assert make_picture(of, dark(of)).get_hub(Role.PRIMARY).active
