"""Asks probes again and again while a switch runs, and counts what they answer.

Each has its own thread. Nothing that happens here stops the switch, and the switch does not
wait for it. The first question is asked before the first write, the last after the verification.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass

from erfailover.commands.context import Context
from erfailover.commands.probes import runner
from erfailover.commands.probes.local import Ask
from erfailover.errors import UsageFailure
from erfailover.model.durations import format_duration
from erfailover.model.probes import LOCAL, LocalProbe, describe_check
from erfailover.model.site import Site
from erfailover.planning.probes.outage import OutageMeter
from erfailover.runtime.clock import start

log = logging.getLogger("erfailover.commands.continuous_probes")


def select_probes(site: Site, names: Sequence[str]) -> dict[str, LocalProbe]:
    """Return the probes to ask continuously: those in the site file, and those named.

    Raises:
        UsageFailure: a name is of no probe, or of one that cannot be asked every second.
    """
    by_name: dict[str, LocalProbe] = {}
    for name in names:
        probe = site.probes.get(name)
        if probe is None:
            there = ", ".join(site.probes) or "none"
            raise UsageFailure(f"--probe {name}: no such probe in {site.name}; available: {there}")
        if not isinstance(probe, LOCAL):
            raise UsageFailure(
                f"--probe {name}: it runs through Azure, which takes half a minute each time",
                "Choose a probe that runs on this machine: ping, connect, command or shell.",
            )
        by_name[name] = probe
    for name, probe in site.probes.items():
        if isinstance(probe, LOCAL) and probe.continuous:
            by_name[name] = probe
    return by_name


@contextmanager
def ask_probes(
    context: Context, probes: dict[str, LocalProbe], began_s: float
) -> Iterator[tuple[OutageMeter, ...]]:
    """Ask probes while the body runs; what they have answered so far.

    Args:
        context: the invocation.
        probes: by name.
        began_s: when the command began, in seconds of the clock: times count from there.
    """
    local = runner.build_here(context)
    loops = [
        _Loop(
            context,
            probe,
            OutageMeter(name, describe_check(probe), probe.every_s),
            local.ask,
            began_s,
        )
        for name, probe in probes.items()
    ]
    threads = [start(context.clock, loop.run, f"probe {loop.tally.name}") for loop in loops]
    try:
        yield tuple(loop.tally for loop in loops)
        for item in loops:
            item.closing = True
        context.clock.notify()
        wait(threads, max((loop.probe.timeout_s for loop in loops), default=0.0) + 1.0)
    finally:
        for item in loops:
            item.closing = item.over = True
        local.stop()
        context.clock.notify()


@dataclass
class _Loop:
    """One probe, asked in its own thread.

    Attributes:
        closing: it is asked once more, and then no more.
        over: what is not answered yet is not counted.
    """

    context: Context
    probe: LocalProbe
    tally: OutageMeter
    ask: Ask
    began_s: float
    closing: bool = False
    over: bool = False

    def run(self) -> None:
        """Ask until it is over; whatever goes wrong ends the asking alone."""
        clock = self.context.clock
        try:
            last = False
            while not last and not self.over:
                last, asked_s = self.closing, clock.now()
                answer = self.ask(self.probe)
                if self.over:
                    return
                self._note(asked_s - self.began_s, answer.up, answer.observation)
                left = asked_s + self.probe.every_s - clock.now()
                clock.wait_for(self._is_closing, 0.0 if last else max(left, 0.0))
        except Exception as error:
            log.warning("probe %s: %s", self.tally.name, error, exc_info=True)
            self.tally.note(clock.now() - self.began_s, None, str(error))

    def _is_closing(self) -> bool:
        return self.closing

    def _note(self, at_s: float, up: bool | None, message: str) -> None:
        """Count an answer, and say so if it is another than before."""
        tally, before = self.tally, self.tally.down
        unknown = tally.unknown
        tally.note(at_s, up, message)
        say = self.context.output.print_info
        if tally.down and not before:
            say(f"Probe {tally.name}: {message}")
        elif before and not tally.down:
            last = tally.intervals[-1]
            took = format_duration((last.ended_s or at_s) - last.began_s)
            say(f"Probe {tally.name}: answering again, after an outage of {took}")
        elif up is None and not unknown:
            say(f"Probe {tally.name} cannot run: {message}")
