"""One command whose answers are made wrong from some moment on, in a forked process."""

from __future__ import annotations

import io
import random
import re
import threading
from dataclasses import asdict, dataclass, field
from typing import Any

import requests
from urllib3 import HTTPResponse

from erfailover.azure.client.access import OneContextAdapter
from tests.tools.answers.mutations import Raw, mutate
from tests.tools.campaign.trial import SPOKE, flags
from tests.tools.campaign.warm import Warm

DOCUMENTED = frozenset({0, 2, 3, 4, 5, 6, 130})
LONGEST_S = 2 * 3600.0
"""How long a command may go on about answers that make no sense, in modelled seconds."""
FOREVER = 10**9
REMOTE = 3
"""The position of ``useRemoteGateways`` among the flags of a trial."""


@dataclass(frozen=True)
class Plan:
    """Which answers of a command are made wrong.

    Attributes:
        first: the number of the first one.
        count: how many, counted from it.
        like_first: only those to the same request as the first one.
    """

    seed: str
    arguments: tuple[str, ...]
    first: int
    count: int
    like_first: bool


@dataclass
class Outcome:
    """What a trial came to, as it crosses the pipe."""

    seed: str
    arguments: tuple[str, ...]
    code: int
    answers: int
    said: list[str]
    problems: list[str] = field(default_factory=list)
    detail: str = ""


class Mutating:
    """Stands between the controller's connections and its clients."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.chance = random.Random(plan.seed)
        self.answers = 0
        self.struck = 0
        self.target: str | None = None
        self.said: list[str] = []
        self.lock = threading.Lock()
        self.send = OneContextAdapter.send

    def install(self) -> None:
        """Let every answer pass here."""
        mutating = self

        def send(adapter: Any, request: Any, **kwargs: Any) -> requests.Response:
            received = mutating.send(adapter, request, **kwargs)
            return mutating.answer(adapter, request, received)

        setattr(OneContextAdapter, "send", send)  # noqa: B010 - of another signature

    def answer(self, adapter: Any, request: Any, received: requests.Response) -> requests.Response:
        """Return an answer, or what became of it."""
        with self.lock:
            self.answers += 1
            name = f"{request.method} {re.sub('[?].*', '', request.url)}"
            if not self._strikes(name):
                return received
            self.struck += 1
            raw = Raw(
                received.status_code,
                dict(received.headers),
                received.raw.read(decode_content=False),
            )
            mutate(self.chance, raw)
            if len(self.said) < 20:
                self.said.append(f"{self.answers} {name[-70:]}: {'; '.join(raw.said)}")
        received.close()
        if raw.dropped:
            raise requests.ConnectionError("dropped")
        if not any(text.startswith("Content-Length:") for text in raw.said):
            raw.set("Content-Length", str(len(raw.body)))
        h_t_t_p_response = HTTPResponse(
            io.BytesIO(raw.body),
            raw.headers,
            raw.status,
            preload_content=False,
            request_method=request.method,
        )
        return adapter.build_response(request, h_t_t_p_response)  # type: ignore[no-any-return]

    def _strikes(self, name: str) -> bool:
        if self.answers < self.plan.first or self.struck >= self.plan.count:
            return False
        if self.target is None:
            self.target = name
        return not self.plan.like_first or name == self.target


def run_trial(warm: Warm, plan: Plan) -> dict[str, Any]:
    """Run a command once."""
    random.seed(plan.seed)
    warm.use_own_state()
    mutating = Mutating(plan)
    mutating.install()
    with warm.serving():
        ran = warm.run(*plan.arguments)
    outcome = Outcome(plan.seed, plan.arguments, ran.code, mutating.answers, mutating.said)
    text = ran.out + ran.err
    lines = outcome.problems
    if ran.code not in DOCUMENTED:
        lines.append(f"exit {ran.code}")
    if "Traceback" in text or "a bug in erfailover" in text:
        lines.append("a traceback or a bug")
    if ran.seconds > LONGEST_S:
        lines.append(f"went on for {ran.seconds:.0f} s")
    network = SPOKE.partition("-")[0].replace("vm", "vnet")
    used = {
        name: flag[REMOTE]
        for name, flag in flags(warm).items()
        if name.startswith(f"{network}-to-")
    }
    if sum(used.values()) != 1:
        lines.append(f"NO path: {used}")
    if lines:
        outcome.detail = text[-3000:]
    return asdict(outcome)
