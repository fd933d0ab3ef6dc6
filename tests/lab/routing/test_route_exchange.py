"""The choice between routes, without gateways or time."""

from __future__ import annotations

from erfailover.lab.routing.route_exchange import Adjacency, Speaker, converge, select_best

PREFIX = "10.9.0.0/16"


def choose(peers: dict[str, str]) -> str:
    """The identifier whose route is selected; ``peers`` has the address each is reached at."""
    here = Speaker(("here", 0), 65000, ())
    senders = [
        Speaker((name, 0), 65001 + number, (PREFIX,), name) for number, name in enumerate(peers)
    ]
    hearings = [
        Adjacency((f"to-{each.key[0]}", 0), here.key, each.key, peers[each.key[0]])
        for each in senders
    ]
    received = converge({each.key: each for each in (here, *senders)}, hearings)
    chosen = select_best(received, [hearing.end for hearing in hearings])[PREFIX]
    return chosen.identifier


def test_of_equal_routes_the_lowest_bgp_identifier_wins_before_the_lowest_peer_address() -> None:
    """RFC 4271, 9.1.2.2, f before g. Found by running both planes: at custom (APIPA) addresses
    the two differ, and BIRD chose as the document says.
    """
    assert choose({"10.1.0.254": "169.254.21.1", "10.3.0.254": "10.3.0.254"}) == "10.1.0.254"
    assert choose({"10.3.0.254": "10.3.0.254", "10.1.0.254": "169.254.21.1"}) == "10.1.0.254"


def test_identifiers_are_compared_as_numbers() -> None:
    assert choose({"10.10.0.254": "10.10.0.254", "10.9.0.254": "10.9.0.254"}) == "10.9.0.254"
