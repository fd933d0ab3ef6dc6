"""Convert SVG to PNG with a renderer that this machine has. Writes only the file that it is given.

erfailover draws SVG; a PNG needs a renderer and its fonts. CairoSVG is an extra, since it needs the
system's Cairo library; rsvg-convert and Inkscape are common on desktops and servers.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from shutil import which
from typing import Any, cast

from erfailover.errors import UsageFailure

SCALE = 2
"""Pixels of the PNG for one of the SVG: sharp on today's screens, and when zoomed in."""
PATIENCE_S = 60.0
"""How long a renderer may take."""
INSTALL = (
    "Install one: pip install 'erfailover[png]' (needs the system's Cairo library), or "
    "rsvg-convert (apt install librsvg2-bin, brew install librsvg), or Inkscape. "
    "Or use SVG: browsers, chats and editors display it."
)

Renderer = Callable[[str], bytes]


def find_renderer() -> Renderer:
    """Return what turns SVG into PNG on this machine.

    Raises:
        UsageFailure: there is none.
    """
    cairosvg = _find_cairosvg()
    if cairosvg is not None:
        return cairosvg
    for name, arguments in (
        ("rsvg-convert", ("--format", "png", "--zoom", str(SCALE))),
        ("inkscape", ("--pipe", "--export-type=png", f"--export-dpi={96 * SCALE}", "-o", "-")),
    ):
        actual = which(name)
        if actual is not None:
            return _build_renderer(actual, arguments)
    raise UsageFailure(
        "no PNG renderer found: looked for the package cairosvg, and for the programs "
        "rsvg-convert and inkscape",
        INSTALL,
    )


def _find_cairosvg() -> Renderer | None:
    """CairoSVG, if it is installed and finds the Cairo library."""
    try:
        import cairosvg
    except (ImportError, OSError):  # OSError: the package is there, the library is not
        return None
    convert: Any = cairosvg.svg2png
    return lambda text: cast(bytes, convert(bytestring=text.encode(), scale=SCALE))


def _build_renderer(path: str, arguments: tuple[str, ...]) -> Renderer:
    def render(text: str) -> bytes:
        try:
            done = subprocess.run(
                [path, *arguments],
                input=text.encode(),
                capture_output=True,
                timeout=PATIENCE_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UsageFailure(f"{path} could not render the PNG: {error}", INSTALL) from None
        if done.returncode or not done.stdout.startswith(b"\x89PNG"):
            message = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
            raise UsageFailure(f"{path} could not render the PNG: {message}", INSTALL)
        return done.stdout

    return render
