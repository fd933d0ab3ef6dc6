"""The power of virtual machines on the Linux data plane, and the disks they start from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from erfailover.lab.core import ids
from erfailover.lab.core.world import Resource, World
from erfailover.lab.linux.layout import Machine
from erfailover.lab.machines.machines import decode_custom_data

_DIGITS = 8


@dataclass(slots=True)
class _Power:
    identity: str
    running: bool = False
    starts: int = 0


class MachinePower:
    """Which machines run. It can be saved with the world."""

    def __init__(self) -> None:
        self._machines: dict[str, _Power] = {}

    def boot(self, vm: Resource) -> None:
        """Start or restart a machine."""
        key, identity = ids.to_key(vm.id), _get_identity(vm)
        power = self._machines.get(key)
        if power is None or power.identity != identity:
            power = self._machines[key] = _Power(identity)
        power.running = True
        power.starts += 1

    def stop(self, vm: Resource) -> None:
        """Stop a machine."""
        self._machines.setdefault(ids.to_key(vm.id), _Power(_get_identity(vm))).running = False

    def is_running(self, vm: Resource) -> bool:
        """Return whether a machine runs."""
        power = self._machines.get(ids.to_key(vm.id))
        return power is not None and power.running and power.identity == _get_identity(vm)

    def iter_running(self, world: World) -> Iterator[tuple[str, Machine]]:
        """Yield the key of every machine that runs, and what the agent has to know of it."""
        for key, power in self._machines.items():
            vm = world.resources.get(key)
            if vm is None or vm.active is None or not self.is_running(vm):
                continue
            profile = vm.active_properties.get("osProfile") or {}
            yield (
                key,
                Machine(
                    hostname=str(profile.get("computerName") or vm.id.name),
                    disk=_name_disk(key, power.identity),
                    starts=power.starts,
                    first_boot=decode_custom_data(vm),
                ),
            )

    def list_disks(self, world: World) -> tuple[str, ...]:
        """Return the names of the disks of all machines."""
        return tuple(
            _name_disk(key, power.identity)
            for key, power in self._machines.items()
            if (vm := world.resources.get(key)) is not None and _get_identity(vm) == power.identity
        )


def _get_identity(vm: Resource) -> str:
    """Return what distinguishes a machine from a later one with the same id."""
    return str(vm.properties.get("vmId") or "")


def _name_disk(key: str, identity: str) -> str:
    digest = hashlib.sha256(f"{key} {identity}".encode()).hexdigest()[:_DIGITS]
    return f"{key.rpartition('/')[2]}-{digest}"
