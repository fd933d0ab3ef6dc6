"""The commands that a modelled machine has.

One table, from a command's name to what runs it; ``docs`` and tests may list it. An
unknown command exits with 127 and a message that the lab does not model it.
"""

from __future__ import annotations

from collections.abc import Callable

from erfailover.lab.machines.shell import iptables, network, packages, ping, text
from erfailover.lab.machines.shell.shell import Call, Program, Programs, Running


def _make_immediate(command: Callable[[Call], int]) -> Program:
    """Return a program whose command takes no time worth modelling."""

    def run(call: Call) -> Running:
        yield from ()
        return command(call)

    return run


def _sleep(call: Call) -> Running:
    """Run ``sleep SECONDS``."""
    word = call.arguments[1] if len(call.arguments[1:]) == 1 else ""
    if not word.replace(".", "", 1).isdigit():
        call.print_error(f"sleep: invalid time interval '{word}'")
        return 1
    yield float(word)
    return 0


def make_machine_programs() -> Programs:
    """Return the commands of every machine, and the packages that some of them need."""
    return Programs(
        by_name={
            "apt": packages.apt,
            "apt-get": packages.apt,
            "chmod": _make_immediate(text.chmod),
            "cloud-init": _make_immediate(text.cloud_init),
            "cat": _make_immediate(text.cat),
            "conntrack": _make_immediate(network.conntrack),
            "echo": _make_immediate(text.echo),
            "false": _make_immediate(text.false),
            "grep": _make_immediate(text.grep),
            "hostname": _make_immediate(text.hostname),
            "ip": _make_immediate(network.ip),
            "iptables": _make_immediate(iptables.iptables),
            "iptables-save": _make_immediate(iptables.iptables_save),
            "netfilter-persistent": _make_immediate(iptables.netfilter_persistent),
            "ping": ping.ping,
            "sleep": _sleep,
            "sysctl": _make_immediate(network.sysctl),
            "tail": _make_immediate(text.tail),
            "tee": _make_immediate(text.tee),
            "true": _make_immediate(text.true),
        },
        packages={
            "conntrack": "conntrack",
            "iptables": "iptables",
            "iptables-save": "iptables",
            "netfilter-persistent": "netfilter-persistent",
        },
    )
