"""What there is, as a site: spokes, names, flags, prefixes, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path as FilePath

import pytest

from erfailover.config.loader import load
from erfailover.errors import UnknownReading, UsageFailure
from erfailover.model.observed import Gateway, Peering, Reading, SiteSnapshot, VirtualNetwork
from erfailover.model.peering_flags import Flags
from erfailover.model.site import Role
from erfailover.planning.adoption.adopt import (
    Adoption,
    AdoptionOptions,
    DiscoveredSite,
    HubFacts,
    adopt,
)
from erfailover.planning.adoption.names import name_spokes, propose_name
from erfailover.reporting.adoption import render_site_file
from tests.support.sites import HUB_LENDS, OPEN, SPOKE_USES, gateway, peer, route

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
OTHER = "66666666-7777-8888-9999-000000000000"


def network_id(name: str, group: str = "rg", subscription: str = SUBSCRIPTION) -> str:
    provider = "Microsoft.Network/virtualNetworks"
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{name}"


PRIMARY, BACKUP = network_id("hub-p"), network_id("hub-b", "dr", OTHER)

Sides = tuple[Flags | None, Flags | None]
"""A spoke's peering to a hub, and the hub's to it."""


def world(
    spokes: dict[str, tuple[Sides, Sides]],
    primary: tuple[str, ...] = ("10.5.0.0/16",),
    backup: tuple[str, ...] = ("10.5.0.0/16",),
    unknown: dict[str, str] | None = None,
    names: str = "{near}-to-{far}",
) -> DiscoveredSite:
    """Two hubs and spokes by id, with their peerings to the primary and the backup hub."""
    peerings: dict[str, list[Peering]] = {
        PRIMARY: [],
        BACKUP: [],
        **{spoke: [] for spoke in spokes},
    }

    def put(owner: str, remote: str, flags: Flags | None) -> None:
        if flags is None:
            return
        near, far = (text.rsplit("/", 1)[-1] for text in (owner, remote))
        name = names.format(near=near, far=far)
        items = {peering.name for peering in peerings[owner]}
        name = name if name not in items else f"{name}-b"
        id_ = f"{owner}/virtualNetworkPeerings/{name}"
        peerings[owner].append(
            Peering(id_, name, owner, remote, "Connected", "FullyInSync", "Succeeded", flags)
        )

    for id_, sides in spokes.items():
        for hub, (out, into) in zip((PRIMARY, BACKUP), sides, strict=True):
            put(id_, hub.upper() if out and out.allow_gateway_transit else hub, out)
            put(hub, id_, into)
    unread = unknown or {}
    networks = {
        id_.lower(): VirtualNetwork(
            id_,
            id_.rsplit("/", 1)[-1],
            "Succeeded",
            (IPv4Network(f"10.{100 + number}.0.0/16"),),
            False,
            {},
            tuple(rows),
        )
        for number, (id_, rows) in enumerate(peerings.items())
        if id_ not in unread
    }
    gateways: dict[Role, Gateway] = {
        Role.PRIMARY: gateway(Role.PRIMARY, *map(route, primary)),
        Role.BACKUP: gateway(Role.BACKUP, *map(route, backup)),
    }
    observed = SiteSnapshot(
        "2026-01-01T00:00:00Z",
        networks,
        gateways,
        {id_.lower(): why for id_, why in unread.items()},
    )
    facts = [
        HubFacts(hub, hub.replace("virtualNetworks/hub", "virtualNetworkGateways/gw"), kind)
        for hub, kind in ((PRIMARY, "ExpressRoute"), (BACKUP, "Vpn"))
    ]
    return DiscoveredSite(facts[0], facts[1], observed)


NONE: Sides = (None, None)
NORMAL: tuple[Sides, Sides] = ((SPOKE_USES, HUB_LENDS), NONE)
FAILED_OVER: tuple[Sides, Sides] = ((OPEN, OPEN), (SPOKE_USES, HUB_LENDS))
SPOKE = network_id("erp")


def assert_file_matches(discovered: DiscoveredSite, adoption: Adoption, folder: FilePath) -> None:
    """The file says just what was decided."""
    file = folder / "erfailover.yaml"
    file.write_text(render_site_file(discovered, adoption), encoding="utf-8")
    assert load(file, {}) == adoption.site


def test_a_spoke_in_normal_times_keeps_its_flags_and_gets_the_others_derived(
    tmp_path: FilePath,
) -> None:
    discovered = world({SPOKE: NORMAL})
    adoption = adopt(discovered, AdoptionOptions())
    (spoke,) = adoption.site.spokes
    assert spoke.spoke_to_primary.on_expressroute == SPOKE_USES
    assert spoke.spoke_to_primary.on_ipsec == Flags(allow_forwarded_traffic="keep")
    assert spoke.primary_to_spoke.on_expressroute == HUB_LENDS
    assert spoke.primary_to_spoke.on_ipsec == Flags(allow_forwarded_traffic="keep")
    assert (spoke.spoke_to_backup.on_expressroute, spoke.spoke_to_backup.on_ipsec) == (
        "absent",
        SPOKE_USES,
    )
    assert (spoke.backup_to_spoke.on_expressroute, spoke.backup_to_spoke.on_ipsec) == (
        "absent",
        HUB_LENDS,
    )
    assert_file_matches(discovered, adoption, tmp_path)


def test_a_spoke_that_is_failed_over_keeps_its_flags_on_ipsec(tmp_path: FilePath) -> None:
    discovered = world({SPOKE: FAILED_OVER})
    adoption = adopt(discovered, AdoptionOptions())
    (spoke,) = adoption.site.spokes
    assert spoke.spoke_to_primary.on_ipsec == spoke.primary_to_spoke.on_ipsec == OPEN
    assert spoke.spoke_to_backup.on_ipsec == SPOKE_USES
    assert spoke.backup_to_spoke.on_ipsec == HUB_LENDS
    assert spoke.spoke_to_primary.on_expressroute == SPOKE_USES
    assert spoke.primary_to_spoke.on_expressroute == HUB_LENDS
    assert spoke.spoke_to_backup.on_expressroute == replace(SPOKE_USES, use_remote_gateways=False)
    text = "on IPsec now, so their flags on ExpressRoute are derived: erp"
    assert adoption.remarks == (text,)
    assert_file_matches(discovered, adoption, tmp_path)


@pytest.mark.parametrize("out", [None, OPEN, Flags(allow_forwarded_traffic=True)])
@pytest.mark.parametrize("into", [None, OPEN, HUB_LENDS])
def test_whatever_standby_peerings_there_are_the_file_is_a_site(
    out: Flags | None, into: Flags | None, tmp_path: FilePath
) -> None:
    discovered = world({SPOKE: ((SPOKE_USES, HUB_LENDS), (out, into))})
    adoption = adopt(discovered, AdoptionOptions())
    (spoke,) = adoption.site.spokes
    for there, written in ((out, spoke.spoke_to_backup), (into, spoke.backup_to_spoke)):
        if there is not None:
            assert written.on_expressroute == there
        elif out is None and into is None:
            assert written.on_expressroute == "absent"
        else:
            assert written.on_expressroute == Flags(allow_forwarded_traffic=True)
    half = "only one of its peerings with hub-b exists: " in " ".join(adoption.remarks)
    assert half is ((out is None) != (into is None))
    assert_file_matches(discovered, adoption, tmp_path)


LEFT_OUT = [
    (((OPEN, OPEN), NONE), "erp is peered with hub-p and does not use its gateway: left out"),
    ((NONE, (SPOKE_USES, HUB_LENDS)), "erp uses the gateway of hub-b and is not peered with hub-p"),
    (((OPEN, None), NONE), "erp is not peered with hub-p both ways: left out"),
    ((NONE, (OPEN, OPEN)), "erp is not peered with hub-p both ways: left out"),
]


@pytest.mark.parametrize(("sides", "text"), LEFT_OUT)
def test_what_is_no_spoke_is_left_out_with_the_reason(
    sides: tuple[Sides, Sides], text: str
) -> None:
    adoption = adopt(world({SPOKE: sides, network_id("web"): NORMAL}), AdoptionOptions())
    assert [spoke.name for spoke in adoption.site.spokes] == ["web"]
    assert adoption.remarks[0].startswith(text)
    with pytest.raises(UsageFailure, match="no VNet peered with hub-p uses its gateway"):
        adopt(world({SPOKE: sides}), AdoptionOptions())


@pytest.mark.parametrize(
    ("name", "hub", "text"),
    [
        ("RemoteVnetToHubPeering_1", "HV_wan_1", "a Virtual WAN hub (RemoteVnetToHubPeering_1)"),
        ("to-hub", "hub-other", "hub-other (to-hub)"),
    ],
)
def test_a_vnet_that_uses_the_gateway_of_a_third_hub_is_left_out_with_its_name(
    name: str, hub: str, text: str
) -> None:
    discovered = world({SPOKE: ((OPEN, OPEN), NONE), network_id("web"): NORMAL})
    erp = discovered.observed.networks[SPOKE.lower()]
    id_ = f"{SPOKE}/virtualNetworkPeerings/{name}"
    state = "Connected", "FullyInSync", "Succeeded"
    third = Peering(id_, name, SPOKE, network_id(hub), *state, SPOKE_USES)
    networks = {**discovered.observed.networks, SPOKE.lower(): replace(erp, peerings=(third,))}
    adoption = adopt(
        replace(discovered, observed=replace(discovered.observed, networks=networks)),
        AdoptionOptions(),
    )
    assert adoption.remarks == (
        f"erp uses the gateway of {text}, and Azure allows only one: left out",
    )


def test_spokes_whose_vnets_are_called_alike_are_told_apart(tmp_path: FilePath) -> None:
    ids = [
        network_id("web", "a"),
        network_id("web", "b"),
        network_id("erp", "a"),
        network_id("erp", "a", OTHER),
        network_id("data"),
    ]
    assert name_spokes(ids) == [
        "a/web",
        "b/web",
        f"{SUBSCRIPTION}/a/erp",
        f"{OTHER}/a/erp",
        "data",
    ]
    discovered = world(dict.fromkeys(ids, NORMAL))
    adoption = adopt(discovered, AdoptionOptions())
    names = [spoke.backup_to_spoke.name.lower() for spoke in adoption.site.spokes]
    assert len(set(names)) == len(ids)
    assert_file_matches(discovered, adoption, tmp_path)


@pytest.mark.parametrize(
    ("names", "outward", "inward"),
    [
        ("peer-{near}-{far}", "peer-erp-hub-b", "peer-hub-b-erp"),
        ("{far}", "hub-b", "hub-b-to-erp"),
        ("link", "erp-to-hub-b", "hub-b-to-erp"),
    ],
)
def test_a_new_peering_is_named_as_the_others_are(names: str, outward: str, inward: str) -> None:
    (spoke,) = adopt(world({SPOKE: NORMAL}, names=names), AdoptionOptions()).site.spokes
    assert (spoke.spoke_to_backup.name, spoke.backup_to_spoke.name) == (outward, inward)


def test_a_proposed_name_is_no_longer_than_azure_allows() -> None:
    discovered = world({network_id("s" * 64): NORMAL}, names="{near}-to-the-other-side-{far}")
    (spoke,) = adopt(discovered, AdoptionOptions()).site.spokes
    assert max(len(spoke.spoke_to_backup.name), len(spoke.backup_to_spoke.name)) <= 80


def test_a_hub_with_another_letter_case_in_a_reference_is_the_same_hub() -> None:
    uses = replace(SPOKE_USES, allow_gateway_transit=True)  # written in capitals, see world
    adoption = adopt(world({SPOKE: ((uses, HUB_LENDS), NONE)}), AdoptionOptions())
    assert len(adoption.site.spokes) == 1


PREFIXES = [
    (("10.5.0.0/16",), ("10.5.0.0/16",), {"10.5.0.0/16": "learned; the backup has learned it too"}),
    (("10.5.0.0/16",), ("10.0.0.0/8",), {"10.5.0.0/16": "has learned 10.0.0.0/8, which covers it"}),
    (("10.5.0.0/16",), ("0.0.0.0/0",), {"10.5.0.0/16": "the backup has only a default route"}),
    (("10.5.0.0/16",), ("10.6.0.0/16",), {"10.5.0.0/16": "has learned none of these: not ready"}),
    (("10.5.0.0/16",), (), {"10.5.0.0/16": "has learned nothing: not ready"}),
    (
        ("10.5.0.0/16", "10.6.0.0/16", "10.100.0.0/24", "10.4.0.254/32", "fd00::/8"),
        ("10.5.0.0/16",),
        {"10.5.0.0/16": "learned; the backup", "10.6.0.0/16": "!NOT learned by the backup"},
    ),
    (
        ("0.0.0.0/0", "10.5.0.0/16"),
        ("0.0.0.0/0", "10.5.0.0/16"),
        {"0.0.0.0/0": "!the default route (forced tunnelling); the backup has learned it too"},
    ),
    (
        ("0.0.0.0/0", "10.5.0.0/16"),
        ("10.5.0.0/16",),
        {"0.0.0.0/0": "!the default route (forced tunnelling); the backup has NOT learned it"},
    ),
]


@pytest.mark.parametrize(("primary", "backup", "notes"), PREFIXES)
def test_the_remote_prefixes_are_what_the_primary_learns_from_beyond_azure(
    primary: tuple[str, ...], backup: tuple[str, ...], notes: dict[str, str], tmp_path: FilePath
) -> None:
    """``!`` before a note: left out of the site, and said."""
    discovered = world({SPOKE: NORMAL}, primary, backup)
    adoption = adopt(discovered, AdoptionOptions())
    prefixes = {str(item.network): item for item in adoption.prefixes}
    for prefix, note in notes.items():
        assert note.removeprefix("!") in prefixes[prefix].note
        assert prefixes[prefix].active is not note.startswith("!")
        is_reported = any(remark.startswith(f"{prefix}: ") for remark in adoption.remarks)
        assert is_reported is note.startswith("!")
    assert prefixes.keys() <= notes.keys() | {"10.5.0.0/16"}
    assert_file_matches(discovered, adoption, tmp_path)


def test_without_routes_of_a_connected_peer_the_prefixes_are_unknown() -> None:
    discovered = world({SPOKE: NORMAL})
    dead = replace(
        discovered.observed.gateways[Role.PRIMARY], peers=Reading((peer(state="Connecting"),))
    )
    gateways = {**discovered.observed.gateways, Role.PRIMARY: dead}
    discovered = replace(discovered, observed=replace(discovered.observed, gateways=gateways))
    with pytest.raises(UnknownReading, match=r"10\.4\.0\.254 Connecting") as caught:
        adopt(discovered, AdoptionOptions())
    assert "The backup has learned: 10.5.0.0/16" in str(caught.value.hint)
    prefixes = (IPv4Network("10.9.0.0/16"),)
    adoption = adopt(discovered, AdoptionOptions(remote_prefixes=prefixes))
    assert adoption.site.remote_prefixes == prefixes


@pytest.mark.parametrize("lends", [True, False])
def test_a_vnet_that_was_not_read_matters_where_a_hub_lends_it_a_gateway(lends: bool) -> None:
    sides: tuple[Sides, Sides] = ((SPOKE_USES, HUB_LENDS if lends else OPEN), NONE)
    discovered = world(
        {SPOKE: NORMAL, network_id("x"): sides}, unknown={network_id("x"): "forbidden"}
    )
    if lends:
        with pytest.raises(UnknownReading, match="x: forbidden"):
            adopt(discovered, AdoptionOptions())
        assert len(adopt(discovered, AdoptionOptions(spokes=("erp",))).site.spokes) == 1
    else:
        assert adopt(discovered, AdoptionOptions()).remarks == ("x, peered with hub-p: forbidden",)


def test_hubs_that_are_exchanged_are_asked_about() -> None:
    discovered = world({SPOKE: NORMAL})
    assert adopt(discovered, AdoptionOptions()).remarks == ()
    primary, backup = (
        replace(hub, kind=kind)
        for hub, kind in ((discovered.primary, "Vpn"), (discovered.backup, "ExpressRoute"))
    )
    (text,) = adopt(replace(discovered, primary=primary, backup=backup), AdoptionOptions()).remarks
    assert "primary hub has none: check whether the two hubs are swapped" in text


def test_a_name_that_yaml_would_read_as_something_else_is_quoted(tmp_path: FilePath) -> None:
    discovered = world({network_id("on"): NORMAL, network_id("1e3"): NORMAL})
    assert_file_matches(
        discovered, adopt(discovered, AdoptionOptions(name="123", cloud="usgovernment")), tmp_path
    )


@pytest.mark.parametrize(
    ("otherwise", "name"),
    [
        ("hub-to-rg-größe-web", "hub-to-rg-gr-e-web"),
        ("hub-to-データ-web", "hub-to-web"),
        ("hub-to-rg(old)-web", "hub-to-rg-old-web"),
        ("hub--to_rg.1-web", "hub--to_rg.1-web"),
    ],
)
def test_a_proposed_name_has_only_characters_that_a_peering_may_have(
    otherwise: str, name: str
) -> None:
    assert propose_name("/v", "like", ("hub1", "hub2"), otherwise, set()) == name
