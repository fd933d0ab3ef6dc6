"""A machine's packet filter: rules in the syntax of ``iptables``, and their decisions.

Owns the chains of the tables ``filter`` and ``nat`` and the judging of one packet. What is not
modelled is refused when the rule is written (``Unmodelled``), never passed over in silence.
The shell's output and exit codes are for ``iptables``; addresses on the way for ``linux``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from erfailover.lab.core import addresses
from erfailover.lab.routing.security_groups import Packet

CHAINS = {
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
}
TARGETS = {
    "filter": ("ACCEPT", "DROP", "REJECT"),
    "nat": ("ACCEPT", "MASQUERADE", "SNAT"),
}


class UnmodelledError(Exception):
    """Something that a real machine can do and the lab's cannot."""


class UsageError(Exception):
    """Something that a real machine refuses; the text is its message."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule; an empty field matches everything."""

    source: str = ""
    destination: str = ""
    in_interface: str = ""
    out_interface: str = ""
    protocol: str = ""
    states: tuple[str, ...] = ()
    match: str = ""
    comment: str = ""
    target: str = ""
    to_source: str = ""

    def to_specification(self) -> str:
        """Return the rule as ``iptables -S`` prints it, after the chain."""
        parts = []
        for option, value in (
            ("-s", self.source),
            ("-d", self.destination),
            ("-i", self.in_interface),
            ("-o", self.out_interface),
            ("-p", self.protocol),
        ):
            if value:
                parts.append(f"{option} {value}")
        if self.states:
            option = "--state" if self.match == "state" else "--ctstate"
            parts.append(f"-m {self.match} {option} {','.join(self.states)}")
        if self.comment:
            parts.append(f'-m comment --comment "{self.comment}"')
        if self.target:
            parts.append(f"-j {self.target}")
        if self.target == "REJECT":
            parts.append("--reject-with icmp-port-unreachable")
        if self.to_source:
            parts.append(f"--to-source {self.to_source}")
        return " ".join(parts)

    def matches(self, packet: Packet, state: str, in_interface: str, out_interface: str) -> bool:
        """Return whether a packet of a flow in a state matches between two interfaces."""
        return (
            (not self.source or addresses.contains(self.source, packet.source))
            and (not self.destination or addresses.contains(self.destination, packet.destination))
            and self.in_interface in ("", in_interface)
            and self.out_interface in ("", out_interface)
            and self.protocol in ("", "all", packet.protocol)
            and (not self.states or state in self.states)
        )


@dataclass(slots=True)
class Firewall:
    """The chains of one machine, by table and chain, and their policies."""

    chains: dict[tuple[str, str], list[Rule]] = field(default_factory=dict)
    policies: dict[tuple[str, str], str] = field(default_factory=dict)

    def copy(self) -> Firewall:
        """Return an independent firewall with the same rules."""
        rules = {where: list(chain_rules) for where, chain_rules in self.chains.items()}
        return Firewall(rules, dict(self.policies))

    def get_rules(self, table: str, chain: str) -> list[Rule]:
        """Return the rules of a chain, to be read or changed."""
        return self.chains.setdefault((table, chain), [])

    def get_policy(self, table: str, chain: str) -> str:
        """Return the policy of a chain, which applies if no rule matches."""
        return self.policies.get((table, chain), "ACCEPT")

    def decide(
        self,
        table: str,
        chain: str,
        packet: Packet,
        state: str = "NEW",
        in_interface: str = "",
        out_interface: str = "",
    ) -> Rule:
        """Return the first rule that matches a packet, or one that represents the policy."""
        for rule in self.chains.get((table, chain), ()):
            if rule.target and rule.matches(packet, state, in_interface, out_interface):
                return rule
        return Rule(target=self.get_policy(table, chain))

    def is_tracking(self) -> bool:
        """Return whether the kernel tracks flows, for a nat rule or a match on states."""
        return any(
            rules and (table == "nat" or any(rule.states for rule in rules))
            for (table, _), rules in self.chains.items()
        )


def parse_rule(table: str, chain: str, arguments: Sequence[str]) -> Rule:
    """Parse a rule's specification.

    Args:
        table: ``filter`` or ``nat``.
        chain: the chain it is meant for.
        arguments: what follows the chain on the command line.

    Raises:
        UsageError: as a real machine would refuse it.
        Unmodelled: a match or target that the lab does not know.
    """
    values: dict[str, str] = {}
    states: tuple[str, ...] = ()
    rest = list(arguments)
    while rest:
        option = rest.pop(0)
        if option == "!":
            raise UnmodelledError("iptables: a negated match")
        if not rest:
            raise UsageError(f'option "{option}" requires an argument')
        value = rest.pop(0)
        if option in ("-m", "--match"):
            if value not in ("state", "conntrack", "comment"):
                raise UnmodelledError(f"iptables: match {value}")
            if value != "comment":
                values["match"] = value
        elif option in ("--state", "--ctstate"):
            states = tuple(value.upper().split(","))
        elif option == "--reject-with" and value == "icmp-port-unreachable":
            continue
        elif option in _OPTIONS:
            values[_OPTIONS[option]] = value
        else:
            raise UnmodelledError(f"iptables: option {option}")
    rule = Rule(states=states, **values)
    _validate(table, chain, rule)
    return _normalize(rule)


_OPTIONS = {
    "-s": "source",
    "--source": "source",
    "-d": "destination",
    "--destination": "destination",
    "-i": "in_interface",
    "--in-interface": "in_interface",
    "-o": "out_interface",
    "--out-interface": "out_interface",
    "-p": "protocol",
    "--protocol": "protocol",
    "-j": "target",
    "--jump": "target",
    "--comment": "comment",
    "--to-source": "to_source",
}


def _validate(table: str, chain: str, rule: Rule) -> None:
    """Raise UsageError for what a kernel refuses."""
    if rule.target and rule.target not in {*TARGETS["filter"], *TARGETS["nat"]}:
        raise UnmodelledError(f"iptables: target {rule.target}")
    if rule.target and rule.target not in TARGETS[table]:
        raise UsageError(f"iptables: {rule.target} is not valid in table {table}")
    if rule.target in ("MASQUERADE", "SNAT") and chain != "POSTROUTING":
        raise UsageError(f"iptables: {rule.target} is only valid in POSTROUTING")
    if rule.out_interface and chain in ("PREROUTING", "INPUT"):
        raise UsageError(f"Can't use -o with {chain}")
    if rule.in_interface and chain in ("POSTROUTING", "OUTPUT"):
        raise UsageError(f"Can't use -i with {chain}")
    if rule.states and not rule.match:
        raise UsageError('unknown option "--state"')
    if rule.target == "SNAT" and not rule.to_source:
        raise UsageError('SNAT: option "--to-source" must be specified')
    for text in (rule.source, rule.destination):
        if text and addresses.parse_ipv4_network(text) is None:
            raise UsageError(f"host/network `{text}' not found")


def _normalize(rule: Rule) -> Rule:
    """Return a rule as the kernel stores it, so that equal rules compare equal."""
    values = {entry.name: getattr(rule, entry.name) for entry in fields(rule)}
    for name in ("source", "destination"):
        parsed = addresses.parse_ipv4_network(values[name]) if values[name] else None
        whole = parsed is None or parsed.prefixlen == 0
        values[name] = "" if whole else str(parsed)
    if values["protocol"] == "all":
        values["protocol"] = ""
    order = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED")
    values["states"] = tuple(state for state in order if state in rule.states)
    return Rule(**values)
