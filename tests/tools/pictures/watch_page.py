"""The page of a watch during an outage, as Chromium shows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.support.chromium import browsing
from tests.support.watch_server import serving
from tests.support.watch_views import NOW, draw_site, make_failed_view

FILE = "watch-page.png"
SIZE = {"width": 1200, "height": 900}


def take(folder: Path) -> None:
    """Write the picture into a folder."""
    view = make_failed_view(site="plant-antwerp")
    assert view.reading is not None
    with browsing() as browser, serving() as watched:
        watched.views, watched.at = [replace(view, svg=draw_site(view.reading.spokes, "p/"))], NOW
        with browser.opening(watched.server.url, viewport=SIZE, color_scheme="light") as page:
            page.wait_for_selector("#bar.live")
            page.screenshot(path=str(folder / FILE))
