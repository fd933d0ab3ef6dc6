"""Readings that a run shares: what a list of a subscription leaves out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from erfailover.azure.reader import Reader
from erfailover.azure.readers import network
from erfailover.azure.readers.cache import LIST_FROM, ReadingCache
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.lab.core.clock import SteppedClock
from erfailover.model.conditions import ConditionStatus
from erfailover.model.observed import SiteSnapshot
from erfailover.model.site import Role
from erfailover.planning import conditions
from erfailover.runtime.clock import Clock, SystemClock
from tests.support import sites

SITE = sites.site(*(f"spoke{number}" for number in range(LIST_FROM)))
NO_LIST = AzureFailure(AzureErrorKind.REFUSED, "no list")
HIDDEN, SHOWN, GONE = (SITE.build_network_id(f"spoke{number}") for number in range(3))


@dataclass
class Directory:
    """A subscription whose list leaves out what may not be read, as ARM's does."""

    clock: Clock = field(default_factory=SystemClock)
    asked: list[str] = field(default_factory=list)
    failure: AzureFailure | None = None

    def list_networks(self, _: str) -> list[dict[str, Any]]:
        self.asked.append("list")
        if self.failure is not None:
            raise self.failure
        return [{"id": SHOWN}]

    def get(self, network_id: str, deadline_s: float = 120.0) -> dict[str, Any] | None:
        self.asked.append(network_id)
        if network_id == HIDDEN:
            raise AzureFailure(AzureErrorKind.REFUSED, "AuthorizationFailed")
        return None


def test_a_network_that_a_list_leaves_out_is_read_by_itself_before_it_is_called_gone() -> None:
    azure = Directory()
    readings = ReadingCache(cast(Reader, azure), SITE)
    assert readings.get_network_body(SHOWN, 60.0) == {"id": SHOWN}
    with pytest.raises(AzureFailure, match="AuthorizationFailed"):
        readings.get_network_body(HIDDEN, 60.0)
    assert readings.get_network_body(GONE, 60.0) is None
    assert azure.asked == ["list", HIDDEN, GONE]


@dataclass
class Slow:
    """A gateway whose tables take a while, on a clock that only its readings move."""

    clock: SteppedClock = field(default_factory=SteppedClock)
    took_s: float = 30.0
    apart_s: float = 0.0
    """How long before the last of its answers the first was there."""
    read: int = 0

    def observe(self, *_: object) -> SiteSnapshot:
        self.read += 1
        self.clock.sleep(self.took_s)
        gateway = sites.gateway(Role.BACKUP, sites.route("10.5.0.0/16"))
        first_s = self.clock.now() - self.apart_s
        return sites.make_snapshot(SITE, {}, (replace(gateway, answered_s=first_s),))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    result = Slow()
    monkeypatch.setattr(network, "observe", result.observe)
    return result


def test_the_age_of_a_reading_counts_from_its_answer(slow: Slow) -> None:
    readings = ReadingCache(cast(Reader, slow), SITE)
    first = readings.get_gateway(Role.BACKUP, 20.0)
    slow.clock.sleep(20.0)
    assert readings.get_gateway(Role.BACKUP, 20.0) is first
    slow.clock.sleep(1.0)
    assert readings.get_gateway(Role.BACKUP, 20.0) is not first
    assert slow.read == 2


def test_of_several_answers_the_first_counts(slow: Slow) -> None:
    slow.apart_s = 25.0
    readings = ReadingCache(cast(Reader, slow), SITE)
    first = readings.get_gateway(Role.BACKUP, 20.0)
    assert readings.get_gateway(Role.BACKUP, 20.0) is not first


def test_who_takes_no_older_reading_gets_one_that_begins_now(slow: Slow) -> None:
    readings = ReadingCache(cast(Reader, slow), SITE)
    first = readings.get_gateway(Role.BACKUP, 0.0)
    assert readings.get_gateway(Role.BACKUP, 0.0) is not first
    assert slow.read == 2


def test_adopted_gateways_are_as_old_as_their_answers(slow: Slow) -> None:
    readings = ReadingCache(cast(Reader, slow), SITE)
    slow.clock.sleep(100.0)
    gateway = replace(sites.gateway(Role.BACKUP), answered_s=90.0)
    readings.adopt_gateways({Role.BACKUP: gateway})
    assert readings.get_gateway(Role.BACKUP, 15.0) is gateway
    assert readings.read_leaving_gateway(Role.BACKUP, 15.0) is gateway
    assert slow.read == 0
    assert readings.get_gateway(Role.BACKUP, 5.0) is not gateway
    assert slow.read == 1


def test_a_gateway_is_judged_by_who_reads_it(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = ReadingCache(cast(Reader, slow), SITE)
    gateway = readings.get_gateway(Role.BACKUP, 20.0)
    monkeypatch.setattr(conditions, "_check_learned", None)  # nothing is worked out again
    condition = conditions.check_gateway_learned(gateway, Role.BACKUP, SITE.remote_prefixes)
    assert condition.status is ConditionStatus.HOLDS


@pytest.mark.parametrize(
    "kind",
    [
        AzureErrorKind.SERVER,
        AzureErrorKind.CONNECTION,
        AzureErrorKind.AUTHENTICATION,
        AzureErrorKind.REFUSED,
    ],
)
def test_after_a_list_that_fails_each_network_is_read_by_itself_once(kind: AzureErrorKind) -> None:
    azure = Directory(failure=AzureFailure(kind, "the list failed"))
    observed = ReadingCache(cast(Reader, azure), SITE).observe([HIDDEN, SHOWN, GONE])
    assert observed.networks == {}
    assert observed.unknown == {
        HIDDEN.lower(): "AuthorizationFailed",
        SHOWN.lower(): "spoke1 does not exist in Azure",
        GONE.lower(): "spoke2 does not exist in Azure",
    }
    assert sorted(azure.asked) == sorted(["list", HIDDEN, SHOWN, GONE])


@dataclass
class Silent(Directory):
    """A subscription of which some VNets are not answered, or none is."""

    silent: frozenset[str] = frozenset()

    def get(self, network_id: str, deadline_s: float = 120.0) -> dict[str, Any] | None:
        if network_id in self.silent:
            raise AzureFailure(AzureErrorKind.CONNECTION, "was not answered")
        return super().get(network_id, deadline_s)


def test_a_network_that_is_not_answered_is_unknown_unless_none_is() -> None:
    some = ReadingCache(cast(Reader, Silent(failure=NO_LIST, silent=frozenset({SHOWN}))), SITE)
    assert some.observe([SHOWN, GONE]).unknown[SHOWN.lower()] == "was not answered"
    none = ReadingCache(
        cast(Reader, Silent(failure=NO_LIST, silent=frozenset({SHOWN, GONE}))), SITE
    )
    with pytest.raises(AzureFailure, match="was not answered"):
        none.observe([SHOWN, GONE])


@dataclass
class Busy(Directory):
    """A subscription in which requests are throttled at first."""

    def get(self, network_id: str, deadline_s: float = 120.0) -> dict[str, Any] | None:
        self.asked.append(f"{deadline_s:.0f} s")
        if deadline_s < 100.0:
            raise AzureFailure(AzureErrorKind.THROTTLED, "wait 50 s", retry_after_s=50.0)
        return {"id": network_id}


def test_throttling_is_waited_out_for_longer_than_one_network_alone() -> None:
    azure = Busy(failure=NO_LIST)
    readings = ReadingCache(cast(Reader, azure), SITE)
    assert readings.get_network_body(SHOWN, 60.0) == {"id": SHOWN}
    assert azure.asked == ["list", "40 s", "120 s"]
