"""Snapshots: the whole world saved, and read back.

Owns the format: the lab's state as one pickled graph, behind a line that names the format and the
package's version. A graph may name only the lab's own classes and a few harmless ones, so that a
doctored file cannot run anything. Keys, tokens, the trace and listeners are not part of it; a
running script of a machine ends at the time of the snapshot. The clock does not advance in between.

What the data plane saves is a part with the plane's name: another plane builds itself anew from the
resources. The plane itself is never saved, for it may hold processes.
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
    "durations",
    "faults",
    "generator",
    "history",
    "locks",
    "metrics",
    "operations",
    "policies",
    "references",
    "context",
    "throttling",
    "world",
)
"""The attributes of a lab that a snapshot contains."""
PLANE = "plane"
"""The part with the data plane's name and what it saves."""

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


class SnapshotError(ValueError):
    """A file that is not a snapshot of this version."""


_HEADER = f"erfailover lab world, form 5, version {erfailover.__version__}"


class _Pickler(pickle.Pickler):
    """A pickler that writes the lab itself and the table of types as names, and no data plane."""

    def __init__(self, file: io.BytesIO, lab: Cloud) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._lab = lab

    def persistent_id(self, obj: object) -> str | None:
        if obj is PROVIDERS:
            return _TYPES
        if obj is self._lab.plane:
            raise pickle.PicklingError("an event refers to the data plane itself")
        return _LAB if obj is self._lab else None

    def reducer_override(self, obj: Any) -> Any:
        """Reduce an enumeration's member to its value, whatever Python's default form."""
        if isinstance(obj, Enum):
            return type(obj), (obj.value,)
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    """An unpickler that accepts only what the lab itself writes."""

    def __init__(self, file: io.BytesIO, lab: Cloud) -> None:
        super().__init__(file)
        self._lab = lab

    def persistent_load(self, pid: Any) -> object:
        objects = {_LAB: self._lab, _TYPES: PROVIDERS}
        if pid not in objects:
            raise SnapshotError(f"the snapshot refers to an unknown part: {pid!r}")
        return objects[pid]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "getattr"):
            return _resolve_method
        if module.startswith("erfailover.lab."):
            class_ = super().find_class(module, name)
            if isinstance(class_, type) and class_.__module__ == module:
                return class_
        if name in _HARMLESS.get(module, ()):
            return super().find_class(module, name)
        raise SnapshotError(f"the snapshot contains {module}.{name}, which is not allowed")


def _resolve_method(owner: object, name: str) -> object:
    """Return a bound method of one of the lab's objects, as events name it."""
    if not type(owner).__module__.startswith("erfailover.lab.") or name.startswith("__"):
        raise SnapshotError(
            f"the snapshot refers to {type(owner).__name__}.{name}, which is not allowed"
        )
    return getattr(owner, name)


def save(lab: Cloud) -> bytes:
    """Return the lab's state at its current time. The caller holds the lab's lock."""
    file = io.BytesIO()
    file.write(f"{_HEADER}\n".encode())
    parts = {name: getattr(lab, name) for name in PARTS}
    _Pickler(file, lab).dump({**parts, PLANE: (lab.plane.name, lab.plane.save())})
    return file.getvalue()


def load(lab: Cloud, data: bytes) -> dict[str, Any]:
    """Return the parts of a lab, by attribute, from the output of ``save``.

    Raises:
        SnapshotError: the data is anything else, or of another version.
    """
    header, _, rest = data.partition(b"\n")
    first_line = header[:80].decode("utf-8", "replace")
    if first_line.startswith("erfailover lab world, ") and first_line != _HEADER:
        raise SnapshotError(
            f"another version of the lab saved this state ({first_line!r}), and this version reads "
            f"only {_HEADER!r}. Build the network again, or use that version of the lab."
        )
    if first_line != _HEADER:
        raise SnapshotError("the file is not a saved lab state")
    try:
        parts = _Unpickler(io.BytesIO(rest), lab).load()
    except SnapshotError:
        raise
    except Exception as error:
        raise SnapshotError(
            f"the saved lab state cannot be read: {type(error).__name__}"
        ) from error
    if not isinstance(parts, dict) or set(parts) != {*PARTS, PLANE}:
        raise SnapshotError("the saved lab state is incomplete")
    return parts
