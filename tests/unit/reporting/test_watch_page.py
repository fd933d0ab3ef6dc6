"""The page of the watch: the worst first, exceptions on top, whole, escaped, contrasty."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from erfailover.model.watch import (
    Observation,
    Pause,
    Signal,
    SignalStatus,
    SiteView,
    SpokeState,
    WatchState,
)
from erfailover.reporting.watch import page
from erfailover.reporting.watch.assets import read_asset
from tests.support.pages import Page
from tests.support.watch_views import (
    DOWN,
    HOSTILE,
    NOW,
    draw_site,
    make_approval,
    make_event,
    make_failed_view,
    make_mixed_view,
    make_reading,
    make_spokes,
    make_standby_view,
    make_view,
)


def render(*views: SiteView, now: float = NOW) -> str:
    return page.render_page(views, now, "v1")


def read_text(html: str) -> str:
    """Return the words of a page; check that it is well formed."""
    parsed = Page()
    parsed.feed(html)
    parsed.close()
    assert parsed.open == []
    return re.sub(r"\s+", " ", "".join(parsed.words))


class TestVerdict:
    @pytest.mark.parametrize("state", WatchState)
    def test_every_state_has_words_for_a_reader_who_does_not_know_it(
        self, state: WatchState
    ) -> None:
        text = read_text(render(make_view(state=state)))
        words = page.STATES[state]
        assert words.word in text
        assert words.text in text
        assert "Since 2026-11-25 03:12:07 UTC, for 5 d" in text

    def test_it_says_what_is_down_and_why_no_switch_is_made(self) -> None:
        text = read_text(render(make_failed_view()))
        assert "Gateway down: 0 of 2 peers Connected" in text
        assert "Probes down: erp: no answer" in text
        assert "No switch is made: mode approve" in text
        assert "Resource Health of er-circuit" in text

    def test_spokes_without_a_path_and_a_lost_store_are_part_of_it(self) -> None:
        view = make_mixed_view(store_problem="the account does not answer")
        text = read_text(render(view))
        assert "vnet-erp-production-westeurope-001 has NO path." in text
        assert "so nothing new is begun: the account does not answer" in text
        assert 'class="verdict bad"' in render(view)

    def test_a_replica_without_a_reading_says_why(self) -> None:
        assert "watch@hub-b, process 7 leads this site" in read_text(render(make_standby_view()))
        starting = make_view(reading=None, state=WatchState.UNKNOWN)
        assert "The first reading has not ended yet" in read_text(render(starting))
        assert "No replica leads" in read_text(render(make_standby_view(leader=None)))

    def test_an_old_reading_is_said_to_be_old(self) -> None:
        old = re.compile(r'data-stale="150\.0">')
        assert not old.search(render(make_view()))
        assert old.search(render(make_view(), now=NOW + 140))
        assert "reading is 2 min 32 s old" in read_text(render(make_view(), now=NOW + 140))

    def test_a_run_an_operators_run_and_an_unfinished_one_are_shown(self) -> None:
        reading = make_reading(operator_run="anna@ops1, process 9", unfinished_run="7a1f")
        text = read_text(render(make_view(reading=reading, state=WatchState.DEGRADED)))
        assert "anna@ops1, process 9 holds the site's lease" in text
        assert "Run 7a1f of a watcher has not ended" in text
        assert "Under way: switch to IPsec" in read_text(render(make_view(run="switch to IPsec")))


class TestOrder:
    def test_the_worst_site_is_first_and_names_the_window(self) -> None:
        views = [
            make_view(site="a"),
            make_standby_view(site="b"),
            make_view(site="c", state=WatchState.DEGRADED),
            make_failed_view(site="d"),
            make_mixed_view(site="e"),
            make_view(site="f", state=WatchState.UNKNOWN),
        ]
        assert [view.site for view in page.order_views(views)] == list("edfcab")
        assert page.format_title(views) == "On backup: e (+5)"

    def test_every_state_has_a_place(self) -> None:
        assert {*page.STATES} == {*WatchState}

    def test_several_sites_have_a_list_that_leads_to_each(self) -> None:
        html = render(make_view(site="müller/eu"), make_failed_view())
        links = re.findall(r'href="#([^"]+)"', html)
        assert len(links) == 2
        assert all(f'<article id="{link}"' in html for link in links)
        assert "<nav" not in render(make_view())


class TestSpokes:
    def test_counts_come_first_and_each_spoke_counts_once(self) -> None:
        counts = page.count_spokes(make_mixed_view().reading.spokes)  # type: ignore[union-attr]
        assert counts == [
            ("bad", 1, "on NO path"),
            ("bad", 1, "not carried by their path"),
            ("warn", 1, "path unknown"),
            ("idle", 1, "on ExpressRoute"),
            ("idle", 297, "on IPsec"),
        ]

    def test_exceptions_are_on_top_and_most_others_folded_away(self) -> None:
        html = render(make_mixed_view())
        listed, folded = html.split('<table class="spokes">')[1:]
        names = re.findall(r'<th scope="row">(.*?)</th>', listed)
        assert names[:4] == [
            "vnet-erp-production-westeurope-001",
            "vnet-backup-vault",
            "vnet-labs",
            "vnet-spoke-001",
        ]
        assert len(names) == page.LISTED
        assert len(re.findall(r'<th scope="row">', folded)) == 300 - page.LISTED
        assert "288 more" in html

    def test_a_healthy_spoke_on_another_path_than_most_is_an_exception(self) -> None:
        odd = SpokeState("z", "ipsec", True)
        exceptions, others = page.sort_spokes([*make_spokes(3), odd])
        assert exceptions == [odd]
        assert len(others) == 3


class TestWhatAnOperatorDoesNext:
    def test_a_waiting_approval_has_its_command_its_plan_and_its_end(self) -> None:
        text = read_text(render(make_failed_view()))
        assert "Switch to IPsec waits for your approval" in text
        assert "erfailover approve 7f3a-29c1" in text
        assert "Outage per spoke: typically 12 s." in text
        assert "expires 2026-11-30 04:08:47 UTC, in 56 min 40 s" in text

    def test_an_approved_one_says_by_whom_and_has_no_command(self) -> None:
        approval = make_approval(approved_by="anna", approved_at=NOW)
        html = render(make_failed_view(approval=approval, withheld=None, events=()))
        assert "erfailover approve" not in html
        assert "By anna, 2026-11-30 03:12:07 UTC" in read_text(html)

    def test_a_pause_says_why_by_whom_and_until_when(self) -> None:
        text = read_text(render(make_mixed_view()))
        assert "Paused: nothing is switched" in text
        assert "By anna, since 2026-11-30 02:57:07 UTC. Ends at 2026-11-30 05:57:07 UTC" in text
        endless = make_view(pause=Pause("Works.", NOW))
        assert "Ends only with erfailover resume" in read_text(render(endless))


def test_the_timeline_is_by_day_in_utc_and_folds_old_events_away() -> None:
    html = render(make_failed_view())
    listed, folded = html.split("25 older events")
    assert listed.count("<h4>2026-11-30 ") == listed.count("<h4>") == 1
    assert "<h4>2026-11-29 " in folded


def test_the_changing_part_holds_no_ages_so_that_it_changes_only_with_the_site() -> None:
    view = make_failed_view()
    sites = page.render_sites([view])
    assert sites == page.render_sites([replace(view)])
    assert re.findall(r'data-(?:since|until)="[^"]*">([^<]*)<', sites) == [""] * 4
    assert "3 min 25 s" in render(view)


def test_whatever_azure_says_is_text() -> None:
    reading = make_reading(
        signals={Signal.GATEWAY: Observation(SignalStatus.DOWN, HOSTILE)},
        backup=Observation(SignalStatus.UNKNOWN, HOSTILE),
        witness=Observation(SignalStatus.DOWN, HOSTILE),
        spokes=(SpokeState(HOSTILE, HOSTILE, None), SpokeState(HOSTILE, "none", False)),
        warnings=(HOSTILE,),
        operator_run=HOSTILE,
        unfinished_run=HOSTILE,
    )
    view = make_view(
        site=HOSTILE,
        mode=HOSTILE,
        leader=HOSTILE,
        reading=reading,
        pause=Pause(HOSTILE, NOW, None, HOSTILE),
        approval=make_approval(id=HOSTILE, text=HOSTILE),
        withheld=HOSTILE,
        events=(make_event(0, HOSTILE),),
        store_problem=HOSTILE,
        run=HOSTILE,
    )
    scripts: list[str] = []

    class Scripts(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            scripts.extend(str(dict(attrs).get("src")) for _ in [tag] if tag == "script")

    html = render(view, make_view())
    Scripts().feed(html)
    assert scripts == ["/assets/page.js?v1"]
    assert "<script>alert" not in html
    assert html.count("alert(&#39;x&#39;)") >= 15
    read_text(html)


def test_the_page_needs_nothing_inline_and_nothing_from_elsewhere() -> None:
    view = make_view(svg=draw_site(make_spokes(2), "poc/"))
    assert 'style="' in view.svg
    for html in (render(view), page.render_login("Wrong.", "v1")):
        assert not re.search(r"""\s(style|on\w+)=["']""", html)
        assert "<style" not in html
        assert "://" not in html
    for name in ("page.css", "page.js"):
        assert "://" not in read_asset(name)
        assert "url(" not in read_asset(name)
    assert "<svg" in render(view)


def read_colours(dark: bool) -> dict[str, str]:
    css = read_asset("page.css")
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    assert len(blocks) == 2
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[dark]))


def compute_luminance(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG 2 defines it."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_has_the_contrast_of_wcag_aa(dark: bool) -> None:
    colours = read_colours(dark)
    grounds = [name for name in colours if name.endswith("ground")] + ["panel"]
    low = {}
    for ground in grounds:
        for ink in ("ink", "faint", "good", "warn", "bad", "idle"):
            light, deep = sorted(
                (compute_luminance(colours[ink]), compute_luminance(colours[ground])), reverse=True
            )
            ratio = (light + 0.05) / (deep + 0.05)
            if ratio < 4.5:
                low[f"{ink} on {ground}"] = round(ratio, 2)
    assert low == {}


def test_a_signal_that_is_down_is_marked_in_words_and_not_by_colour_alone() -> None:
    html = render(make_view(reading=make_reading(signals={Signal.GATEWAY: DOWN})))
    assert '<span class="mark bad">down</span>' in html
