"""A running agent; tests that need one are skipped, saying so, where namespaces are refused."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from erfailover.lab.linux.requirements import list_missing
from tests.lab.linux.agent_bed import AgentBed
from tests.support.linux_plane import LINUX_PLANE_SKIPPED


@functools.cache
def _find_missing() -> tuple[str, ...]:
    return tuple(list_missing())


@pytest.fixture
def linux_plane() -> None:
    """Skip the test if the Linux data plane cannot run here."""
    if missing := _find_missing():
        pytest.skip(f"{LINUX_PLANE_SKIPPED}: {' '.join(missing)}")


@pytest.fixture
def bed(linux_plane: None, tmp_path: Path) -> Iterator[AgentBed]:
    with AgentBed(tmp_path) as running:
        yield running
