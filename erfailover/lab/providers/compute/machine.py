"""What Azure makes of a virtual machine's body.

Owns the defaults of Microsoft.Compute/virtualMachines and what of it no answer shows; pure
apart from the names that ``Fresh`` makes up.
"""

from __future__ import annotations

import copy

from erfailover.lab import ids
from erfailover.lab.fresh import Fresh
from erfailover.lab.world import Body, Resource


def complete_machine(
    resource_id: ids.ResourceId, body: Body, existing: Resource | None, fresh: Fresh
) -> dict[str, str]:
    """Fill a virtual machine's body in (recorded); gives back its secrets, taken out.

    The password and the custom data come back in no answer of Azure's.
    """
    properties: Body = body["properties"]
    properties.pop("instanceView", None)
    known = existing.properties if existing else {}
    if existing is None:
        properties["provisioningState"] = "Creating"  # recorded
    properties["vmId"] = known.get("vmId") or fresh.guid()
    properties.setdefault("hardwareProfile", {})
    network = properties.setdefault("networkProfile", {"networkInterfaces": []})
    network.setdefault("networkInterfaces", [])
    storage = properties.setdefault("storageProfile", {})
    for name in ("imageReference", "osDisk"):  # an update keeps what it does not name
        kept = (known.get("storageProfile") or {}).get(name) or {}
        storage[name] = {**copy.deepcopy(kept), **(storage.get(name) or {})}
    _complete_storage(resource_id, storage)
    system = properties.setdefault("osProfile", dict(known.get("osProfile") or {}))
    secrets = {
        name: str(system.pop(name)) for name in ("adminPassword", "customData") if name in system
    }
    system.setdefault("computerName", resource_id.name)
    system.setdefault("adminUsername", "azureuser")
    system.setdefault("secrets", [])
    system.setdefault("allowExtensionOperations", True)
    system["requireGuestProvisionSignal"] = True
    linux = system.setdefault("linuxConfiguration", {})
    for name in ("disablePasswordAuthentication", "ssh"):  # assumed, as for the image and the disk
        kept = ((known.get("osProfile") or {}).get("linuxConfiguration") or {}).get(name)
        if kept is not None and linux.get(name) is None:
            linux[name] = copy.deepcopy(kept)
    linux.setdefault("disablePasswordAuthentication", "adminPassword" not in secrets)
    linux.setdefault("provisionVMAgent", True)
    linux.setdefault("patchSettings", {"patchMode": "ImageDefault"})
    properties["timeCreated"] = known.get("timeCreated", "")
    return secrets


def _complete_storage(resource_id: ids.ResourceId, storage: Body) -> None:
    image = storage.setdefault("imageReference", {})
    if "version" in image:
        image.setdefault("exactVersion", image["version"])
    disk = storage.setdefault("osDisk", {})
    disk.setdefault("osType", "Linux")
    disk.setdefault("name", f"{resource_id.name}_OsDisk_1")
    disk.setdefault("createOption", "FromImage")
    disk.setdefault("caching", "ReadWrite")
    disk.setdefault("deleteOption", "Detach")
    disk.setdefault("diskSizeGB", 30)
    managed = disk.setdefault("managedDisk", {})
    managed.setdefault("storageAccountType", "Premium_LRS")
    disk_id = f"{resource_id.group}/providers/Microsoft.Compute/disks/{disk['name']}"
    managed.setdefault("id", disk_id)
    storage.setdefault("dataDisks", [])
    storage.setdefault("diskControllerType", "SCSI")
