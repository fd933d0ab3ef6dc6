"""The remote prefixes of a site that is adopted, from what both gateways have learned. Pure.

What the primary's gateway has learned by BGP from Connected peers, without Azure's own address
spaces, must be reached over the backup as well. What the backup's has not learned is listed
separately: it would be unreachable on IPsec, and a switch would refuse to go there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network

from erfailover.errors import UnknownReading
from erfailover.model.observed import SiteSnapshot
from erfailover.model.prefix_table import ANYWHERE, PrefixTable, build_table, format_prefixes
from erfailover.model.site import Role
from erfailover.planning import conditions
from erfailover.planning.carried_prefixes import list_beyond_azure, list_carried_prefixes

FORCED = "the default route (forced tunnelling)"


@dataclass(frozen=True, slots=True)
class Prefix:
    """A remote prefix, whether it is in the site, and why."""

    network: IPv4Network
    active: bool
    note: str

    @property
    def is_question(self) -> bool:
        """Whether a person has to decide: what is left out, and a default route that is taken."""
        return not self.active or self.note.startswith(FORCED)


def find_remote_prefixes(
    observed: SiteSnapshot, stated_prefixes: Sequence[IPv4Network] = ()
) -> tuple[Prefix, ...]:
    """Return the prefixes that must be reached on either path.

    Args:
        observed: both gateways, and every VNet whose address space is Azure's own.
        stated_prefixes: what the operator gave instead of what is learned; all of these are active.

    Raises:
        UnknownReading: the primary has learned nothing, or could not be asked.
    """
    heard = _list_backup_prefixes(observed)
    table = build_table(heard)
    if stated_prefixes:
        return tuple(
            replace(_judge_prefix(prefix, table, "as given"), active=True)
            for prefix in stated_prefixes
        )
    prefixes = [_judge_prefix(prefix, table, "learned") for prefix in _list_learned(observed)]
    if any(prefix.active for prefix in prefixes):
        return tuple(prefixes)
    if [prefix.network for prefix in prefixes] == [ANYWHERE]:
        return (_build_default_route(ANYWHERE in heard),)
    why = "the backup has learned none of these" if heard else "the backup has learned nothing"
    return tuple(
        prefix
        if prefix.network == ANYWHERE
        else Prefix(prefix.network, True, f"learned; {why}: not ready")
        for prefix in prefixes
    )


def list_questions(prefixes: Sequence[Prefix]) -> list[str]:
    """Return what a person has to decide about prefixes; those with the same note together."""
    alike: dict[str, list[IPv4Network]] = {}
    for prefix in prefixes:
        if prefix.is_question:
            alike.setdefault(prefix.note, []).append(prefix.network)
    return [f"{format_prefixes(networks)}: {note}" for note, networks in alike.items()]


def _build_default_route(also: bool) -> Prefix:
    """Return the default route if the primary has learned nothing else."""
    has = "has learned it too" if also else "has NOT learned it: not ready"
    return Prefix(
        ANYWHERE,
        True,
        f"{FORCED}, and nothing else is learned; the backup {has}. "
        "Should all traffic go there on IPsec as well? If not, list the prefixes that should",
    )


def _list_backup_prefixes(observed: SiteSnapshot) -> tuple[IPv4Network, ...]:
    backup = observed.gateways.get(Role.BACKUP)
    return list_carried_prefixes(backup) if backup else ()


def _list_learned(observed: SiteSnapshot) -> list[IPv4Network]:
    """Return what the primary's gateway has learned from beyond Azure, in order."""
    gateway = observed.gateways.get(Role.PRIMARY)
    own = [space for network in observed.networks.values() for space in network.address_space]
    learned = list_beyond_azure(gateway, own) if gateway else []
    if not learned:
        backup = format_prefixes(_list_backup_prefixes(observed))
        raise UnknownReading(
            f"the remote prefixes are unknown: {_explain_unknown(observed)}",
            "Nothing was written. Run init while the primary path is up, or list what the spokes "
            "must reach: --remote-prefix 10.0.0.0/16, repeated as needed."
            + (f" The backup has learned: {backup}." if backup else ""),
        )
    return learned


def _explain_unknown(observed: SiteSnapshot) -> str:
    """Why nothing is known of the primary's routes."""
    gateway = observed.gateways.get(Role.PRIMARY)
    if gateway is None:
        return "the primary hub's gateway could not be read"
    text = gateway.peers.unknown or gateway.learned_routes.unknown
    if text:
        return f"{gateway.name}: {text}"
    detail = ", ".join(f"{peer.neighbor} {peer.state}" for peer in conditions.list_peers(gateway))
    message = detail or "it lists no peer"
    return (
        f"{gateway.name} has learned no prefix from outside Azure through a Connected peer "
        f"({message})"
    )


def _judge_prefix(
    prefix: IPv4Network, heard: PrefixTable[IPv4Network, IPv4Network], how: str
) -> Prefix:
    """Return a prefix, with whether the backup has learned it."""
    route = next(heard.iter_covering(prefix), None)
    if prefix == ANYWHERE:
        also = "has learned it too" if route else "has NOT learned it"
        return Prefix(
            prefix,
            False,
            f"{FORCED}; the backup {also}. Decide whether all traffic should go there on IPsec "
            "as well",
        )
    if route is None:
        return Prefix(prefix, False, "NOT learned by the backup: it would be unreachable on IPsec")
    if route == prefix:
        return Prefix(prefix, True, f"{how}; the backup has learned it too")
    if route == ANYWHERE:
        return Prefix(prefix, True, f"{how}; the backup has only a default route to it")
    return Prefix(prefix, True, f"{how}; the backup has learned {route}, which covers it")
