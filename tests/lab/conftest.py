"""Fixtures: a lab on a stepped clock, its server, and an ARM client that waits by that clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server.server import LabServer
from tests.support.arm_client import Arm


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def lab(clock: SteppedClock) -> Lab:
    return Lab(clock, seed=7)


@pytest.fixture
def server(lab: Lab) -> Iterator[LabServer]:
    with LabServer(lab) as serving:
        yield serving


@pytest.fixture
def arm(server: LabServer, lab: Lab, clock: SteppedClock) -> Iterator[Arm]:
    client = Arm(lab, clock, server.endpoint, str(server.ca_file))
    client.make_group()
    yield client
    client.pool.clear()


@pytest.fixture
def hub_and_spoke(arm: Arm) -> Arm:
    """A spoke and two hubs with a gateway each, none peered."""
    arm.vnet("spoke", "10.1.0.0/16", apps="10.1.0.0/24")
    arm.vnet("hub", "10.2.0.0/16", GatewaySubnet="10.2.0.0/24")
    arm.vnet("other", "10.3.0.0/16", GatewaySubnet="10.3.0.0/24")
    arm.gateway("g1", "hub")
    arm.gateway("g2", "other")
    return arm
