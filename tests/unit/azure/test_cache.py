"""Readings that a run shares: what a list of a subscription leaves out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from erfailover.azure.reader import Reader
from erfailover.azure.readers.cache import LIST_FROM, Readings
from erfailover.errors import AzureFailure, Kind
from erfailover.runtime.clock import Clock, SystemClock
from tests.support import sites

SITE = sites.site(*(f"spoke{number}" for number in range(LIST_FROM)))
HIDDEN, SHOWN, GONE = (SITE.network_id(f"spoke{number}") for number in range(3))


@dataclass
class Directory:
    """A subscription whose list leaves out what may not be read, as ARM's does."""

    clock: Clock = field(default_factory=SystemClock)
    asked: list[str] = field(default_factory=list)

    def networks_of(self, _: str) -> list[dict[str, Any]]:
        self.asked.append("list")
        return [{"id": SHOWN}]

    def get(self, network_id: str) -> dict[str, Any] | None:
        self.asked.append(network_id)
        if network_id == HIDDEN:
            raise AzureFailure(Kind.REFUSED, "AuthorizationFailed")
        return None


def test_a_network_that_a_list_leaves_out_is_read_by_itself_before_it_is_called_gone() -> None:
    azure = Directory()
    readings = Readings(cast(Reader, azure), SITE)
    assert readings.network_body(SHOWN, 60.0) == {"id": SHOWN}
    with pytest.raises(AzureFailure, match="AuthorizationFailed"):
        readings.network_body(HIDDEN, 60.0)
    assert readings.network_body(GONE, 60.0) is None
    assert azure.asked == ["list", HIDDEN, GONE]
