"""Outages by packets, as the demo prints them."""

from __future__ import annotations

import json

from erfailover.planning.probes.ping_log import PacketGap, PingLog
from erfailover.reporting.demo import STORY, StageResult, build_summary_data, format_summary
from erfailover.reporting.packet_outages import PacketOutage, PacketOutages, format_packets
from erfailover.reporting.run.outage import compute_from_steps
from tests.support.schemas import hold

AT = 1796007535.25
"""2026-11-30 02:58:55.250 UTC."""
REPORTED = compute_from_steps("vnet1", 20.0, 33.0, "vng2 originated its prefixes", 8.0)


def build_packets(*outages: PacketOutage) -> PacketOutages:
    log = PingLog(4000, AT - 24, 4100, AT + 90)
    return PacketOutages("vm1", "10.5.0.4", 0.02, 20.0, log, list(outages))


def unplanned() -> PacketOutage:
    gap = PacketGap(1203, AT, 2304, AT + 22.25)
    return PacketOutage("unplanned", "switch --to ipsec --yes", AT + 20.25, gap, REPORTED)


def planned() -> PacketOutage:
    gap = PacketGap(3000, AT + 60, 3002, AT + 60.75)
    return PacketOutage("planned", "switch --to expressroute --yes", AT + 55.0, gap, None)


def test_an_outage_is_shown_packet_by_packet_beside_the_report() -> None:
    outage = unplanned()
    lines = format_packets(build_packets(outage), outage).splitlines()
    assert lines[:4] == [
        "02:58:55.250  icmp_seq=1203  last reply before",
        "              icmp_seq=1204 to 2303  no reply: 1100 packets",
        "02:59:17.500  icmp_seq=2304  first reply after",
        "Outage by packets: 22.25 s, modelled 445 s, of which 40 s after the command began.",
    ]
    assert lines[4].startswith("The report: Outage: at most 13 s without a path")


def test_an_outage_that_the_command_caused_is_all_its_own() -> None:
    outage = planned()
    lines = format_packets(build_packets(outage), outage).splitlines()
    assert lines[1:] == [
        "              icmp_seq=3001  no reply: 1 packet",
        "02:59:56.000  icmp_seq=3002  first reply after",
        "Outage by packets: 0.75 s, modelled 15 s.",
        "No report.",
    ]


def test_a_switch_that_lost_no_packet_is_said() -> None:
    outage = PacketOutage("planned", "switch", AT, None, REPORTED)
    text = format_packets(build_packets(outage), outage)
    assert text.startswith("Every packet had a reply.\nThe report: ")


def test_the_summary_has_them_in_a_table_and_as_data_of_the_schema() -> None:
    story = [StageResult(stage) for stage in STORY]
    none = PacketOutage("planned", "switch", AT, None, None)
    packets = build_packets(unplanned(), planned(), none)
    text = format_summary(story, 1.0, packets)
    assert "Outages by packets (seconds): ping 10.5.0.4 from vm1, every 0.02 s" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["unplanned", "switch", "ipsec", "1100", "22.25", "445", "40", "13"] in rows
    assert ["planned", "switch", "expressroute", "1", "0.75", "15", "15", "-"] in rows
    assert ["planned", "switch", "0", "0.00", "0", "0", "-"] in rows
    data = build_summary_data(story, 1.0, packets)
    hold("demo", json.dumps(data))
    first, second, third = data["packets"]["outages"]
    assert first["last_reply_at"] == "2026-11-30T02:58:55.250Z"
    assert (first["real_s"], first["modelled_s"], first["reported_s"]) == (22.25, 445.0, 13.0)
    assert (second["kind"], second["lost"], second["reported_s"]) == ("planned", 1, None)
    assert (third["last_reply_at"], third["lost"], third["real_s"]) == (None, 0, 0.0)


def test_without_packets_the_summary_is_that_of_the_model() -> None:
    story = [StageResult(stage) for stage in STORY]
    assert "packets" not in format_summary(story, 1.0)
    assert build_summary_data(story, 1.0)["packets"] is None
