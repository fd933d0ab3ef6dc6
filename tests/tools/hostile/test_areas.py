"""The areas of hostile conditions name tests that exist and every trouble of the campaign."""

from __future__ import annotations

from collections import Counter

from tests.tools.campaign.report import OTHER
from tests.tools.campaign.troubles import Trouble
from tests.tools.hostile import __main__ as hostile
from tests.tools.hostile.areas import AREAS


def test_every_path_exists() -> None:
    missing = [path for area in AREAS for path in area.tests if not (hostile.ROOT / path).exists()]
    assert not missing


def test_every_row_of_the_campaign_counts_once() -> None:
    counted = Counter(str(trouble) for area in AREAS for trouble in area.troubles)
    assert counted == Counter([*map(str, Trouble), *OTHER.values()])


def test_the_campaign_is_counted_from_its_table() -> None:
    text = hostile.DOCUMENT.read_text("utf-8")
    runs = hostile.count_campaign(text)
    assert runs["killed"][0] > 0
    total = runs.pop("**all**")
    assert total == (sum(run[0] for run in runs.values()), sum(run[1] for run in runs.values()))
