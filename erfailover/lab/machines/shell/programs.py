"""The commands that a modelled machine has.

One table, from a command's name to what runs it; ``docs`` and tests may list it. A command
that is not here answers 127 and says that the lab does not model it.
"""

from __future__ import annotations

from collections.abc import Callable

from erfailover.lab.machines.shell import iptables, network, packages, ping, text
from erfailover.lab.machines.shell.shell import Call, Program, Programs, Running


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
            "apt": packages.apt,
            "apt-get": packages.apt,
            "chmod": _immediate(text.chmod),
            "cloud-init": _immediate(text.cloud_init),
            "cat": _immediate(text.cat),
            "conntrack": _immediate(network.conntrack),
            "echo": _immediate(text.echo),
            "false": _immediate(text.false),
            "grep": _immediate(text.grep),
            "hostname": _immediate(text.hostname),
            "ip": _immediate(network.ip),
            "iptables": _immediate(iptables.iptables),
            "iptables-save": _immediate(iptables.iptables_save),
            "netfilter-persistent": _immediate(iptables.netfilter_persistent),
            "ping": ping.ping,
            "sleep": _sleep,
            "sysctl": _immediate(network.sysctl),
            "tail": _immediate(text.tail),
            "tee": _immediate(text.tee),
            "true": _immediate(text.true),
        },
        packages={
            "conntrack": "conntrack",
            "iptables": "iptables",
            "iptables-save": "iptables",
            "netfilter-persistent": "netfilter-persistent",
        },
    )
