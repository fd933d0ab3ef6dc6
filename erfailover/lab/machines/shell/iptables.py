"""The commands ``iptables`` and ``iptables-save`` of a modelled machine."""

from __future__ import annotations

from dataclasses import dataclass

from erfailover.lab.machines.netfilter import CHAINS, Rule, UnmodelledError, UsageError, parse_rule
from erfailover.lab.machines.shell.shell import Call

_NO_SUCH_RULE = "iptables: Bad rule (does a matching rule exist in that chain?)."
_COMMANDS = {
    "--append": "-A",
    "--check": "-C",
    "--delete": "-D",
    "--insert": "-I",
    "--list": "-L",
    "--list-rules": "-S",
    "--flush": "-F",
    "--policy": "-P",
}


@dataclass(slots=True)
class _Request:
    table: str
    command: str
    chain: str
    rest: list[str]
    flags: set[str]


def iptables(call: Call) -> int:
    """Run ``iptables [-t TABLE] -A|-C|-D|-I|-L|-S|-F|-P ...``: 1 if a rule does not exist."""
    try:
        request = _parse_request(call.arguments[1:])
        return _run_request(call, request)
    except UsageError as error:
        text = str(error)
        call.print_error(
            text if text.startswith("iptables: ") else f"iptables v1.8.10 (nf_tables): {text}"
        )
        call.print_error("Try `iptables -h' or 'iptables --help' for more information.")
        return 2


def iptables_save(call: Call) -> int:
    """Write every table's rules, as a file that ``iptables-restore`` reads."""
    if call.arguments[1:]:
        raise UnmodelledError(f"iptables-save {' '.join(call.arguments[1:])}")
    for table, chains in CHAINS.items():
        call.print_out(f"*{table}")
        for chain in chains:
            call.print_out(f":{chain} {call.linux.firewall.get_policy(table, chain)} [0:0]")
        for chain in chains:
            call.print_out(
                *(_format_line(chain, rule) for rule in call.linux.firewall.get_rules(table, chain))
            )
        call.print_out("COMMIT")
    return 0


def netfilter_persistent(call: Call) -> int:
    """Run ``netfilter-persistent save``: the current rules survive a boot."""
    if call.arguments[1:] != ["save"]:
        raise UnmodelledError(f"netfilter-persistent {' '.join(call.arguments[1:])}")
    call.linux.saved = call.linux.firewall.copy()
    call.print_error(
        "run-parts: executing /usr/share/netfilter-persistent/plugins.d/15-ip4tables save"
    )
    return 0


def _parse_request(arguments: list[str]) -> _Request:
    request = _Request("filter", "", "", [], set())
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word in ("-t", "--table"):
            request.table = rest.pop(0) if rest else ""
        elif word in ("-w", "--wait"):
            if rest and rest[0].isdigit():
                rest.pop(0)
        elif word in ("-n", "-v", "--numeric", "--verbose", "--line-numbers", "-nv", "-vn"):
            request.flags |= set(word.lstrip("-")[:2] if not word.startswith("--") else word[2])
        elif _COMMANDS.get(word, word) in _COMMANDS.values():
            request.command = _COMMANDS.get(word, word)
            if rest and not rest[0].startswith("-"):
                request.chain = rest.pop(0)
        elif word in ("-nL", "-nvL", "-vnL", "-vL", "-Lnv", "-Ln", "-Lvn", "-Lv"):
            request.command = "-L"
            request.flags |= set(word) & set("nv")
            if rest and not rest[0].startswith("-"):
                request.chain = rest.pop(0)
        elif not request.command and word.startswith("-"):
            raise UnmodelledError(f"iptables {word}")
        else:
            request.rest.append(word)
            if word in ("!",) or not word.startswith("-"):
                continue
            if rest:
                request.rest.append(rest.pop(0))
    if request.table not in CHAINS:
        raise UnmodelledError(f"the table {request.table!r} of iptables")
    if not request.command:
        raise UsageError("no command specified")
    if request.chain and request.chain not in CHAINS[request.table]:
        raise UsageError("iptables: No chain/target/match by that name.")
    return request


def _run_request(call: Call, request: _Request) -> int:
    firewall = call.linux.firewall
    if request.command in ("-L", "-S", "-F"):
        chains = (request.chain,) if request.chain else CHAINS[request.table]
        for chain in chains:
            if request.command == "-F":
                firewall.get_rules(request.table, chain).clear()
        if request.command == "-S":
            _show_specifications(call, request.table, chains)
        elif request.command == "-L":
            _list(call, request, chains)
        return 0
    if not request.chain:
        raise UsageError(f'option "{request.command}" requires an argument')
    rules = firewall.get_rules(request.table, request.chain)
    if request.command == "-P":
        if request.rest not in (["ACCEPT"], ["DROP"]):
            raise UsageError("iptables: Bad policy name. Run `dmesg' for more information.")
        firewall.policies[request.table, request.chain] = request.rest[0]
        return 0
    number = None
    if request.command in ("-I", "-D") and request.rest and request.rest[0].isdigit():
        number = int(request.rest.pop(0))
    if request.command == "-D" and number is not None:
        return _delete_by_number(call, rules, number)
    rule = parse_rule(request.table, request.chain, request.rest)
    return _change(call, request.command, rules, rule, number)


def _change(call: Call, command: str, rules: list[Rule], rule: Rule, number: int | None) -> int:
    if command == "-A":
        rules.append(rule)
    elif command == "-I":
        rules.insert((number or 1) - 1, rule)
    elif rule not in rules:
        call.print_error(_NO_SUCH_RULE)
        return 1
    elif command == "-D":
        rules.remove(rule)
    return 0


def _delete_by_number(call: Call, rules: list[Rule], number: int) -> int:
    if not 1 <= number <= len(rules):
        call.print_error("iptables: Index of deletion too big.")
        return 1
    del rules[number - 1]
    return 0


def _format_line(chain: str, rule: Rule) -> str:
    return f"-A {chain} {rule.to_specification()}".rstrip()


def _show_specifications(call: Call, table: str, chains: tuple[str, ...]) -> None:
    firewall = call.linux.firewall
    for chain in chains:
        call.print_out(f"-P {chain} {firewall.get_policy(table, chain)}")
    for chain in chains:
        call.print_out(*(_format_line(chain, rule) for rule in firewall.get_rules(table, chain)))


def _list(call: Call, request: _Request, chains: tuple[str, ...]) -> None:
    verbose = "v" in request.flags
    for number, chain in enumerate(chains):
        if number:
            call.print_out("")
        policy = call.linux.firewall.get_policy(request.table, chain)
        counted = " 0 packets, 0 bytes" if verbose else ""
        call.print_out(f"Chain {chain} (policy {policy}{counted})")
        if verbose:
            call.print_out(
                " pkts bytes target     prot opt in     out     source               destination"
            )
        else:
            call.print_out("target     prot opt source               destination         ")
        for rule in call.linux.firewall.get_rules(request.table, chain):
            call.print_out(_format_rule(rule, verbose))


def _format_rule(rule: Rule, verbose: bool) -> str:
    protocol = rule.protocol or "all"
    source, destination = rule.source or "0.0.0.0/0", rule.destination or "0.0.0.0/0"
    extra = ""
    if rule.states:
        extra = f" {'state' if rule.match == 'state' else 'ctstate'} {','.join(rule.states)}"
    if rule.comment:
        extra += f" /* {rule.comment} */"
    if rule.to_source:
        extra += f" to:{rule.to_source}"
    if verbose:
        inwards, outwards = rule.in_interface or "*", rule.out_interface or "*"
        return (
            f"    0     0 {rule.target:<10} {protocol:<4} --  {inwards:<6} {outwards:<6} "
            f"{source:<20} {destination:<20}{extra}"
        )
    return f"{rule.target:<10} {protocol:<4} --  {source:<20} {destination:<20}{extra}"
