"""Two controllers started together on one site: one switches, the other is told who does."""

from __future__ import annotations

from tests.support.clocks import ResumedClock
from tests.tools.campaign import checks
from tests.tools.campaign.cells import Direction
from tests.tools.campaign.checks import Record
from tests.tools.campaign.trial import (
    KILL_SPEED,
    OFFICE,
    Result,
    Victim,
    flags,
    passes,
    secrets,
    watch_internet,
)
from tests.tools.campaign.warm import Ran, Warm
from tests.tools.campaign.watch import Watch


def together(warm: Warm, direction: Direction, clean: Result, number: int) -> Result:
    """Start two controllers together; then the same command twice more, alone.

    One of the two ends with 0. The other is refused by the lease and says who holds it, or came
    so late that it found nothing left to do.
    """
    arguments = ("switch", "--to", str(direction), "--yes")
    warm.use_own_state()
    two = [Victim(warm, arguments, str(index)) for index in (1, 2)]
    watch = Watch(warm.lab, warm.state, writers=frozenset(victim.pid for victim in two))
    warm.lab.clock = ResumedClock(KILL_SPEED, warm.clock.now())
    cuts: list[str] = []
    watch_internet(warm, cuts)
    watch.install()
    with warm.serving() as server:
        watch.begin(1)
        for item in two:
            item.tell(server.build_environment())
        first = [victim.end() for victim in two]
        after = [flags(warm)]
        warm.clock.sleep(warm.lab.clock.now() - warm.clock.now())
        warm.lab.clock = warm.clock
        later: list[Ran | None] = []
        for run in (2, 3):
            watch.begin(run)
            later.append(warm.run(*arguments))
            after.append(flags(warm))
        office = [passes(warm, OFFICE)] * 3
    ran = [each or Ran(-9, "", "killed", 0.0) for each in first]
    winner = min(ran, key=lambda each: each.code)
    record = Record(
        cell=None,
        direction=direction,
        runs=[winner, *later],
        seen=watch.seen,
        fired=True,
        flags=after,
        wanted=clean.flags,
        cuts=cuts,
        office=office,
        journal=(warm.site_state / "journal.jsonl").read_text("utf-8"),
        secrets=secrets(warm),
    )
    lines = checks.problems(record) + _list_pair_problems(record, ran, clean)
    return Result(
        id=f"{direction}:two-together:{number}",
        problems=lines,
        codes=[each.code for each in ran],
        detail="\n".join(each.err for each in ran) if lines else "",
    )


def _list_pair_problems(record: Record, ran: list[Ran], clean: Result) -> list[str]:
    """What is wrong between the two."""
    lines = []
    codes = sorted(item.code for item in ran)
    if codes not in ([0, 0], [0, 3]):
        lines.append(f"one writer: the two exit {codes}")
    for each in ran:
        if each.code == 3 and "another run is changing the site: " not in each.err:
            lines.append("one writer: the second is not told who holds the lease")
    written = [(change.method, change.path) for change in checks.changes(record.seen, 1)]
    once = [(call[0], call[1]) for call in clean.calls if call[0] in ("PUT", "DELETE")]
    if written != once:
        lines.append(f"one writer: written {written}, not {once}")
    if checks.changes(record.seen, 2):
        lines.append("one writer: something was left to do")
    return lines
