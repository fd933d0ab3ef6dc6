"""A continuous ping on a Linux machine: the scripts that start and read it, and its gaps. Pure.

The ping goes on after its script has ended and writes to a file of the machine. Only the gaps leave
the machine, because Run Command returns no more than the end of an output.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address

INTERVAL_S = 0.02
"""From one packet to the next, in the machine's seconds."""
MOST_GAPS = 40
"""How many gaps are read, the latest: their lines fit into an output of Run Command."""

_READ = """\
/ bytes from .* icmp_seq=/ && !/DUP!/ {
  at = substr($1, 2, length($1) - 2)
  match($0, /icmp_seq=[0-9]+/)
  seq = substr($0, RSTART + 9, RLENGTH - 9) + base
  if (seq <= last && last - seq < 50) next
  if (seq < last) { base += 65536; seq += 65536 }
  if (replies && seq > last + 1) print "gap", last, before, seq, at
  if (!replies++) first = at
  last = seq; before = at
}
END { if (replies) print "replies", replies, first, last, before; else print "replies 0 0 0 0" }"""
"""For awk. A sequence number has 16 bits and starts again; a reply that is late is left out."""


@dataclass(frozen=True, slots=True)
class PacketGap:
    """Packets without a reply, between two with one.

    Attributes:
        last_seq, last_at: the last reply before: its number, and when it came (Unix time).
        first_seq, first_at: the first reply after.
    """

    last_seq: int
    last_at: float
    first_seq: int
    first_at: float

    @property
    def lost(self) -> int:
        """How many packets had no reply."""
        return self.first_seq - self.last_seq - 1

    @property
    def seconds(self) -> float:
        """From the last reply before until the first one after."""
        return self.first_at - self.last_at


@dataclass(frozen=True, slots=True)
class PingLog:
    """What a continuous ping has seen: its replies, and the gaps between them, oldest first.

    ``first_at`` is when its first reply came, which is long after its start if that was in an
    outage.
    """

    replies: int
    first_at: float
    last_seq: int
    last_at: float
    gaps: tuple[PacketGap, ...] = ()

    def find_longest(self, after_seq: int = 0) -> PacketGap | None:
        """Return the gap with most lost packets that ended after a packet; None without one."""
        gaps = [gap for gap in self.gaps if gap.first_seq > after_seq]
        return max(gaps, key=lambda gap: gap.lost, default=None)


def build_start_script(address: IPv4Address, interval_s: float = INTERVAL_S) -> list[str]:
    """Return the script that starts the ping, which goes on after the script has ended."""
    log = _name_log(address)
    return [f"nohup ping -D -n -i {interval_s:g} {address} >{log} 2>&1 </dev/null &"]


def build_read_script(address: IPv4Address) -> list[str]:
    """Return the script that prints the gaps of the ping and how many replies there were."""
    return [f"LC_ALL=C awk '{_READ}' {_name_log(address)} | tail -n {MOST_GAPS}"]


def parse_log(output: str) -> PingLog | None:
    """Return what the script of ``build_read_script`` printed; None if it is anything else."""
    end = re.search(r"^replies (\d+) ([\d.]+) (\d+) ([\d.]+)$", output, re.MULTILINE)
    if end is None:
        return None
    gaps = re.findall(r"^gap (\d+) ([\d.]+) (\d+) ([\d.]+)$", output, re.MULTILINE)
    return PingLog(
        int(end[1]),
        float(end[2]),
        int(end[3]),
        float(end[4]),
        tuple(
            PacketGap(int(last), float(last_at), int(first), float(first_at))
            for last, last_at, first, first_at in gaps
        ),
    )


def _name_log(address: IPv4Address) -> str:
    return f"/tmp/ping-{address}.log"
