"""Nothing that Azure sends crashes a command: its answers, changed by chance, over HTTPS."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from erfailover.lab.arm import service
from erfailover.lab.core.protocol import Answer, Request
from tests.support.adopted import Adopted, Made, adopted, made_once
from tests.support.mutations import mutant
from tests.support.probes import add_probes
from tests.support.provoked import arm_of
from tests.support.stage import Stage

__all__ = ["Made", "adopted", "made_once"]

ROUNDS = 6
"""How often each command is run, each time with other answers changed."""
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("status", "-o", "json"),
    ("status",),
    ("doctor", "-o", "json"),
    ("switch", "--to", "ipsec", "--dry-run", "-o", "json"),
    ("switch", "--to", "ipsec", "--dry-run"),
    ("export", "terraform"),
    ("export", "bicep"),
    ("prestage", "--dry-run"),
)
OWN_COMMANDS: tuple[tuple[str, ...], ...] = (
    ("verify",),
    ("verify", "-o", "json"),
    ("doctor",),
    ("permissions",),
    ("permissions", "--role-definition", "read"),
    ("provision", "--dry-run"),
    ("destroy", "--dry-run"),
    ("switch", "--to", "ipsec", "--yes", "--planned"),
    ("switch", "--to", "expressroute", "--yes"),
)
"""On a site that erfailover made, with probes that Azure answers."""


@dataclass
class Mutator:
    """Changes some of the lab's answers on their way out.

    Attributes:
        seed: decides which, and how.
        told: what was changed.
    """

    seed: int | None = None
    told: list[str] = field(default_factory=list)

    def answer(self, request: Request, answer: Answer) -> Answer:
        if self.seed is None or answer.status >= 300 or not isinstance(answer.body, dict):
            return answer
        chance = random.Random(f"{self.seed} {request.method} {request.path}")
        if chance.random() > 0.15:
            return answer
        text, body = mutant(answer.body, chance, chance.choice((1, 1, 3)))
        self.told.append(f"{request.method} {request.path}: {text}")
        return replace(answer, body=body)


@pytest.fixture
def mutator(monkeypatch: pytest.MonkeyPatch) -> Mutator:
    result, handle = Mutator(), service.handle

    def mutate_answer(lab: Any, request: Request) -> Answer:
        return result.answer(request, handle(lab, request))

    monkeypatch.setattr(service, "handle", mutate_answer)
    return result


def run(stage: Stage, mutator: Mutator, seed: int, command: tuple[str, ...]) -> None:
    mutator.seed, mutator.told = seed, []
    try:
        code = stage.run(*command)
    finally:
        mutator.seed = None
    problem = f"{command}, seed {seed}: exit {code}\n{stage.err}\n" + "\n".join(mutator.told)
    assert "a bug in erfailover" not in stage.err, problem
    assert code in (0, 2, 3, 4, 5, 6), problem
    assert stage.out or stage.err.strip(), problem


@pytest.mark.timeout(900)
def test_no_answer_of_azure_crashes_a_probe_a_role_or_a_write(
    provisioned: Stage, mutator: Mutator, capsys: pytest.CaptureFixture[str]
) -> None:
    stage, seed, changed = provisioned, 0, 0
    arm = arm_of(stage)
    arm.put("networkWatchers/watcher", {}, location="westeurope")
    arm.pool.clear()
    add_probes(
        "hop: {machine: vm1, address: 10.5.0.4, next_hop_type: VirtualNetworkGateway}",
        "ssh: {machine: vm1, address: 10.5.0.4, tcp: 22}",
        "way: {interface: vm1-nic1, prefix: 10.5.0.0/16, next_hop_type: VirtualNetworkGateway}",
    )
    assert len(stage.json("verify")) == 5
    for _ in range(ROUNDS):
        for command in OWN_COMMANDS:
            seed += 1
            run(stage, mutator, 90_000 + seed, command)
            changed += len(mutator.told)
            stage.pass_time(600.0)
    with capsys.disabled():
        print(f"\n{seed} commands met {changed} changed answers")
    assert changed > 10 * ROUNDS


@pytest.mark.timeout(900)
def test_no_answer_of_azure_crashes_a_command(
    adopted: Adopted, mutator: Mutator, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = adopted.stage
    stage.do(*adopted.init)
    seed = changed = 0
    for _ in range(ROUNDS):
        for command in COMMANDS:
            seed += 1
            run(stage, mutator, seed, command)
            changed += len(mutator.told)
        run(stage, mutator, seed, (*adopted.init, "--force"))
        changed += len(mutator.told)
        mutator.seed = None
        stage.do(*adopted.init, "--force")
    with capsys.disabled():
        print(f"\n{seed + ROUNDS} commands met {changed} changed answers")
    assert changed > 10 * ROUNDS
