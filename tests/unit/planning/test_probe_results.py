"""Against what results of probes are held."""

from __future__ import annotations

import pytest

from erfailover.planning.probes import results


def test_what_is_not_named_is_expected_up() -> None:
    assert results.parse_expectations("office=down", ["office", "internet"]) == {
        "office": False,
        "internet": True,
    }
    for wrong in ("nothing=up", "office=maybe", "office"):
        with pytest.raises(ValueError, match=r"office|nothing"):
            results.parse_expectations(wrong, ["office"])
