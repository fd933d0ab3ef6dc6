"""A continuous ping from the spoke's machine to the office, throughout the demo.

Started and read by Run Command, as an operator would: no packet is seen by other means.
"""

from __future__ import annotations

from datetime import UTC, datetime

from erfailover.commands.context import Context
from erfailover.errors import UnknownReading
from erfailover.model.history import collect_runs
from erfailover.model.probes import MachinePing
from erfailover.planning.probes import ping_log
from erfailover.reporting.packet_outages import PacketOutage, PacketOutages, format_packets
from erfailover.reporting.run.outage import Outage
from erfailover.reporting.run.report import RunReport

OFFICE = "office"
"""The probe of the demo's site that names machine and destination."""


def read_time() -> float:
    """Return the present Unix time: that of the lab's machines as well."""
    return datetime.now(UTC).timestamp()


class OfficePing:
    """The ping of the demo, and what it has seen."""

    def __init__(self, context: Context) -> None:
        """Start it."""
        probe = context.site.probes[OFFICE]
        assert isinstance(probe, MachinePing)
        self._probe = probe
        self._seen_seq = 0
        self.packets = PacketOutages(
            probe.machine,
            str(probe.ping),
            ping_log.INTERVAL_S,
            getattr(context.clock, "speed", 1.0),
        )
        script = ping_log.build_start_script(probe.ping)
        print(f"\n$ # on {probe.machine}, by Run Command\n$ {script[0]}", flush=True)
        self._run(context, script)

    def show_outage(self, context: Context, kind: str, command: str, began_at: float) -> None:
        """Print the outage that a command has ended, packet by packet.

        Raises:
            UnknownReading: the machine cannot be asked, or prints something else.
        """
        script = ping_log.build_read_script(self._probe.ping)
        log = ping_log.parse_log(self._run(context, script))
        if log is None:
            raise UnknownReading(f"the log of the ping on {self._probe.machine} cannot be read")
        gap = log.find_longest(self._seen_seq)
        self._seen_seq = log.last_seq
        self.packets.log = log
        outage = PacketOutage(kind, command, began_at, gap, _find_reported(context))
        self.packets.outages.append(outage)
        every = f"every {self.packets.interval_s:g} s"
        print(f"\nping {self._probe.ping} from {self._probe.machine}, {every}:", flush=True)
        print(format_packets(self.packets, outage), flush=True)

    def _run(self, context: Context, script: list[str]) -> str:
        machine = context.site.build_machine_id(self._probe.machine)
        return context.reader.run_command(machine, script, self._probe.timeout_s).stdout


def _find_reported(context: Context) -> Outage | None:
    """Return the outage that the report of the last run has."""
    runs = collect_runs(context.read_records())
    outages = RunReport(runs[-1]).outages if runs else ()
    return outages[-1] if outages else None
