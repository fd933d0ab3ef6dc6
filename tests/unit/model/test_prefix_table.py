"""Which prefixes cover another one or lie within it: as ``ipaddress`` says, without going through
all of them."""

from __future__ import annotations

import random
from ipaddress import IPv4Network, IPv6Network

import pytest

from erfailover.model.prefix_table import (
    LISTED,
    PrefixTable,
    build_table,
    format_prefixes,
    parse_route_prefix,
)


def some_prefixes(chance: random.Random, count: int) -> list[IPv4Network]:
    """Prefixes of a small space, so that many overlap."""
    lengths = [0, 8, 14, 16, 20, 24, 31, 32]
    drawn = (
        (0x0A000000 | chance.getrandbits(12) << 8, chance.choice(lengths)) for _ in range(count)
    )
    return [IPv4Network((start, length), strict=False) for start, length in drawn]


@pytest.mark.parametrize("seed", range(20))
def test_the_table_agrees_with_a_search_through_all_prefixes(seed: int) -> None:
    chance = random.Random(seed)
    prefixes = some_prefixes(chance, chance.choice([0, 1, 5, 200]))
    table = build_table(prefixes)
    for some_prefix in [*some_prefixes(chance, 100), *prefixes]:
        covering = {prefix for prefix in prefixes if some_prefix.subnet_of(prefix)}
        assert list(table.iter_covering(some_prefix)) == sorted(
            covering, key=lambda item: item.prefixlen, reverse=True
        )
        assert table.has_covering(some_prefix) is bool(covering)
        assert set(table.iter_within(some_prefix)) == {
            prefix for prefix in prefixes if prefix.subnet_of(some_prefix)
        }
        near = list(table.iter_overlapping(some_prefix))
        assert set(near) == {prefix for prefix in prefixes if prefix.overlaps(some_prefix)}
        assert len(near) == len(set(near))


def test_of_several_values_of_a_prefix_the_first_counts() -> None:
    prefix = IPv4Network("10.5.0.0/16")
    table = PrefixTable([(prefix, "one"), (prefix, "two"), (IPv4Network("10.0.0.0/8"), "wide")])
    assert list(table.iter_covering(prefix)) == ["one", "wide"]
    assert list(table.iter_within(IPv4Network("10.5.0.0/16"))) == ["one"]


def test_ipv6_prefixes_are_found_as_well() -> None:
    table = build_table([IPv6Network("2001:db8::/32"), IPv6Network("2001:db8:1::/48")])
    assert list(table.iter_covering(IPv6Network("2001:db8:1:2::/64"))) == [
        IPv6Network("2001:db8:1::/48"),
        IPv6Network("2001:db8::/32"),
    ]
    assert not table.has_covering(IPv6Network("2001:db9::/32"))


@pytest.mark.parametrize("network", ["", "10.5.0.1/16", "2001:db8::/32", "10.0.0.0/33", "x"])
def test_what_is_no_ipv4_prefix_is_none(network: str) -> None:
    assert parse_route_prefix(network) is None


def test_a_covering_prefix_costs_at_most_one_look_up_for_each_length() -> None:
    """4,000 prefixes of 20 lengths are asked 4,000 times: never more than 33 look-ups each."""

    class Counted(dict[int, IPv4Network]):
        asked = 0

        def __contains__(self, key: object) -> bool:
            Counted.asked += 1
            return super().__contains__(key)

    chance = random.Random(1)
    prefixes = [
        IPv4Network((chance.getrandbits(32), chance.randint(8, 28)), strict=False)
        for _ in range(4000)
    ]
    table = build_table(prefixes)
    table._by_length = {length: Counted(values) for length, values in table._by_length.items()}
    for prefix in prefixes:
        assert table.has_covering(prefix)
    assert Counted.asked <= 33 * len(prefixes)


def test_of_many_prefixes_the_first_are_named_and_the_others_counted() -> None:
    names = [f"10.0.{number}.0/24" for number in range(200)]
    assert format_prefixes(names[:2]) == "10.0.0.0/24, 10.0.1.0/24"
    assert format_prefixes(names[: LISTED + 1]) == ", ".join(names[: LISTED + 1])
    assert format_prefixes(names) == f"{', '.join(names[:LISTED])} and {200 - LISTED} more"
