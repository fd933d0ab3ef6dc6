"""What a provision is said to cost and take, before it is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from erfailover.config.loader import load, read_template
from erfailover.model.site import Site
from erfailover.model.tasks import Results
from erfailover.planning.provision import plan as provision_plan
from erfailover.planning.provision.cost import estimate
from erfailover.planning.provision.plan import ProvisionPlan
from erfailover.reporting import provision


def make_plan(site: Site) -> ProvisionPlan:
    return provision_plan.plan(site, {}, {})


@pytest.fixture
def site(tmp_path: Path) -> Site:
    file = tmp_path / "erfailover.yaml"
    file.write_text(read_template())
    return load(file, {"AZURE_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000000"})


def test_the_proof_of_concept_costs_three_gateways_three_machines_and_six_addresses(
    site: Site,
) -> None:
    result = estimate(make_plan(site))
    assert result.unpriced == ()
    assert result.hourly_usd == round(3 * 0.21 + 3 * (0.0094 + 0.0072) + 6 * 0.005, 4)
    assert 1100 < result.duration_s < 1200, "one gateway after the other would take an hour"


def test_the_plan_says_both_and_that_they_are_estimates(site: Site) -> None:
    plan = make_plan(site)
    text = provision.format_plan(plan)
    assert "Takes about 18 min" in text or "Takes about 19 min" in text
    assert "Costs about $0.71 per hour until destroyed (estimate: East US list prices" in text
    assert provision.build_plan_data(plan)["estimate"]["hourly_usd"] == 0.7098


def test_a_sku_without_a_known_price_is_named_and_not_counted(site: Site) -> None:
    assert site.topology is not None
    gateways = {
        name: replace(gateway, sku="VpnGw5AZ") for name, gateway in site.topology.gateways.items()
    }
    plan = make_plan(replace(site, topology=replace(site.topology, gateways=gateways)))
    assert estimate(plan).unpriced == ("VpnGw5AZ",)
    assert "without VpnGw5AZ" in provision.format_plan(plan)


def test_what_is_kept_costs_and_takes_nothing_new(site: Site) -> None:
    plan = make_plan(site)
    nothing = ProvisionPlan(plan.site, (), ())
    assert estimate(nothing).duration_s == estimate(nothing).hourly_usd == 0.0


def test_the_plan_says_how_long_what_takes_longest_usually_takes(site: Site) -> None:
    text = provision.format_plan(make_plan(site))
    assert "  a gateway: typically 18 min 12 s, 90th percentile 22 min 10 s\n" in text
    assert "  a machine: typically 1 min 12 s, 90th percentile 2 min 8 s\n" in text
    assert "a peering: typically" not in text


def test_the_outcome_names_the_next_step_in_its_last_line(site: Site) -> None:
    last = provision.format_outcome(make_plan(site), Results()).splitlines()[-1]
    assert last == "poc is provisioned: 0 changes in 0 s. Next: erfailover status"
