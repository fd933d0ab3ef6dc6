"""The command ``ping`` of a modelled machine, with the output of iputils.

Every echo request is a separate packet at its own time, so an outage or a recovery in between
is visible. Round-trip times are made up, the same each time, of the size observed in the
proof of concept: about 3 ms to the Internet, 5 ms over a tunnel each way.
"""

from __future__ import annotations

import statistics
import zlib
from dataclasses import dataclass

from erfailover.lab.core import addresses
from erfailover.lab.machines.netfilter import UnmodelledError
from erfailover.lab.machines.reachability import Trace
from erfailover.lab.machines.shell.shell import Call, Running

LINGER_S = 10.0
"""How long ping waits for a first answer after its last request (iputils' default)."""
TWO_DIGITS = 10.0
"""ping prints three significant digits: one decimal from here on."""
INTERNET_TTL = 116
"""Time to live of an answer from the Internet; one less by a machine that forwards (observed:
115 by way of the NAT machine)."""


@dataclass(frozen=True, slots=True)
class _Options:
    host: str
    count: int
    interval_s: float
    linger_s: float
    deadline_s: float
    quiet: bool


def ping(call: Call) -> Running:
    """Send echo requests: ``-c -i -W -w -q -n -4``; 0 if one was answered, else 1.

    Without ``-c`` or ``-w`` it would never end, and Run Command cannot be interrupted: refused.
    """
    options = _parse(call)
    if options is None:
        return 2
    if call.linux.find_route(options.host) is None and not call.linux.is_local(options.host):
        call.print_error("ping: connect: Network is unreachable")
        return 2
    call.linux.echo_id += 1
    echo_id = 1000 + (zlib.crc32(call.linux.hostname.encode()) + call.linux.echo_id) % 30000
    call.print_out(f"PING {options.host} ({options.host}) 56(84) bytes of data.")
    began = call.outside.now()
    times: list[float] = []
    sent = 0
    while sent < options.count:
        trace = call.outside.send(call.linux, options.host, "icmp", 0)
        call.outside.track(trace, echo_id)
        sent += 1
        if trace.reached:
            times.append(_make_round_trip_ms(call, options.host, trace, sent))
            if not options.quiet:
                ttl = (INTERNET_TTL if trace.internet else 64) - trace.forwards
                call.print_out(
                    f"64 bytes from {options.host}: icmp_seq={sent} ttl={ttl} "
                    f"time={_format_milliseconds(times[-1])} ms"
                )
        if call.outside.now() + options.interval_s - began > options.deadline_s:
            break
        if sent < options.count:
            yield options.interval_s
    elapsed_ms = (call.outside.now() - began) * 1000 + 1.5 * sent
    if len(times) < sent:
        left = began + options.deadline_s - call.outside.now()
        yield max(0.0, min(left, max(1.0, options.interval_s) if times else options.linger_s))
    call.print_out(*_format_statistics(options, sent, times, elapsed_ms))
    answered = len(times) == sent if options.deadline_s != float("inf") else bool(times)
    return 0 if answered else 1


def _parse(call: Call) -> _Options | None:
    values = {"-c": "", "-i": "1", "-W": str(LINGER_S), "-w": ""}
    quiet, hosts = False, []
    rest = call.arguments[1:]
    while rest:
        word = rest.pop(0)
        if word[:2] in values:
            value = word[2:] or (rest.pop(0) if rest else "")
            if not _is_number(value):
                call.print_error(f"ping: invalid argument: '{value}'")
                return None
            values[word[:2]] = value
        elif word in ("-q", "-n", "-4"):
            quiet = quiet or word == "-q"
        elif word.startswith("-"):
            raise UnmodelledError(f"ping {word}")
        else:
            hosts.append(word)
    if not hosts:
        call.print_error("ping: usage error: Destination address required")
        return None
    if addresses.parse_ipv4_number(hosts[-1]) is None:
        raise UnmodelledError(f"the resolution of names (ping {hosts[-1]})")
    if not values["-c"] and not values["-w"]:
        raise UnmodelledError("ping without -c, which never ends")
    return _Options(
        hosts[-1],
        int(float(values["-c"] or 1_000_000)),
        float(values["-i"]),
        float(values["-W"]),
        float(values["-w"] or "inf"),
        quiet,
    )


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit() and float(text) > 0


def _make_round_trip_ms(call: Call, host: str, trace: Trace, sequence: int) -> float:
    noise = zlib.crc32(f"{call.linux.hostname} {host} {sequence}".encode()) % 1000 / 1000
    return 0.9 + noise + (1.3 if trace.internet else 0.0) + 2.0 * trace.tunnels


def _format_milliseconds(value: float) -> str:
    return (
        f"{value:.1f}" if value >= TWO_DIGITS else f"{value:.2f}" if value >= 1 else f"{value:.3f}"
    )


def _format_statistics(
    options: _Options, sent: int, times: list[float], elapsed_ms: float
) -> list[str]:
    lost = f"{100 * (sent - len(times)) / sent:.6g}"
    lines = [
        "",
        f"--- {options.host} ping statistics ---",
        f"{sent} packets transmitted, {len(times)} received, {lost}% packet loss, "
        f"time {elapsed_ms:.0f}ms",
    ]
    if times:
        spread = statistics.pstdev(times)
        lines.append(
            f"rtt min/avg/max/mdev = {min(times):.3f}/{statistics.fmean(times):.3f}/"
            f"{max(times):.3f}/{spread:.3f} ms"
        )
    else:
        lines.append("")
    return lines
