"""Linux virtual machines: their defaults, who can sign in, what ARM refuses of them.

Nobody signs in to a machine of the lab: of passwords and SSH keys there is only what ARM checks.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from erfailover.lab.core import errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import Fresh
from erfailover.lab.core.scene import Scene
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft
from erfailover.lab.providers.provider import Cloud, Coverage, Provider

SMALLEST_RSA = 2048
"""Bits (published: REST specification of Microsoft.Compute, ``SshPublicKey.keyData``)."""


def _complete(draft: Draft, existing: Resource | None, fresh: Fresh) -> None:
    """Fill a virtual machine's body in (recorded); its secrets are taken out.

    The password and the custom data come back in no answer of Azure's.
    """
    resource_id, properties = draft.id, draft.body["properties"]
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
    for name in ("adminPassword", "customData"):
        if name in system:
            draft.secrets[name] = str(system.pop(name))
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
    linux.setdefault("disablePasswordAuthentication", "adminPassword" not in draft.secrets)
    linux.setdefault("provisionVMAgent", True)
    linux.setdefault("patchSettings", {"patchMode": "ImageDefault"})
    properties["timeCreated"] = known.get("timeCreated", "")


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


def _access_refused(
    properties: Body, known: Resource | None, secrets: dict[str, str]
) -> Refusal | None:
    """Why nobody could sign in to a machine, or what may not change of who can.

    Args:
        properties: of its body, filled in.
        known: the machine as it is; None for a new one.
        secrets: what was taken out of the body.
    """
    system: Body = properties["osProfile"]
    linux: Body = system.get("linuxConfiguration") or {}
    if known is not None:
        return _change_refused(linux, known)
    keys = _keys(linux)
    password = "adminPassword" in secrets and not linux.get("disablePasswordAuthentication")
    if not keys and not password:
        # Observed, by clients of Terraform; so too with a password that is switched off (assumed).
        return _invalid(
            "linuxConfiguration",
            "Authentication using either SSH or by user name and password must be enabled in "
            "Linux profile.",
        )
    return next(_keys_refused(keys, str(system.get("adminUsername"))), None)


def _keys(linux: Body) -> list[Body]:
    ssh = linux.get("ssh")
    found = ssh.get("publicKeys") if isinstance(ssh, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _keys_refused(keys: list[Body], user: str) -> Iterator[Refusal]:
    for each in keys:
        path = f"/home/{user}/.ssh/authorized_keys"
        if each.get("path") != path:
            yield _invalid(  # observed, the two blanks included
                "linuxConfiguration.ssh.publicKeys.path",
                "Destination path for SSH public keys is currently limited to its default value "
                f"{path}  due to a known issue in Linux provisioning agent.",
            )
        text = str(each.get("keyData") or "")
        if text.lstrip().startswith("---- BEGIN SSH2 PUBLIC KEY"):
            yield errors.not_modelled("keys in the form of RFC 4716")
        elif not _is_accepted(text):
            parameter = "linuxConfiguration.ssh.publicKeys.keyData"  # observed
            yield _invalid(parameter, f"The value of parameter {parameter} is invalid.")


def _change_refused(linux: Body, known: Resource) -> Refusal | None:
    """409 for what stays as it was made (observed for both)."""
    before: Body = (known.properties.get("osProfile") or {}).get("linuxConfiguration") or {}
    switch = "disablePasswordAuthentication"
    if bool(linux.get(switch)) != bool(before.get(switch)):
        return _changed(f"linuxConfiguration.{switch}")
    if _keys(linux) != _keys(before):
        return _changed("linuxConfiguration.ssh.publicKeys")
    return None


def _changed(parameter: str) -> Refusal:
    text = f"Changing property '{parameter}' is not allowed."
    return Refusal(409, "PropertyChangeNotAllowed", text, more={"target": parameter})


def _invalid(parameter: str, text: str) -> Refusal:
    return Refusal(400, "InvalidParameter", text, more={"target": parameter})


def _is_accepted(text: str) -> bool:
    """Whether Azure takes a key: RSA of 2048 bits or more, or Ed25519, and no ECDSA.

    Published: "Create and manage SSH keys for authentication to a Linux VM in Azure". What it
    answers to another kind is assumed to be what it answers to a text that is none (observed).
    """
    text = text.strip()
    if not text.startswith(("ssh-rsa ", "ssh-ed25519 ")) or "\n" in text:
        return False
    try:
        key = load_ssh_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        return False
    return not isinstance(key, RSAPublicKey) or key.key_size >= SMALLEST_RSA


def _validate(scene: Scene, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Why a virtual machine may not be written so."""
    vm_id, properties = draft.id, draft.body["properties"]
    if not properties["hardwareProfile"].get("vmSize"):
        return errors.property_missing("hardwareProfile.vmSize", str(vm_id))
    interfaces = properties["networkProfile"]["networkInterfaces"]
    if not interfaces:
        return errors.property_missing("networkProfile.networkInterfaces", str(vm_id))
    if (
        len(interfaces) > 1
        and sum(bool((each.get("properties") or {}).get("primary")) for each in interfaces) != 1
    ):
        return Refusal(
            400,
            "VirtualMachineMustHaveOneNetworkInterfaceAsPrimary",
            f"Virtual machine {vm_id.name} must have one network interface set as the primary.",
        )
    for each in interfaces:
        if not each.get("id"):
            return errors.property_missing("networkInterfaces.id", str(vm_id))
        users = scene.references.users(each.get("id", ""), "networkProfile.networkInterfaces")
        if any(ids.key(user.source) != ids.key(vm_id) for user in users):
            return Refusal(
                400,
                "NicInUse",
                f"Network Interface {each.get('id')} is used by existing VM {users[0].source}.",
                details=(),
            )
    return _access_refused(properties, existing, draft.secrets)


def _finish_write(cloud: Cloud, machine: Resource) -> None:
    """Say when a machine was made, and give its interfaces their MAC addresses."""
    properties = machine.properties
    properties["timeCreated"] = properties.get("timeCreated") or cloud.timestamp()
    for each in properties["networkProfile"]["networkInterfaces"]:
        nic = cloud.scene.world.get(each["id"])
        if nic is not None:
            nic.properties.setdefault("macAddress", cloud.fresh.mac_address())
            nic.properties["primary"] = bool((each.get("properties") or {}).get("primary", True))


def _finish_delete(cloud: Cloud, machine: Resource) -> list[str]:
    return [
        each["id"]
        for each in machine.properties["networkProfile"]["networkInterfaces"]
        if (each.get("properties") or {}).get("deleteOption") == "Delete"
    ]


VM = Provider(
    type=rt.VM,
    noun="VirtualMachine",
    actions=("runcommand", "start", "restart", "poweroff", "deallocate"),
    references=("networkProfile.networkInterfaces",),
    coverage=(
        Coverage(
            names="`Microsoft.Compute/virtualMachines`",
            modelled="Linux machines with their interfaces; power state; `instanceView`; images "
            "found by name",
            not_modelled="Windows, disks as resources, extensions, scale sets, sizes and quotas",
            rests_on="recording",
        ),
        Coverage(
            names="`virtualMachines/runCommand`",
            modelled="`RunShellScript`, one at a time, last 4 KB: `ping`, `iptables`, `ip`, "
            "`sysctl`, `conntrack`, `apt`, `grep`, `tail`, `chmod`, `timeout N`, TCP "
            "connections by bash's `/dev/tcp` (port 22 of machines listens), pipes, `&&`, "
            "`\\|\\|`; packets at their own moments, NAT and connection tracking",
            not_modelled="any other command: exit status 127 and a line that says so; parameters",
            rests_on="document; output: that of a Linux machine",
        ),
        Coverage(
            names="`virtualMachines/start`, `restart`, `powerOff`, `deallocate`",
            modelled="machine state and what survives a restart",
            not_modelled="redeploy, reimage",
            rests_on="document",
        ),
    ),
    shape={
        "hardwareProfile": {"vmSize": str},
        "storageProfile": {"imageReference": dict, "osDisk": dict, "dataDisks": [dict]},
        "osProfile": {
            "computerName": str,
            "adminUsername": str,
            "adminPassword": str,
            "customData": str,
            "linuxConfiguration": dict,
        },
        "networkProfile": {"networkInterfaces": [{"id": str, "properties": {"primary": bool}}]},
    },
    slow_without_change=True,
    complete=_complete,
    validate=_validate,
    finish_write=_finish_write,
    finish_delete=_finish_delete,
)
