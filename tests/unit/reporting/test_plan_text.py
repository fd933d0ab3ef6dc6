"""What a plan says: in 80 columns, spokes that are alike once, its times and risks, its digest."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from erfailover.errors import Refused
from erfailover.model.durations import PEERING_WRITES, DurationEstimate
from erfailover.model.observed import SiteSnapshot
from erfailover.model.plan import SwitchPlan
from erfailover.model.site import Path, Role, Site
from erfailover.planning.switch import procedure
from erfailover.planning.switch.estimate import estimate_plan
from erfailover.reporting.plan import data
from erfailover.reporting.plan import document as plan_document
from erfailover.reporting.plan import text as plan_text
from erfailover.reporting.plan.groups import format_ranges
from erfailover.reporting.plan.style import apply_style
from tests.support import sites

MANY = tuple(f"vnet{n}" for n in range(11, 131))
READY = replace(sites.SPOKE_USES, use_remote_gateways=False)


def make_plan_and_snapshot(
    site: Site, target: Path = Path.IPSEC, **state: Any
) -> tuple[SwitchPlan, SiteSnapshot]:
    snapshot = sites.make_snapshot(site, sites.make_state(target.other, site) | state)
    return procedure.plan(site, snapshot, target), snapshot


def text_of(site: Site, **state: Any) -> str:
    return plan_text.format_text(site, make_plan_and_snapshot(site, **state)[0])


def test_the_plan_of_one_spoke_tells_changes_times_and_risks_and_ends_with_the_count() -> None:
    text = text_of(sites.site())
    lines = text.splitlines()
    assert lines[0] == "Plan: switch poc to IPsec"
    assert lines[-1] == "Plan: 2 to add, 3 to change, 0 to remove."
    assert "+ add   ~ change   - remove   = kept" in lines
    at = lines.index("~ 3. disconnect vnet1 from the gateway in vnet2")
    assert lines[at - 1].lstrip().startswith("-- gate: all of the above is read again")
    assert lines[at + 1 : at + 5] == [
        "       vnet1-to-vnet2 is changed; typically 3 s, 90th percentile 13 s",
        "         ~ forwarded traffic: yes -> no",
        "         ~ remote gateways: yes -> no",
        "         = access yes, gateway transit no",
    ]
    assert "between 3 and 4, each spoke (typically" in text
    assert "not at risk: Internet, NAT, and" in text
    assert max(map(len, lines)) <= 80


def test_a_plan_with_nothing_to_do_says_so_and_nothing_of_risks() -> None:
    site = sites.site()
    snapshot = sites.make_snapshot(site, sites.make_state(Path.IPSEC, site))
    text = plan_text.format_text(site, procedure.plan(site, snapshot, Path.IPSEC))
    assert text.splitlines()[-1] == "Nothing to change: all peerings are as desired."
    assert "At risk" not in text


def test_the_way_back_removes_and_says_what_that_puts_at_risk() -> None:
    site = sites.site()
    snapshot = sites.make_snapshot(site, sites.make_state(Path.IPSEC, site))
    ours = frozenset(peering_id_.lower() for peering_id_ in site.list_peering_ids(site.spokes[0]))
    text = plan_text.format_text(site, procedure.plan(site, snapshot, Path.EXPRESSROUTE, ours))
    assert text.splitlines()[-1].endswith("2 to remove.")
    assert "- 6. remove the peering from vnet1 to vnet3" in text
    assert "vnet3-to-vnet1 is removed" in text
    assert "steps 6, 7: these peerings and their routes are removed" in text


def test_spokes_that_are_alike_are_told_once_and_another_is_singled_out() -> None:
    site = sites.site(*MANY)
    text = text_of(
        site,
        **{
            "vnet3-to-vnet14": (sites.HUB_LENDS, "Connected"),
            "vnet14-to-vnet3": (READY, "Connected"),
        },
    )
    lines = text.splitlines()
    assert "Identical for 119 spokes: vnet11 to vnet13, vnet15 to vnet130" in lines
    alone = lines.index("vnet14")
    assert lines[alone + 1 : alone + 3] == [
        "= 1. allow vnet14 to use the gateway in vnet3",
        "       vnet3-to-vnet14: no change",
    ]
    assert lines[-1] == f"Plan: {2 * 119} to add, {3 * 120} to change, 0 to remove."
    assert "vnet11 does not have its own gateway" in text
    assert "... and 119 more like this (use -o json to list all)" in text
    assert text.count("why now: connects the spoke") == 1
    assert len(lines) < 120
    assert max(map(len, lines)) <= 80
    assert len(data.build_data(site, make_plan_and_snapshot(site)[0])["steps"]) == 5 * 120, (
        "-o json tells all"
    )


def test_priorities_are_told_where_they_differ() -> None:
    site = sites.site("vnet1", "vnet11", "vnet12")
    urgent = replace(site.spokes[2], priority=10)
    text = text_of(replace(site, spokes=(*site.spokes[:2], urgent)))
    assert "  Priority 10: vnet12\n  Priority 100: vnet1, vnet11\n" in text


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b"], "a, b"),
        (["s8", "s9", "s10", "s11"], "s8 to s11"),
        (["s008", "s009", "s010", "t1", "t2"], "s008 to s010, t1, t2"),
        (["s09", "s10", "s12"], "s09, s10, s12"),
        ([], ""),
    ],
)
def test_names_in_a_row_are_a_range(names: list[str], message: str) -> None:
    assert format_ranges(names) == message


def test_the_expected_time_is_the_hubs_queue_and_then_the_slowest_spoke() -> None:
    one, many = (
        estimate_plan(site, make_plan_and_snapshot(site)[0])
        for site in (sites.site(), sites.site(*MANY[:100]))
    )
    assert one
    assert many
    assert one.moved
    assert many.moved
    assert one.cut
    chain = sum(PEERING_WRITES[name].usually_s for name in ("create", "create", "update", "update"))
    assert chain < one.moved.usually_s < 2 * chain
    assert one.cut.usually_s < one.moved.usually_s < one.done.usually_s
    assert 500 < many.moved.usually_s < 900, "measured: 100 spokes cold in 723 s"
    assert estimate_plan(sites.site(), make_plan_and_snapshot(sites.site())[0]) == one, (
        "always the same figures"
    )


def test_a_quantile_goes_through_the_percentiles() -> None:
    usual = DurationEstimate(3.0, 13.0, 2.0)
    assert [round(usual.compute_quantile(q), 6) for q in (0.1, 0.5, 0.9)] == [2.0, 3.0, 13.0]
    assert usual.compute_quantile(0.0) == usual.compute_quantile(0.01)


def test_colour_changes_no_letter_and_is_left_out_where_it_is_not_wanted() -> None:
    text = text_of(sites.site())
    assert apply_style(text).plain == text
    plain = Console(color_system=None, width=100, no_color=True)
    with plain.capture() as captured:
        plain.print(apply_style(text), soft_wrap=True)
    assert captured.get() == text + "\n"


def document(site: Site, snapshot: SiteSnapshot, target: Path = Path.IPSEC) -> dict[str, Any]:
    whole = plan_document.build_document(
        site, procedure.plan(site, snapshot, target), snapshot, "1.0"
    )
    return plan_document.parse(plan_document.format_text(whole), "plan.json")


def test_the_digest_is_the_same_for_the_same_world_whenever_it_was_read() -> None:
    site = sites.site()
    _, snapshot = make_plan_and_snapshot(site)
    later = replace(
        snapshot,
        taken_at="2027-01-01T00:00:00Z",
        gateways={
            Role.BACKUP: sites.replace_peers(
                snapshot.gateways[Role.BACKUP], replace(sites.peer(), messages_sent=99)
            )
        },
    )
    first, second = document(site, snapshot), document(site, later)
    assert first["digest"] == second["digest"]
    assert first["checksum"] != second["checksum"]
    plan_document.insist_on_world(site, first, second, "plan.json")


def get_refusal_message(site: Site, **state: Any) -> str:
    before = document(site, make_plan_and_snapshot(site)[1])
    after = document(site, make_plan_and_snapshot(site, **state)[1])
    with pytest.raises(Refused) as refused:
        plan_document.insist_on_world(site, before, after, "plan.json")
    return refused.value.message


def test_a_refusal_names_the_peering_and_what_it_was_and_is() -> None:
    site = sites.site()
    closed = replace(sites.HUB_LENDS, allow_gateway_transit=False)
    assert "vnet2-to-vnet1: gateway transit yes -> no" in get_refusal_message(
        site, **{"vnet2-to-vnet1": (closed, "Connected")}
    )
    assert "vnet1-to-vnet2: state Connected -> Disconnected" in get_refusal_message(
        site, **{"vnet1-to-vnet2": (sites.SPOKE_USES, "Disconnected")}
    )
    assert "vnet3-to-vnet1: did not exist, exists now" in get_refusal_message(
        site, **{"vnet3-to-vnet1": (sites.HUB_LENDS, "Connected")}
    )


def test_a_refusal_names_a_gateway_that_is_another() -> None:
    site = sites.site()
    _, snapshot = make_plan_and_snapshot(site)
    other = replace(snapshot.gateways[Role.BACKUP], asn=65010, bgp_addresses=("10.3.0.253",))
    after = replace(snapshot, gateways={**snapshot.gateways, Role.BACKUP: other})
    lines = list(plan_document.iter_changes(document(site, snapshot), document(site, after)))
    assert lines == ["vng2: ASN none -> 65010, BGP addresses 10.3.0.254 -> 10.3.0.253"]


def test_of_hundreds_of_changes_ten_are_named() -> None:
    site = sites.site(*MANY)
    closed = replace(sites.HUB_LENDS, allow_gateway_transit=False)
    message = get_refusal_message(
        site, **{f"vnet2-to-{name}": (closed, "Connected") for name in MANY}
    )
    assert message.count("gateway transit yes -> no") == 10
    assert message.endswith("and 110 more")


def test_a_plan_holds_plain_data_alone() -> None:
    site = sites.site()
    plan, snapshot = make_plan_and_snapshot(site)
    whole = plan_document.build_document(site, plan, snapshot, "1.0")
    assert json.loads(json.dumps(whole)) == whole


def test_a_cold_plan_says_by_how_much_prestaging_would_shorten_it() -> None:
    text = text_of(sites.site(*MANY))
    assert "  prestaging (erfailover prestage) would shorten that by about 12 min\n" in text
    site = sites.site()
    warm: dict[str, Any] = {
        "vnet3-to-vnet1": (sites.HUB_LENDS, "Connected"),
        "vnet1-to-vnet3": (READY, "Connected"),
    }
    assert "prestaging" not in text_of(site, **warm)
    assert (
        data.build_data(site, make_plan_and_snapshot(site, **warm)[0])["expected"][
            "saved_by_prestaging_s"
        ]
        is None
    )
    assert (
        data.build_data(site, make_plan_and_snapshot(site)[0])["expected"]["saved_by_prestaging_s"]
        > 0
    )


def test_a_plan_that_puts_nothing_at_risk_has_no_section_about_risks() -> None:
    site = sites.site()
    moved = sites.make_state(Path.IPSEC, site)
    moved["vnet2-to-vnet1"] = sites.make_state(Path.EXPRESSROUTE, site)["vnet2-to-vnet1"]
    plan = procedure.plan(site, sites.make_snapshot(site, moved), Path.IPSEC)
    assert [step.number for step in plan.writes] == [5]
    text = plan_text.format_text(site, plan)
    assert "all changes applied" in text
    assert "at risk" not in text.lower()
