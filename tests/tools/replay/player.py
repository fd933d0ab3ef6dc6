"""Plays facts to a lab: the requests in order, at the times that the recording shows.

Owns the driving: a lab of its own on a stepped clock, HTTPS, the durations of operations. Each
step has a moment of its own, far from the next; an operation takes as long as the recording
saw it under way, so that what is replayed is the recording's order of events and not its
seconds. Everything else is the lab's own doing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.core.timing import Durations
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server.server import LabServer
from tests.tools.replay.facts import Facts, Step
from tests.tools.replay.symbols import SUBSCRIPTION

Json = Any
APART_S = 1000.0
"""Modelled seconds between two steps."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the lab answered. ``headers`` are in lower case."""

    status: int
    body: Json
    headers: dict[str, str]


class _Told(Durations):
    """Durations as the player tells them: the first asked for by a request, then none."""

    def __init__(self) -> None:
        super().__init__()
        self.next_s = 0.0

    def draw_seconds(self, type_: str, verb: str, size: str = "", resource: str = "") -> float:
        """How long an operation takes; a request that asks several times gets it once."""
        value, self.next_s = self.next_s, 0.0
        return value


@dataclass
class Player:
    """A client of one lab."""

    lab: Lab
    clock: SteppedClock
    endpoint: str
    pool: urllib3.PoolManager
    durations: _Told
    token: str = ""
    refused_before: list[str] = field(default_factory=list)
    """Resources that the recording presumes and the lab would not make, with why."""
    not_modelled: set[str] = field(default_factory=set)
    """The paths of those among them that the lab does not model."""

    def sign_in(self) -> None:
        """Get a token for the lab."""
        identity = self.lab.identity
        fields = {
            "grant_type": "client_credentials",
            "client_id": identity.client_id,
            "client_secret": identity.client_secret,
            "scope": f"{self.endpoint}/.default",
        }
        url = f"{self.endpoint}/{identity.tenant}/oauth2/v2.0/token"
        base_h_t_t_p_response = self.pool.request(
            "POST", url, fields=fields, encode_multipart=False
        )
        self.token = json.loads(base_h_t_t_p_response.data)["access_token"]

    def send(self, method: str, url: str, body: Json = None) -> Answer:
        """Send one request."""
        data = None
        if body is not None:
            data = json.dumps(body).replace(SUBSCRIPTION, self.lab.identity.subscription).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        base_h_t_t_p_response = self.pool.request(method, url, body=data, headers=headers)
        parsed = json.loads(base_h_t_t_p_response.data) if base_h_t_t_p_response.data else None
        low = {
            str(name).lower(): str(value) for name, value in base_h_t_t_p_response.headers.items()
        }
        return Answer(base_h_t_t_p_response.status, parsed, low)

    def url(self, path: str, api_version: str, **query: str) -> str:
        """The lab's URL for a path of the facts."""
        requested = urlencode({**query, **({"api-version": api_version} if api_version else {})})
        own = path.replace(SUBSCRIPTION, self.lab.identity.subscription)
        return f"{self.endpoint}{own}?{requested}"

    def advance_to(self, when_s: float) -> None:
        """Let time pass up to a moment."""
        if when_s > self.clock.now():
            self.clock.sleep(when_s - self.clock.now())

    def make_before(self, step: Step) -> None:
        """Make what the recording presumes at a step."""
        for path, body in step.before:
            answer = self.send("PUT", self.url(path, "2024-05-01"), body)
            if answer.status >= 400:
                error = (answer.body or {}).get("error", {})
                self.refused_before.append(f"{path}: {error.get('code')} {error.get('message')}")
                if answer.status == 501:
                    self.not_modelled.add(path)
            self.clock.sleep(20.0)


@contextmanager
def lab_of(facts: Facts, directory: Path | None = None) -> Iterator[Player]:
    """A lab at the recording's own date, and a client of it."""
    clock = SteppedClock()
    lab = Lab(clock, seed=1, today=facts.date, refuse_lab_paths=True)
    lab.durations = durations = _Told()
    with LabServer(lab, directory) as server:
        pool = urllib3.PoolManager(ca_certs=str(server.ca_file), retries=False)
        player = Player(lab, clock, server.endpoint, pool, durations)
        player.sign_in()
        try:
            yield player
        finally:
            pool.clear()


def play(facts: Facts, player: Player) -> list[Answer | None]:
    """The lab's answers, one a step; None where a poll has no URL to ask."""
    answers: list[Answer | None] = []
    for number, step in enumerate(facts.steps):
        moment_s = (number + 1) * APART_S
        player.advance_to(moment_s - APART_S / 4)
        player.make_before(step)
        player.advance_to(moment_s)
        if step.unfinished_until is not None:
            player.durations.next_s = (step.unfinished_until - number + 0.5) * APART_S
        answers.append(_one(player, step, answers))
        player.durations.next_s = 0.0
    return answers


def _one(player: Player, step: Step, answers: list[Answer | None]) -> Answer | None:
    if step.polls is None:
        url = player.url(step.path, step.api_version, **step.query)
        return player.send(step.method, url, step.body)
    started = answers[step.polls]
    url = started.headers.get(step.by or "", "") if started is not None else ""
    return player.send("GET", url) if url else None
