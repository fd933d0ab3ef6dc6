"""The commands that messages tell the operator to type. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable


def format_spoke_options(spokes: Iterable[str], option: str = "--spoke") -> str:
    """Return the options that choose some spokes: `` --spoke vnet1 --spoke vnet2``."""
    return "".join(f" {option} {shlex.quote(name)}" for name in spokes)


def switch_to(path: str, spokes: Iterable[str] = ()) -> str:
    """Return the command that moves a site, or some of its spokes, to a path."""
    return f"erfailover switch --to {path}{format_spoke_options(spokes)}"
