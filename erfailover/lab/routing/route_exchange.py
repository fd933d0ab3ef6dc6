"""BGP tables as a pure function of who speaks to whom and what each originates.

Decides which routes every gateway instance hears, prefers and passes on; it knows nothing of
time, of resources, or of the wire. The rules are those the observed tables imply: a route
that an instance originates beats a heard one; then the shortest AS path; nothing goes back to
the peer it came from, nor to an AS its path holds; the prefixes of a local network gateway
are withheld from the connection they belong to; host routes to peers stay at home.

Among paths of one length an external one beats the twin instance's, then the lowest peer
address wins (assumed: the last step of BGP's decision process; Azure does not say).
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
    """One gateway instance: its ASN and the prefixes it originates and may advertise."""

    key: SpeakerKey
    asn: int
    originated: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """A route as it was heard: from which end, by which peer address, over which ASNs."""

    prefix: str
    as_path: tuple[int, ...]
    peer: str
    end: EndKey
    internal: bool = False


@dataclass(frozen=True, slots=True)
class Hearing:
    """One direction of a session: ``receiver`` hears ``sender`` at its end ``end``.

    ``withheld`` are the prefixes that the sender keeps from this session. A ``frozen`` hearing
    stands for a session whose far end has gone silent and whose hold time still runs: its
    routes are those heard last. ``sender_end`` is the sender's own end of the session.
    """

    end: EndKey
    receiver: SpeakerKey
    sender: SpeakerKey
    peer: str
    sender_end: EndKey | None = None
    withheld: frozenset[str] = frozenset()
    internal: bool = False
    frozen: tuple[Path, ...] | None = None


Heard = Mapping[EndKey, Mapping[str, Path]]
"""By end, the routes heard there, by prefix."""


def converge(speakers: Mapping[SpeakerKey, Speaker], hearings: Sequence[Hearing]) -> Heard:
    """Let the speakers exchange routes until nothing changes any more.

    Returns:
        By end of a session, the routes that the receiver holds from there.
    """
    heard: dict[EndKey, dict[str, Path]] = {each.end: {} for each in hearings}
    ends_of: dict[SpeakerKey, list[EndKey]] = {}
    listeners: dict[SpeakerKey, list[Hearing]] = {}
    for each in hearings:
        ends_of.setdefault(each.receiver, []).append(each.end)
        if each.frozen is not None:
            heard[each.end] = {path.prefix: path for path in each.frozen}
        else:
            listeners.setdefault(each.sender, []).append(each)
    waiting = [key for key in speakers if key in listeners]
    while waiting:
        key = waiting.pop(0)
        best = _best(heard[end] for end in ends_of.get(key, ()))
        for hearing in listeners[key]:
            told = _told(speakers[key], best, hearing, speakers[hearing.receiver].asn)
            if told != heard[hearing.end]:
                heard[hearing.end] = told
                if hearing.receiver in listeners and hearing.receiver not in waiting:
                    waiting.append(hearing.receiver)
    return heard


def preferred(heard: Heard, ends: Sequence[EndKey]) -> dict[str, Path]:
    """The best heard route of each prefix at some ends of one gateway."""
    return _best(heard.get(end, {}) for end in ends)


def _best(tables: Iterable[Mapping[str, Path]]) -> dict[str, Path]:
    best: dict[str, Path] = {}
    for table in tables:
        for prefix, path in table.items():
            if prefix not in best or _rank(path) < _rank(best[prefix]):
                best[prefix] = path
    return best


def _rank(path: Path) -> tuple[int, bool, int]:
    return len(path.as_path), path.internal, addresses.ipv4_number(path.peer) or 0


def _told(
    sender: Speaker, best: Mapping[str, Path], hearing: Hearing, receiver_asn: int
) -> dict[str, Path]:
    """What a speaker tells one listener."""
    told: dict[str, Path] = {}
    own = frozenset(sender.originated)
    if hearing.internal:
        for prefix, path in best.items():
            if not path.internal and prefix not in own:
                told[prefix] = Path(prefix, path.as_path, hearing.peer, hearing.end, True)
        return told
    if receiver_asn == sender.asn:
        return told
    for prefix in sender.originated:
        if prefix not in hearing.withheld:
            told[prefix] = Path(prefix, (sender.asn,), hearing.peer, hearing.end)
    for prefix, path in best.items():
        if prefix in own or path.end == hearing.sender_end or receiver_asn in path.as_path:
            continue
        told[prefix] = Path(prefix, (sender.asn, *path.as_path), hearing.peer, hearing.end)
    return told
