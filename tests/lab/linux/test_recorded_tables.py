"""BIRD's own tables beside the four that real Azure gateways showed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.recorded_tables.story import play

pytestmark = pytest.mark.slow


def test_birds_tables_are_the_recorded_ones(linux_plane: None, tmp_path: Path) -> None:
    comparisons = play(tmp_path)
    assert [comparison.name for comparison in comparisons] == [
        "vng1-healthy",
        "vng1-expressroute-down",
        "vng2-before-switch",
        "vng2-after-switch",
    ]
    assert all(comparison.both for comparison in comparisons)
    assert [comparison for comparison in comparisons if not comparison.is_equal] == []
