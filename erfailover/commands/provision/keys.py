"""The keys that ``provision`` needs and the site file only names: from files, from a key vault.

Never prints one, and writes none anywhere.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from erfailover.commands.context import Context
from erfailover.errors import UsageFailure
from erfailover.model import ssh_keys
from erfailover.model.site import Site
from erfailover.model.topology import TopologyMachine
from erfailover.runtime import input_file
from erfailover.runtime.secrets import Secrets

MOST_BYTES = 16384
"""More than the longest key; a file that is longer is something else."""


def read_shared_key(context: Context, secrets: Secrets) -> None:
    """Read the tunnels' shared key from the key vault that the site names, for this run.

    Raises:
        UsageFailure: the package for it is not installed, or the secret is no shared key.
        AzureFailure: the vault refused, has no such secret, or did not answer.
    """
    topology = context.site.topology
    assert topology is not None
    assert topology.shared_keys is not None
    named = topology.shared_keys
    try:
        from erfailover.azure import key_vault
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("azure.keyvault"):
            raise
        raise UsageFailure(
            f"{context.site_file} takes its shared key from {named.key_vault}, but the package "
            "for Key Vault is not installed",
            "Install it: pip install 'erfailover[keyvault]'",
        ) from None
    key = key_vault.read(named, context.access, context.clock)
    secrets.take(key)
    context.output.print_info(f"Shared key of the tunnels: {key.id}")


def read_ssh_keys(site: Site, site_file: Path) -> Site:
    """Return the same site, with the public SSH keys read from their files.

    Only a command that creates machines reads the files, which may be one operator's own.

    Args:
        site: with a topology or without.
        site_file: from whose folder relative paths start.

    Raises:
        UsageFailure: a file is not there, cannot be read, or holds no key that Azure takes.
    """
    if site.topology is None:
        return site
    machines = {
        name: _read_ssh_key(site_file, name, machine)
        for name, machine in site.topology.machines.items()
    }
    return replace(site, topology=replace(site.topology, machines=machines))


def _read_ssh_key(site_file: Path, name: str, machine: TopologyMachine) -> TopologyMachine:
    path = machine.ssh_public_key
    if path is None or ssh_keys.is_key(path):
        return machine
    text, unread = _read_content(site_file.parent, path)
    fault = ssh_keys.Fault(unread, "correct the path") if unread else ssh_keys.find_fault(text)
    if fault is None:
        return replace(machine, ssh_public_key=ssh_keys.strip_key(text))
    raise UsageFailure(
        f"{site_file}: topology.machines.{name}.ssh_public_key names {path!r}; expected "
        f"{ssh_keys.EXPECTED}, found {fault.found}",
        f"{fault.remedy[0].upper()}{fault.remedy[1:]}.",
    )


def _read_content(folder: Path, path: str) -> tuple[str, str]:
    """Return a file's text, or what is found instead of one."""
    try:
        content = input_file.read(folder / Path(path).expanduser(), MOST_BYTES)
    except input_file.FileTooLarge:
        return "", f"more than {MOST_BYTES} bytes"
    except OSError as error:
        return "", (error.strerror or type(error).__name__).lower()
    except (RuntimeError, ValueError):
        return "", "an invalid path"
    try:
        return content.decode("utf-8"), ""
    except UnicodeDecodeError:
        return "", "a file that is not text"
