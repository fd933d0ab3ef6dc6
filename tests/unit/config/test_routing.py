"""The section ``routing`` of a site file: what it says, and what is reported of a wrong one."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path as FilePath

import pytest

from erfailover.config.loader import SiteFileError, load, read_template
from erfailover.model.site import Path

TABLE = """routing:
  - route_table: rt-spokes
    on_expressroute: 10.2.1.4
    on_ipsec: 10.3.1.4
"""
FORWARDING = (
    ("on_ipsec: {}                # kept", "on_ipsec: {allow_forwarded_traffic: true}  # kept"),
    ("      on_ipsec: {}\n", "      on_ipsec: {allow_forwarded_traffic: keep}\n"),
    (
        "name: vnet2-to-vnet1\n      on_expressroute: {allow_forwarded_traffic: true",
        "name: vnet2-to-vnet1\n      on_expressroute: {allow_forwarded_traffic: keep",
    ),
)
"""What lets an appliance's traffic pass on both paths."""


def write(folder: FilePath, routing: str, *edits: tuple[str, str]) -> FilePath:
    text = read_template().replace("probes:\n", f"{routing}probes:\n", 1)
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    file = folder / "erfailover.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def complaints(file: FilePath) -> list[str]:
    with pytest.raises(SiteFileError) as caught:
        load(file, {})
    return [problem.format_line("") for problem in caught.value.problems]


def test_a_table_has_its_next_hop_on_each_path_and_is_an_overlay_by_default(
    tmp_path: FilePath,
) -> None:
    site = load(write(tmp_path, TABLE, *FORWARDING), {})
    (table,) = site.routing
    assert table.mode == "overlay"
    assert table.get_next_hop(Path.EXPRESSROUTE) == IPv4Address("10.2.1.4")
    assert table.get_next_hop(Path.IPSEC) == IPv4Address("10.3.1.4")
    assert site.build_route_table_id(table.route_table).endswith(
        "/resourceGroups/rg-we/providers/Microsoft.Network/routeTables/rt-spokes"
    )


def test_replace_names_routes_and_needs_no_forwarded_traffic_by_the_hub_that_was_left(
    tmp_path: FilePath,
) -> None:
    routing = TABLE + "    mode: replace\n    routes: [to-premises, default]\n"
    site = load(write(tmp_path, routing), {})
    assert site.routing[0].routes == ("to-premises", "default")


SUBSCRIPTION = "00000000-0000-0000-0000-0000000000ab"
IN_ITS_GROUP = (
    f"/subscriptions/{SUBSCRIPTION.upper()}/resourceGroups/RG-we/providers/Microsoft.Network/"
    "routeTables/RT-Spokes"
)


@pytest.mark.parametrize("order", [("rt-spokes", IN_ITS_GROUP), (IN_ITS_GROUP, "rt-spokes")])
def test_one_table_by_its_name_and_by_its_id_is_named_twice(
    tmp_path: FilePath, order: tuple[str, str]
) -> None:
    first, second = (TABLE.replace("rt-spokes", name) for name in order)
    rest = second.removeprefix("routing:\n")
    routing = f"subscription: {SUBSCRIPTION}\n{first}{rest}"
    (complaint,) = complaints(write(tmp_path, routing, *FORWARDING))
    expected = f"routing[1].route_table: expected each route table once, found {order[1]!r}"
    assert expected in complaint


def test_a_table_of_the_same_name_in_another_group_is_another_one(tmp_path: FilePath) -> None:
    other = IN_ITS_GROUP.replace("RG-we", "rg-other")
    routing = TABLE + TABLE.removeprefix("routing:\n").replace("rt-spokes", other)
    named = f"subscription: {SUBSCRIPTION}\n{routing}"
    assert len(load(write(tmp_path, named, *FORWARDING), {}).routing) == 2


def test_a_site_without_the_section_has_no_tables(tmp_path: FilePath) -> None:
    assert load(write(tmp_path, ""), {}).routing == ()


@pytest.mark.parametrize(
    ("routing", "edits", "complaint"),
    [
        (
            TABLE.replace("10.3.1.4", "10.2.1.4"),
            FORWARDING,
            "routing[0].on_ipsec: expected another address than on_expressroute, found 10.2.1.4; "
            "name the appliance in the backup hub",
        ),
        (
            TABLE.replace("10.3.1.4", "127.0.0.1"),
            FORWARDING,
            "routing[0].on_ipsec: expected the private address of an appliance in a hub",
        ),
        (
            TABLE.replace("10.3.1.4", "10.3.1.0/24"),
            FORWARDING,
            "routing[0].on_ipsec: expected an IPv4 address like 10.1.0.4, found '10.3.1.0/24'",
        ),
        (
            TABLE + TABLE.removeprefix("routing:\n").replace("rt-spokes", "RT-Spokes"),
            FORWARDING,
            "routing[1].route_table: expected each route table once, found 'RT-Spokes'",
        ),
        (
            TABLE + "    routes: [to-premises]\n",
            FORWARDING,
            "routing[0].routes: expected no routes, because mode: overlay decides for each route "
            "by its prefix, found to-premises; remove routes, or set mode: replace",
        ),
        (
            TABLE + "    mode: replace\n    routes: [a, A]\n",
            (),
            "routing[0].routes[1]: expected each route once, found 'A'",
        ),
        (
            TABLE + "    mode: replace\n    routes: [a/b]\n",
            (),
            "routing[0].routes[0]: expected a name that Azure allows",
        ),
        (
            TABLE.replace("rt-spokes", "rt-spokes/to-premises"),
            FORWARDING,
            "routing[0].route_table: expected a name that Azure allows",
        ),
        (
            TABLE + "    mode: other\n",
            FORWARDING,
            "routing[0].mode: expected 'overlay' or 'replace', found 'other'",
        ),
        (
            TABLE.replace("rt-spokes", "/subscriptions/1/rt-spokes"),
            FORWARDING,
            "routing[0].route_table: expected /subscriptions/<guid>/resourceGroups/<group>/"
            "providers/Microsoft.Network/routeTables/<name>",
        ),
        (
            TABLE,
            (*FORWARDING, ("[10.5.0.0/16]", "[10.5.0.0/16, 0.0.0.0/0]")),
            "remote_prefixes[1]: expected a prefix narrower than 0.0.0.0/0, because mode: overlay "
            "keeps the default route at the primary's appliance",
        ),
        (
            TABLE,
            FORWARDING[1:],
            "spokes[0].spoke_to_primary.on_ipsec.allow_forwarded_traffic: expected true or keep, "
            "found false; routing sends the spokes' traffic through an appliance, and on ipsec "
            "this peering carries what the appliance forwards",
        ),
        (
            TABLE,
            FORWARDING[:1],
            "spokes[0].primary_to_spoke.on_ipsec.allow_forwarded_traffic: expected true or keep",
        ),
        (
            TABLE + "    mode: replace\n",
            (
                (
                    "on_ipsec: {allow_forwarded_traffic: true, use_remote_gateways",
                    "on_ipsec: {use_remote_gateways",
                ),
            ),
            "spokes[0].spoke_to_backup.on_ipsec.allow_forwarded_traffic: expected true or keep",
        ),
        (
            TABLE.replace("route_table:", "routetable:"),
            FORWARDING,
            "routing[0].routetable: unknown key; did you mean 'route_table'? Known keys: "
            "route_table, on_expressroute, on_ipsec, mode, routes",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_key_and_what_was_expected(
    tmp_path: FilePath, routing: str, edits: tuple[tuple[str, str], ...], complaint: str
) -> None:
    lines = complaints(write(tmp_path, routing, *edits))
    assert any(complaint in line for line in lines), lines
