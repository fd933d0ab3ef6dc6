"""Plans of peerings shown, kept in a file, and read from one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from erfailover import __version__
from erfailover.commands import output_file
from erfailover.commands.context import Context
from erfailover.commands.output import Output, fit_text
from erfailover.commands.output import show as show_result
from erfailover.errors import UsageFailure
from erfailover.model.observed import SiteSnapshot
from erfailover.model.plan import SwitchPlan
from erfailover.model.site import Site
from erfailover.reporting import formats
from erfailover.reporting.console import CleanConsole
from erfailover.reporting.plan import az_script
from erfailover.reporting.plan import document as plan_document
from erfailover.reporting.plan import text as plan_text
from erfailover.reporting.plan.style import apply_style
from erfailover.reporting.screen import Screen
from erfailover.runtime import input_file

MOST_BYTES = 64 * 1024 * 1024
"""A plan of 500 spokes is 4 MB."""


def build_document(site: Site, plan: SwitchPlan, observed: SiteSnapshot) -> dict[str, Any]:
    """Return a plan as the document that is printed and kept."""
    return plan_document.build_document(site, plan, observed, __version__)


def show(
    context: Context, plan: SwitchPlan, observed: SiteSnapshot, out: Path | None = None
) -> None:
    """Print a plan in the format asked for, and keep it if that is asked for."""
    site = context.site
    whole = build_document(site, plan, observed)
    if out is not None:
        output_file.write(out, plan_document.format_text(whole), output_file.PLAN)
    text = plan_text.format_text(site, plan)
    if context.output.format == "az":
        where = context.format_heading(Screen(drawing=False))
        script = az_script.render_script(site, plan, observed, str(whole["digest"]), where)
        show_result(script, whole, formats.TABLE)
    elif (
        context.output.format == formats.TABLE
        and context.output.query is None
        and sys.stdout.isatty()
    ):
        detail = context.output.add_heading(fit_text(text, err=False))
        CleanConsole(highlight=False, soft_wrap=True).print(apply_style(detail))
    else:
        context.output.print_result(text, whole)
    if out is not None:
        context.output.print_info(
            f"Saved to {out} (digest {whole['digest']}). To apply it: erfailover switch "
            f"--plan {out}"
        )


def tell(output: Output, text: str) -> None:
    """Show a plan on standard error, before the question; not with ``-o none --yes``.

    A plan that was shown last is not shown again.
    """
    if text == output.last_plan or (output.format == formats.NONE and output.yes):
        return
    output.last_plan = text
    output.present(apply_style(fit_text(text)))


def load(path: Path) -> dict[str, Any]:
    """Return a saved plan.

    Raises:
        UsageFailure: the file cannot be read, or is not a plan.
    """
    try:
        text = input_file.read(path, MOST_BYTES).decode("utf-8")
    except OSError as error:
        raise UsageFailure(
            f"the plan {path} cannot be read: {error.strerror}",
            "Create one: erfailover switch --to ipsec|expressroute --dry-run --out FILE",
        ) from None
    except UnicodeDecodeError:
        text = ""
    return plan_document.parse(text, str(path))
