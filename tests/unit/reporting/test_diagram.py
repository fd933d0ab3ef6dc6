"""The diagram of a site: what is drawn, that it can be read, that nothing lies over anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree

import pytest

from erfailover.model.circuits import Circuit, Circuits, Connection
from erfailover.model.observed import BgpPeer, Gateway, Reading, SiteSnapshot
from erfailover.model.site import Path, Role, Site
from erfailover.planning.health import judge
from erfailover.reporting.diagram import drawing
from erfailover.reporting.diagram import site as diagram_site
from erfailover.reporting.diagram.layout import Rectangle
from erfailover.reporting.diagram.text_width import measure_width
from erfailover.reporting.status.headline import format_headline
from erfailover.reporting.topology.build import build_picture
from tests.support.sites import OPEN, State, gateway, make_snapshot, make_state, peer, route, site

SVG = "{http://www.w3.org/2000/svg}"


def draw_diagram(
    of: Site, snapshot: SiteSnapshot, circuits: dict[Role, Circuits] | None = None
) -> str:
    health = judge(of, snapshot, circuits)
    picture = build_picture(of, snapshot, health, circuits or {})
    return drawing.draw(diagram_site.build_sheet(picture, format_headline(health)))


def healthy(of: Site, path: Path = Path.EXPRESSROUTE) -> SiteSnapshot:
    """All spokes on a path, whose gateway originates them."""
    plain = make_snapshot(of, {})
    prefixes = [
        str(prefix) for network in plain.networks.values() for prefix in network.address_space
    ]
    own = "10.2.0.254" if path is Path.EXPRESSROUTE else "10.3.0.254"
    routes = [route(prefix, "Network", own) for prefix in prefixes]
    learned = [route("10.5.0.0/16")]
    primary = routes if path is Path.EXPRESSROUTE else []
    backup = routes if path is Path.IPSEC else []
    gateways = (
        replace(gateway(Role.PRIMARY, *learned, *primary), asn=65000, sku="VpnGw1AZ"),
        replace(gateway(Role.BACKUP, *learned, *backup), asn=65010, sku="VpnGw1AZ"),
    )
    return make_snapshot(of, make_state(path, of), gateways)


def replace_gateways(snapshot: SiteSnapshot, *gateways: Gateway) -> SiteSnapshot:
    return replace(snapshot, gateways={item.role: item for item in gateways})


def parse_svg(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def texts(under: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in under.iter(f"{SVG}text")]


def card(root: ElementTree.Element, name: str) -> ElementTree.Element:
    return next(element for element in root.iter(f"{SVG}g") if element.get("id") == name)


def classes(element: ElementTree.Element) -> set[str]:
    return set((element.get("class") or "").split())


def links(root: ElementTree.Element, *desired: str) -> list[ElementTree.Element]:
    return [element for element in root.iter(f"{SVG}g") if {"link", *desired} <= classes(element)]


def signs(under: ElementTree.Element) -> list[str]:
    rows = [classes(element) for element in under.iter(f"{SVG}g")]
    return [next(iter(names - {"sign"})) for names in rows if "sign" in names]


def boxes(root: ElementTree.Element) -> dict[str, Rectangle]:
    """Where each card stands."""
    rectangles = {}
    for group in root.iter(f"{SVG}g"):
        if name := group.get("id"):
            rectangles[name] = _rectangle(next(group.iter(f"{SVG}rect")))
    return rectangles


def _rectangle(element: ElementTree.Element) -> Rectangle:
    x, y, wide, high = (float(element.get(key, "")) for key in ("x", "y", "width", "height"))
    return Rectangle(x, y, wide, high)


def text_boxes(under: ElementTree.Element) -> Iterator[tuple[str, Rectangle]]:
    """What room each text takes, in the widest of the fonts."""
    for element in under.iter(f"{SVG}text"):
        size, words = float(element.get("font-size", "")), element.text or ""
        wide = measure_width(words, size, bold=element.get("font-weight") == "bold")
        x, y = float(element.get("x", "")), float(element.get("y", ""))
        yield words, Rectangle(x, y - size * 0.76, wide, size * 0.96)


def holds(outer: Rectangle, inner: Rectangle) -> bool:
    """Whether a box lies wholly within another."""
    return (
        outer.x <= inner.x
        and inner.x + inner.width <= outer.x + outer.width
        and outer.y <= inner.y
        and inner.y + inner.height <= outer.y + outer.height
    )


def overlap(first: Rectangle, second: Rectangle) -> bool:
    """Whether two boxes share more than an edge."""
    return (
        first.x < second.x + second.width
        and second.x < first.x + first.width
        and first.y < second.y + second.height
        and second.y < first.y + first.height
    )


def assert_legible(text: str) -> None:
    """No card lies over another, no text leaves its card or lies over another text."""
    root = parse_svg(text)
    places = boxes(root)
    for (one, first), (other, second) in combinations(places.items(), 2):
        assert not overlap(first, second), f"{one} lies over {other}"
    for name, place in places.items():
        rows = list(text_boxes(card(root, name)))
        for words, box in rows:
            assert holds(place, box), f"{words!r} leaves {name}"
        for (words, box), (others, other_box) in combinations(rows, 2):
            assert not overlap(box, other_box), f"{words!r} lies over {others!r}"
    _, _, wide, high = map(float, root.get("viewBox", "").split())
    page = Rectangle(0, -high, wide, 2 * high)  # the legend is placed by a transform
    for link in links(root)[: -len(diagram_site.LEGEND)]:
        for mark in (element for element in link.iter(f"{SVG}g") if "sign" in classes(element)):
            x, y = map(float, mark.get("transform", "")[len("translate(") : -1].split())
            at = Rectangle(x - 6, y - 6, 12, 12)
            over = [name for name, place in places.items() if overlap(place, at)]
            assert not over, f"the sign of a link lies over {over}"
    for words, box in [
        *((w, b) for element in root.findall(f"{SVG}text") for w, b in text_boxes(element)),
        *((w, b) for w, b in text_boxes(root.findall(f"{SVG}g")[-1])),
    ]:
        assert holds(page, box), f"{words!r} is clipped"


def test_every_vnet_gateway_session_and_peering_is_there_with_its_state() -> None:
    of = site()
    root = parse_svg(draw_diagram(of, healthy(of)))
    assert {"vnet1", "10.1.0.0/16", "on ExpressRoute, healthy"} <= set(
        texts(card(root, "spokes/0"))
    )
    hub = texts(card(root, "hub/primary"))
    assert {"vnet2", "10.2.0.0/16", "gateway vng1", "VPN gateway, VpnGw1AZ", "AS 65000"} <= set(hub)
    assert {"vnet3", "gateway vng2", "AS 65010"} <= set(texts(card(root, "hub/backup")))
    peerings = texts(card(root, "peerings/0/primary"))
    assert peerings[1:] == [
        "vnet1-to-vnet2",
        "Connected, in sync",
        "forwarded traffic + remote gateways",
        "vnet2-to-vnet1",
        "Connected, in sync",
        "forwarded traffic + gateway transit",
    ]
    assert "BGP 10.4.0.254 Connected, 3 routes" in texts(card(root, "sessions/primary"))
    assert "AS 65020" in texts(card(root, "far/0"))
    assert {"10.5.0.0/16", "vng1 has learned it"} <= set(texts(card(root, "prefixes/0")))


def test_the_head_says_site_verdict_and_when_it_was_read() -> None:
    of = site()
    root = parse_svg(draw_diagram(of, healthy(of)))
    head = [element.text for element in root.findall(f"{SVG}text")]
    assert head == [
        "Site poc, read 2026-01-01 00:00:00 UTC",
        "vnet1 is on ExpressRoute; healthy. IPsec is ready to take over.",
    ]


@pytest.mark.parametrize("path", list(Path))
def test_the_path_in_use_is_marked_from_the_spoke_to_the_remote_prefix_and_no_other(
    path: Path,
) -> None:
    of = site()
    root = parse_svg(draw_diagram(of, healthy(of, path)))
    used, other = ("primary", "backup") if path is Path.EXPRESSROUTE else ("backup", "primary")
    active = {
        element.get("id")
        for element in root.iter(f"{SVG}g")
        if element.get("id") and "active" in classes(element)
    }
    assert active == {
        "spokes/0",
        f"peerings/0/{used}",
        f"hub/{used}",
        f"sessions/{used}",
        "far/0",
        "prefixes/0",
    }
    assert f"hub/{other}" not in active
    assert len(links(root, "active")) == 5 + 1  # and the legend's


def test_a_session_that_is_down_is_told_by_word_sign_and_stroke() -> None:
    of = site()
    snapshot = healthy(of)
    own = route("10.2.0.0/16", "Network", "10.2.0.254")
    dead = gateway(Role.PRIMARY, own, peers=(peer(state="Connecting"),))
    root = parse_svg(
        draw_diagram(of, replace_gateways(snapshot, dead, snapshot.gateways[Role.BACKUP]))
    )
    session = card(root, "sessions/primary")
    assert "BGP 10.4.0.254 Connecting" in texts(session)
    assert "broken" in classes(session)
    assert "broken" in signs(session)
    assert all("stroke-dasharray" in path.attrib for path in _strokes(links(root, "broken")))
    assert "vng1 has NOT learned it" in texts(card(root, "prefixes/0"))
    assert "broken" in classes(card(root, "hub/primary"))


def _strokes(elements: list[ElementTree.Element]) -> list[ElementTree.Element]:
    assert elements
    return [next(element.iter(f"{SVG}path")) for element in elements]


def test_a_link_is_active_only_where_the_hub_in_use_has_learned_the_prefix() -> None:
    of = site()
    snapshot = healthy(of)
    own = route("10.2.0.0/16", "Network", "10.2.0.254")
    dead = gateway(Role.PRIMARY, own, peers=(peer(state="Connecting"),))
    root = parse_svg(
        draw_diagram(of, replace_gateways(snapshot, dead, snapshot.gateways[Role.BACKUP]))
    )
    # sound and active: two of the peerings, and the legend's
    assert len(links(root, "active", "sound")) == 2
    assert "active" not in classes(card(root, "prefixes/0"))


def test_peerings_that_a_switch_will_make_are_not_there_yet_and_nothing_broken() -> None:
    of = site("vnet1", "vnet9")
    root = parse_svg(draw_diagram(of, healthy(of)))
    absent = card(root, "peerings/none/backup")
    assert texts(absent)[1:] == ["none with vnet3 yet: 2 spokes", "a switch to it creates them"]
    assert not links(root, "broken")


def test_a_disconnected_peering_and_a_closed_one_are_singled_out_of_the_rest() -> None:
    of = site(*(f"vnet-{n}" for n in range(10, 22)))
    state: State = make_state(Path.EXPRESSROUTE, of)
    flags, _ = state["vnet-10-to-vnet2"]
    state["vnet-10-to-vnet2"] = (flags, "Disconnected")
    closed = replace(flags, allow_virtual_network_access=False)
    state["vnet-11-to-vnet2"] = (closed, "Connected")
    snapshot = make_snapshot(of, state, tuple(healthy(of).gateways.values()))
    text = draw_diagram(of, snapshot)
    root = parse_svg(text)
    lines = [texts(card(root, f"spokes/{n}"))[1] for n in range(3)]
    assert sorted(lines) == ["10 spokes", "vnet-10", "vnet-11"]
    words = " ".join(texts(root))
    assert "Disconnected" in words
    assert "NO ACCESS" in words
    assert_legible(text)


def test_what_could_not_be_read_is_drawn_as_unknown_with_the_reason() -> None:
    of = site("vnet1", "vnet9")
    unread = Gateway(
        "/g/vng1",
        "vng1",
        Role.PRIMARY,
        "Succeeded",
        (),
        Reading(None, "late"),
        Reading(None, "late"),
    )
    snapshot = make_snapshot(
        of,
        make_state(Path.EXPRESSROUTE, of),
        (unread, gateway(Role.BACKUP, route("10.5.0.0/16"))),
        vnet9="403 Forbidden",
    )
    text = draw_diagram(of, snapshot)
    root = parse_svg(text)
    assert "BGP sessions unknown" in texts(card(root, "sessions/primary"))
    assert "unknown" in classes(card(root, "hub/primary"))
    unknown = next(
        card(root, f"spokes/{n}") for n in (0, 1) if "vnet9" in texts(card(root, f"spokes/{n}"))
    )
    assert {"path unknown", "403 Forbidden"} <= set(texts(unknown))
    assert links(root, "unknown")
    assert_legible(text)


def test_a_hub_without_its_gateway_read_is_drawn_all_the_same() -> None:
    of = site()
    snapshot = replace(
        healthy(of), gateways={}, unknown={of.build_gateway_id("vng1").lower(): "404 NotFound"}
    )
    text = draw_diagram(of, snapshot)
    assert "404 NotFound" in texts(card(parse_svg(text), "hub/primary"))
    assert_legible(text)


def test_hundreds_of_spokes_are_one_card_that_says_how_many() -> None:
    of = site(*(f"vnet-{n:03}" for n in range(300)))
    text = draw_diagram(of, healthy(of))
    lines = texts(card(parse_svg(text), "spokes/0"))
    assert lines[1] == "300 spokes"
    assert "vnet-000" in lines[2]
    assert "295 more" in " ".join(lines)
    assert len(text) < 60_000
    assert_legible(text)


def test_of_many_different_conditions_the_worst_are_drawn_and_the_rest_is_counted() -> None:
    names = [f"vnet-{n}" for n in range(10, 50)]
    of = site(*names)
    state: State = make_state(Path.EXPRESSROUTE, of)
    for number, name in enumerate(names[:12]):  # each one in a condition of its own
        state[f"{name}-to-vnet2"] = (OPEN, f"State{number}")
    text = draw_diagram(of, make_snapshot(of, state))
    root = parse_svg(text)
    more = texts(card(root, "spokes/more"))
    rows = [texts(card(root, f"spokes/{n}")) for n in range(diagram_site.MOST_GROUPS)]
    left_out = len(names) - sum(
        int(lines[1].split()[0]) if lines[0] == "spokes" else 1 for lines in rows
    )
    assert more[0] == f"and {left_out} more spokes"
    assert_legible(text)


def test_an_expressroute_gateway_shows_its_circuits_with_their_locations() -> None:
    of = site()
    edge = tuple(replace(peer(f"10.2.0.{n}"), asn=12076) for n in (4, 5, 6, 7))
    er = replace(
        gateway(Role.PRIMARY, route("10.5.0.0/16", source="10.2.0.4"), peers=edge),
        type="ExpressRoute",
    )
    snapshot = replace_gateways(healthy(of), er, healthy(of).gateways[Role.BACKUP])
    circuits = {Role.PRIMARY: _two_circuits()}
    text = draw_diagram(of, snapshot, circuits)
    message = " ".join(texts(card(parse_svg(text), "sessions/primary")))
    assert "circuit c1, Amsterdam: Provisioned, private peering Enabled" in message
    assert "circuit c2, Dublin: NotProvisioned" in message
    assert "broken" in signs(card(parse_svg(text), "sessions/primary"))
    assert "Microsoft edge" in texts(card(parse_svg(text), "far/0"))
    assert_legible(text)


def _two_circuits() -> Circuits:
    def connection(name: str, place: str, provider: str) -> Connection:
        circuit = Circuit(f"/c/{name}", name, "Succeeded", "Enabled", provider, place, "Enabled")
        to = f"to-{name}"
        state = Reading("Connected")
        return Connection(
            f"/n/{to}", to, "ExpressRoute", "Succeeded", state, circuit.id, Reading(circuit)
        )

    connections = (
        connection("c1", "Amsterdam", "Provisioned"),
        connection("c2", "Dublin", "NotProvisioned"),
    )
    return Circuits("/g/vng1", "ExpressRoute", Reading(connections))


def test_either_instance_of_an_active_active_gateway_has_its_sessions_told_apart() -> None:
    of = site()
    rows = (
        replace(peer(), local_address="10.3.0.4"),
        replace(peer(state="Connecting"), local_address="10.3.0.5"),
        BgpPeer("10.3.0.4", "10.3.0.4", 65010, "Unknown", None, 0, 0, 0),
        BgpPeer("10.3.0.5", "10.3.0.4", 65010, "Connected", "1", 2, 3, 4),
    )
    pair = replace(
        gateway(Role.BACKUP, route("10.5.0.0/16"), peers=rows), asn=65010, active_active=True
    )
    snapshot = replace_gateways(healthy(of), healthy(of).gateways[Role.PRIMARY], pair)
    text = draw_diagram(of, snapshot)
    message = " ".join(texts(card(parse_svg(text), "sessions/backup")))
    assert "10.4.0.254 from 10.3.0.4 Connected" in message
    assert "10.4.0.254 from 10.3.0.5 Connecting" in message
    hub = texts(card(parse_svg(text), "hub/backup"))
    assert "AS 65010, active-active" in hub
    assert "sessions within Azure: 1 of 1 up" in hub
    assert_legible(text)


def test_many_far_ends_share_cards_by_their_condition() -> None:
    of = site()
    rows = tuple(
        replace(peer(f"10.4.{n}.254", "Connecting" if n < 2 else "Connected"), asn=65100 + n)
        for n in range(20)
    )
    busy = gateway(Role.BACKUP, route("10.5.0.0/16", source="10.4.9.254"), peers=rows)
    snapshot = replace_gateways(healthy(of), healthy(of).gateways[Role.PRIMARY], busy)
    text = draw_diagram(of, snapshot)
    lines = texts(parse_svg(text))
    assert "2 far ends" in lines
    assert "18 far ends" in lines
    assert "and 12 more, 12 Connected" in lines
    assert_legible(text)


def test_names_with_markup_in_them_are_text_and_long_ones_are_shortened_in_the_middle() -> None:
    nasty = "a<b>&\"'" + "x" * 60 + "z]]>"
    of = site(nasty, "vnet\x00\x1b中文")
    text = draw_diagram(of, healthy(of))
    root = parse_svg(text)
    peering = texts(card(root, "peerings/0/primary"))[1]
    assert peering.startswith("a<b>&")
    assert "…" in peering
    assert "<b>" not in text
    assert "\x1b" not in text
    assert_legible(text)


def test_the_same_observation_gives_the_same_file() -> None:
    of = site(*(f"vnet-{n}" for n in range(10, 30)))
    assert draw_diagram(of, healthy(of)) == draw_diagram(of, healthy(of))
