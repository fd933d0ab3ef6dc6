"""The outages that a continuous ping has seen, beside those of the reports, as text and data. Pure.

Packets travel in real time; the lab's clock runs faster. So every duration is there twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from erfailover.planning.probes.ping_log import PacketGap, PingLog
from erfailover.reporting import tables
from erfailover.reporting.run.outage import Outage
from erfailover.reporting.words import wrap

WIDTH = 80
"""The width of texts, in columns."""


@dataclass(frozen=True)
class PacketOutage:
    """An outage as packets show it.

    Attributes:
        kind: ``planned`` or ``unplanned``.
        command: the command that ended it.
        began_at: when the command began, in Unix time.
        gap: the packets without a reply; None if every packet had one.
        reported: the outage that the report of the command has; None without one.
    """

    kind: str
    command: str
    began_at: float
    gap: PacketGap | None
    reported: Outage | None

    @property
    def after_command_s(self) -> float:
        """How much of it was after the start of the command, in real time."""
        if self.gap is None:
            return 0.0
        return max(0.0, self.gap.first_at - max(self.began_at, self.gap.last_at))


@dataclass
class PacketOutages:
    """A continuous ping, and the outages that it has seen.

    Attributes:
        machine, destination: where it runs, and what it pings.
        interval_s: from one packet to the next, in real time.
        speed: how much faster the lab's clock runs.
        log: what it has seen so far; None if it cannot be read.
    """

    machine: str
    destination: str
    interval_s: float
    speed: float
    log: PingLog | None = None
    outages: list[PacketOutage] = field(default_factory=list)


def format_packets(packets: PacketOutages, outage: PacketOutage) -> str:
    """Return one outage packet by packet: the replies around it, and what had none."""
    if outage.gap is None:
        lines = ["Every packet had a reply."]
    else:
        lines = [*_format_gap(outage.gap), _format_duration(packets, outage, outage.gap)]
    reported = f"The report: {outage.reported.description}" if outage.reported else "No report."
    return "\n".join([*lines, *wrap(reported, WIDTH, rest="  ")])


def format_packet_table(packets: PacketOutages) -> str:
    """Return the table of all outages."""
    rows = [
        (
            outage.kind,
            outage.command.removesuffix(" --yes").replace(" --to ", " "),
            outage.gap.lost if outage.gap else 0,
            f"{outage.gap.seconds if outage.gap else 0.0:.2f}",
            f"{outage.gap.seconds * packets.speed if outage.gap else 0.0:.0f}",
            f"{outage.after_command_s * packets.speed:.0f}",
            "-" if outage.reported is None else _format_reported(outage.reported),
        )
        for outage in packets.outages
    ]
    headings = ("outage", "ended by", "packets lost", "real", "modelled", "since command", "report")
    title = (
        f"Outages by packets (seconds): ping {packets.destination} from {packets.machine}, "
        f"every {packets.interval_s:g} s"
    )
    return tables.format_table(title, headings, rows)


def build_packet_data(packets: PacketOutages) -> dict[str, Any]:
    """Return the same as plain data."""
    return {
        "machine": packets.machine,
        "destination": packets.destination,
        "interval_s": packets.interval_s,
        "speed": packets.speed,
        "replies": packets.log.replies if packets.log else 0,
        "outages": [_build_outage_data(packets, outage) for outage in packets.outages],
    }


def _build_outage_data(packets: PacketOutages, outage: PacketOutage) -> dict[str, Any]:
    gap = outage.gap
    seconds = gap.seconds if gap else 0.0
    return {
        "kind": outage.kind,
        "command": outage.command,
        "last_reply_at": _format_moment(gap.last_at) if gap else None,
        "first_reply_at": _format_moment(gap.first_at) if gap else None,
        "lost": gap.lost if gap else 0,
        "real_s": round(seconds, 3),
        "modelled_s": round(seconds * packets.speed, 1),
        "after_command_s": round(outage.after_command_s * packets.speed, 1),
        "reported_s": outage.reported.longest_s if outage.reported else None,
    }


def _format_gap(gap: PacketGap) -> list[str]:
    lost = f"icmp_seq={gap.last_seq + 1}"
    if gap.lost > 1:
        lost += f" to {gap.first_seq - 1}"
    packets = "1 packet" if gap.lost == 1 else f"{gap.lost} packets"
    blank = " " * len(_format_clock(0.0))
    return [
        f"{_format_clock(gap.last_at)}  icmp_seq={gap.last_seq}  last reply before",
        f"{blank}  {lost}  no reply: {packets}",
        f"{_format_clock(gap.first_at)}  icmp_seq={gap.first_seq}  first reply after",
    ]


def _format_duration(packets: PacketOutages, outage: PacketOutage, gap: PacketGap) -> str:
    modelled_s = gap.seconds * packets.speed
    text = f"Outage by packets: {gap.seconds:.2f} s, modelled {modelled_s:.0f} s"
    if gap.last_at < outage.began_at:
        after_s = outage.after_command_s * packets.speed
        text += f", of which {after_s:.0f} s after the command began"
    return f"{text}."


def _format_reported(outage: Outage) -> str:
    return "unknown" if outage.longest_s is None else f"{outage.longest_s:.0f}"


def _format_clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3]


def _format_moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC).isoformat(timespec='milliseconds')[:-6]}Z"
