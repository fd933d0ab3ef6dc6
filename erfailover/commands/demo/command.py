"""``erfailover demo``: an end-to-end demo, printed as it happens, on a temporary lab.

Every stage is the command that an operator would type, run in this process; every Azure call
goes through the SDK over HTTPS to the lab, which is a separate process.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from erfailover.azure.readers.network import observe
from erfailover.commands.context import Context
from erfailover.commands.demo import lab_process
from erfailover.commands.demo.packets import OfficePing, read_time
from erfailover.commands.drill import command as drill_command
from erfailover.commands.output import Output
from erfailover.commands.probes import runner
from erfailover.commands.provision import command as provision_command
from erfailover.commands.provision import destroy
from erfailover.commands.site import init
from erfailover.commands.site_file import SiteFile
from erfailover.commands.status import command as status_command
from erfailover.commands.switch import command as switch_command
from erfailover.commands.switch.options import Options
from erfailover.errors import Failure, VerificationFailed
from erfailover.model.site import Path as SitePath
from erfailover.planning.health import judge
from erfailover.reporting import probes as checks
from erfailover.reporting.demo import (
    STORY,
    Stage,
    StageResult,
    build_summary_data,
    format_summary,
)
from erfailover.reporting.formats import Query
from erfailover.reporting.packet_outages import PacketOutages

LINUX = "linux"
"""The data plane of the lab on which the demo counts packets."""
ACTS: Mapping[str, Callable[[Context], None]] = {
    "provision --yes": partial(provision_command.run, dry_run=False),
    "drill start --yes": partial(drill_command.run, start=True),
    "switch --to ipsec --yes": partial(switch_command.run, options=Options(SitePath.IPSEC)),
    "drill stop --yes": partial(drill_command.run, start=False),
    "switch --to expressroute --yes": partial(
        switch_command.run, options=Options(SitePath.EXPRESSROUTE)
    ),
    "destroy --yes": partial(destroy.run, dry_run=False),
}
"""What carries out the command of each stage."""


@dataclass
class _Demo:
    context: Context
    counts_packets: bool = False
    stages: list[StageResult] = field(default_factory=list)
    ping: OfficePing | None = None

    @property
    def packets(self) -> PacketOutages | None:
        """What the ping has seen; None without one."""
        return self.ping.packets if self.ping else None

    def tell(self) -> None:
        for number, stage in enumerate(STORY, 1):
            print(f"\n== {number}. {stage.description}\n\n$ erfailover {stage.command}", flush=True)
            stage_result = StageResult(stage)
            self.stages.append(stage_result)
            self.context.close()
            before = self.context
            self.context = _build_context(before.site_file.path, replace(before.output))
            began, began_at = self.context.clock.now(), read_time()
            try:
                ACTS[stage.command](self.context)
            except Failure as failure:
                stage_result.error = failure.message
                print(f"erfailover: {failure.message}", flush=True)
            stage_result.seconds = self.context.clock.now() - began
            self._look(stage_result)
            if not stage_result.is_as_described:
                return
            if self.counts_packets:
                self._count_packets(stage, began_at)

    def _count_packets(self, stage: Stage, began_at: float) -> None:
        """Start the ping once there is a path, and show each outage once it has ended."""
        if self.ping is None:
            self.ping = OfficePing(self.context)
        elif stage.outage:
            self.ping.show_outage(self.context, stage.outage, stage.command, began_at)

    def _look(self, stage_result: StageResult) -> None:
        """Check the result that the stage should have."""
        site, reader, stage = self.context.site, self.context.reader, stage_result.stage
        if stage.path is None:
            stage_result.is_deleted = reader.list_group_resources(site.build_group_id()) is None
            return
        observed = observe(reader, site)
        stage_result.path = judge(site, observed).path
        expected = {"office": stage.office, "internet": stage.internet}
        words = ",".join(f"{name}={'up' if up else 'down'}" for name, up in expected.items())
        print(f"\n$ erfailover verify --expect {words}", flush=True)
        results = runner.run(self.context, expected)
        print(checks.format_text(results), flush=True)
        by_name = {result.name: result.up for result in results}
        stage_result.office, stage_result.internet = by_name["office"], by_name["internet"]
        if stage.command.startswith(("provision", "switch")):
            print("\n$ erfailover status", flush=True)
            with contextlib.suppress(Failure):
                status_command.run(self.context)


def run(
    output: str,
    query: Query | None,
    *,
    keep: bool,
    json_log: bool = False,
    data_plane: str | None = None,
) -> None:
    """Tell the story and judge it.

    Args:
        output: ``table``, ``json``, ...: how the summary is printed. The story itself then goes
            to standard error.
        query: what to select from the summary.
        keep: leave the lab and its folder behind.
        json_log: progress is logged as JSON.
        data_plane: what moves the lab's packets; None for the model. With real packets, a ping
            measures both outages.

    Raises:
        LabFailure: the lab did not start, for example because something is not installed.
        VerificationFailed: a stage did not end as expected.
    """
    with _set_stage(keep, data_plane) as folder:
        context = _build_context(folder / "erfailover.yaml", Output(yes=True, json_log=json_log))
        with contextlib.redirect_stdout(sys.stdout if output == "table" else sys.stderr):
            print("$ erfailover init")
            init.run(context.site_file, replace(context.output, heading=None), force=False)
            demo = _Demo(context, counts_packets=data_plane == LINUX)
            began = context.clock.now()
            demo.tell()
            total = context.clock.now() - began
            demo.context.close()
            print()
        summary = Output(output, query, json_log=json_log)
        summary.print_result(
            format_summary(demo.stages, total, demo.packets),
            build_summary_data(demo.stages, total, demo.packets),
        )
        wrong = [
            stage_result.stage.command
            for stage_result in demo.stages
            if not stage_result.is_as_described
        ]
        if wrong or len(demo.stages) < len(STORY):
            raise VerificationFailed(f"not as expected: {', '.join(wrong)}")
        if summary.query_failure is not None:
            raise summary.query_failure


def _build_context(file: Path, output: Output) -> Context:
    """One command of the story, on the site file and the lab of the demo."""
    context = Context(SiteFile(file, os.environ), output)
    output.heading = context.format_heading
    return context


@contextlib.contextmanager
def _set_stage(keep: bool, data_plane: str | None) -> Iterator[Path]:
    """Yield a folder and a lab of the demo's own; both are gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="erfailover-demo-"))
    before = dict(os.environ)
    try:
        os.environ["ERFAILOVER_STATE_DIR"] = str(folder / "state")
        chosen = ["--data-plane", data_plane] if data_plane else []
        state = ["--state-dir", str(folder / "lab")]
        os.environ.update(lab_process.start(state, chosen))
        yield folder
    finally:
        os.environ.clear()
        os.environ.update(before)
        if keep:
            print(f"Kept: {folder}")
        else:
            lab_process.stop(["--state-dir", str(folder / "lab")])
            shutil.rmtree(folder, ignore_errors=True)
