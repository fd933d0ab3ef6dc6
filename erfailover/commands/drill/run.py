"""``erfailover drill run``: switch spokes to the backup path, verify, switch back, report.

Both switches are those of ``erfailover switch``: same plan, gate, journal and verification. They
share one lease, so no other run comes between them. From the moment the first begins, the way back
is made whatever happens; only a second Ctrl-C, or a run that has taken over the lease, ends that.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from erfailover.azure.readers.cache import ReadingCache
from erfailover.azure.readers.network import observe
from erfailover.commands import plans
from erfailover.commands.chosen_spokes import resolve_spokes
from erfailover.commands.context import Context
from erfailover.commands.lease import hold_lease
from erfailover.commands.probes import continuous
from erfailover.commands.runs import report_file
from erfailover.commands.runs.recorder import record_run
from erfailover.commands.status import snapshot
from erfailover.commands.switch import command as switch
from erfailover.commands.switch import hazards
from erfailover.commands.switch.crossing import to_failure
from erfailover.commands.switch.options import Options
from erfailover.commands.switch.planner import Planner
from erfailover.errors import (
    AzureErrorKind,
    AzureFailure,
    Failure,
    Interrupted,
    LeaseLost,
    Refused,
    VerificationFailed,
)
from erfailover.model.command_line import format_spoke_options, switch_to
from erfailover.model.counting import join_names
from erfailover.model.history import DRILL_RUN, RunRecord
from erfailover.model.observed import SiteSnapshot
from erfailover.model.plan import SwitchPlan
from erfailover.model.site import Path
from erfailover.model.watch import Pause
from erfailover.planning.drill import readiness
from erfailover.planning.health import find_path
from erfailover.reporting import drill as reporting
from erfailover.reporting.drill import DrillReport, describe_places
from erfailover.reporting.plan import text
from erfailover.reporting.plan.leaving import describe_interruption
from erfailover.reporting.run.report import RunReport
from erfailover.reporting.words import CHOSEN
from erfailover.runtime.journal import Journal

TRIES = 3
"""How often the way back is begun if something unexpected refuses or ends it."""
PAUSE_S = 30.0
"""The pause before it is begun again, in seconds."""
FINAL = (LeaseLost, VerificationFailed)
"""Failures of the way back after which it is not begun again."""
INTERRUPTED = "interrupted"
LOOK = "See erfailover status."


def run(
    context: Context,
    canaries: Sequence[str],
    probes: tuple[str, ...] = (),
    pause: Pause | None = None,
) -> None:
    """Switch spokes to the backup path and back, and report.

    Args:
        context: the invocation.
        canaries: the spokes, as typed.
        probes: the names of further probes to ask continuously meanwhile.
        pause: the pause of ``erfailover watch`` that is in force; None for none.

    Raises:
        Refused: something is less than healthy, another run holds the lease, or the operator said
            no. Nothing was changed.
        UnknownReading: whether everything is healthy is unknown. Nothing was changed.
        VerificationFailed: the backup path did not carry the spokes; they are back.
        Failure: anything else; the message says where the spokes are.
    """
    names = resolve_spokes(context.whole_site, canaries, "--canary")
    continuous.select_probes(context.whole_site, probes)
    with hold_lease(context, DRILL_RUN + format_spoke_options(names, "--canary")):
        plan, observed = _insist_on_readiness(context, names, pause)
        _confirm(context, plan)
        document = plans.build_document(context.site, plan, observed)
        report, context.report = context.report, None
        drill = _Drill(context, document, names, probes)
        failure = drill.carry_out()
    _report(context, drill.build_report(failure), report)
    if failure is not None:
        raise failure


def _insist_on_readiness(
    context: Context, names: Sequence[str], pause: Pause | None
) -> tuple[SwitchPlan, SiteSnapshot]:
    """Refuse unless everything is healthy; return the plan of the way there."""
    what = f"drill {join_names(names, CHOSEN)}"
    reading = snapshot.read_visibly(context)
    readiness.insist(
        [
            *readiness.check_site(
                reading.health,
                reading.drill,
                reading.open_run,
                reading.state_problems,
                pause,
                time.time(),
            )
        ],
        what,
    )
    context.choose_spokes(names)
    planner = Planner(context, Options(Path.IPSEC), ReadingCache(context.reader, context.site))
    with context.show_reading():
        observed, plan = planner.plan()
    blocking = hazards.select_blocking(plan, every=False)
    readiness.insist([*readiness.check_plan(plan, names, blocking)], what)
    return plan, observed


def _confirm(context: Context, plan: SwitchPlan) -> None:
    """Ask, with the plan and the expected interruption, unless ``--yes`` was given."""
    output = context.output
    if not output.yes:
        plans.tell(output, text.format_text(context.site, plan))
        output.confirm(
            f"{describe_interruption(context.site, plan)} It is then switched back, which "
            "interrupts it once more. Run the drill?"
        )
        output.yes = True


@dataclass
class _Drill:
    """One drill under way.

    Attributes:
        document: the plan of the way there.
        names: the spokes.
        journal: the journal of the drill itself; its switches have their own.
        runs: the last run to each path, as far as it began.
        places: the path of each spoke at the end.
    """

    context: Context
    document: Mapping[str, object]
    names: tuple[str, ...]
    probes: tuple[str, ...]
    journal: Journal = field(init=False)
    runs: dict[Path, RunRecord] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    _interrupted: bool = False

    def __post_init__(self) -> None:
        self.journal = self.context.journal

    def carry_out(self) -> Failure | None:
        """Make both switches; return why the drill failed, or None."""
        context = self.context
        failure: Failure | None = None
        try:
            with record_run(context, DRILL_RUN, self.document, spokes=self.names) as recorder:
                context.drill = self.journal.run
                recorder.result = lambda: reporting.build_result(self.build_report(None))
                failure = self._go_there_and_back()
                if failure is not None:
                    raise failure
        except Failure as raised:
            failure = raised
        finally:
            context.drill, context.journal = None, self.journal
        return failure

    def build_report(self, failure: Failure | None) -> DrillReport:
        """Return the report so far."""
        record = report_file.find_record(self.journal)
        assert record is not None
        there, back = (
            RunReport(self.runs[path]) if path in self.runs else None
            for path in (Path.IPSEC, Path.EXPRESSROUTE)
        )
        message, hint = (failure.message, failure.hint) if failure else (None, None)
        return DrillReport(record, there, back, self.places, message, hint)

    def _go_there_and_back(self) -> Failure | None:
        try:
            there = self._switch(Options(Path.IPSEC, planned=True, probes=self.probes))
        except KeyboardInterrupt:  # between two instructions
            there = Interrupted(INTERRUPTED)
        self._interrupted = isinstance(there, Interrupted)
        if Path.IPSEC not in self.runs:  # it did not begin
            self.places = self._find_places(is_back=True)
            return there
        if isinstance(there, LeaseLost) or (self._interrupted and self._is_abandoned(Path.IPSEC)):
            back = there  # the run that has the lease decides, or the operator
        else:
            back = self._go_back(there)
        self.places = self._find_places(is_back=back is None)
        return self._judge(there, back)

    def _go_back(self, there: Failure | None) -> Failure | None:
        """Switch back; again if that is refused or fails, and after the first Ctrl-C."""
        failure, tries = there, 0
        while True:
            tries += 1
            try:
                self._announce_way_back(failure, tries)
                undoes = f"{DRILL_RUN} (run {self.journal.run})"
                options = Options(
                    Path.EXPRESSROUTE, undoes=undoes, planned=True, probes=self.probes
                )
                failure = self._switch(options)
            except KeyboardInterrupt:
                failure = Interrupted(INTERRUPTED)
            if isinstance(failure, Interrupted):
                if self._interrupted or self._is_abandoned(Path.EXPRESSROUTE):
                    return failure
                self._interrupted = True
            elif failure is None or isinstance(failure, FINAL) or tries >= TRIES:
                return failure

    def _announce_way_back(self, failure: Failure | None, tries: int) -> None:
        """Say why the way back begins; pause before it is repeated."""
        if failure is None:
            self.context.output.print_info("Switching back to ExpressRoute.")
            return
        self.context.output.warn(f"{failure.message}. Switching back to ExpressRoute.")
        if tries > 1 and not isinstance(failure, Interrupted):
            self.context.clock.sleep(PAUSE_S)

    def _switch(self, options: Options) -> Failure | None:
        """Make one switch; return how it failed, or None."""
        context = self.context
        journal = context.journal = Journal.open(context.store)
        try:
            switch.run(context, options)
        except (KeyboardInterrupt, Interrupted) as stopped:
            return Interrupted(getattr(stopped, "message", INTERRUPTED))
        except Exception as error:
            return to_failure(error)
        finally:
            record = report_file.find_record(journal)
            if record is not None:
                self.runs[options.target] = record
        return None

    def _is_abandoned(self, path: Path) -> bool:
        """Return whether a second Ctrl-C ended a switch while Azure was processing a step.

        Its threads may still write until the lease is released, so no other switch may begin.
        """
        record = self.runs.get(path)
        return record is not None and bool(record.in_flight)

    def _find_places(self, *, is_back: bool) -> dict[str, str]:
        """Return the path of each spoke: read from Azure unless it is known."""
        if is_back:
            return dict.fromkeys(self.names, str(Path.EXPRESSROUTE))
        context, site = self.context, self.context.site
        try:
            networks = [spoke.virtual_network for spoke in site.spokes]
            observed = observe(context.reader, site, [], networks)
        except (Exception, KeyboardInterrupt):
            return dict.fromkeys(self.names, "unknown")
        return {spoke.name: find_path(site, observed, spoke) for spoke in site.spokes}

    def _judge(self, there: Failure | None, back: Failure | None) -> Failure | None:
        """Return the failure of the drill, with where the spokes are; None if it succeeded."""
        where = describe_places(self.places)
        reason = there.message if there is not None else ""
        if isinstance(there, VerificationFailed):
            reason = f"IPsec did not carry {join_names(self.names, CHOSEN)}: {reason}"
        if back is None:
            return there and there.reword(f"{reason}; {where}", LOOK)
        if back is not there:
            reason = f"the way back failed: {back.message}" + (
                f"; before: {reason}" if there else ""
            )
        if set(self.places.values()) == {str(Path.EXPRESSROUTE)}:
            where += ", NOT verified"
            if isinstance(back, VerificationFailed):
                return back.reword(f"{where}; {reason}", LOOK)
        after = "After the run that has the lease, run" if isinstance(back, LeaseLost) else "Run"
        hint = f"{after} this next: {switch_to(Path.EXPRESSROUTE, self.names)}"
        return _to_other(back, f"{where}; {reason}", hint)


def _to_other(failure: Failure, message: str, hint: str) -> Failure:
    """Return a failure with other words; a refusal of the way back is one after a change."""
    if isinstance(failure, Refused) and not isinstance(failure, LeaseLost):
        return AzureFailure(AzureErrorKind.REFUSED, message, hint)
    return failure.reword(message, hint)


def _report(context: Context, report: DrillReport, file: FilePath | None) -> None:
    """Show the report on standard output, and write it to a file if one is wanted."""
    output = context.output
    text_ = report.headline if output.quiet else reporting.format_text(report)
    output.print_result(text_, reporting.build_data(report))
    if file is None:
        return
    context.report, context.reported = file, True
    try:
        report_file.save(reporting.format_content(report, file.suffix.lower()), file)
    except Exception as error:  # whatever it is, how the drill ended matters more
        output.warn(f"The report could not be written to {file}: {error}.")
    else:
        output.print_info(f"Report written: {file}")
