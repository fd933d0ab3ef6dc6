"""A running agent; tests that need one are skipped, saying so, where namespaces are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.linux.agent_bed import AgentBed
from tests.support.linux_plane import require_linux_plane


@pytest.fixture(scope="session")
def linux_plane() -> None:
    """Skip the test if the Linux data plane cannot run here."""
    require_linux_plane()


@pytest.fixture
def bed(linux_plane: None, tmp_path: Path) -> Iterator[AgentBed]:
    with AgentBed(tmp_path) as running:
        yield running
