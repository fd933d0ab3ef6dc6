"""Commands of a modelled machine about its interfaces, routes, parameters and flows."""

from __future__ import annotations

from dataclasses import replace

from erfailover.lab.core import addresses
from erfailover.lab.machines.linux import (
    ICMP_TIMEOUT_S,
    Flow,
    FlowState,
    Interface,
    KernelRoute,
    parse_sysctl,
)
from erfailover.lab.machines.netfilter import UnmodelledError
from erfailover.lab.machines.shell.shell import Call

_FORWARDING = ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding")


def ip(call: Call) -> int:
    """Run ``ip [-br] [-4] address|link`` or ``ip route [show|get|add|replace|del]``."""
    rest = call.arguments[1:]
    brief = False
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option not in ("-br", "-brief", "-4", "-o"):
            raise UnmodelledError(f"ip {option}")
        brief = brief or option.startswith("-br")
    if not rest:
        raise UnmodelledError("ip without an object")
    kind, rest = rest[0], rest[1:]
    if "route".startswith(kind):
        return _run_route(call, rest)
    if kind in ("a", "addr", "address"):
        return _show_addresses(call, rest, brief)
    raise UnmodelledError(f"ip {kind}")


def sysctl(call: Call) -> int:
    """Run ``sysctl [-n] NAME``, ``sysctl [-q] -w NAME=VALUE``, ``-p [FILE]`` or ``--system``."""
    options = {argument for argument in call.arguments[1:] if argument.startswith("-")}
    if options & {"-qw", "-wq"}:
        options = options - {"-qw", "-wq"} | {"-q", "-w"}
    words = [argument for argument in call.arguments[1:] if not argument.startswith("-")]
    if options - {"-w", "-n", "-q", "-p", "--system", "--write"}:
        raise UnmodelledError(f"sysctl {' '.join(sorted(options))}")
    if options & {"-p", "--system"}:
        return _load_sysctl(call, words, "--system" in options)
    for word in words:
        name, equals, value = (part.strip() for part in word.replace("/", ".").partition("="))
        if name not in _FORWARDING:
            raise UnmodelledError(f"the kernel parameter {name}")
        if equals:
            if value not in ("0", "1"):
                raise UnmodelledError(f"the value {value!r} of {name}")
            call.linux.set_sysctl(name, value)
        if "-q" not in options:
            current = call.linux.sysctl[name]
            call.print_out(current if "-n" in options else f"{name} = {current}")
    return 0


def conntrack(call: Call) -> int:
    """Run ``conntrack -L [-p icmp] [-s ADDRESS] [-d ADDRESS]``."""
    rest = call.arguments[1:]
    if not rest or rest.pop(0) not in ("-L", "--dump"):
        raise UnmodelledError(f"conntrack {' '.join(call.arguments[1:])}".rstrip())
    if rest[:1] == ["conntrack"]:
        rest.pop(0)
    criteria: dict[str, str] = {}
    while rest:
        option = rest.pop(0)
        if option not in ("-p", "-s", "-d", "--proto", "--src", "--dst") or not rest:
            raise UnmodelledError(f"conntrack {option}")
        criteria[{"--proto": "-p", "--src": "-s", "--dst": "-d"}.get(option, option)] = rest.pop(0)
    now = call.outside.now()
    entries = [
        _format_entry(flow, echo_id, tracked, now)
        for flow, echo_id, tracked in call.linux.list_tracked(now)
        if criteria.get("-p", flow.protocol) == flow.protocol
        and criteria.get("-s", flow.source) == flow.source
        and criteria.get("-d", flow.destination) == flow.destination
    ]
    call.print_out(*entries)
    call.print_error(
        f"conntrack v1.4.8 (conntrack-tools): {len(entries)} flow entries have been shown."
    )
    return 0


def _format_entry(flow: Flow, echo_id: int, tracked: FlowState, now: float) -> str:
    """Return a line as observed: the echo's two directions, the seconds it still lives."""
    left = max(0, int(tracked.last + ICMP_TIMEOUT_S - now))
    unreplied = "" if tracked.replied else "[UNREPLIED] "
    return (
        f"{flow.protocol:<8} 1 {left} src={flow.source} dst={flow.destination} "
        f"type=8 code=0 id={echo_id} {unreplied}"
        f"src={flow.reply_source} dst={flow.reply_destination} "
        f"type=0 code=0 id={echo_id} mark=0 use=1"
    )


def _load_sysctl(call: Call, words: list[str], system: bool) -> int:
    names = words or ["/etc/sysctl.conf"]
    if system:
        names = sorted(file for file in call.linux.files if file.startswith("/etc/sysctl.d/"))
    for name in names:
        if name not in call.linux.files:
            call.print_error(f'sysctl: cannot open "{name}": No such file or directory')
            return 1
        for key, _ in parse_sysctl(call.linux.files[name]):
            if key not in _FORWARDING:
                raise UnmodelledError(f"the kernel parameter {key}")
        for key, value in call.linux.load_sysctl(call.linux.files[name]):
            call.print_out(f"{key} = {value}")
    return 0


def _show_addresses(call: Call, rest: list[str], brief: bool) -> int:
    names = [word for word in rest if word not in ("show", "list", "dev")]
    if len(names) > 1 or (names and names[0] == "add"):
        raise UnmodelledError(f"ip address {' '.join(rest)}")
    if names and names[0] != "lo" and call.linux.get_interface(names[0]) is None:
        call.print_error(f'Device "{names[0]}" does not exist.')
        return 1
    rows = [("lo", "127.0.0.1", 8)]
    rows += [
        (interface.name, interface.address, interface.length) for interface in call.linux.interfaces
    ]
    for number, (name, address, length) in enumerate(rows, 1):
        if names and name != names[0]:
            continue
        state = "UNKNOWN" if name == "lo" else "UP"
        if brief:
            call.print_out(f"{name:<16} {state:<14} {address}/{length} ")
            continue
        flags = "LOOPBACK,UP,LOWER_UP" if name == "lo" else "BROADCAST,MULTICAST,UP,LOWER_UP"
        mtu = 65536 if name == "lo" else 1500
        scope = "host" if name == "lo" else "global"
        call.print_out(
            f"{number}: {name}: <{flags}> mtu {mtu} state {state} group default qlen 1000",
            f"    inet {address}/{length} scope {scope} {name}",
            "       valid_lft forever preferred_lft forever",
        )
    return 0


def _run_route(call: Call, rest: list[str]) -> int:
    action = rest.pop(0) if rest else "show"
    if action in ("show", "list", "ls", "s"):
        return _show_routes(call, rest)
    if action == "get" and len(rest) == 1:
        return _get_route(call, rest[0])
    if action not in ("add", "replace", "del", "delete", "append", "change") or not rest:
        raise UnmodelledError(f"ip route {action}")
    if action in ("append", "change"):
        raise UnmodelledError(f"ip route {action}")
    prefix = (
        "0.0.0.0/0" if rest[0] == "default" else str(addresses.parse_ipv4_network(rest[0]) or "")
    )
    if not prefix:
        call.print_error(f'Error: any valid prefix is expected rather than "{rest[0]}".')
        return 1
    route = _parse_route(call, prefix, rest[1:])
    if isinstance(route, int):
        return route
    same = [
        route
        for route in call.linux.routes
        if route.prefix == prefix and (action.startswith("del") or route.metric == route.metric)
    ]
    if action.startswith("del"):
        return _delete_route(call, route, same)
    if same and action == "add":
        call.print_error("RTNETLINK answers: File exists")
        return 2
    for route in same:
        call.linux.routes.remove(route)
    call.linux.routes.append(route)
    return 0


def _parse_route(call: Call, prefix: str, rest: list[str]) -> KernelRoute | int:
    """Return the route that a command describes, or the exit status of its refusal."""
    values = {"via": "", "dev": "", "metric": "0", "src": "", "proto": ""}
    while rest:
        name = rest.pop(0)
        if name == "onlink" or name not in values or not rest:
            raise UnmodelledError(f"ip route ... {name}")
        values[name] = rest.pop(0)
    interface = call.linux.get_interface(values["dev"])
    if values["dev"] and interface is None:
        call.print_error(f'Cannot find device "{values["dev"]}"')
        return 1
    if values["via"] and interface is None:
        interface = _find_link(call, values["via"])
    if values["via"] and (
        interface is None or not addresses.contains(interface.subnet, values["via"])
    ):
        call.print_error("Error: Nexthop has invalid gateway.")
        return 2
    name = interface.name if interface is not None else ""
    route = KernelRoute(prefix, name, values["via"], int(values["metric"]), values["src"])
    return replace(route, protocol=values["proto"])


def _find_link(call: Call, address: str) -> Interface | None:
    return next(
        (
            interface
            for interface in call.linux.interfaces
            if addresses.contains(interface.subnet, address)
        ),
        None,
    )


def _delete_route(call: Call, described: KernelRoute, same: list[KernelRoute]) -> int:
    for route in same:
        if described.via in ("", route.via) and described.interface in ("", route.interface):
            call.linux.routes.remove(route)
            return 0
    call.print_error("RTNETLINK answers: No such process")
    return 2


def _show_routes(call: Call, rest: list[str]) -> int:
    prefix, device = "", ""
    while rest:
        word = rest.pop(0)
        if word == "dev" and rest:
            device = rest.pop(0)
        elif word == "default" or addresses.parse_ipv4_network(word) is not None:
            prefix = "0.0.0.0/0" if word == "default" else str(addresses.parse_ipv4_network(word))
        else:
            raise UnmodelledError(f"ip route show {word}")
    ordered = sorted(
        call.linux.routes, key=lambda route: (route.prefix != "0.0.0.0/0", _get_sort_key(route))
    )
    for route in ordered:
        if prefix in ("", route.prefix) and device in ("", route.interface):
            call.print_out(route.to_text())
    return 0


def _get_sort_key(route: KernelRoute) -> int:
    return addresses.parse_ipv4_number(route.prefix.partition("/")[0]) or 0


def _get_route(call: Call, destination: str) -> int:
    if call.linux.is_local(destination):
        call.print_out(f"local {destination} dev lo src {destination} uid 0 ", "    cache <local> ")
        return 0
    route = call.linux.find_route(destination)
    interface = call.linux.get_interface(route.interface) if route is not None else None
    if route is None or interface is None:
        call.print_error("RTNETLINK answers: Network is unreachable")
        return 2
    via = f" via {route.via}" if route.via else ""
    call.print_out(f"{destination}{via} dev {interface.name} src {interface.address} uid 0 ")
    call.print_out("    cache ")
    return 0
