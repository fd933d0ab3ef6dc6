"""Address arithmetic: what ARM checks is strict, what the lab routes is IPv4 in any form."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erfailover.lab.core import addresses

NETWORKS = st.one_of(
    st.builds(
        lambda number, length: ipaddress.ip_network((number << 8, length), strict=False),
        st.integers(0xFFFF00, 0xFFFFFF),
        st.integers(20, 32),
    ),
    st.builds(
        lambda number, length: ipaddress.ip_network((number << 64, length), strict=False),
        st.integers(2**63, 2**63 + 3),
        st.integers(60, 128),
    ),
)


@given(NETWORKS, st.lists(NETWORKS, max_size=3))
def test_a_network_is_within_those_that_hold_all_of_it(
    inner: addresses.Network, outer: list[addresses.Network]
) -> None:
    expected = any(
        prefix.version == inner.version
        and prefix.network_address <= inner.network_address  # type: ignore[operator]
        and inner.broadcast_address <= prefix.broadcast_address  # type: ignore[operator]
        for prefix in outer
    )
    assert addresses.is_within(inner, [*map(str, outer), "none"]) is expected


@pytest.mark.parametrize(
    ("text", "strict", "lenient"),
    [
        ("10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/8"),
        ("10.1.2.3/8", None, "10.0.0.0/8"),
        (" 10.1.2.3 ", None, "10.1.2.3/32"),
        ("2001:db8::/32", "2001:db8::/32", None),
        ("Storage", None, None),
        ("10.0.0.0/33", None, None),
    ],
)
def test_arms_reading_of_a_prefix_is_strict_and_routings_lenient(
    text: str, strict: str | None, lenient: str | None
) -> None:
    def to_text(network: object) -> str | None:
        return None if network is None else str(network)

    assert to_text(addresses.parse_network(text)) == strict
    assert to_text(addresses.parse_ipv4_network(text)) == lenient
