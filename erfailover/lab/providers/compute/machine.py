"""Linux virtual machines: defaults, access, and what ARM refuses.

The lab's machines accept no sign-ins: of passwords and SSH keys it models only ARM's checks.
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
from erfailover.lab.core.generated import ValueGenerator
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft
from erfailover.lab.providers.provider import Cloud, Coverage, Provider

SMALLEST_RSA = 2048
"""Bits (published: REST specification of Microsoft.Compute, ``SshPublicKey.keyData``)."""


def _complete(draft: Draft, existing: Resource | None, generator: ValueGenerator) -> None:
    """Complete a virtual machine's body (recorded); its secrets are taken out.

    The password and the custom data come back in no answer of Azure's.
    """
    resource_id, properties = draft.id, draft.body["properties"]
    properties.pop("instanceView", None)
    stored = existing.properties if existing else {}
    if existing is None:
        properties["provisioningState"] = "Creating"  # recorded
    properties["vmId"] = stored.get("vmId") or generator.make_guid()
    properties.setdefault("hardwareProfile", {})
    network = properties.setdefault("networkProfile", {"networkInterfaces": []})
    network.setdefault("networkInterfaces", [])
    storage = properties.setdefault("storageProfile", {})
    for name in ("imageReference", "osDisk"):  # an update keeps what it does not name
        stored_part = (stored.get("storageProfile") or {}).get(name) or {}
        storage[name] = {**copy.deepcopy(stored_part), **(storage.get(name) or {})}
    _complete_storage(resource_id, storage)
    system = properties.setdefault("osProfile", dict(stored.get("osProfile") or {}))
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
        stored_part = ((stored.get("osProfile") or {}).get("linuxConfiguration") or {}).get(name)
        if stored_part is not None and linux.get(name) is None:
            linux[name] = copy.deepcopy(stored_part)
    linux.setdefault("disablePasswordAuthentication", "adminPassword" not in draft.secrets)
    linux.setdefault("provisionVMAgent", True)
    linux.setdefault("patchSettings", {"patchMode": "ImageDefault"})
    properties["timeCreated"] = stored.get("timeCreated", "")


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


def _validate_access(
    properties: Body, existing: Resource | None, secrets: dict[str, str]
) -> Refusal | None:
    """Return the refusal if a machine has no way to sign in, or changes a fixed one.

    Args:
        properties: of its body, filled in.
        existing: the machine as it is; None for a new one.
        secrets: what was taken out of the body.
    """
    system: Body = properties["osProfile"]
    linux: Body = system.get("linuxConfiguration") or {}
    if existing is not None:
        return _validate_change(linux, existing)
    keys = _read_keys(linux)
    password = "adminPassword" in secrets and not linux.get("disablePasswordAuthentication")
    if not keys and not password:
        # Observed, by clients of Terraform; so too with a password that is switched off (assumed).
        return _refuse_invalid(
            "linuxConfiguration",
            "Authentication using either SSH or by user name and password must be enabled in "
            "Linux profile.",
        )
    return next(_validate_keys(keys, str(system.get("adminUsername"))), None)


def _read_keys(linux: Body) -> list[Body]:
    ssh = linux.get("ssh")
    keys = ssh.get("publicKeys") if isinstance(ssh, dict) else None
    return [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []


def _validate_keys(keys: list[Body], user: str) -> Iterator[Refusal]:
    for key in keys:
        path = f"/home/{user}/.ssh/authorized_keys"
        if key.get("path") != path:
            yield _refuse_invalid(  # observed, the two blanks included
                "linuxConfiguration.ssh.publicKeys.path",
                "Destination path for SSH public keys is currently limited to its default value "
                f"{path}  due to a known issue in Linux provisioning agent.",
            )
        text = str(key.get("keyData") or "")
        if text.lstrip().startswith("---- BEGIN SSH2 PUBLIC KEY"):
            yield errors.not_modelled("keys in the form of RFC 4716")
        elif not _is_accepted(text):
            parameter = "linuxConfiguration.ssh.publicKeys.keyData"  # observed
            yield _refuse_invalid(parameter, f"The value of parameter {parameter} is invalid.")


def _validate_change(linux: Body, existing: Resource) -> Refusal | None:
    """Return the 409 for properties that cannot change (observed for both)."""
    before: Body = (existing.properties.get("osProfile") or {}).get("linuxConfiguration") or {}
    switch = "disablePasswordAuthentication"
    if bool(linux.get(switch)) != bool(before.get(switch)):
        return _refuse_change(f"linuxConfiguration.{switch}")
    if _read_keys(linux) != _read_keys(before):
        return _refuse_change("linuxConfiguration.ssh.publicKeys")
    return None


def _refuse_change(parameter: str) -> Refusal:
    text = f"Changing property '{parameter}' is not allowed."
    return Refusal(409, "PropertyChangeNotAllowed", text, more={"target": parameter})


def _refuse_invalid(parameter: str, text: str) -> Refusal:
    return Refusal(400, "InvalidParameter", text, more={"target": parameter})


def _is_accepted(text: str) -> bool:
    """Return whether Azure accepts a key: RSA of 2048 bits or more, or Ed25519; no ECDSA.

        Published: "Create and manage SSH keys for authentication to a Linux VM in Azure". Its
    answer to another kind is assumed to be the one to a text that is no key (observed).
    """
    text = text.strip()
    if not text.startswith(("ssh-rsa ", "ssh-ed25519 ")) or "\n" in text:
        return False
    try:
        key = load_ssh_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        return False
    return not isinstance(key, RSAPublicKey) or key.key_size >= SMALLEST_RSA


def _validate(context: RuleContext, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Return the refusal if a virtual machine may not be written; None if it may."""
    vm_id, properties = draft.id, draft.body["properties"]
    if not properties["hardwareProfile"].get("vmSize"):
        return errors.property_missing("hardwareProfile.vmSize", str(vm_id))
    interfaces = properties["networkProfile"]["networkInterfaces"]
    if not interfaces:
        return errors.property_missing("networkProfile.networkInterfaces", str(vm_id))
    if (
        len(interfaces) > 1
        and sum(
            bool((interface.get("properties") or {}).get("primary")) for interface in interfaces
        )
        != 1
    ):
        return Refusal(
            400,
            "VirtualMachineMustHaveOneNetworkInterfaceAsPrimary",
            f"Virtual machine {vm_id.name} must have one network interface set as the primary.",
        )
    for interface in interfaces:
        if not interface.get("id"):
            return errors.property_missing("networkInterfaces.id", str(vm_id))
        users = context.references.find_users(
            interface.get("id", ""), "networkProfile.networkInterfaces"
        )
        if any(ids.to_key(user.source) != ids.to_key(vm_id) for user in users):
            return Refusal(
                400,
                "NicInUse",
                f"Network Interface {interface.get('id')} is used by existing VM "
                f"{users[0].source}.",
                details=(),
            )
    return _validate_access(properties, existing, draft.secrets)


def _finish_write(cloud: Cloud, machine: Resource) -> None:
    """Record a machine's creation time, and assign MAC addresses to its interfaces."""
    properties = machine.properties
    properties["timeCreated"] = properties.get("timeCreated") or cloud.format_timestamp()
    for reference in properties["networkProfile"]["networkInterfaces"]:
        nic = cloud.context.world.get(reference["id"])
        if nic is not None:
            nic.properties.setdefault("macAddress", cloud.generator.make_mac_address())
            nic.properties["primary"] = bool(
                (reference.get("properties") or {}).get("primary", True)
            )


def _finish_delete(cloud: Cloud, machine: Resource) -> list[str]:
    return [
        reference["id"]
        for reference in machine.properties["networkProfile"]["networkInterfaces"]
        if (reference.get("properties") or {}).get("deleteOption") == "Delete"
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
            "`\\|\\|`; packets at their own times, NAT and connection tracking",
            not_modelled="any other command (exit status 127 and a message); parameters",
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
