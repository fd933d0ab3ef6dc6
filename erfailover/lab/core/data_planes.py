"""The data planes that a lab can have, by name, and how fast their clocks can run."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

MODEL, LINUX = "model", "linux"
NAMES = (MODEL, LINUX)

DEFAULT_SPEEDS: Mapping[str, float] = MappingProxyType({MODEL: 100.0, LINUX: 20.0})
"""A gateway of the proof of concept (about 1,085 s) is then made in 11 s, or 54 s, of wall time."""
LINUX_SPEED_LIMIT = 60.0
"""BGP's hold time, 180 s in Azure, is then the shortest that routers accept: 3 s (RFC 4271)."""
