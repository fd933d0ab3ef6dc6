"""Probes of a site file."""

from __future__ import annotations

from pathlib import Path


def add_probes(*lines: str) -> None:
    """Add probes to the site file."""
    file = Path("erfailover.yaml")
    more = "".join(f"  {line}\n" for line in lines)
    file.write_text(file.read_text().replace("probes:\n", f"probes:\n{more}", 1))
