"""The pages that are wholly worked out from the code. THE table of them."""

from __future__ import annotations

from tests.tools.docs import commands_page, site_file_page

GENERATED = {
    "docs/commands.md": commands_page.page,
    "docs/site-file.md": site_file_page.page,
}
