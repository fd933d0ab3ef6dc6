"""Whatever a client sends, the lab answers with ARM's errors: never a 500, never a stuck lock."""

from __future__ import annotations

import copy
import json
import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from erfailover.lab.arm import service
from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.core.protocol import Request
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server.server import LabServer
from tests.support import lab_story
from tests.support.arm_client import Arm, Json, Reply

ODD: tuple[Any, ...] = (
    None,
    0,
    -1,
    1.5,
    True,
    "",
    "x",
    "10.0.0.0/8",
    "10.0.0.0/33",
    "/",
    "/subscriptions/x",
    [],
    [None],
    [[]],
    {},
    {"id": None},
    {"id": "/subscriptions/a/resourceGroups/b/providers/c/d/e"},
    10**30,
    "\u00e9\x00",
)


@dataclass
class Recorder(Arm):
    """Keeps what it sends."""

    sent: list[tuple[str, str, Json]] = field(default_factory=list)

    def call(self, method: str, path: str, body: Json = None, **more: Any) -> Reply:
        if body is not None and not path.startswith("https:"):
            where = path if path.startswith("/") else self.id(path)
            self.sent.append((method, where, copy.deepcopy(body)))
        return super().call(method, path, body, **more)


def mutate(value: Json, chance: random.Random) -> Json:
    """A body with odd values here and there, and parts missing."""
    if chance.random() < 0.12:
        return chance.choice(ODD)
    if isinstance(value, dict):
        copies = {
            key: mutate(member, chance) for key, member in value.items() if chance.random() > 0.04
        }
        if chance.random() < 0.05:
            copies[chance.choice(["properties", "id", "name", "zones", "sku", "etag"])] = (
                chance.choice(ODD)
            )
        return copies
    if isinstance(value, list):
        return [mutate(member, chance) for member in value]
    return value


@pytest.mark.parametrize("seed", range(3))
def test_mutated_writes_never_break_the_lab(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    clock = SteppedClock()
    lab = Lab(clock, seed=seed)
    chance = random.Random(seed)
    with LabServer(lab) as server:
        arm = Recorder(lab, clock, server.endpoint, str(server.ca_file))
        arm.make_group()
        lab_story.provision(arm)
        lab_story.run(arm, "vm1", "true")
        arm.wait(arm.call("POST", "connections/vng1-to-vng3/sharedkey/reset", {"keyLength": 9}))
        arm.pool.clear()
        statuses = set()
        for _ in range(1500):
            method, path, body = chance.choice(arm.sent)
            if chance.random() < 0.3:
                path = f"{path.rsplit('/', 1)[0]}/f{chance.randrange(6)}"
            if chance.random() < 0.2 and path.count("/") > 4:
                method = chance.choice(["PATCH", "POST", "DELETE", "GET", "PUT"])
            content = json.dumps(mutate(body, chance)).encode()
            headers = {"Authorization": f"Bearer {arm.token}"}
            query = {"api-version": "2024-05-01"}
            request = Request(method, path, query, server.endpoint, content, headers)
            statuses.add(service.handle(lab, request).status)
            if chance.random() < 0.6:
                clock.sleep(chance.choice([1, 5, 1300]))
        clock.sleep(5000)
        lab.catch_up()
    assert not {status for status in statuses if status >= 500} - {501}
    assert "the lab failed" not in caplog.text
    assert {200, 201, 202, 400, 404} <= statuses
    assert lab.operations.list_active() == ()
    held = [
        resource.id for resource in lab.world.resources.values() if resource.state != "Succeeded"
    ]
    assert held == []


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "/subscriptions/../../etc/passwd",
        "/%2e%2e/%2e%2e",
        "/subscriptions/x/resourceGroups",
        "/subscriptions//resourceGroups//providers//",
        "/subscriptions/a/resourceGroups/b/providers/c/d/e/f/g/h/i/j/k",
        "/%00",
        "/subscriptions/%F0%9F%92%A9",
        "/x" * 2000,
    ],
)
def test_odd_paths_get_an_arm_error(arm: Arm, path: str) -> None:
    reply = arm.call("GET", f"{arm.endpoint}{path}?api-version=1")
    assert 400 <= reply.status < 500
    assert reply.code
