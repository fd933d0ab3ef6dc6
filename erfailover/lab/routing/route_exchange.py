"""BGP tables as a pure function of the adjacencies and of what each speaker originates.

Decides which routes every gateway instance learns, prefers and advertises; it knows nothing of
time, of resources, or of the wire. The rules are those the observed tables imply: a route
that an instance originates beats a learned one; then the shortest AS path; nothing goes back to
the peer it came from, nor to an AS its path holds; the prefixes of a local network gateway
are withheld from the connection they belong to; host routes to peers stay at home.

Among paths of one length an external one beats the twin instance's, then the lowest BGP
identifier of the sender wins, then the lowest peer address (RFC 4271, 9.1.2.2, steps d, f and g;
Azure's decision process is unpublished, and that a gateway's identifier is its default BGP address
is assumed).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from erfailover.lab.core import addresses

SpeakerKey = tuple[str, int]
"""A gateway's key and the number of its instance."""
EndKey = tuple[str, int]
"""One end of a session: a connection's key and the number of the local instance."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """A gateway instance: its ASN, the prefixes it originates and may advertise, its identifier."""

    key: SpeakerKey
    asn: int
    originated: tuple[str, ...]
    identifier: str = ""


@dataclass(frozen=True, slots=True)
class BgpRoute:
    """A learned route: at which end, from which peer address, over which ASNs.

    ``identifier`` is the BGP identifier of the speaker it came from.
    """

    prefix: str
    as_path: tuple[int, ...]
    peer: str
    end: EndKey
    internal: bool = False
    identifier: str = ""


@dataclass(frozen=True, slots=True)
class Adjacency:
    """One direction of a session: ``receiver`` learns from ``sender`` at its end ``end``.

    ``withheld`` are the prefixes that the sender keeps from this session. A ``frozen`` adjacency
    is a session whose far end has gone silent and whose hold time still runs: its
    routes are those learned last. ``sender_end`` is the sender's own end of the session.
    """

    end: EndKey
    receiver: SpeakerKey
    sender: SpeakerKey
    peer: str
    sender_end: EndKey | None = None
    withheld: frozenset[str] = frozenset()
    internal: bool = False
    frozen: tuple[BgpRoute, ...] | None = None


ReceivedRoutes = Mapping[EndKey, Mapping[str, BgpRoute]]
"""By end, the routes learned there, by prefix."""


def converge(
    speakers: Mapping[SpeakerKey, Speaker], hearings: Sequence[Adjacency]
) -> ReceivedRoutes:
    """Exchange routes between the speakers until nothing changes.

    Returns:
        By end of a session, the routes that the receiver holds from there.
    """
    received: dict[EndKey, dict[str, BgpRoute]] = {adjacency.end: {} for adjacency in hearings}
    ends_of: dict[SpeakerKey, list[EndKey]] = {}
    listeners: dict[SpeakerKey, list[Adjacency]] = {}
    for adjacency in hearings:
        ends_of.setdefault(adjacency.receiver, []).append(adjacency.end)
        if adjacency.frozen is not None:
            received[adjacency.end] = {path.prefix: path for path in adjacency.frozen}
        else:
            listeners.setdefault(adjacency.sender, []).append(adjacency)
    waiting = [key for key in speakers if key in listeners]
    while waiting:
        key = waiting.pop(0)
        best = _select_best(received[end] for end in ends_of.get(key, ()))
        for hearing in listeners[key]:
            advertised = _advertise(speakers[key], best, hearing, speakers[hearing.receiver].asn)
            if advertised != received[hearing.end]:
                received[hearing.end] = advertised
                if hearing.receiver in listeners and hearing.receiver not in waiting:
                    waiting.append(hearing.receiver)
    return received


def select_best(received: ReceivedRoutes, ends: Sequence[EndKey]) -> dict[str, BgpRoute]:
    """Return the best learned route of each prefix at some ends of one gateway."""
    return _select_best(received.get(end, {}) for end in ends)


def _select_best(tables: Iterable[Mapping[str, BgpRoute]]) -> dict[str, BgpRoute]:
    best: dict[str, BgpRoute] = {}
    for table in tables:
        for prefix, path in table.items():
            if prefix not in best or _rank_route(path) < _rank_route(best[prefix]):
                best[prefix] = path
    return best


def _rank_route(path: BgpRoute) -> tuple[int, bool, int, int]:
    identifier, peer = map(addresses.parse_ipv4_number, (path.identifier, path.peer))
    return len(path.as_path), path.internal, identifier or 0, peer or 0


def _advertise(
    sender: Speaker, best: Mapping[str, BgpRoute], hearing: Adjacency, receiver_asn: int
) -> dict[str, BgpRoute]:
    """Return the routes that a speaker advertises to a receiver."""
    advertised: dict[str, BgpRoute] = {}
    own = frozenset(sender.originated)

    def add(prefix: str, as_path: tuple[int, ...]) -> None:
        advertised[prefix] = BgpRoute(
            prefix, as_path, hearing.peer, hearing.end, hearing.internal, sender.identifier
        )

    if hearing.internal:
        for prefix, path in best.items():
            if not path.internal and prefix not in own:
                add(prefix, path.as_path)
        return advertised
    if receiver_asn == sender.asn:
        return advertised
    for prefix in sender.originated:
        if prefix not in hearing.withheld:
            add(prefix, (sender.asn,))
    for prefix, path in best.items():
        if prefix in own or path.end == hearing.sender_end or receiver_asn in path.as_path:
            continue
        add(prefix, (sender.asn, *path.as_path))
    return advertised
