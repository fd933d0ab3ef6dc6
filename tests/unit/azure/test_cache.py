"""Readings that a run shares: what a list of a subscription leaves out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from erfailover.azure.reader import Reader
from erfailover.azure.readers import network
from erfailover.azure.readers.cache import LIST_FROM, Readings
from erfailover.errors import AzureFailure, Kind
from erfailover.lab.core.clock import SteppedClock
from erfailover.model.claims import Verdict
from erfailover.model.observed import Observed
from erfailover.model.site import Role
from erfailover.planning import conditions
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


@dataclass
class Slow:
    """A gateway whose tables take a while, on a clock that only its readings move."""

    clock: SteppedClock = field(default_factory=SteppedClock)
    took_s: float = 30.0
    apart_s: float = 0.0
    """How long before the last of its answers the first was there."""
    read: int = 0

    def observe(self, *_: object) -> Observed:
        self.read += 1
        self.clock.sleep(self.took_s)
        gateway = sites.gateway(Role.BACKUP, sites.route("10.5.0.0/16"))
        first_s = self.clock.now() - self.apart_s
        return sites.observed(SITE, {}, (replace(gateway, answered_s=first_s),))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    found = Slow()
    monkeypatch.setattr(network, "observe", found.observe)
    return found


def test_the_age_of_a_reading_counts_from_its_answer(slow: Slow) -> None:
    readings = Readings(cast(Reader, slow), SITE)
    first = readings.gateway(Role.BACKUP, 20.0)
    slow.clock.sleep(20.0)
    assert readings.gateway(Role.BACKUP, 20.0) is first
    slow.clock.sleep(1.0)
    assert readings.gateway(Role.BACKUP, 20.0) is not first
    assert slow.read == 2


def test_of_several_answers_the_first_counts(slow: Slow) -> None:
    slow.apart_s = 25.0
    readings = Readings(cast(Reader, slow), SITE)
    first = readings.gateway(Role.BACKUP, 20.0)
    assert readings.gateway(Role.BACKUP, 20.0) is not first


def test_who_takes_no_older_reading_gets_one_that_begins_now(slow: Slow) -> None:
    readings = Readings(cast(Reader, slow), SITE)
    first = readings.gateway(Role.BACKUP, 0.0)
    assert readings.gateway(Role.BACKUP, 0.0) is not first
    assert slow.read == 2


def test_a_gateway_is_judged_by_who_reads_it(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = Readings(cast(Reader, slow), SITE)
    gateway = readings.gateway(Role.BACKUP, 20.0)
    monkeypatch.setattr(conditions, "_has_learned", None)  # nothing is worked out again
    claim = conditions.gateway_has_learned(gateway, Role.BACKUP, SITE.remote_prefixes)
    assert claim.verdict is Verdict.HOLDS
