"""The pages that are worked out from the code, in whole or in part. THE table of them."""

from __future__ import annotations

from tests.tools.docs import commands_page, lab_table, site_file_page, watch_page

GENERATED = {
    "docs/commands.md": commands_page.page,
    lab_table.FILE: lab_table.page,
    "docs/site-file.md": site_file_page.page,
    watch_page.FILE: watch_page.page,
}
