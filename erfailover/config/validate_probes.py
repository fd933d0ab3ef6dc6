"""The checks of probes whose keys are well formed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

from erfailover.config.yaml_source import Keys, Problem
from erfailover.model.probes import (
    LOCAL,
    LocalCommand,
    LocalConnect,
    LocalPing,
    LocalProbe,
    LocalShell,
    MachineConnect,
    Probe,
)
from erfailover.model.site import Site

LAST_PORT, LAST_EXIT_CODE, LONGEST_S = 65_535, 255, 3600

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*\.?")
"""A host's name (RFC 1123, with the underscores that are met); never an option of ``ping``."""
A_HOST = "an address or a host name"


def find_problems(site: Site) -> Iterator[Problem]:
    """Everything that is wrong with the probes of a site, without line numbers."""
    for name, probe in site.probes.items():
        keys: Keys = ("probes", name)
        if not NAME.fullmatch(name):
            yield Problem(
                keys, "up to 63 letters, digits, dots, hyphens or underscores", repr(name)
            )
        yield from _check_times(keys, probe)
        if isinstance(probe, LOCAL):
            yield from _check_local(keys, probe)
        if isinstance(probe, MachineConnect) and not 0 < probe.tcp <= LAST_PORT:
            yield Problem((*keys, "tcp"), "a TCP port, 1 to 65535", str(probe.tcp))


def _check_times(keys: Keys, probe: Probe) -> Iterator[Problem]:
    for key in ("timeout_s", "every_s"):
        value = getattr(probe, key, 1.0)
        if not 0 < value < LONGEST_S:
            yield Problem((*keys, key), "seconds, above 0 and below 3600", f"{value:g}")


def _check_local(keys: Keys, probe: LocalProbe) -> Iterator[Problem]:
    match probe:
        case LocalPing() if not is_host(probe.ping):
            yield Problem((*keys, "ping"), A_HOST, repr(probe.ping))
        case LocalConnect() if not is_endpoint(probe.connect):
            form = "host:port, like 10.5.0.4:443"
            yield Problem((*keys, "connect"), form, repr(probe.connect), "for IPv6, [address]:port")
        case LocalCommand() if not probe.command or not probe.command[0]:
            remedy = "as in [curl, -fsS, URL]; for a shell command line, use shell: instead"
            yield Problem((*keys, "command"), "a program and its arguments", "nothing", remedy)
        case LocalShell() if not probe.shell.strip():
            yield Problem((*keys, "shell"), "a command line for /bin/sh", "nothing")
    if isinstance(probe, LocalCommand | LocalShell) and not 0 <= probe.exit_code <= LAST_EXIT_CODE:
        yield Problem((*keys, "exit_code"), "an exit code, 0 to 255", str(probe.exit_code))


def is_host(text: str) -> bool:
    """Whether a text is an address or a host's name."""
    try:
        ip_address(text)
    except ValueError:
        return not re.fullmatch(r"[\d.]+", text) and HOST.fullmatch(text) is not None
    return True


def is_endpoint(text: str) -> bool:
    """Return whether a text is ``host:port``, or ``[address]:port`` for IPv6."""
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) <= LAST_PORT:
        return False
    if host.startswith("[") and host.endswith("]"):
        return ":" in host and is_host(host[1:-1])
    return ":" not in host and is_host(host)
