"""What a lab is asked during a trial, written down; and the trouble, brought about on time.

Owns the place between the lab's web server and its ARM service: every request passes here.
It decides nothing about what is right: that is ``checks``' business.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from erfailover.lab.arm import service
from erfailover.lab.core.protocol import Answer, Request
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.engine.faults import FOREVER, Fault, Kind
from erfailover.lab.engine.lab import Lab
from tests.tools.campaign.cells import Cell, Moment, Trouble

TIME_OUT_S = 60.0
"""How long the controller waits for an answer; then its connection breaks without one."""
STALE_S = 20.0
HANDLE = service.handle


@dataclass(frozen=True, slots=True)
class Seen:
    """One request.

    Attributes:
        run: the run that made it: 1, 2 or 3.
        remote: the ``useRemoteGateways`` of a peering's body; None for anything else.
        second: whether that asks for a second remote gateway of a VNet.
        leased: of a write: whether the writer held the site's lease.
        announced: of a write: whether the journal told of it before.
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
    poll_of: str = ""


def short(path: str) -> str:
    """A path from the resource's type on."""
    return re.sub(r"^.*/providers/Microsoft\.\w+/", "", re.sub("/+", "/", path)).rstrip("/")


def faults(cell: Cell) -> tuple[Fault, ...]:
    """The faults that are armed before the run; none where the trouble comes on the way."""
    call, trouble = cell.call, cell.trouble
    where = {"method": call.method, "path": call.path, "nth": call.nth}
    if trouble in (Trouble.KILLED, Trouble.LEASE_LOST) or (
        cell.moment is Moment.DURING and trouble not in ENDS
    ):
        return ()
    if trouble in ENDS:
        return (Fault(ENDS[trouble], **where),)  # type: ignore[arg-type]
    if trouble is Trouble.STALE and call.missing_before:
        return (Fault(Kind.ANSWER, status=404, code="NotFound", message="Not found.", **where),)  # type: ignore[arg-type]
    if trouble is Trouble.STALE:
        return (Fault(Kind.STALE, seconds=STALE_S, **where),)  # type: ignore[arg-type]
    if trouble is Trouble.EMPTY:
        return (Fault(Kind.EMPTY, **where),)  # type: ignore[arg-type]
    if trouble is Trouble.EMPTY_ALWAYS:
        return (Fault(Kind.EMPTY, times=FOREVER, **where),)  # type: ignore[arg-type]
    return tuple(struck(trouble, after=cell.moment is Moment.LOST, **where))  # type: ignore[arg-type]


ENDS = {Trouble.FAILED: Kind.FAILED, Trouble.CANCELED: Kind.CANCELLED}


def struck(trouble: Trouble, *, after: bool, method: str, path: str, nth: int = 1) -> list[Fault]:
    """The faults by which one request meets a trouble, before or after its work is done."""
    drop = Kind.DROP_AFTER if after else Kind.DROP_BEFORE
    answer = Kind.ANSWER_AFTER if after else Kind.ANSWER

    def fault(kind: Kind, **more: object) -> Fault:
        return Fault(kind, method, path, nth, **more)  # type: ignore[arg-type]

    match trouble:
        case Trouble.THROTTLED:
            return [fault(Kind.THROTTLE, seconds=5.0)]
        case Trouble.CONTENTION:
            headers = {"Retry-After": "13"}
            return [fault(answer, status=429, code="RetryableError", headers=headers)]
        case Trouble.NOT_PROVISIONED:
            return [fault(answer, status=400, code="ReferencedResourceNotProvisioned")]
        case Trouble.IN_PROGRESS:
            return [fault(answer, status=409, code="AnotherOperationInProgress")]
        case Trouble.SERVER_ERROR:
            return [fault(answer, status=500, code="InternalServerError")]
        case Trouble.UNAVAILABLE:
            return [fault(answer, status=503, code="ServiceUnavailable")]
        case Trouble.RESET:
            return [fault(drop)]
        case Trouble.TIME_OUT:
            return [fault(Kind.DELAY, seconds=TIME_OUT_S), fault(drop)]
        case Trouble.EXPIRED:
            return [fault(Kind.EXPIRED_TOKEN)]
        case Trouble.FORBIDDEN:
            return [fault(Kind.FORBIDDEN)]
        case _:
            raise ValueError(f"{trouble} strikes no single request")


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
    lost: bool = False
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

    def begin(self, run: int) -> None:
        """A run begins; the first is the one that meets the trouble."""
        self.run = run
        journal = self.journal
        self._known = journal.stat().st_size if journal is not None else 0
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
            return self._dead(request, path, _dropped)
        if here and self._kills(Moment.LOST, here):
            return self._dead(request, path, lambda: HANDLE(lab, request))
        if self._kills_at_this_write(request.method):
            work = partial(HANDLE, lab, request) if self.kill_after else _dropped
            return self._dead(request, path, work)
        note = self._before(request, path)
        answer = HANDLE(lab, request)
        self._note(request, path, answer, note)
        if here:
            self._began(answer)
            self._lose_the_lease()
        if polled and _succeeded(answer) and self._kills(Moment.AFTER, True):
            return self._dead(request, path, lambda: answer, note=False)
        return answer

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
        before = self._before(request, path)
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
        if self.cell.moment is Moment.DURING and trouble not in (
            *ENDS,
            Trouble.KILLED,
            Trouble.LEASE_LOST,
        ):
            path = f"*/{self._operation}"
            self.lab.add_faults(*struck(trouble, after=False, method="GET", path=path))

    def _lose_the_lease(self) -> None:
        """Let somebody else hold the lease, where that is the cell's trouble."""
        if self.cell is None or self.cell.trouble is not Trouble.LEASE_LOST:
            return
        file = self._file("lease.json")
        record = json.loads(file.read_text("utf-8"))
        other = {"pid": self.gone, "token": "another", "command": "switch", "started": "1"}
        file.write_text(json.dumps(record | other), "utf-8")
        self.lost = True

    def _before(self, request: Request, path: str) -> dict[str, bool | None]:
        """What is known of a write before it is done."""
        if request.method not in ("PUT", "DELETE"):
            return {}
        found: dict[str, bool | None] = {
            "leased": self._leased(),
            "announced": self._announced(request.path),
        }
        if request.method == "PUT" and "/virtualNetworkPeerings/" in path:
            body = json.loads(request.body or b"{}").get("properties", {})
            found["remote"] = bool(body.get("useRemoteGateways"))
            found["second"] = bool(found["remote"]) and self._used_by_another(path)
        return found

    def _leased(self) -> bool:
        try:
            holder = json.loads(self._file("lease.json").read_text("utf-8"))
        except (OSError, ValueError, StopIteration):
            return False
        if self.run == 1 and (self.writers or self.victim):
            return int(holder["pid"]) in (self.writers or {self.victim})
        return int(holder["pid"]) == os.getpid()

    def _announced(self, path: str) -> bool:
        journal = self.journal
        if journal is None:
            return False
        with journal.open("rb") as file:
            file.seek(self._known)
            text = file.read().decode()
        wanted = re.sub("/+", "/", path).lower()
        records = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        return any(
            record.get("event") == "intent" and str(record.get("resource")).lower() == wanted
            for record in records
        )

    def _used_by_another(self, path: str) -> bool:
        network, _, name = path.partition("/virtualNetworkPeerings/")
        with self.lab.lock:
            self.lab.catch_up()
            for each in self.lab.world.of_type(
                "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"
            ):
                owner, _, other = short(str(each.id)).partition("/virtualNetworkPeerings/")
                if owner == network and other != name and each.properties.get("useRemoteGateways"):
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
                poll_of=self._operations.get(path.rsplit("/", 1)[-1], ""),
                **note,  # type: ignore[arg-type]
            )
        )

    def fired(self) -> bool:
        """Whether the lab's trace, or the end of the victim, shows that the trouble came."""
        return self.killed or self.lost or any(each.faults for each in self.seen if each.run == 1)


def _dropped() -> Answer:
    return Answer(503, drop=True)


def _operation(url: str) -> str:
    return url.partition("?")[0].rstrip("/").rsplit("/", 1)[-1]


def _succeeded(answer: Answer) -> bool:
    status = answer.body.get("status") if isinstance(answer.body, dict) else None
    return status == "Succeeded" or answer.status == 204
