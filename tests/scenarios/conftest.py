"""Fixtures: a stage with an empty lab, and one with the proof of concept provisioned."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from erfailover.cli.main import invoke
from erfailover.lab.auth import identity
from erfailover.lab.auth.identity import Identity
from tests.support.stage import Provisioned, Stage, lab_in


@pytest.fixture(scope="session")
def identity_() -> Identity:
    """Who every lab of the scenarios is: the same subscription in all."""
    return identity.make_identity()


@pytest.fixture
def stage(
    tmp_path: Path,
    identity_: Identity,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Stage]:
    """An empty lab, an empty folder, the command line."""
    with lab_in(tmp_path, identity_, monkeypatch) as (lab, clock, environment):
        yield Stage(lab, clock, tmp_path, capsys, environment)


@pytest.fixture(scope="session")
def provisioned_once(tmp_path_factory: pytest.TempPathFactory, identity_: Identity) -> Provisioned:
    """Provision the proof of concept's topology and write the world down."""
    folder = tmp_path_factory.mktemp("provisioned")
    with (
        pytest.MonkeyPatch.context() as patch,
        lab_in(folder, identity_, patch) as (lab, clock, _),
    ):
        for command in (["init"], ["provision", "--yes"]):
            assert invoke(command, clock) == 0
        clock.sleep(60.0)
        return Provisioned(lab.snapshot(), folder)


@pytest.fixture
def provisioned(stage: Stage, provisioned_once: Provisioned) -> Stage:
    """The proof of concept's topology, provisioned, sessions up."""
    stage.lab.restore(provisioned_once.world)
    shutil.copytree(provisioned_once.folder, stage.folder, dirs_exist_ok=True)
    return stage
