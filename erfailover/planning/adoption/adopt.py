"""Make a site of the networks found in Azure, for ``init --from-azure``. Pure.

Decides which VNets are spokes, the flags on both paths, the names, and the remarks on what a
person should check. ``site_file`` writes the result; Azure is never read or written here.

The rules:

- A spoke is a VNet whose peering uses the remote gateway of the primary hub; or of the backup
  hub, while it is peered with the primary hub both ways: that one is failed over now.
- The flags of the path that a spoke is on are written as they are. Those of the other path are
  derived: the same peerings, with remote gateways and transit moved to the other hub. Forwarded
  traffic stays as it is in an existing peering; a new peering has that of the current path.
- ``prefixes`` decides the remote prefixes.
- Names of spokes and of new peerings are unique, fit Azure's rules, and follow the naming
  convention of the existing peerings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network

from erfailover.errors import UnknownReading, UsageFailure
from erfailover.model.conditions import ConditionStatus
from erfailover.model.counting import format_count, join_names
from erfailover.model.observed import Peering, SiteSnapshot, VirtualNetwork
from erfailover.model.peering_flags import Flags
from erfailover.model.resource_ids import get_last_name, get_subscription, is_network
from erfailover.model.site import (
    CloudName,
    FlagsOrAbsent,
    Hub,
    Path,
    Role,
    Site,
    SiteFailoverTest,
    SitePeering,
    Spoke,
)
from erfailover.planning import conditions
from erfailover.planning.adoption.adopted_table import AdoptedTable
from erfailover.planning.adoption.names import describe_lender, name_spokes, propose_name
from erfailover.planning.adoption.prefixes import Prefix, find_remote_prefixes, list_questions
from erfailover.planning.coexistence import describe_second_gateway

EXPRESS = "ExpressRoute"


@dataclass(frozen=True, slots=True)
class HubFacts:
    """A hub and its gateway, as found.

    Attributes:
        hub: the VNet's id.
        gateway: the gateway's id.
        kind: ``ExpressRoute`` or ``Vpn``.
        traits: what else a reader wants to know of it: the SKU, active-active, its ASN.
        locations: peering locations of its circuits, those that could be read.
        unread: which others are unknown, and why, in words.
        beside: the name and kind of each other gateway in the hub.
    """

    hub: str
    gateway: str
    kind: str
    traits: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    beside: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The name of the VNet."""
        return get_last_name(self.hub)


@dataclass(frozen=True, slots=True)
class DiscoveredSite:
    """What was read: both hubs, and every VNet peered with either."""

    primary: HubFacts
    backup: HubFacts
    observed: SiteSnapshot

    def get_hub(self, role: Role) -> HubFacts:
        """One of the two hubs."""
        return self.primary if role is Role.PRIMARY else self.backup


@dataclass(frozen=True, slots=True)
class AdoptionOptions:
    """What the operator said beside the two hubs.

    Attributes:
        name: the site's name; None for the primary hub's.
        spokes: names or ids of the spokes to adopt; empty for all.
        remote_prefixes: instead of those learned over the primary.
        cloud: whose network it is.
    """

    name: str | None = None
    spokes: tuple[str, ...] = ()
    remote_prefixes: tuple[IPv4Network, ...] = ()
    cloud: CloudName = "public"


@dataclass(frozen=True, slots=True)
class AdoptedSpoke:
    """A spoke, the path it is on, and what is to be said of it."""

    spoke: Spoke
    path: Path
    address_space: tuple[IPv4Network, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Adoption:
    """A site as adopted. ``remarks`` are what a person should look at."""

    site: Site
    spokes: tuple[AdoptedSpoke, ...]
    prefixes: tuple[Prefix, ...]
    remarks: tuple[str, ...]
    tables: tuple[AdoptedTable, ...] = ()


def adopt(discovered: DiscoveredSite, options: AdoptionOptions) -> Adoption:
    """Return the site that was found.

    Raises:
        UnknownReading: a VNet that may be a spoke, or the primary's routes, could not be read.
        UsageFailure: there is no spoke, or none that was asked for.
    """
    remarks = (
        [_explain_exchanged(discovered)]
        if discovered.primary.kind != discovered.backup.kind == EXPRESS
        else []
    )
    remarks += [
        describe_second_gateway(hub.name, get_last_name(hub.gateway), hub.kind, hub.beside, role)
        for role in Role
        if (hub := discovered.get_hub(role)).beside
    ]
    spokes = _adopt_spokes(discovered, options, remarks)
    prefixes = find_remote_prefixes(discovered.observed, options.remote_prefixes)
    remarks += list_questions(prefixes)
    remarks += [f"{spoke.spoke.name}: {note}" for spoke in spokes for note in spoke.notes]
    away = join_names((spoke.spoke.name for spoke in spokes if spoke.path is Path.IPSEC), 6)
    if away:
        remarks.append(f"on IPsec now, so their flags on ExpressRoute are derived: {away}")
    site = Site(
        site=(options.name or discovered.primary.name)[:63],
        primary=Hub(discovered.primary.hub, discovered.primary.gateway),
        backup=Hub(discovered.backup.hub, discovered.backup.gateway),
        spokes=tuple(spoke.spoke for spoke in spokes),
        remote_prefixes=tuple(prefix.network for prefix in prefixes if prefix.active),
        subscription=get_subscription(discovered.primary.hub),
        cloud=options.cloud,
        drill=_propose_drill(discovered.primary),
    )
    return Adoption(site, spokes, prefixes, tuple(remarks))


def _propose_drill(primary: HubFacts) -> SiteFailoverTest | None:
    """Azure's own test, of the first peering location; it needs circuits in another one too."""
    if primary.kind != EXPRESS or not primary.locations[1:]:
        return None
    return SiteFailoverTest(primary.locations[0])


def _explain_exchanged(discovered: DiscoveredSite) -> str:
    return (
        f"the backup hub, {discovered.backup.name}, has the ExpressRoute gateway, and the "
        "primary hub has none: check whether the two hubs are swapped"
    )


# --- spokes -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _SpokePeerings:
    """A VNet's peerings with both hubs, as they are."""

    network: VirtualNetwork
    out_primary: Peering | None
    in_primary: Peering | None
    out_backup: Peering | None
    in_backup: Peering | None

    @property
    def path(self) -> Path | None:
        """The path it is on, if it is a spoke of the site."""
        if self.out_primary is None or self.in_primary is None:
            return None
        if self.out_primary.flags.use_remote_gateways:
            return Path.EXPRESSROUTE
        used = self.out_backup is not None and self.out_backup.flags.use_remote_gateways
        return Path.IPSEC if used and self.in_backup is not None else None


def _adopt_spokes(
    discovered: DiscoveredSite, options: AdoptionOptions, remarks: list[str]
) -> tuple[AdoptedSpoke, ...]:
    fours = [
        four
        for other_network in _iter_other_networks(discovered)
        for four in [_build_four(discovered, other_network)]
    ]
    candidates = [four for four in fours if four.path is not None]
    asked_for = _select_spokes(candidates, options.spokes, discovered.observed.unknown)
    chosen, partial = _split_by_completeness(asked_for)
    remarks += partial
    if not options.spokes:
        _insist_on_having_read(discovered, remarks)
        remarks += [_explain_left_out(discovered, four) for four in fours if four.path is None]
    elif len(chosen) + len(partial) < len(candidates):
        count = len(candidates) - len(chosen) - len(partial)
        spokes = format_count(count, "further spoke")
        remarks.append(f"{spokes} left out: not named with --spoke")
    if partial and not chosen:
        raise UsageFailure(
            f"no spoke can be adopted: {join_names(partial, 6, '; ')}",
            "Peer the whole VNets with the primary hub, or choose other spokes.",
        )
    if not chosen:
        raise UsageFailure(
            f"no VNet peered with {discovered.primary.name} uses its gateway or the one of "
            f"{discovered.backup.name}",
            _NO_SPOKE + _describe_summaries(discovered),
        )
    names = name_spokes([four.network.id for four in chosen])
    used_names = {
        _build_key(peering)
        for network in discovered.observed.networks.values()
        for peering in network.peerings
    }
    return tuple(
        _adopt_spoke(discovered, four, name, used_names)
        for four, name in zip(chosen, names, strict=True)
    )


_NO_SPOKE = "Check the ids of the two hubs: a spoke's peering has useRemoteGateways on."


def _describe_summaries(discovered: DiscoveredSite) -> str:
    """Check that the spokes may do without remote gateways, which is not supported."""
    hub = discovered.observed.get_network(discovered.primary.hub)
    text = ", ".join(map(str, hub.summarized)) if hub else ""
    return (
        text
        and f" {discovered.primary.name} advertises {text} for its spokes, which is not supported."
    )


def _split_by_completeness(
    fours: Iterable[_SpokePeerings],
) -> tuple[list[_SpokePeerings], list[str]]:
    """Return the spokes whose peerings join complete VNets, and why the others are left out."""
    complete: list[_SpokePeerings] = []
    partial: list[str] = []
    for four in fours:
        peerings = (four.out_primary, four.in_primary, four.out_backup, four.in_backup)
        checks = (conditions.check_peering_complete(peering) for peering in peerings if peering)
        bad = next(
            (condition for condition in checks if condition.status is not ConditionStatus.HOLDS),
            None,
        )
        if bad is None:
            complete.append(four)
        else:
            partial.append(f"{four.network.name}: left out, {bad.message}")
    return complete, partial


def _iter_other_networks(discovered: DiscoveredSite) -> Iterator[VirtualNetwork]:
    """Yield the VNets that were read beside the hubs, in a steady order."""
    hubs = {discovered.primary.hub.lower(), discovered.backup.hub.lower()}
    for key in sorted(discovered.observed.networks, key=lambda key: key.split("/")[::-1]):
        if key not in hubs:
            yield discovered.observed.networks[key]


def _build_four(discovered: DiscoveredSite, network: VirtualNetwork) -> _SpokePeerings:
    hubs = [discovered.observed.get_network(discovered.get_hub(role).hub) for role in Role]
    out = [_find_peering(network, hub.id if hub else "") for hub in hubs]
    into = [_find_peering(hub, network.id) if hub else None for hub in hubs]
    return _SpokePeerings(network, out[0], into[0], out[1], into[1])


def _find_peering(network: VirtualNetwork, remote: str) -> Peering | None:
    return next(
        (
            peering
            for peering in network.peerings
            if peering.remote_virtual_network.lower() == remote.lower()
        ),
        None,
    )


def _select_spokes(
    candidates: Sequence[_SpokePeerings], names: Sequence[str], unknown: Mapping[str, str]
) -> list[_SpokePeerings]:
    """Return the spokes that were asked for; all if none was.

    Args:
        candidates: the spokes that were read.
        names: names or ids.
        unknown: why VNets could not be read, by id in lower case.
    """
    if not names:
        return list(candidates)
    chosen: list[_SpokePeerings] = []
    for text in names:
        key = text.lower()
        hits = [
            four
            for four in candidates
            if key in (four.network.id.lower(), get_last_name(four.network.id).lower())
        ]
        unread = [why for id_, why in unknown.items() if key in (id_, get_last_name(id_))]
        if not hits and unread:
            raise UnknownReading(
                f"--spoke {text} could not be read: {unread[0]}",
                "Nothing was written. Ask for the right to read it, or leave it out.",
            )
        if len(hits) != 1:
            existing = (
                join_names((get_last_name(four.network.id) for four in candidates), 12) or "none"
            )
            message = "two VNets have this name" if hits else f"the spokes are {existing}"
            raise UsageFailure(
                f"--spoke {text}: expected one spoke of the hubs; {message}",
                "Use its full resource id.",
            )
        chosen += [four for four in hits if four not in chosen]
    return chosen


def _insist_on_having_read(discovered: DiscoveredSite, remarks: list[str]) -> None:
    """Every VNet that a hub lends its gateway to must have been read."""
    unread: list[str] = []
    for role in Role:
        hub = discovered.observed.get_network(discovered.get_hub(role).hub)
        for peering in hub.peerings if hub else ():
            remote = peering.remote_virtual_network
            why = discovered.observed.unknown.get(remote.lower())
            owner = get_last_name(hub.id) if hub else ""
            if remote and not is_network(remote):
                remarks.append(
                    f"{get_last_name(remote)}, peered with {owner}, is a classic VNet or one of "
                    "Microsoft's own: left out"
                )
                continue
            if why is None:
                continue
            if peering.flags.allow_gateway_transit and "does not exist" not in why:
                unread.append(f"{get_last_name(remote)}: {why}")
            else:
                remarks.append(f"{get_last_name(remote)}, peered with {owner}: {why}")
    if unread:
        raise UnknownReading(
            f"Unknown whether these are spokes: {join_names(dict.fromkeys(unread), 6, '; ')}",
            "Nothing was written. Ask for the right to read them, or list the spokes with --spoke.",
        )


def _explain_left_out(discovered: DiscoveredSite, four: _SpokePeerings) -> str:
    """Explain why a VNet is not a spoke of the site."""
    name, primary, backup = four.network.name, discovered.primary.name, discovered.backup.name
    if four.out_backup is not None and four.out_backup.flags.use_remote_gateways:
        return f"{name} uses the gateway of {backup} and is not peered with {primary}: left out"
    other = next(
        (peering for peering in four.network.peerings if peering.flags.use_remote_gateways), None
    )
    if other is not None:
        lender = describe_lender(other)
        return f"{name} uses the gateway of {lender}, and Azure allows only one: left out"
    if four.out_primary is None or four.in_primary is None:
        return f"{name} is not peered with {primary} both ways: left out"
    return f"{name} is peered with {primary} and does not use its gateway: left out"


def _adopt_spoke(
    discovered: DiscoveredSite, four: _SpokePeerings, name: str, used_names: set[tuple[str, str]]
) -> AdoptedSpoke:
    """Return a spoke's four peerings on both paths; adds the names it proposes to those taken."""
    path = four.path
    assert path is not None
    assert four.out_primary is not None
    notes: list[str] = []
    if path is Path.EXPRESSROUTE:
        peerings = _adopt_on_expressroute(discovered, four, name, used_names, notes)
    else:
        peerings = _adopt_on_ipsec(four)
    if not four.out_primary.flags.allow_virtual_network_access:
        notes.append("has no access to the primary hub's VNet, which a site requires")
    spoke = Spoke(four.network.id, *peerings, name=name)
    return AdoptedSpoke(spoke, path, four.network.address_space, tuple(notes))


_FourPeerings = tuple[SitePeering, SitePeering, SitePeering, SitePeering]


def _adopt_on_expressroute(
    discovered: DiscoveredSite,
    four: _SpokePeerings,
    name: str,
    used_names: set[tuple[str, str]],
    notes: list[str],
) -> _FourPeerings:
    """Return a spoke in normal times: existing settings stay, the other path is derived."""
    out, into = four.out_primary, four.in_primary
    assert out is not None
    assert into is not None
    hubs = discovered.primary.name, discovered.backup.name
    owner, fallback = four.network.id, f"{four.network.name}-to-{discovered.backup.name}"
    outward = propose_name(owner, out.name, hubs, fallback, used_names)
    fallback = f"{discovered.backup.name}-to-{name.replace('/', '-')}"
    inward = propose_name(discovered.backup.hub, into.name, hubs, fallback, used_names)
    if (four.out_backup is None) != (four.in_backup is None):
        there = four.out_backup or four.in_backup
        notes.append(
            f"only one of its peerings with {discovered.backup.name} exists: {_get_name(there)}"
        )
    ready = four.out_backup is not None or four.in_backup is not None
    backup_out = _get_ready_flags(four.out_backup, out.flags, ready)
    backup_in = _get_ready_flags(four.in_backup, into.flags, ready)
    return (
        SitePeering(out.name, out.flags, _keep_forwarded(out.flags, use_remote_gateways=False)),
        SitePeering(
            into.name, into.flags, _keep_forwarded(into.flags, allow_gateway_transit=False)
        ),
        SitePeering(
            four.out_backup.name if four.out_backup else outward,
            backup_out,
            replace(_get_base_flags(four.out_backup, out.flags), use_remote_gateways=True),
        ),
        SitePeering(
            four.in_backup.name if four.in_backup else inward,
            backup_in,
            replace(_get_base_flags(four.in_backup, into.flags), allow_gateway_transit=True),
        ),
    )


def _adopt_on_ipsec(four: _SpokePeerings) -> _FourPeerings:
    """Return a spoke that is failed over: its backup peerings exist, and stay on the way home."""
    out, into, out_b, in_b = four.out_primary, four.in_primary, four.out_backup, four.in_backup
    assert out is not None
    assert into is not None
    assert out_b is not None
    assert in_b is not None
    forwarded = out_b.flags.allow_forwarded_traffic, in_b.flags.allow_forwarded_traffic
    home_out = replace(out.flags, use_remote_gateways=True, allow_forwarded_traffic=forwarded[0])
    home_in = replace(into.flags, allow_gateway_transit=True, allow_forwarded_traffic=forwarded[1])
    return (
        SitePeering(out.name, home_out, out.flags),
        SitePeering(into.name, home_in, into.flags),
        SitePeering(out_b.name, replace(out_b.flags, use_remote_gateways=False), out_b.flags),
        SitePeering(in_b.name, replace(in_b.flags, allow_gateway_transit=False), in_b.flags),
    )


def _keep_forwarded(flags: Flags, **changed: bool) -> Flags:
    """Return the flags of a primary peering while failed over: forwarded traffic is kept."""
    return replace(flags, allow_forwarded_traffic="keep", **changed)


def _get_base_flags(peering: Peering | None, like: Flags) -> Flags:
    """Return the flags of a backup peering without what the path adds."""
    if peering is not None:
        return peering.flags
    return Flags(allow_forwarded_traffic=like.allow_forwarded_traffic)


def _get_ready_flags(peering: Peering | None, like: Flags, ready: bool) -> FlagsOrAbsent:
    """Return the flags of a backup peering in normal times."""
    return _get_base_flags(peering, like) if ready else "absent"


def _build_key(peering: Peering) -> tuple[str, str]:
    return peering.virtual_network.lower(), peering.name.lower()


def _get_name(peering: Peering | None) -> str:
    return peering.name if peering else "-"
