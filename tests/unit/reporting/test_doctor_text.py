"""What ``doctor`` prints, of few spokes and of hundreds."""

from __future__ import annotations

import pytest

from erfailover.planning.doctor.check import CheckBuilder, CheckName, Group
from erfailover.reporting.doctor import build_data, format_text
from tests.support.sites import site


@pytest.mark.parametrize(("count", "told"), [(1, 1), (6, 6), (300, 6)])
def test_of_many_lines_that_come_to_the_same_the_first_are_shown(count: int, told: int) -> None:
    line = CheckBuilder(CheckName.PEERINGS, Group.NETWORKS)
    checks = [
        line.report_failure(f"vnet{number} is Disconnected", "Make it anew.")
        for number in range(count)
    ]
    text = format_text(
        site(), [*checks, CheckBuilder(CheckName.LOCKS, Group.IDENTITY).report_ok("no lock")]
    )
    assert sum("FAIL  peerings" in name for name in text.splitlines()) == told
    assert ("295 more like this" in text) is (count > told)
    assert f"{count} FAIL" in text.splitlines()[0]
    assert len(build_data(site(), checks)["checks"]) == count
