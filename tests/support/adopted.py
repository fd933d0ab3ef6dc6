"""The network that somebody else made, on a stage: made once, begun from as often as wanted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from azure.identity import DefaultAzureCredential

from erfailover.lab.auth.identity import Identity
from tests.support.adopted_world import AdoptedWorld, Arm, build
from tests.support.stage import Stage, lab_in

Json = Any


@dataclass(frozen=True)
class Made:
    """The world as it was made."""

    snapshot: bytes
    world: AdoptedWorld
    tenant: Identity


@dataclass
class Adopted:
    """A stage with the world in its lab."""

    stage: Stage
    world: AdoptedWorld

    @property
    def init(self) -> list[str]:
        """The words that adopt it."""
        hubs = ["--primary-hub", self.world.primary_hub, "--backup-hub", self.world.backup_hub]
        return ["init", "--from-azure", *hubs]

    def arm(self) -> Arm:
        """Plain ARM requests to the lab."""
        endpoint = self.stage.environment["ERFAILOVER_ENDPOINT"]
        token = DefaultAzureCredential().get_token(f"{endpoint}/.default").token
        ca_file = os.environ["REQUESTS_CA_BUNDLE"]
        return Arm(endpoint, token, ca_file, self.stage.clock.sleep)

    def everything(self) -> dict[str, str]:
        """What a GET answers for every resource there is, but for ETags, as text by id."""
        arm = self.arm()
        ids = [resource.body["id"] for resource in self.stage.lab.world.resources.values()]
        by_name = {id_: json.dumps(_strip_etags(arm.get(id_)), indent=1) for id_ in ids}
        arm.pool.clear()
        return by_name

    def reads_only(self, before: int) -> bool:
        """Whether nothing was written since so many requests."""
        return not [
            trace_entry for trace_entry in list(self.stage.lab.trace)[before:] if trace_entry.write
        ]


def _strip_etags(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _strip_etags(item) for key, item in value.items() if key != "etag"}
    return [_strip_etags(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory, identity_: Identity) -> Made:
    """Make the world and write it down."""
    tenant = identity_.extend_subscriptions(3)
    folder = tmp_path_factory.mktemp("adopted")
    with pytest.MonkeyPatch.context() as patch, lab_in(folder, tenant, patch) as (lab, clock, env):
        endpoint = env["ERFAILOVER_ENDPOINT"]
        token = DefaultAzureCredential().get_token(f"{endpoint}/.default").token
        arm = Arm(endpoint, token, env["REQUESTS_CA_BUNDLE"], clock.sleep)
        world = build(arm)
        arm.pool.clear()
        return Made(lab.snapshot(), world, tenant)


@pytest.fixture
def adopted(
    tmp_path: Any,
    made_once: Made,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Adopted]:
    """The world in a lab of its own, an empty folder, the command line."""
    with lab_in(tmp_path, made_once.tenant, monkeypatch) as (lab, clock, environment):
        lab.restore(made_once.snapshot)
        yield Adopted(Stage(lab, clock, tmp_path, capsys, environment), made_once.world)
