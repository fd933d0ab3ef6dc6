"""What the output of a probe means."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from erfailover.model.probes import MachinePing
from erfailover.planning.probes import results

OFFICE = MachinePing("vm1", IPv4Address("10.5.0.4"))
INTERNET = MachinePing("vm1", IPv4Address("8.8.4.4"), through="vm3")

PASSED = """PING 10.5.0.4 (10.5.0.4) 56(84) bytes of data.
64 bytes from 10.5.0.4: icmp_seq=1 ttl=64 time=6.33 ms
--- 10.5.0.4 ping statistics ---
3 packets transmitted, 3 received, 0% packet loss, time 2002ms"""
LOST = "--- 10.5.0.4 ping statistics ---\n3 packets transmitted, 0 received, 100% packet loss"
ENTRY = (
    "icmp     1 29 src=10.1.0.4 dst=8.8.4.4 type=8 code=0 id=2445 "
    "src=8.8.4.4 dst=10.2.1.4 type=0 code=0 id=2445 mark=0 use=1"
)
UNREPLIED = ENTRY.replace("src=8.8.4.4", "[UNREPLIED] src=8.8.4.4")


def test_one_script_pings_all_and_its_output_is_told_apart() -> None:
    script = results.ping_script({"office": OFFICE, "internet": INTERNET})
    assert [line for line in script if line.startswith("ping")] == [
        "ping -c 3 -W 2 10.5.0.4",
        "ping -c 3 -W 2 8.8.4.4",
    ]
    found = results.sections(f"== office\n{LOST}\n== internet\n{PASSED}\n")
    assert results.ping_passed(found["office"]) is False
    assert results.ping_passed(found["internet"]) is True


def test_output_that_does_not_tell_is_unknown_and_not_down() -> None:
    assert results.ping_passed("ping: command not found") is None
    assert results.ping_passed("") is None


@pytest.mark.parametrize(
    ("table", "found"),
    [
        (ENTRY, ENTRY),
        (UNREPLIED, None),
        (ENTRY.replace("8.8.4.4", "8.8.4.40"), None),
        ("", None),
    ],
)
def test_only_an_answered_flow_of_the_probe_counts_in_the_nat_table(
    table: str, found: str | None
) -> None:
    assert results.nat_entry(table, INTERNET) == found


def test_what_is_not_named_is_expected_up() -> None:
    assert results.expectations("office=down", ["office", "internet"]) == {
        "office": False,
        "internet": True,
    }
    for wrong in ("nothing=up", "office=maybe", "office"):
        with pytest.raises(ValueError, match=r"office|nothing"):
            results.expectations(wrong, ["office"])
