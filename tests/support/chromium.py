"""A headless Chromium that reaches this machine only, and what it complained about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.debian import require_program

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Browser:
    """A browser, and what its pages did that they should not."""

    chromium: Any
    complaints: list[str] = field(default_factory=list)
    origins: set[str] = field(default_factory=set)

    @contextmanager
    def opening(self, url: str, **options: Any) -> Iterator[Any]:
        """Open a page in a fresh profile; options are Playwright's of ``new_context``."""
        context = self.chromium.new_context(**options)
        page = context.new_page()
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        page.on("request", lambda request: self.origins.add(urlsplit(request.url).netloc))
        try:
            page.goto(url)
            yield page
        finally:
            context.close()

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)


@contextmanager
def browsing() -> Iterator[Browser]:
    """Start Debian's Chromium; skip the test if it or Playwright cannot be had."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="NOT TESTED: needs Playwright: pip install playwright"
    )
    path = require_program("chromium", "chromium")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=[*FLAGS])
        try:
            yield Browser(chromium)
        finally:
            chromium.close()
