"""Commands of a modelled machine about its interfaces, routes, parameters and flows."""

from __future__ import annotations

from dataclasses import replace

from erfailover.lab.core import addresses
from erfailover.lab.machines.linux import (
    ICMP_TIMEOUT_S,
    Flow,
    Interface,
    KernelRoute,
    Tracked,
    sysctl_settings,
)
from erfailover.lab.machines.netfilter import Unmodelled
from erfailover.lab.machines.shell.shell import Call

_FORWARDING = ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding")


def ip(call: Call) -> int:
    """``ip [-br] [-4] address|link``, ``ip route [show|get|add|replace|del]``."""
    rest = call.arguments[1:]
    brief = False
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option not in ("-br", "-brief", "-4", "-o"):
            raise Unmodelled(f"ip {option}")
        brief = brief or option.startswith("-br")
    if not rest:
        raise Unmodelled("ip without an object")
    kind, rest = rest[0], rest[1:]
    if "route".startswith(kind):
        return _route(call, rest)
    if kind in ("a", "addr", "address"):
        return _addresses(call, rest, brief)
    raise Unmodelled(f"ip {kind}")


def sysctl(call: Call) -> int:
    """``sysctl [-n] NAME``, ``sysctl [-q] -w NAME=VALUE``, ``-p [FILE]``, ``--system``."""
    options = {each for each in call.arguments[1:] if each.startswith("-")}
    if options & {"-qw", "-wq"}:
        options = options - {"-qw", "-wq"} | {"-q", "-w"}
    words = [each for each in call.arguments[1:] if not each.startswith("-")]
    if options - {"-w", "-n", "-q", "-p", "--system", "--write"}:
        raise Unmodelled(f"sysctl {' '.join(sorted(options))}")
    if options & {"-p", "--system"}:
        return _load_sysctl(call, words, "--system" in options)
    for word in words:
        name, equals, value = (part.strip() for part in word.replace("/", ".").partition("="))
        if name not in _FORWARDING:
            raise Unmodelled(f"the kernel parameter {name}")
        if equals:
            if value not in ("0", "1"):
                raise Unmodelled(f"the value {value!r} of {name}")
            call.linux.set_sysctl(name, value)
        if "-q" not in options:
            found = call.linux.sysctl[name]
            call.out(found if "-n" in options else f"{name} = {found}")
    return 0


def conntrack(call: Call) -> int:
    """``conntrack -L [-p icmp] [-s ADDRESS] [-d ADDRESS]``."""
    rest = call.arguments[1:]
    if not rest or rest.pop(0) not in ("-L", "--dump"):
        raise Unmodelled(f"conntrack {' '.join(call.arguments[1:])}".rstrip())
    if rest[:1] == ["conntrack"]:
        rest.pop(0)
    wanted: dict[str, str] = {}
    while rest:
        option = rest.pop(0)
        if option not in ("-p", "-s", "-d", "--proto", "--src", "--dst") or not rest:
            raise Unmodelled(f"conntrack {option}")
        wanted[{"--proto": "-p", "--src": "-s", "--dst": "-d"}.get(option, option)] = rest.pop(0)
    now = call.outside.now()
    shown = [
        _entry(flow, echo_id, tracked, now)
        for flow, echo_id, tracked in call.linux.tracked(now)
        if wanted.get("-p", flow.protocol) == flow.protocol
        and wanted.get("-s", flow.source) == flow.source
        and wanted.get("-d", flow.destination) == flow.destination
    ]
    call.out(*shown)
    call.err(f"conntrack v1.4.8 (conntrack-tools): {len(shown)} flow entries have been shown.")
    return 0


def _entry(flow: Flow, echo_id: int, tracked: Tracked, now: float) -> str:
    """A line as observed: the echo's two directions, the seconds it still lives."""
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
        names = sorted(each for each in call.linux.files if each.startswith("/etc/sysctl.d/"))
    for name in names:
        if name not in call.linux.files:
            call.err(f'sysctl: cannot open "{name}": No such file or directory')
            return 1
        for key, _ in sysctl_settings(call.linux.files[name]):
            if key not in _FORWARDING:
                raise Unmodelled(f"the kernel parameter {key}")
        for key, value in call.linux.load_sysctl(call.linux.files[name]):
            call.out(f"{key} = {value}")
    return 0


def _addresses(call: Call, rest: list[str], brief: bool) -> int:
    names = [each for each in rest if each not in ("show", "list", "dev")]
    if len(names) > 1 or (names and names[0] == "add"):
        raise Unmodelled(f"ip address {' '.join(rest)}")
    if names and names[0] != "lo" and call.linux.interface(names[0]) is None:
        call.err(f'Device "{names[0]}" does not exist.')
        return 1
    rows = [("lo", "127.0.0.1", 8)]
    rows += [(each.name, each.address, each.length) for each in call.linux.interfaces]
    for number, (name, address, length) in enumerate(rows, 1):
        if names and name != names[0]:
            continue
        state = "UNKNOWN" if name == "lo" else "UP"
        if brief:
            call.out(f"{name:<16} {state:<14} {address}/{length} ")
            continue
        flags = "LOOPBACK,UP,LOWER_UP" if name == "lo" else "BROADCAST,MULTICAST,UP,LOWER_UP"
        mtu = 65536 if name == "lo" else 1500
        scope = "host" if name == "lo" else "global"
        call.out(
            f"{number}: {name}: <{flags}> mtu {mtu} state {state} group default qlen 1000",
            f"    inet {address}/{length} scope {scope} {name}",
            "       valid_lft forever preferred_lft forever",
        )
    return 0


def _route(call: Call, rest: list[str]) -> int:
    action = rest.pop(0) if rest else "show"
    if action in ("show", "list", "ls", "s"):
        return _show_routes(call, rest)
    if action == "get" and len(rest) == 1:
        return _get_route(call, rest[0])
    if action not in ("add", "replace", "del", "delete", "append", "change") or not rest:
        raise Unmodelled(f"ip route {action}")
    if action in ("append", "change"):
        raise Unmodelled(f"ip route {action}")
    prefix = "0.0.0.0/0" if rest[0] == "default" else str(addresses.ipv4_network(rest[0]) or "")
    if not prefix:
        call.err(f'Error: any valid prefix is expected rather than "{rest[0]}".')
        return 1
    wanted = _wanted(call, prefix, rest[1:])
    if isinstance(wanted, int):
        return wanted
    same = [
        each
        for each in call.linux.routes
        if each.prefix == prefix and (action.startswith("del") or each.metric == wanted.metric)
    ]
    if action.startswith("del"):
        return _delete_route(call, wanted, same)
    if same and action == "add":
        call.err("RTNETLINK answers: File exists")
        return 2
    for each in same:
        call.linux.routes.remove(each)
    call.linux.routes.append(wanted)
    return 0


def _wanted(call: Call, prefix: str, rest: list[str]) -> KernelRoute | int:
    """The route that a command describes, or the status with which it is refused."""
    values = {"via": "", "dev": "", "metric": "0", "src": "", "proto": ""}
    while rest:
        name = rest.pop(0)
        if name == "onlink" or name not in values or not rest:
            raise Unmodelled(f"ip route ... {name}")
        values[name] = rest.pop(0)
    interface = call.linux.interface(values["dev"])
    if values["dev"] and interface is None:
        call.err(f'Cannot find device "{values["dev"]}"')
        return 1
    if values["via"] and interface is None:
        interface = _on_link(call, values["via"])
    if values["via"] and (
        interface is None or not addresses.holds(interface.subnet, values["via"])
    ):
        call.err("Error: Nexthop has invalid gateway.")
        return 2
    name = interface.name if interface is not None else ""
    route = KernelRoute(prefix, name, values["via"], int(values["metric"]), values["src"])
    return replace(route, protocol=values["proto"])


def _on_link(call: Call, address: str) -> Interface | None:
    return next(
        (each for each in call.linux.interfaces if addresses.holds(each.subnet, address)), None
    )


def _delete_route(call: Call, wanted: KernelRoute, same: list[KernelRoute]) -> int:
    for each in same:
        if wanted.via in ("", each.via) and wanted.interface in ("", each.interface):
            call.linux.routes.remove(each)
            return 0
    call.err("RTNETLINK answers: No such process")
    return 2


def _show_routes(call: Call, rest: list[str]) -> int:
    wanted, device = "", ""
    while rest:
        word = rest.pop(0)
        if word == "dev" and rest:
            device = rest.pop(0)
        elif word == "default" or addresses.ipv4_network(word) is not None:
            wanted = "0.0.0.0/0" if word == "default" else str(addresses.ipv4_network(word))
        else:
            raise Unmodelled(f"ip route show {word}")
    ordered = sorted(
        call.linux.routes, key=lambda each: (each.prefix != "0.0.0.0/0", _sort_key(each))
    )
    for each in ordered:
        if wanted in ("", each.prefix) and device in ("", each.interface):
            call.out(each.text())
    return 0


def _sort_key(route: KernelRoute) -> int:
    return addresses.ipv4_number(route.prefix.partition("/")[0]) or 0


def _get_route(call: Call, destination: str) -> int:
    if call.linux.is_local(destination):
        call.out(f"local {destination} dev lo src {destination} uid 0 ", "    cache <local> ")
        return 0
    route = call.linux.route_to(destination)
    interface = call.linux.interface(route.interface) if route is not None else None
    if route is None or interface is None:
        call.err("RTNETLINK answers: Network is unreachable")
        return 2
    via = f" via {route.via}" if route.via else ""
    call.out(f"{destination}{via} dev {interface.name} src {interface.address} uid 0 ")
    call.out("    cache ")
    return 0
