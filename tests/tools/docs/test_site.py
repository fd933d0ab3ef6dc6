"""The documentation as a site: built strictly, and nothing in it is fetched from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.tools.docs.shell import ROOT

pytestmark = pytest.mark.slow

FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
"""What a browser fetches by itself, and the attribute that says from where."""


class Fetches(HTMLParser):
    """What a page lets a browser fetch, and the classes of its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.classes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        by_name = dict(attrs)
        self.classes |= set((by_name.get("class") or "").split())
        if by_name.get("rel") not in ("canonical", "next", "prev") and tag in FETCHED:
            self.found.append(by_name.get(FETCHED[tag]) or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with every way out of this machine leading nowhere."""
    return build(tmp_path_factory.mktemp("site"))


def build(folder: Path, **environment: str) -> Path:
    """Build the site into a folder."""
    nowhere = "http://127.0.0.1:9"
    proxies = {"HTTPS_PROXY": nowhere, "HTTP_PROXY": nowhere, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | proxies | environment,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


def test_a_page_has_an_edit_link_if_the_repository_is_known(site: Path, tmp_path: Path) -> None:
    url = "https://git.example/owner/erfailover/edit/main/docs/"
    edited = build(tmp_path, ERFAILOVER_EDIT_URL=url)
    for name in ("index", "why", "runbook"):
        assert f'href="{url}{name}.md" title="Edit' in (edited / f"{name}.html").read_text()
        assert "Edit this page" not in (site / f"{name}.html").read_text()
    fetches = Fetches()
    fetches.feed((edited / "why.html").read_text())
    assert not [address for address in fetches.found if "//" in address]


def test_a_browser_fetches_nothing_from_elsewhere(site: Path) -> None:
    pages = sorted(site.glob("**/*.html"))
    assert len(pages) > 15
    for page in pages:
        fetches = Fetches()
        fetches.feed(page.read_text(encoding="utf-8"))
        assert [name for name in fetches.found if re.match(r"(https?:)?//", name)] == [], page.name
        # The theme would fetch a script for each of these.
        assert not {"mermaid", "arithmatex"} & fetches.classes, page.name


def test_style_sheets_fetch_nothing_from_elsewhere(site: Path) -> None:
    for sheet in site.glob("**/*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?https?://", sheet.read_text("utf-8")), sheet


def test_every_page_is_in_the_index_that_is_searched_without_a_server(site: Path) -> None:
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert index.startswith("var __index = ")
    for page in (ROOT / "docs").glob("*.md"):
        assert f'"{page.stem}.html"' in index, page.name
