"""One cell, tried in a forked process: run, run again, run a third time, and what came of it.

Owns the order of a trial. What is right is ``checks``' business.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from erfailover.cli.main import invoke
from erfailover.lab.core.world import Body, Resource
from erfailover.runtime.clock import SystemClock
from tests.support.clocks import ResumedClock
from tests.tools.campaign import checks
from tests.tools.campaign.cells import BREAK, MAKE, Cell, Direction
from tests.tools.campaign.checks import Ending, Flags, Record
from tests.tools.campaign.machine import Machine
from tests.tools.campaign.troubles import Trouble
from tests.tools.campaign.warm import SECRETS, Ran, Warm
from tests.tools.campaign.watch import Watch

KILL_SPEED = 100.0
"""How fast the clock runs while a process of its own is waited for that will be killed."""
DRAINED_S = 0.3
"""Wall seconds in which the lab takes in what a killed process had sent besides."""
NICS = "Microsoft.Network/networkInterfaces"
PEERINGS = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"
FLAGS = (
    "allowVirtualNetworkAccess",
    "allowForwardedTraffic",
    "allowGatewayTransit",
    "useRemoteGateways",
)
OUTWARD = frozenset({*BREAK.values(), *MAKE.values()})
SPOKE = "vm1-nic1"
INTERNET, OFFICE = "8.8.4.4", "10.5.0.4"


@dataclass(frozen=True)
class Result:
    """What a cell came to, as it crosses the pipe."""

    id: str
    problems: list[str]
    codes: list[int | None] = field(default_factory=list)
    recovery_s: float = 0.0
    """Modelled seconds of the run that brought the spoke to its target."""
    calls: list[tuple[str, str, int, bool | None]] = field(default_factory=list)
    flags: dict[str, list[bool]] = field(default_factory=dict)
    stranded: list[bool] = field(default_factory=list)
    """Whether the spoke had no path when the first run's process ended, and after the second."""
    ending: str = str(Ending.ITSELF)
    without_s: float = 0.0
    """The longest time without a path until the first run's process ended, in modelled seconds."""
    last: str = ""
    """The last message of the first run."""
    detail: str = ""

    def data(self) -> dict[str, Any]:
        """As plain JSON data."""
        return asdict(self)


def flags(warm: Warm) -> Flags:
    """The peerings of the spoke, as the lab has them in force; what is under way counts as done."""
    lab = warm.lab
    with lab.lock:
        lab.catch_up()
        return {
            resource.id.name: [
                bool(_get_effective_properties(resource).get(flag)) for flag in FLAGS
            ]
            for resource in lab.world.iter_by_type(PEERINGS)
            if resource.active is not None and "vnet1" in resource.id.name.split("-")
        }


def _get_effective_properties(peering: Resource) -> Body:
    return peering.properties if peering.state == "Updating" else peering.active_properties


class Paths:
    """Whether the spoke has a path, at every change of the lab's world.

    It has one if exactly one of its outward peerings uses remote gateways in force, is Connected
    and Succeeded.

    Attributes:
        without_s: the longest time without, in modelled seconds.
    """

    def __init__(self, warm: Warm) -> None:
        self._warm = warm
        self._since: float | None = None
        self.without_s = 0.0
        warm.lab.listen(self._note)

    def there(self) -> bool:
        """Whether it has one now."""
        with self._warm.lab.lock:
            self._warm.lab.catch_up()
            return self._note_change()

    def _note(self) -> None:
        self._note_change()

    def _note_change(self) -> bool:
        world = self._warm.lab.world
        there = sum(map(_carries, world.iter_by_type(PEERINGS))) == 1
        if self._since is not None:
            self.without_s = max(self.without_s, world.now - self._since)
        if there:
            self._since = None
        elif self._since is None:
            self._since = world.now
        return there


def _carries(peering: Resource) -> bool:
    active = peering.active_properties
    return (
        peering.id.name in OUTWARD
        and bool(active.get("useRemoteGateways"))
        and active.get("peeringState") == "Connected"
        and peering.state == "Succeeded"
    )


def passes(warm: Warm, destination: str) -> bool:
    """Whether the spoke's machine gets an answer, by the lab's own routes."""
    lab = warm.lab
    with lab.lock:
        lab.catch_up()
        nic = next(
            resource for resource in lab.world.iter_by_type(NICS) if resource.id.name == SPOKE
        )
        return lab.plane.trace_packet(nic, destination).reached


def watch_internet(warm: Warm, cuts: list[str]) -> None:
    """Note every change of the world at which the Internet path is cut."""
    lab = warm.lab
    nic = next(resource for resource in lab.world.iter_by_type(NICS) if resource.id.name == SPOKE)

    def look() -> None:
        trace = lab.plane.trace_packet(nic, INTERNET)
        if not trace.reached:
            cuts.append(f"{lab.world.now:.0f} s: {trace.reason}")

    lab.listen(look)


def try_cell(
    warm: Warm,
    direction: Direction,
    cell: Cell | None,
    desired: Flags | None,
) -> Result:
    """Try a cell; without one, a clean run, by which the others are judged."""
    random.seed(cell.id if cell else "clean")
    arguments = ["switch", "--to", str(direction), "--yes"]
    dies = cell is not None and cell.trouble is Trouble.KILLED
    warm.use_own_state()
    machine = Machine(warm, cell.trouble if cell else None)
    watch = Watch(warm.lab, warm.state, machine, cell, gone=_make_dead_pid())
    victim = Victim(warm, tuple(arguments)) if dies else None
    if victim is not None:
        watch.victim = victim.pid
        warm.lab.clock = ResumedClock(KILL_SPEED, warm.clock.now())
    cuts: list[str] = []
    watch_internet(warm, cuts)
    paths = Paths(warm)
    machine.install()
    watch.install()
    runs: list[Ran | None] = []
    after: list[Flags] = []
    office: list[bool] = []
    stranded: list[bool] = []
    without_s = 0.0
    with warm.serving() as server:
        for number in (1, 2, 3):
            if number == 3 and _nothing_can_differ(runs, watch):
                break
            watch.begin(number)
            if number == 1 and victim is not None:
                runs.append(victim.run(server.build_environment()))
                stranded.append(not paths.there())
                warm.clock.sleep(warm.lab.clock.now() - warm.clock.now())
                warm.lab.clock = warm.clock
            else:
                runs.append(warm.run(*arguments))
                machine.end()
                stranded.append(not paths.there())
            if number == 1:
                without_s = paths.without_s
                if cell is not None and cell.trouble is Trouble.LEASE_DAMAGED:
                    arguments.append("--take-over")  # as its message says
            after.append(flags(warm))
            office.append(passes(warm, OFFICE))
    record = Record(
        cell=cell,
        direction=direction,
        runs=runs,
        seen=watch.seen,
        fired=watch.has_fired(),
        flags=after,
        wanted=desired or after[1],
        cuts=cuts,
        office=office,
        journal=(warm.site_state / "journal.jsonl").read_text("utf-8", "replace"),
        stranded=stranded,
        without_s=without_s,
        secrets=secrets(warm),
    )
    return _result(record, watch)


def _nothing_can_differ(runs: list[Ran | None], watch: Watch) -> bool:
    """Whether a third run would be the second again: that wrote nothing, after one that succeeded.

    The world, the arguments and the controller are the same.
    """
    return all(ran is not None and ran.code == 0 for ran in runs) and not checks.changes(
        watch.seen, 2
    )


def _result(record: Record, watch: Watch) -> Result:
    first, second = record.runs[0], record.runs[1]
    assert second is not None
    done = first if first is not None and first.code == 0 else second
    lines = checks.problems(record)
    return Result(
        id=record.cell.id if record.cell else "clean",
        problems=lines,
        codes=[None if ran is None else ran.code for ran in record.runs],
        recovery_s=round(done.seconds, 1),
        calls=[
            (item.method, item.path, item.status, item.remote)
            for item in watch.seen
            if item.run == 1
        ],
        flags={name: list(flag) for name, flag in record.flags[1].items()},
        stranded=list(record.stranded[:2]),
        ending=str(checks.ending(record)),
        without_s=round(record.without_s, 1),
        last=checks.last(first) if first is not None else "",
        detail=_detail(record),
    )


def _detail(record: Record) -> str:
    lines = []
    for number, ran in enumerate(record.runs, 1):
        lines.append(f"run {number}: " + ("killed" if ran is None else f"exit {ran.code}"))
        for change in checks.changes(record.seen, number):
            struck = f" struck by {', '.join(change.faults)}" if change.faults else ""
            lines.append(
                f"  {change.at_s:.1f} s {change.method} {change.path.rsplit('/', 1)[-1]} "
                f"remote={change.remote} -> {change.status} {change.code}{struck}"
            )
        lines.append("" if ran is None else ran.err)
    return "\n".join(lines)


def _make_dead_pid() -> int:
    """The id of a process that has ended."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def secrets(warm: Warm) -> list[str]:
    """What must not be told: keys, passwords, tokens."""
    token = Path(os.environ["AZURE_FEDERATED_TOKEN_FILE"]).read_text("utf-8")
    return [*SECRETS.values(), token, warm.lab.identity.client_secret]


class Victim:
    """A process of its own that will be killed: forked, so that it need not load the SDK.

    It waits until it is told where the lab is.
    """

    def __init__(
        self, warm: Warm, arguments: tuple[str, ...], name: str = "", speed: float = KILL_SPEED
    ) -> None:
        count, self._tell = os.pipe()
        self.speed = speed
        self.errors = warm.folder / f"victim-{os.getpid()}-{name}"
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._tell)
            self._be_it(warm, arguments, count)
        os.close(count)

    def _be_it(self, warm: Warm, arguments: tuple[str, ...], count: int) -> None:
        code = 1
        try:
            os.environ |= json.loads(os.read(count, 65536))
            with self.errors.open("w", encoding="utf-8") as file:
                sys.stdout = sys.stderr = file
                code = invoke(list(arguments), SystemClock(self.speed))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def run(self, environment: dict[str, str]) -> Ran | None:
        """Let it go on; None where it was killed, as it should be."""
        self.tell(environment)
        return self.end()

    def tell(self, environment: dict[str, str]) -> None:
        """Tell it where the lab is: it begins."""
        os.write(self._tell, json.dumps(environment).encode())
        os.close(self._tell)

    def end(self) -> Ran | None:
        """Wait for its end; None where it was killed."""
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status):
            time.sleep(DRAINED_S)
            return None
        return Ran(os.waitstatus_to_exitcode(status), "", self.errors.read_text("utf-8"), 0.0)
