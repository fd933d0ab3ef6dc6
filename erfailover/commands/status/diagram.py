"""``erfailover diagram``: read everything at once, draw it, print or write the picture.

It only reads. What could not be read is drawn as unknown; the verdict is left to ``status``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from erfailover.commands import output_file
from erfailover.commands.context import Context
from erfailover.commands.hints import explain_not_found
from erfailover.commands.status import snapshot
from erfailover.commands.status.png import Renderer, find_renderer
from erfailover.errors import UnknownReading, UsageFailure
from erfailover.reporting.azure_context import UNFOLDED
from erfailover.reporting.diagram import drawing, layout, site
from erfailover.reporting.status.headline import format_headline

FORMATS = ("svg", "png")


def run(context: Context, file: Path | None, form: str | None) -> None:
    """Draw the site as it is now.

    Args:
        context: the invocation.
        file: where to write it; None for standard output.
        form: ``svg`` or ``png``; None for the file's suffix, or SVG without a file.

    Raises:
        UsageFailure: it cannot be written there, or what lays it out or renders a PNG is not
            installed; raised before Azure is read.
        UnknownReading: nothing of the site could be read, so there is nothing to draw.
    """
    form = _format(file, form)
    _insist_on_a_place(file, form)
    layout.load_library()
    render = find_renderer() if form == "png" else None
    reading = snapshot.read_visibly(context)
    observed, health = reading.observed, reading.health
    if not observed.networks and not observed.gateways:
        why = next(iter(observed.unknown.values()), "no reason was given")
        raise UnknownReading(
            f"no part of {context.site.name} could be read, so there is nothing to draw: {why}",
            explain_not_found(context.site),
        )
    verdict = format_headline(health)
    sheet = site.build_sheet(reading.picture, verdict, context.format_heading(UNFOLDED))
    _write(context, file, drawing.draw(sheet), render)
    if file is not None:
        context.output.print_info(
            f"{verdict} Diagram written to {file} (read at {observed.taken_at})."
        )
    else:
        context.output.print_heading()
    if observed.unknown:
        first, *others = observed.unknown.values()
        more = f" (and {len(others)} more)" if others else ""
        context.output.print_info(f"Drawn as unknown because it could not be read: {first}{more}")


def _format(file: Path | None, form: str | None) -> str:
    """Return the format that was asked for, or that the file's name asks for."""
    if file is None:
        return form or "svg"
    suffix = file.suffix.lower().lstrip(".")
    if suffix in FORMATS and form not in (None, suffix):
        raise UsageFailure(
            f"the file name {file} asks for {suffix}, but -o asks for {form}",
            "Omit -o, or rename the file.",
        )
    if form is None and suffix not in FORMATS:
        raise UsageFailure(
            f"the file name {file} does not end in .svg or .png",
            "Rename it, or choose the format with -o.",
        )
    return form or suffix


def _insist_on_a_place(file: Path | None, form: str) -> None:
    """Check that the picture can be written."""
    if file is None:
        if form == "png" and sys.stdout.isatty():
            raise UsageFailure(
                "a PNG cannot be printed on a terminal",
                "Use --output-file site.png, or redirect standard output.",
            )
        return
    output_file.check(file, output_file.PICTURE)


def _write(context: Context, file: Path | None, text: str, render: Renderer | None) -> None:
    content = render(text) if render else text.encode()
    if file is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)  # UTF-8, whatever the terminal's encoding
        sys.stdout.buffer.flush()
        return
    output_file.write(file, content, output_file.PICTURE)
