"""The table of resource types fits together: what a single type's test does not see."""

from __future__ import annotations

import pytest

from erfailover.lab.core.timing import DURATIONS
from erfailover.lab.providers.provider import Provider
from erfailover.lab.providers.registry import PROVIDERS

ALL = pytest.mark.parametrize("provider", list(PROVIDERS), ids=lambda item: item.type)


@ALL
def test_a_type_is_found_in_any_letter_case_and_below_its_parent(provider: Provider) -> None:
    assert PROVIDERS.find(provider.provider.upper(), tuple(provider.types)) is provider
    assert PROVIDERS[provider.type.lower()] is provider
    if provider.parent is None:
        assert provider.is_tracked
    else:
        assert not provider.is_tracked
        assert provider in PROVIDERS.get_children(provider.parent)
        assert PROVIDERS[provider.parent].is_tracked


@ALL
def test_what_a_type_waits_for_or_reaches_elsewhere_is_a_reference(provider: Provider) -> None:
    assert provider.any_region | provider.idle_on_delete <= set(provider.references)


@ALL
def test_defaults_are_of_the_shape_that_is_checked(provider: Provider) -> None:
    for name in provider.defaults.keys() & provider.shape.keys():
        shape, value = provider.shape[name], provider.defaults[name]
        assert isinstance(value, shape if isinstance(shape, type) else type(shape)), name


def test_durations_are_entered_for_types_that_exist() -> None:
    for name in DURATIONS:
        owner = name.split(" ")[0].split("/")
        providers = (PROVIDERS.get("/".join(owner[:length])) for length in range(2, len(owner) + 1))
        assert name.startswith("microsoft.resources/") or any(providers), name
