"""Reads a report's page as a browser would, strictly: well formed, and nothing from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = frozenset({"meta", "link", "br", "hr", "img", "input"})


class Page(HTMLParser):
    """Every tag closed in order; what it would load, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [f"{name}={value}" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def check_page(html: str) -> str:
    """Check that a page is whole and self-contained; its text."""
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    assert page.loads == []
    assert not {"script", "link", "iframe", "img"} & set(page.tags)
    assert "http://" not in html
    assert "https://" not in html
    assert "url(" not in html.replace("url(#hatched)", "")
    return re.sub(r"\s+", " ", " ".join(page.words))
