"""Random sites and writes on the model and on the Linux plane: tables and echoes agree.

Seeds are pinned, so that a run says something of the change that it tests. ``python -m
tests.tools.planes`` draws fresh ones, and repeats one with ``--sites 1 --seed SEED``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.planes.scenes import EXPECTED, build_scenes
from tests.tools.planes.site import draw_site
from tests.tools.planes.tables import send_pings
from tests.tools.planes.trial import open_trial

pytestmark = pytest.mark.slow


SITES = range(241_283_860, 241_283_862)
SITES_WRITTEN_TO = range(168_338_556, 168_338_564)


def try_site(folder: Path, seed: int, writes: int) -> None:
    with open_trial(draw_site(seed), folder) as trial:
        for number in range(writes + 1):
            done = trial.write() if number else trial.log[-1]
            found = trial.settle()
            told = "\n".join(map(str, found))
            assert not found, f"seed {seed}, write {number} ({done}):\n{told}"


@pytest.mark.parametrize("seed", SITES)
def test_both_planes_agree_on_a_site(linux_plane: None, tmp_path: Path, seed: int) -> None:
    try_site(tmp_path, seed, writes=1)


@pytest.mark.parametrize("seed", SITES_WRITTEN_TO)
def test_both_planes_agree_after_every_write(linux_plane: None, tmp_path: Path, seed: int) -> None:
    try_site(tmp_path, seed, writes=8)


def test_both_planes_agree_on_rare_cases(linux_plane: None, tmp_path: Path) -> None:
    with open_trial(build_scenes(), tmp_path) as trial:
        trial.pings = list(EXPECTED)
        found = trial.settle()
        assert not found, "\n".join(map(str, found))
        answers = send_pings(trial.site, trial.model, list(EXPECTED), at_once=1)
        assert {ping: reached for ping, (reached, _) in answers.items()} == EXPECTED
