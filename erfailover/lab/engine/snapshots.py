"""The whole world written down, and read back.

Owns the form: what a lab holds as one pickled graph, behind a line that names the form and the
package's version. Read back, the graph may name nothing but the lab's own classes and a few
harmless ones, so that a doctored file cannot run anything. Keys, tokens, the trace and who
listens are no part of it; a script that a machine is in the middle of is cut off where the
world was written down. Time stands still in between.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

import erfailover
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.providers.registry import PROVIDERS

PARTS = (
    "access",
    "began",
    "bgp",
    "durations",
    "faults",
    "fresh",
    "history",
    "locks",
    "machines",
    "metrics",
    "operations",
    "policies",
    "references",
    "scene",
    "throttling",
    "world",
)
"""The attributes of a lab that are written down."""

_HARMLESS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "builtins": frozenset({"frozenset", "set", "bytearray"}),
        "collections": frozenset({"deque"}),
        "datetime": frozenset({"date", "datetime", "timedelta", "timezone"}),
        "functools": frozenset({"partial"}),
        "ipaddress": frozenset({"IPv4Address", "IPv4Network", "IPv6Address", "IPv6Network"}),
        "random": frozenset({"Random"}),
        "copyreg": frozenset({"__newobj__"}),
    }
)
_LAB, _TYPES = "lab", "resource types"
"""What a snapshot names instead of holding it."""


class SnapshotProblem(ValueError):
    """What is to be read back is no snapshot of this version."""


_HEADER = f"erfailover lab world, form 2, version {erfailover.__version__}"


class _Pickler(pickle.Pickler):
    """Writes references to the lab itself, and to the table of types, as names."""

    def __init__(self, file: io.BytesIO, lab: Cloud) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._lab = lab

    def persistent_id(self, obj: object) -> str | None:
        if obj is PROVIDERS:
            return _TYPES
        return _LAB if obj is self._lab else None

    def reducer_override(self, obj: Any) -> Any:
        """An enumeration's member by its value, whatever form this Python would choose."""
        if isinstance(obj, Enum):
            return type(obj), (obj.value,)
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    """Reads only what the lab itself writes."""

    def __init__(self, file: io.BytesIO, lab: Cloud) -> None:
        super().__init__(file)
        self._lab = lab

    def persistent_load(self, pid: Any) -> object:
        known = {_LAB: self._lab, _TYPES: PROVIDERS}
        if pid not in known:
            raise SnapshotProblem(f"unknown part {pid!r}")
        return known[pid]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "getattr"):
            return _method
        if module.startswith("erfailover.lab."):
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        if name in _HARMLESS.get(module, ()):
            return super().find_class(module, name)
        raise SnapshotProblem(f"a snapshot holds no {module}.{name}")


def _method(owner: object, name: str) -> object:
    """A bound method of one of the lab's own objects: how an event names what it will call."""
    if not type(owner).__module__.startswith("erfailover.lab.") or name.startswith("__"):
        raise SnapshotProblem(f"a snapshot names no {type(owner).__name__}.{name}")
    return getattr(owner, name)


def save(lab: Cloud) -> bytes:
    """Everything that a lab holds, at its present time. The caller holds the lab's lock."""
    file = io.BytesIO()
    file.write(f"{_HEADER}\n".encode())
    _Pickler(file, lab).dump({name: getattr(lab, name) for name in PARTS})
    return file.getvalue()


def load(lab: Cloud, data: bytes) -> dict[str, Any]:
    """The parts of a lab, by attribute, from what ``save`` wrote.

    Raises:
        SnapshotProblem: where the data is anything else, or of another version.
    """
    header, _, rest = data.partition(b"\n")
    seen = header[:80].decode("utf-8", "replace")
    if seen.startswith("erfailover lab world, ") and seen != _HEADER:
        raise SnapshotProblem(
            f"the world was saved by another version of the lab ({seen!r}), and this one reads "
            f"only {_HEADER!r}: make the world anew"
        )
    if seen != _HEADER:
        raise SnapshotProblem("the file holds no saved world of a lab")
    try:
        found = _Unpickler(io.BytesIO(rest), lab).load()
    except SnapshotProblem:
        raise
    except Exception as error:
        raise SnapshotProblem(f"not a snapshot: {type(error).__name__}") from error
    if not isinstance(found, dict) or set(found) != set(PARTS):
        raise SnapshotProblem("not a snapshot: parts are missing")
    return found
