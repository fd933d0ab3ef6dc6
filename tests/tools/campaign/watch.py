"""What a lab is asked during a trial, written down; and the trouble, brought about on time.

Owns the place between the lab's web server and its ARM service: every request passes here.
It decides nothing about what is right: that is ``checks``' business.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from aiohttp import web

from erfailover.lab.arm import service
from erfailover.lab.core.protocol import Answer, Request
from erfailover.lab.core.world import Resource
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server import application
from tests.tools.campaign.cells import BREAK, MAKE, Cell, Moment
from tests.tools.campaign.faults import ENDS, ON_THE_WAY, Page, faults, struck
from tests.tools.campaign.machine import Machine
from tests.tools.campaign.somebody import change
from tests.tools.campaign.troubles import FOR_GOOD, MACHINE, REFUSED, SOMEBODY, Trouble

HANDLE = service.handle
RESPONSE = application._build_response


def response(request: web.Request, answer: Answer) -> web.Response:
    """The answer as the lab's server sends it; a page as it is."""
    if isinstance(answer.body, Page):
        return web.Response(status=answer.status, text=answer.body, content_type="text/html")
    return RESPONSE(request, answer)


@dataclass(frozen=True, slots=True)
class Seen:
    """One request.

    Attributes:
        run: the run that made it: 1, 2 or 3.
        remote: the ``useRemoteGateways`` of a peering's body; None for anything else.
        second: whether that asks for a second remote gateway of a VNet.
        leased: of a write: whether the writer held the site's lease.
        announced: of a write: whether the journal told of it before.
        garbled: whether the answer made no sense.
        poll_of: of a poll: the method and path of the request that began the operation.
    """

    run: int
    at_s: float
    method: str
    path: str
    status: int
    code: str
    faults: tuple[str, ...] = ()
    remote: bool | None = None
    second: bool = False
    leased: bool = True
    announced: bool = True
    garbled: bool = False
    poll_of: str = ""


def short(path: str) -> str:
    """A path from the resource's type on."""
    path = re.sub("/+", "/", path).rstrip("/")
    return re.sub(r"^.*/providers/Microsoft\.\w+/", "", path, flags=re.IGNORECASE)


@dataclass
class Watch:
    """Sees every request of a trial, and brings the trouble of its cell about.

    Attributes:
        state: the folder of all state; the site's is in it.
        victim: the process to kill, where the trouble is that.
        kill_at_write: the number of the write to kill it at, instead of at the cell's call.
        kill_after: whether that write is done first.
    """

    lab: Lab
    state: Path
    machine: Machine | None = None
    cell: Cell | None = None
    victim: int | None = None
    writers: frozenset[int] = frozenset()
    """The processes that may write in the first run, where it is not this one or the victim."""
    kill_at_write: int = 0
    kill_after: bool = False
    gone: int = 0
    """The id of a process that has ended: the one that takes the lease, where it is lost."""
    run: int = 0
    seen: list[Seen] = field(default_factory=list)
    killed: bool = False
    struck: bool = False
    """Whether a trouble that shows in no trace has come."""
    _refusals: int = 0
    """How many writes that roll the break back were refused."""
    _counted: dict[tuple[str, str], int] = field(default_factory=dict)
    _operations: dict[str, str] = field(default_factory=dict)
    _writes: int = 0
    _operation: str | None = None
    """The operation that the cell's call began."""
    _known: int = 0
    """The length of the journal when the run began."""

    @property
    def journal(self) -> Path | None:
        """The site's journal; None where there is none yet."""
        try:
            return self._file("journal.jsonl")
        except StopIteration:
            return None

    def _file(self, name: str) -> Path:
        return next(self.state.glob(f"sites/*/{name}"))

    def install(self) -> None:
        """Let every request pass here."""
        service.handle = self.handle
        application._build_response = response

    def begin(self, run: int) -> None:
        """A run begins; the first is the one that meets the trouble."""
        self.run = run
        journal = self.journal
        self._known = journal.stat().st_size if journal is not None else 0
        if self.machine is not None:
            self.machine.begin(run)
        if run == 1 and self.cell is not None:
            self.lab.add_faults(*faults(self.cell))
        else:
            self.lab.clear_faults()

    def handle(self, lab: Cloud, request: Request) -> Answer:
        """Answer a request, with what shall go wrong."""
        path = short(request.path)
        here = self._here(request.method, path)
        polled = self._operation is not None and path.endswith(f"/{self._operation}")
        if self._kills(Moment.BEFORE, here) or self._kills(Moment.DURING, polled):
            return self._dead(request, path, _drop_connection)
        if here and self._kills(Moment.LOST, here):
            return self._dead(request, path, lambda: HANDLE(lab, request))
        if self._kills_at_this_write(request.method):
            work = partial(HANDLE, lab, request) if self.kill_after else _drop_connection
            return self._dead(request, path, work)
        note = self._describe_write(request, path)
        if here:
            self._comes(Moment.BEFORE, request)
        if polled:
            self._comes(Moment.DURING, request)
        refused = self._refuse_write(path, note)
        answer = refused or HANDLE(lab, request)
        self._note(request, path, answer, note)
        if here:
            self._began(answer)
            self._comes(Moment.LOST, request)
        if polled and _has_succeeded(answer):
            if self._kills(Moment.AFTER, True):
                return self._dead(request, path, lambda: answer, note=False)
            self._comes(Moment.AFTER, request)
        return answer

    def _comes(self, moment: Moment, request: Request) -> None:
        """Bring a trouble about that comes once, at this moment of the cell's call."""
        cell = self.cell
        if cell is None or cell.moment is not moment or self.struck:
            return
        trouble = cell.trouble
        if trouble in MACHINE and self.machine is not None:
            self.machine.strike(self._file("lease.json"))
        elif trouble in SOMEBODY:
            change(self.lab, cell.direction, trouble, request)
        elif trouble in FOR_GOOD:
            self.lab.add_faults(*struck(trouble, after=False, method="*", path="*"))
        elif trouble is Trouble.LEASE_LOST:
            self._lose_the_lease()
        elif trouble not in REFUSED:
            return
        self.struck = True

    def _refuse_write(self, path: str, note: Mapping[str, bool | None]) -> Answer | None:
        """Refuse the make, or what rolls the break back, where that is the cell's trouble."""
        cell, name = self.cell, path.rsplit("/", 1)[-1]
        if cell is None or cell.trouble not in REFUSED or not self.struck or self.run != 1:
            return None
        if "remote" not in note:
            return None
        trouble, remote = cell.trouble, note["remote"]
        if name == MAKE[cell.direction] and remote:
            if cell.moment is Moment.DURING and not self._operation:
                return None  # its operation fails
            return _refuse_as_locked()
        clears = name == MAKE[cell.direction]
        restores = name == BREAK[cell.direction] and remote
        if not clears and not restores:
            return None
        if trouble is Trouble.CLEARING_REFUSED:
            return _refuse_as_locked() if clears else None
        most = {Trouble.REFUSED_ONCE: 1, Trouble.REFUSED_TWICE: 2}.get(trouble)
        if most is not None and self._refusals >= most:
            return None
        self._refusals += 1
        return _refuse_as_locked()

    def _here(self, method: str, path: str) -> bool:
        """Whether this is the cell's call."""
        if self.run != 1 or self.cell is None:
            return False
        key = (method, path)
        self._counted[key] = self._counted.get(key, 0) + 1
        call = self.cell.call
        return key == (call.method, call.path) and self._counted[key] == call.nth

    def _kills(self, moment: Moment, now: bool) -> bool:
        cell = self.cell
        return (
            now
            and not self.killed
            and cell is not None
            and cell.trouble is Trouble.KILLED
            and cell.moment is moment
        )

    def _kills_at_this_write(self, method: str) -> bool:
        if not self.kill_at_write or self.killed or method not in ("PUT", "DELETE"):
            return False
        self._writes += 1
        return self._writes == self.kill_at_write

    def _dead(
        self, request: Request, path: str, work: Callable[[], Answer], note: bool = True
    ) -> Answer:
        """Do the work, or not, and let nobody be there for the answer."""
        before = self._describe_write(request, path)
        if self.victim is not None:
            os.kill(self.victim, signal.SIGKILL)
        self.killed = True
        answer = work()
        if note:
            self._note(request, path, answer, before)
        return Answer(503, drop=True)

    def _began(self, answer: Answer) -> None:
        """The cell's call was answered: what comes during its operation is armed now."""
        url = answer.headers.get("Azure-AsyncOperation") or answer.headers.get("Location")
        if url is None or self.cell is None:
            return
        self._operation = _operation(url)
        trouble = self.cell.trouble
        if self.cell.moment is Moment.DURING and trouble not in (*ENDS, *ON_THE_WAY):
            path = f"*/{self._operation}"
            self.lab.add_faults(*struck(trouble, after=False, method="GET", path=path))

    def _lose_the_lease(self) -> None:
        """Let somebody else hold the lease."""
        file = self._file("lease.json")
        record = json.loads(file.read_text("utf-8"))
        other = {"pid": self.gone, "token": "another", "command": "switch", "started": "1"}
        file.write_text(json.dumps(record | other), "utf-8")

    def _describe_write(self, request: Request, path: str) -> dict[str, bool | None]:
        """What is known of a write before it is done."""
        if request.method not in ("PUT", "DELETE"):
            return {}
        by_name: dict[str, bool | None] = {
            "leased": self._has_lease(),
            "announced": self._is_announced(request.path),
        }
        if request.method == "PUT" and "/virtualNetworkPeerings/" in path:
            body = json.loads(request.body or b"{}").get("properties", {})
            by_name["remote"] = bool(body.get("useRemoteGateways"))
            by_name["second"] = bool(by_name["remote"]) and self._used_by_another(path)
        return by_name

    def _has_lease(self) -> bool:
        damaged = self.cell is not None and self.cell.trouble is Trouble.LEASE_DAMAGED
        if damaged and self.struck and self.run == 1:
            return True  # nobody else has it either
        try:
            holder = json.loads(self._file("lease.json").read_text("utf-8"))
        except (OSError, ValueError, StopIteration):
            return False
        if self.run == 1 and (self.writers or self.victim):
            return int(holder["pid"]) in (self.writers or {self.victim})
        return int(holder["pid"]) == os.getpid()

    def _is_announced(self, path: str) -> bool:
        journal = self.journal
        if journal is None:
            return False
        with journal.open("rb") as file:
            file.seek(self._known)
            text = file.read().decode()
        desired = re.sub("/+", "/", path).lower()
        records = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        return any(
            record.get("event") == "intent" and str(record.get("resource")).lower() == desired
            for record in records
        )

    def _used_by_another(self, path: str) -> bool:
        network, _, name = path.partition("/virtualNetworkPeerings/")
        with self.lab.lock:
            self.lab.catch_up()
            for resource in self.lab.world.iter_by_type(
                "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"
            ):
                owner, _, other = short(str(resource.id)).partition("/virtualNetworkPeerings/")
                if owner == network and other != name and uses(resource):
                    return True
        return False

    def _note(
        self, request: Request, path: str, answer: Answer, note: dict[str, bool | None]
    ) -> None:
        url = answer.headers.get("Azure-AsyncOperation") or answer.headers.get("Location")
        if url is not None:
            self._operations[_operation(url)] = f"{request.method} {path}"
        traced = self.lab.trace[-1] if self.lab.trace else None
        self.seen.append(
            Seen(
                run=self.run,
                at_s=self.lab.world.now,
                method=request.method,
                path=path,
                status=answer.status,
                code=answer.code,
                faults=traced.faults if traced is not None else (),
                garbled=isinstance(answer.body, Page | list),
                poll_of=self._operations.get(path.rsplit("/", 1)[-1], ""),
                **note,  # type: ignore[arg-type]
            )
        )

    def has_fired(self) -> bool:
        """Whether the lab's trace, or the end of the victim, shows that the trouble came."""
        return self.killed or self.struck or any(item.faults for item in self.seen if item.run == 1)


def uses(peering: Resource) -> bool:
    """Whether a peering uses remote gateways, or is going to if its operation succeeds.

    What a failed operation shows is not in force.
    """
    coming = peering.state == "Updating" and peering.properties.get("useRemoteGateways")
    return bool(coming or peering.active_properties.get("useRemoteGateways"))


def _refuse_as_locked() -> Answer:
    """What a lock on the scope answers to every write."""
    error = {"code": "ScopeLocked", "message": "The scope cannot perform write operation."}
    return Answer(409, {"error": error}, code="ScopeLocked")


def _drop_connection() -> Answer:
    return Answer(503, drop=True)


def _operation(url: str) -> str:
    return url.partition("?")[0].rstrip("/").rsplit("/", 1)[-1]


def _has_succeeded(answer: Answer) -> bool:
    status = answer.body.get("status") if isinstance(answer.body, dict) else None
    return status == "Succeeded" or answer.status == 204
