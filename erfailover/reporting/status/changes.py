"""What differs between two readings of a site, in words. Pure.

A picture is laid out as facts, each with its place in the picture, and the facts are compared.
What grows by itself (how long a session has been up, how many messages it has sent) is ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from erfailover.model.peering_flags import FLAG_LABELS
from erfailover.model.site import Role
from erfailover.reporting.marks import HEALTH_WORD, Mark
from erfailover.reporting.topology.model import HubPicture, PeeringSide, Picture
from erfailover.reporting.words import format_path

LEARNED = {Mark.SOUND: "learned", Mark.BROKEN: "NOT learned"}
NOUNS = {"spokes": "spokes", "peerings": "peerings"}
SAID = "said"
"""The value of what is either reported or not: a warning, a drill."""
FEW = 3
"""Up to this many changes of one kind are listed one by one."""


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A change.

    Attributes:
        part: which part of the picture it concerns: ``spokes``, ``site``, or ``hub``,
            ``sessions``, ``peerings``, each with ``/primary`` or ``/backup``.
        subject: what changed.
        what: how: ``Connected -> Connecting``.
    """

    part: str
    subject: str
    what: str


Key = tuple[str, str, str]
"""Part, subject, which property of it."""


def find_changes(
    before: Picture, after: Picture, notes: tuple[Sequence[str], Sequence[str]] = ((), ())
) -> tuple[StatusChange, ...]:
    """Return what has changed from one reading to the next.

    Args:
        before: the earlier.
        after: the later.
        notes: what was reported besides the picture, before and after: a drill, a run.
    """
    old = {**dict(_iter_facts(before)), **dict(_iter_notes(notes[0]))}
    new = {**dict(_iter_facts(after)), **dict(_iter_notes(notes[1]))}
    keys = [*new, *(key for key in old if key not in new)]
    return tuple(
        StatusChange(key[0], key[1], text)
        for key in keys
        if (text := _describe_change(key[2], old.get(key), new.get(key)))
    )


def format_changes(changes: Sequence[StatusChange]) -> list[str]:
    """Return changes in words, a line each; many of one kind in one line."""
    alike: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        alike.setdefault((change.part, change.what), []).append(change.subject)
    lines: list[str] = []
    for (part, what), subjects in alike.items():
        noun = NOUNS.get(part.split("/")[0], "changes")
        if len(subjects) > FEW:
            lines.append(f"{len(subjects)} {noun} ({subjects[0]}, ...): {what}")
        else:
            lines += [f"{subject}: {what}" if subject else what for subject in subjects]
    return lines


def list_parts(changes: Sequence[StatusChange]) -> frozenset[str]:
    """Which parts of the picture have changed."""
    return frozenset(change.part for change in changes)


def _describe_change(about: str, old: str | None, new: str | None) -> str:
    """Return a change in words; empty if there is none, or if it follows from another."""
    if old == new or (about in FLAG_LABELS.values() and (old is None or new is None)):
        return ""
    if SAID in (old, new):
        return about if old is None else f"cleared: {about}"
    prefix = f"{about} " if about else ""
    if old is None:
        return f"{prefix}{new} (new)"
    return f"{prefix}{old} (gone)" if new is None else f"{prefix}{old} -> {new}"


def _iter_notes(notes: Sequence[str]) -> Iterator[tuple[Key, str]]:
    for note in notes:
        first = note.splitlines()[0].lstrip("* ")
        yield ("site", "", first), SAID


def _iter_facts(picture: Picture) -> Iterator[tuple[Key, str]]:
    for spoke in picture.spokes:
        yield ("spokes", spoke.name, "path"), format_path(spoke.health.path)
        yield ("spokes", spoke.name, ""), HEALTH_WORD[spoke.health.healthy]
    for hub in picture.hubs:
        yield from _iter_hub_facts(picture, hub)
    for spoke in picture.spokes:
        for pair in spoke.pairs:
            for side in pair.sides:
                yield from _iter_side_facts(pair.role, side)
    for warning in picture.health.warnings:
        yield ("site", "", warning), SAID


def _iter_hub_facts(picture: Picture, hub: HubPicture) -> Iterator[tuple[Key, str]]:
    part, gateway = f"hub/{hub.role}", hub.gateway
    for name, read in ((hub.name, hub.network), (gateway.name, gateway.gateway)):
        yield (part, name, ""), read.provisioning_state if read else "not read"
    for remote_prefix in picture.remote_prefixes:
        mark = remote_prefix.get_learned(hub.role).condition.mark
        yield (part, f"{gateway.name}: {remote_prefix.prefix}", ""), LEARNED.get(mark, "unknown")
    for connection in (connection_picture.connection for connection_picture in gateway.connections):
        yield (part, f"connection {connection.name}", ""), connection.status.value or "unknown"
        circuit = connection.known_circuit
        if circuit is not None:
            states = f"{circuit.circuit_state}, {circuit.provider_state}, {circuit.peering_state}"
            yield (part, f"circuit {circuit.name}", ""), states
    neighbors = [session.peer.neighbor for session in gateway.sessions]
    for peer in (session.peer for session in gateway.sessions):
        twice = neighbors.count(peer.neighbor) > 1
        at = f" at {peer.local_address}" if twice else ""
        subject = f"{gateway.name}: BGP session with {peer.neighbor}{at}"
        yield (f"sessions/{hub.role}", subject, ""), peer.state
    if not gateway.sessions and gateway.gateway:
        yield (f"sessions/{hub.role}", f"{gateway.name}: BGP sessions", ""), "unknown"


def _iter_side_facts(role: Role, side: PeeringSide) -> Iterator[tuple[Key, str]]:
    part, subject = f"peerings/{role}", f"{side.owner}/{side.name}"
    peering = side.peering
    if peering is None:
        unknown = side.condition.mark is Mark.UNKNOWN
        yield (part, subject, ""), "unknown" if unknown else "absent"
        return
    yield (part, subject, ""), f"{peering.state}, {peering.sync_level or 'sync level unknown'}"
    if peering.provisioning_state != "Succeeded":
        yield (part, subject, "provisioning"), peering.provisioning_state or "unknown"
    for flag, value in asdict(peering.flags).items():
        yield (part, subject, FLAG_LABELS[flag]), "on" if value else "off"
