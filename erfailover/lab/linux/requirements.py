"""What this machine lacks for the Linux data plane, and what to do about it."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from erfailover.lab.linux.encryption import KERNEL, LIBIPSEC, PROBE, VARIABLE, get_demand
from erfailover.lab.linux.launch import SYSTEM_PATH, AgentError, find_unshare, run_probe

PACKAGES = {
    "bird": "bird2",
    "birdc": "bird2",
    "charon-systemd": "charon-systemd",
    "swanctl": "strongswan-swanctl",
    "nft": "nftables",
    "ip": "iproute2",
    "ping": "iputils-ping",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "tcpdump": "tcpdump",
    "traceroute": "traceroute",
    "bwrap": "bubblewrap",
    "mount": "mount",
    "env": "coreutils",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "ps": "procps",
}
_PLUGIN_FOLDERS = ("/usr/lib/ipsec/plugins", "/usr/lib/strongswan/plugins")
PLUGINS = {"libstrongswan-openssl.so": "libstrongswan-standard-plugins"}
LIBIPSEC_PLUGINS = {"libstrongswan-kernel-libipsec.so": "libcharon-extra-plugins"}
"""Needed only where the kernel does not encrypt."""
_OPEN_TUN = "exec 3<>/dev/net/tun"


def list_missing() -> list[str]:
    """Return what is missing, a sentence each; nothing if the data plane can be started."""
    if sys.platform != "linux":
        return [f"The Linux data plane needs Linux; this is {sys.platform}."]
    try:
        refusal = _find_esp_refusal()
    except ValueError as error:
        return [f"{error}."]
    missing = [*_list_missing_packages(PLUGINS | (LIBIPSEC_PLUGINS if refusal else {}))]
    if importlib.util.find_spec("pyroute2") is None:
        missing.append("The Python package pyroute2 is missing: pip install 'erfailover[lab]'")
    if shutil.which("unshare", path=SYSTEM_PATH) is not None:
        missing += _list_refusals(refusal)
    return missing


def _find_esp_refusal() -> str:
    """Return why the kernel does not encrypt the tunnels' packets, nothing if it does."""
    if get_demand() == LIBIPSEC:
        return "libipsec is demanded"
    try:
        run_probe((*find_unshare(), *PROBE))
    except AgentError as error:
        return str(error)
    return ""


def _list_missing_packages(plugins: Mapping[str, str]) -> list[str]:
    """Return one line of apt for every program and plugin that is not there."""
    absent = {
        program: package
        for program, package in PACKAGES.items()
        if shutil.which(program, path=SYSTEM_PATH) is None
    }
    absent |= {
        plugin: package
        for plugin, package in plugins.items()
        if not any((Path(folder) / plugin).exists() for folder in _PLUGIN_FOLDERS)
    }
    if not absent:
        return []
    packages = " ".join(sorted(set(absent.values())))
    return [f"Not installed: {', '.join(absent)}. On Debian: apt-get install {packages}"]


def _list_refusals(esp_refusal: str) -> list[str]:
    """Return what the kernel refuses; without its ESP, libipsec needs a TUN device."""
    try:
        form = find_unshare()
    except AgentError as error:
        return [
            f"No namespaces can be created ({error}). Run as root, or allow user namespaces: "
            "sysctl -w user.max_user_namespaces=10000; on Ubuntu also "
            "kernel.apparmor_restrict_unprivileged_userns=0"
        ]
    if not esp_refusal:
        return []
    if get_demand() == KERNEL:
        return [f"The kernel has no ESP ({esp_refusal}), and {VARIABLE} is {KERNEL}."]
    try:
        run_probe((*form, "bash", "-c", _OPEN_TUN))
    except AgentError as error:
        return [
            f"/dev/net/tun cannot be opened ({error}). Load the module tun and let this user "
            "open the device: modprobe tun; chmod 666 /dev/net/tun"
        ]
    return []
