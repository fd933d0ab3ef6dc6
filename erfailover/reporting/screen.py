"""What a text is written for: its width, whether there is colour, which characters it can show.

Pure: who looks at the real terminal is ``commands.output``. Colour never says anything alone; the
signs and words are the same without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO

from rich.box import Box
from rich.console import RenderableType
from rich.style import Style

from erfailover.reporting.console import CleanConsole
from erfailover.reporting.marks import ASCII_SIGN, COLOUR, SIGN, Mark
from erfailover.reporting.words import DOTS

WIDTH = 100
"""If there is no terminal: so that files and documents do not depend on a window."""
NARROWEST = 80

DRAWN = "╔═╗║╚╝┌─┐│└┘╣╠╢╟╡╞┤├┄✓✗…"
"""Every character that is not ASCII and that a picture may be drawn with."""


@dataclass(frozen=True, slots=True)
class Screen:
    """Where a text is shown; by default, a file.

    Attributes:
        width: in columns.
        colour: whether ANSI's colours are understood and wanted.
        drawing: whether lines, corners and ticks can be shown; otherwise it is ASCII alone.
    """

    width: int = WIDTH
    colour: bool = False
    drawing: bool = True

    @property
    def dots(self) -> str:
        """What replaces the middle of a name that is too long."""
        return "…" if self.drawing else DOTS

    def get_sign(self, mark: Mark) -> str:
        """Return the sign of a mark."""
        return (SIGN if self.drawing else ASCII_SIGN)[mark]

    def get_style(self, mark: Mark) -> str:
        """Return the style of a mark; none if there is no colour."""
        return COLOUR[mark] if self.colour else ""

    def get_box(self, kind: Box) -> Box:
        """Return the lines of a table; in ASCII if nothing else can be shown."""
        return kind if self.drawing else Box(str(kind).replace("─", "-"), ascii=True)

    def render(self, what: RenderableType) -> str:
        """Something of rich's as text, without trailing blanks."""
        out = StringIO()
        console = CleanConsole(
            file=out,
            width=self.width,
            force_terminal=self.colour,
            color_system="standard" if self.colour else None,
            no_color=not self.colour,
            legacy_windows=False,
            highlight=False,
            _environ={},
        )
        console.print(what)
        return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines())

    def apply_style(self, text: str, style: str) -> str:
        """Return a text in a style; itself if there is no colour."""
        if not self.colour:
            return text
        return "\n".join(Style.parse(style).render(line) for line in text.splitlines())


PLAIN = Screen()
NARROW = Screen(width=NARROWEST)
"""For files whose lines a terminal of 80 columns shows whole."""
