"""The page of the watch in Chromium: phone to wall screen, light and dark, live, and lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from erfailover.commands.watch.web.settings import Address, WebSettings
from erfailover.model.watch import SiteView
from tests.support.chromium import Browser, browsing
from tests.support.watch_server import LOOPBACK, TOKEN, Watched, serving, write_certificate
from tests.support.watch_views import (
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

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def draw(view: SiteView) -> SiteView:
    assert view.reading
    return replace(view, svg=draw_site(view.reading.spokes, f"{view.site}/"))


SITES: dict[str, Callable[[], Sequence[SiteView]]] = {
    "1 spoke": lambda: [draw(make_view(reading=make_reading(spokes=make_spokes(1))))],
    "12 spokes": lambda: [draw(make_failed_view())],
    "300 spokes": lambda: [draw(make_mixed_view())],
    "long names": lambda: [
        make_failed_view(
            site="s" * 64,
            leader="l" * 80,
            reading=make_reading(
                spokes=[replace(spoke, name="v" * 64) for spoke in make_spokes(2)],
                warnings=("w" * 300,),
            ),
            approval=make_approval(id="a" * 64),
            withheld="r" * 300,
            events=(make_event(0, "e" * 300),),
        )
    ],
    "4 sites": lambda: [
        draw(make_view()),
        draw(make_failed_view(site="plant-antwerp")),
        make_mixed_view(),
        make_standby_view(site="lyon"),
    ],
}
SCREENS = {"phone": (360, 740), "tablet": (720, 1024), "wall": (1600, 1000)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as result:
        yield result


@pytest.fixture(scope="module")
def shared() -> Iterator[Watched]:
    with serving() as watched:
        yield watched


@pytest.fixture
def watched(shared: Watched, browser: Browser) -> Watched:
    shared.views, shared.at = [make_view()], NOW
    browser.complaints.clear()
    browser.origins.clear()
    return shared


def wait_until_live(page: Any) -> None:
    page.wait_for_selector("#bar.live")


def find_overflow(page: Any) -> list[str]:
    """Return what reaches beyond the right edge of the window, except within a scrolling part."""
    names: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("body *")]
            .filter((item) => !item.closest(".diagram svg, pre *, .sr"))
            .filter((item) => item.getBoundingClientRect().right > innerWidth + 0.5)
            .map((item) => `${item.tagName} ${item.className} ${item.textContent.slice(0, 40)}`)"""
    )
    return names


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("sites", SITES)
def test_it_fits_every_screen_and_complains_of_nothing(
    browser: Browser, watched: Watched, tmp_path: Path, sites: str, screen: str, scheme: str
) -> None:
    watched.views = SITES[sites]()
    width, height = SCREENS[screen]
    size = {"width": width, "height": height}
    url = watched.server.url
    with browser.opening(url, viewport=size, color_scheme=scheme) as page:
        wait_until_live(page)
        page.screenshot(path=str(tmp_path / "page.png"), full_page=True)
        assert find_overflow(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
        # The verdict of the worst site is seen without scrolling.
        box = page.locator(".state").first.bounding_box()
        assert box["y"] + box["height"] < height
        small = page.evaluate(
            """() => [...document.querySelectorAll("summary, button, .list a")]
                .filter((item) => item.getBoundingClientRect().height < 44).length"""
        )
        assert small == 0
    assert browser.complaints == []
    assert browser.origins == {urlsplit(url).netloc}


def test_a_change_is_shown_within_2_s_without_a_reload(browser: Browser, watched: Watched) -> None:
    with browser.opening(watched.server.url) as page:
        wait_until_live(page)
        page.evaluate("document.body.dataset.kept = 'yes'")
        began = time.monotonic()
        watched.show(make_failed_view())
        page.wait_for_selector(".verdict.bad .state >> text=Failed", timeout=2000)
        assert time.monotonic() - began < 2.0
        assert page.title() == "Failed: poc"
        assert page.evaluate("document.body.dataset.kept") == "yes"
    assert browser.complaints == []


def test_the_verdict_is_announced_and_what_was_opened_stays_open(
    browser: Browser, watched: Watched
) -> None:
    watched.views = [make_mixed_view()]
    with browser.opening(watched.server.url) as page:
        wait_until_live(page)
        page.click("summary >> text=288 more")
        region = page.query_selector("[aria-live]")
        page.evaluate("(item) => { item.dataset.same = 'yes' }", region)
        watched.show(make_mixed_view(withheld="the cooldown lasts until 04:00 UTC"))
        page.wait_for_selector("text=the cooldown lasts until 04:00 UTC")
        # The region itself is the old one: a new one would not be read out.
        assert page.evaluate("(item) => item.isConnected && item.ariaLive", region) == "assertive"
        assert page.locator("details[id$=others]").evaluate("(item) => item.open") is True


def test_ages_go_on_and_an_old_reading_is_said_to_be_old(
    browser: Browser, watched: Watched
) -> None:
    with browser.opening(watched.server.url) as page:
        wait_until_live(page)
        late = page.locator("[data-stale]")
        assert not late.is_visible()
        page.wait_for_selector("dd .age >> text=14 s", timeout=5000)
        watched.at = NOW + 600.0
        watched.server.notify()
        page.wait_for_selector("text=reading is 10 min 12 s old", timeout=2000)
        assert late.is_visible()


def test_a_lost_connection_is_loud_and_ends_when_the_server_is_back(browser: Browser) -> None:
    with serving() as watched:
        url = watched.server.url
        with browser.opening(url, viewport={"width": 360, "height": 740}) as page:
            wait_until_live(page)
            before = page.locator(".verdict").bounding_box()
            watched.server.close()
            page.wait_for_selector("#bar.lost >> text=CONNECTION LOST", timeout=3000)
            page.wait_for_selector("text=/This page is [2-9] s old/", timeout=6000)
            assert page.locator(".verdict").bounding_box() == before
            assert page.evaluate("getComputedStyle(document.querySelector('main')).filter") == (
                "grayscale(1)"
            )
            assert find_overflow(page) == []
            port = urlsplit(url).port
            assert port is not None
            settings = WebSettings(Address("127.0.0.1", port))
            with serving(settings, [make_failed_view()]):
                page.wait_for_selector(".state >> text=Failed", timeout=15_000)
                wait_until_live(page)


def test_a_server_that_hangs_is_noticed(browser: Browser, watched: Watched) -> None:
    with browser.opening(watched.server.url) as page:
        wait_until_live(page)
        watched.hangs_until = time.monotonic() + 15.0
        page.wait_for_selector("#bar.lost", timeout=15_000)
        page.wait_for_selector("#bar.live", timeout=15_000)
        assert time.monotonic() > watched.hangs_until


def test_the_command_is_copied(browser: Browser, watched: Watched) -> None:
    watched.views = [make_failed_view()]
    options = {"permissions": ["clipboard-read", "clipboard-write"]}
    with browser.opening(watched.server.url, **options) as page:
        page.click("text=Copy")
        page.wait_for_selector("button >> text=Copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == "erfailover approve 7f3a-29c1"


def test_without_javascript_all_is_there_and_refreshed(browser: Browser, watched: Watched) -> None:
    watched.views = [make_failed_view()]
    with browser.opening(watched.server.url, java_script_enabled=False) as page:
        text = page.inner_text("body")
        assert "refreshed every 15 s" in text
        assert "for 3 min 25 s" in text
        assert "in 56 min 40 s" in text
        assert page.get_attribute("noscript meta", "http-equiv") == "refresh"
        assert "Outage per spoke: typically 12 s." in page.inner_text("pre")


def test_a_browser_signs_in_with_the_token_and_sees_live_events(
    browser: Browser, tmp_path: Path
) -> None:
    _, certificate = write_certificate(tmp_path)
    with (
        serving(WebSettings(LOOPBACK, certificate, TOKEN)) as watched,
        browser.opening(watched.server.url, ignore_https_errors=True) as page,
    ):
        assert page.locator("form").is_visible()
        page.fill("#token", TOKEN)
        page.click("button")
        wait_until_live(page)
        watched.show(make_failed_view())
        page.wait_for_selector(".state >> text=Failed", timeout=2000)
        (cookie,) = page.context.cookies()
        assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (
            True,
            True,
            "Strict",
        )
        # The session ends: the page asks for the token again, by itself.
        watched.at = NOW + 100_000.0
        watched.server.notify()
        page.wait_for_selector("#token", timeout=15_000)


def test_what_azure_says_cannot_run_in_the_browser(browser: Browser, watched: Watched) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    watched.views = [make_view(withheld=evil, leader=evil, site=evil)]
    with browser.opening(watched.server.url) as page:
        wait_until_live(page)
        watched.show(make_failed_view(withheld=evil, leader=evil))
        page.wait_for_selector(".state >> text=Failed")
        assert page.title() == "Failed: poc"
        assert page.locator("img").count() == 0
    assert browser.complaints == []
