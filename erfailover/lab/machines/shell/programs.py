"""The commands that a modelled machine has.

One table, from a command's name to what runs it; ``docs`` and tests may list it. A command
that is not here answers 127 and says that the lab does not model it.
"""

from __future__ import annotations

from collections.abc import Callable

from erfailover.lab import (
    shell_iptables,
    shell_network,
    shell_packages,
    shell_ping,
    shell_text,
)
from erfailover.lab.shell import Call, Program, Programs, Running


def _immediate(command: Callable[[Call], int]) -> Program:
    """A command that takes no time worth modelling."""

    def run(call: Call) -> Running:
        yield from ()
        return command(call)

    return run


def _sleep(call: Call) -> Running:
    """``sleep SECONDS``."""
    word = call.arguments[1] if len(call.arguments) == 2 else ""
    if not word.replace(".", "", 1).isdigit():
        call.err(f"sleep: invalid time interval '{word}'")
        return 1
    yield float(word)
    return 0


def machine_programs() -> Programs:
    """The commands of every machine, and the packages that some come with."""
    return Programs(
        by_name={
            "apt": shell_packages.apt,
            "apt-get": shell_packages.apt,
            "chmod": _immediate(shell_text.chmod),
            "cloud-init": _immediate(shell_text.cloud_init),
            "cat": _immediate(shell_text.cat),
            "conntrack": _immediate(shell_network.conntrack),
            "echo": _immediate(shell_text.echo),
            "false": _immediate(shell_text.false),
            "grep": _immediate(shell_text.grep),
            "hostname": _immediate(shell_text.hostname),
            "ip": _immediate(shell_network.ip),
            "iptables": _immediate(shell_iptables.iptables),
            "iptables-save": _immediate(shell_iptables.iptables_save),
            "netfilter-persistent": _immediate(shell_iptables.netfilter_persistent),
            "ping": shell_ping.ping,
            "sleep": _sleep,
            "sysctl": _immediate(shell_network.sysctl),
            "tee": _immediate(shell_text.tee),
            "true": _immediate(shell_text.true),
        },
        packages={
            "conntrack": "conntrack",
            "iptables": "iptables",
            "iptables-save": "iptables",
            "netfilter-persistent": "netfilter-persistent",
        },
    )
