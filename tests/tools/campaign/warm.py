"""A provisioned lab in this process, ready to be forked: no thread runs while nothing is served.

Reads of gateways' tables and Run Command take 1 and 2 s here (recorded medians: 5 and 17 s), so
that thousands of runs fit their time; writes take what was recorded.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from erfailover.azure.readers import probes
from erfailover.cli.main import invoke
from erfailover.commands.provision import command as provision_command
from erfailover.commands.provision import destroy
from erfailover.commands.status import command as status_command
from erfailover.commands.switch import command as switch_command
from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.core.timing import Durations
from erfailover.lab.engine.faults import Fault, FaultKind
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server.server import LabServer
from erfailover.runtime import journal
from tests.tools.campaign.cells import Direction, Stage

SECRETS = {
    "ERFAILOVER_SHARED_KEY": "k3yOfTh3C4mp4ign",
    "ERFAILOVER_ADMIN_PASSWORD": "P4ss-of-the-c4mpaign",
}
IDLE_S = 0.02
"""How long the thread that appends to the journal outlasts its last record, in wall seconds: no
thread may run when the process forks."""
JOINED_S = 60.0
"""How long a thread may take to end, in wall seconds, on a busy machine."""
HOLD_S, SETTLED_S = 180.0, 300.0
"""The primary's hold time has passed; the far end has let go of a dead path (hold time 180 s)."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command came to; seconds are modelled."""

    code: int
    out: str
    err: str
    seconds: float


class Quick(Durations):
    """Recorded durations, but for readings."""

    def draw_seconds(self, type_: str, verb: str, size: str = "", resource: str = "") -> float:
        """Return how long an operation takes."""
        if verb == "post":
            return 2.0 if type_.lower().endswith("runcommand") else 1.0
        return super().draw_seconds(type_, verb, size, resource)


LOADED = (probes, destroy, provision_command, status_command, switch_command)
"""What commands import when they are called is loaded before the forks, once for all."""


class Warm:
    """A lab with the proof of concept's topology, and the command line that meets it.

    Use ``bring_to`` to bring it to where a switch in a direction begins.
    """

    def __init__(self) -> None:
        for name in [name for name in os.environ if name.startswith(("AZURE_", "ERFAILOVER_"))]:
            del os.environ[name]
        # A killed process breaks its connections in the middle of a request.
        logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
        self._forks = os.getpid()
        self.folder = Path(tempfile.mkdtemp(prefix="erfailover-campaign-"))
        self.authority = self.folder / "authority"
        self.authority.mkdir()
        os.environ |= SECRETS
        os.chdir(self.folder)
        self.use_state(self.folder / "state")
        self.clock = SteppedClock()
        self.lab = Lab(self.clock, seed=1, refuse_lab_paths=True)
        self.lab.durations = Quick()
        self.streams: Callable[[], io.StringIO] = io.StringIO
        """Makes standard output and error of a command."""
        journal.IDLE_S = IDLE_S
        os.fsync = lambda fd: None  # a process that dies loses nothing it has written
        gc.disable()  # a collection would touch, and so copy, every page that forks share
        self._direction: Direction | None = None
        self._stage = Stage.COLD
        self.do("init")

    def provision(self) -> None:
        """Make the topology, with both paths up."""
        with self.serving():
            self.do("provision", "--yes")
            self.pass_time(60.0)

    def bring_to(self, direction: Direction, stage: Stage = Stage.COLD) -> None:
        """Bring the site to where a switch begins.

        To IPsec: ExpressRoute is down. To ExpressRoute: the spokes are on IPsec, ExpressRoute is
        repaired and its hold time has passed. The second comes after the first, and what is
        prestaged after what is cold.
        """
        if self._stage is not stage:
            with self.serving():
                if self._direction is Direction.EXPRESSROUTE:
                    self.do("switch", "--to", "expressroute", "--yes")
                    self.pass_time(SETTLED_S)
                self.do("prestage", "--yes")
            self._stage, self._direction = stage, None
        if self._direction is None:
            with self.serving():
                self.do("drill", "start", "--yes")
                self.pass_time(SETTLED_S)
                self._read_everything()
            self._direction = Direction.IPSEC
        if self._direction is not direction:
            with self.serving():
                self.do("switch", "--to", "ipsec", "--yes", "--planned")
                self.do("drill", "stop", "--yes")
                self.pass_time(HOLD_S)
                self._read_everything()
            self._direction = direction

    def _read_everything(self) -> None:
        """Give stale reads something to show."""
        self.lab.add_faults(Fault(FaultKind.STALE, path="/nothing"))
        self.run("status")
        self.pass_time(30.0)

    @contextmanager
    def serving(self) -> Iterator[LabServer]:
        """Serve the lab meanwhile; no thread is left afterwards in the process that forks."""
        with LabServer(self.lab, self.authority) as server:
            os.environ |= server.build_environment()
            yield server
        if os.getpid() != self._forks:
            return
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join(JOINED_S)
        if threads := [
            item for item in threading.enumerate() if item is not threading.main_thread()
        ]:
            raise RuntimeError(f"threads that would be lost by a fork: {threads}")

    def use_state(self, folder: Path) -> None:
        """Keep the state in a folder; a copy of where it was kept before."""
        before = os.environ.get("ERFAILOVER_STATE_DIR")
        if before and Path(before).is_dir():
            shutil.copytree(before, folder, dirs_exist_ok=True)
        os.environ["ERFAILOVER_STATE_DIR"] = str(folder)

    def use_own_state(self) -> None:
        """Keep the state in a folder that no other run has: numbers of processes come again."""
        self.use_state(Path(tempfile.mkdtemp(prefix="state-", dir=self.folder)))

    @property
    def state(self) -> Path:
        """The folder of all state."""
        return Path(os.environ["ERFAILOVER_STATE_DIR"])

    @property
    def site_state(self) -> Path:
        """The folder of the site's journal and lease."""
        return next(Path(os.environ["ERFAILOVER_STATE_DIR"]).glob("sites/*"))

    def run(self, *arguments: str) -> Ran:
        """Type a command."""
        out, err, began = self.streams(), self.streams(), self.clock.now()
        died = ""
        with redirect_stdout(out), redirect_stderr(err):
            try:
                code = invoke(list(arguments), self.clock)
            except (SystemExit, KeyboardInterrupt) as error:
                code, died = 1, f"ended by {error!r}"
        return Ran(code, out.getvalue(), err.getvalue() + died, self.clock.now() - began)

    def do(self, *arguments: str) -> None:
        """Type a command that must succeed."""
        ran = self.run(*arguments)
        if ran.code:
            sys.exit(f"{arguments}: {ran.code}\n{ran.err}{ran.out}")

    def pass_time(self, seconds: float) -> None:
        """Let modelled time pass."""
        self.clock.sleep(seconds)
        with self.lab.lock:
            self.lab.catch_up()

    def close(self) -> None:
        """Remove what was written."""
        os.chdir("/")
        shutil.rmtree(self.folder, ignore_errors=True)
