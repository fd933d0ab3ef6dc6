"""The site file: what it says, and what is said about one that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path as FilePath
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from erfailover.config.loader import SiteFileError, load, read_template
from erfailover.config.yaml_source import Problem
from erfailover.model.peering_flags import Flags
from erfailover.model.probes import (
    InterfaceRoute,
    LocalCommand,
    LocalConnect,
    LocalPing,
    LocalShell,
    MachinePing,
)
from erfailover.model.site import Drill, Path, Site, SiteFailoverTest
from tests.support.public_keys import rsa

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"


def write(folder: FilePath, text: str) -> FilePath:
    file = folder / "erfailover.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def write_edited_template(folder: FilePath, *edits: tuple[str, str]) -> FilePath:
    """The template with pieces replaced; each must be there."""
    text = read_template()
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return write(folder, text)


def complaints(file: FilePath) -> list[str]:
    """What is said about a file, without its name."""
    with pytest.raises(SiteFileError) as caught:
        load(file, {})
    assert caught.value.exit_code == 2
    return [line.removeprefix(f"{file}:") for line in caught.value.message.splitlines()]


def problems(file: FilePath) -> tuple[Problem, ...]:
    """Everything that is wrong with a file; nothing if it is a site."""
    try:
        load(file, {})
    except SiteFileError as error:
        return error.problems
    return ()


def line_of(file: FilePath, piece: str) -> int:
    lines = file.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if piece in line)


def load_template(folder: FilePath) -> Site:
    return load(write(folder, read_template()), {"AZURE_SUBSCRIPTION_ID": SUBSCRIPTION})


def test_the_template_is_a_site_without_complaint(tmp_path: FilePath) -> None:
    site = load_template(tmp_path)
    assert site.name == "poc"
    assert site.remote_prefixes == (IPv4Network("10.5.0.0/16"),)
    assert site.probes["internet"] == MachinePing("vm1", IPv4Address("8.8.4.4"), "vm3")
    assert site.topology is not None
    assert sorted(site.topology.machines) == ["vm1", "vm2", "vm3"]


def test_the_template_has_the_flags_of_the_proof_of_concept(tmp_path: FilePath) -> None:
    spoke = load_template(tmp_path).spokes[0]
    assert spoke.spoke_to_primary.get_flags(Path.EXPRESSROUTE) == Flags(True, True, False, True)
    assert spoke.primary_to_spoke.get_flags(Path.EXPRESSROUTE) == Flags(True, True, True, False)
    assert spoke.spoke_to_backup.get_flags(Path.EXPRESSROUTE) is None
    assert spoke.backup_to_spoke.get_flags(Path.EXPRESSROUTE) is None
    assert spoke.spoke_to_primary.get_flags(Path.IPSEC) == Flags(True, False, False, False)
    assert spoke.primary_to_spoke.get_flags(Path.IPSEC) == Flags(True, False, False, False)
    assert spoke.spoke_to_backup.get_flags(Path.IPSEC) == Flags(True, True, False, True)
    assert spoke.backup_to_spoke.get_flags(Path.IPSEC) == Flags(True, True, True, False)


def test_a_subscription_in_the_file_goes_before_the_variable(tmp_path: FilePath) -> None:
    own = "99999999-2222-3333-4444-555555555555"
    file = write_edited_template(
        tmp_path, ("# subscription: 00000000-...", f"subscription: {own}\n#")
    )
    assert load(file, {"AZURE_SUBSCRIPTION_ID": SUBSCRIPTION}).subscription == own


def test_a_subscription_may_be_left_out(tmp_path: FilePath) -> None:
    assert load(write(tmp_path, read_template()), {}).subscription is None
    assert load_template(tmp_path).subscription == SUBSCRIPTION


def test_an_unknown_key_is_told_with_its_line_and_the_likely_one(tmp_path: FilePath) -> None:
    file = write_edited_template(tmp_path, ("remote_prefixes:", "remote_prefixs:"))
    missing, unknown = complaints(file)
    assert unknown.startswith(
        f"{line_of(file, 'remote_prefixs')}: remote_prefixs: unknown key; "
        "did you mean 'remote_prefixes'? Known keys: site, primary, backup, "
    )
    assert "remote_prefixes: missing required key, expected a list" in missing


def test_an_unknown_key_deep_inside_is_told_with_its_line(tmp_path: FilePath) -> None:
    file = write_edited_template(
        tmp_path, ("use_remote_gateways: true}", "use_remote_gateway: true}")
    )
    assert any(
        line.startswith(
            f"{line_of(file, 'use_remote_gateway: true')}: "
            "spokes[0].spoke_to_primary.on_expressroute.use_remote_gateway: "
        )
        and "did you mean 'use_remote_gateways'?" in line
        for line in complaints(file)
    )


def test_a_missing_key_is_told_with_the_line_of_what_it_belongs_to(tmp_path: FilePath) -> None:
    file = write_edited_template(
        tmp_path, ("virtual_network: vnet2, asn: 65000", "virtual_network: vnet2")
    )
    [only] = complaints(file)
    number = line_of(file, "vng1: {virtual_network")
    assert only == (
        f"{number}: topology.gateways.vng1.asn: missing required key, expected a whole number; "
        "'erfailover init' writes an example"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("asn: 65000", "asn: high", "gateways.vng1.asn: expected a whole number, found 'high'"),
        (
            "address_space: [10.1.0.0/16]",
            "address_space: [10.1.0.0]",
            "address_space[0]: expected an IPv4 prefix like 10.1.0.0/16, found '10.1.0.0'; "
            "add the prefix length",
        ),
        (
            "{prefix: 10.2.1.0/24}",
            "{prefix: 10.2.1.5/24}",
            "vnet2-sub1.prefix: expected an IPv4 prefix like 10.1.0.0/16, found '10.2.1.5/24'; "
            "did you mean 10.2.1.0/24?",
        ),
        ("ping: 10.5.0.4", "ping: 10.5.0", "office.ping: expected an IPv4 address like 10.1.0.4"),
        (
            "remote_prefixes: [10.5.0.0/16]",
            "remote_prefixes: 10.5.0.0/16",
            "remote_prefixes: expected a list, found '10.5.0.0/16'",
        ),
        ("public: true}", "public: perhaps}", "public: expected true or false, found 'perhaps'"),
        ("on_expressroute: absent", "on_expressroute: none", "or 'absent', found 'none'"),
        ("resource_group: rg-we", "resource_group: 12", "expected text, found 12; put it in quot"),
        ("gateway: vng1", "gateway:", "primary.gateway: expected text, found nothing"),
        ("{8.8.4.4/32: 10.2.2.4}", "{dns/32: 10.2.2.4}", "like 10.1.0.0/16 as key, found 'dns/32'"),
    ],
)
def test_a_wrong_value_is_told_with_what_was_expected(
    tmp_path: FilePath, old: str, new: str, message: str
) -> None:
    file = write_edited_template(tmp_path, (old, new))
    said_all = complaints(file)
    assert any(message in line for line in said_all), said_all
    number = line_of(file, new.split("\n")[0])
    assert any(line.startswith(f"{number}: ") for line in said_all)


def test_every_problem_is_told_at_once(tmp_path: FilePath) -> None:
    file = write_edited_template(
        tmp_path, ("asn: 65000", "asn: x"), ("asn: 65010", "asn: y"), ("site: poc ", "site: [] ")
    )
    assert len(complaints(file)) == 3


def test_a_key_that_stands_there_twice_is_refused(tmp_path: FilePath) -> None:
    file = write_edited_template(
        tmp_path, ("location: westeurope", "location: westeurope\nlocation: northeurope")
    )
    [only] = complaints(file)
    assert "location: expected each key once, found a duplicate of line" in only


def test_a_tab_is_told_as_a_tab(tmp_path: FilePath) -> None:
    file = write_edited_template(tmp_path, ("  gateway: vng1", "\tgateway: vng1"))
    [only] = complaints(file)
    assert only.startswith(f"{line_of(file, 'gateway: vng1')}: expected spaces, found a tab")


def test_broken_yaml_is_told_with_its_line(tmp_path: FilePath) -> None:
    file = write_edited_template(
        tmp_path, ("remote_prefixes: [10.5.0.0/16]", "remote_prefixes: [10.5.0.0/16")
    )
    [only] = complaints(file)
    assert "invalid YAML: while parsing a flow sequence, did not find" in only
    assert only.split(":")[0].isdigit()


def test_a_file_in_another_encoding_is_told_with_its_line(tmp_path: FilePath) -> None:
    file = tmp_path / "erfailover.yaml"
    file.write_bytes("site: poc\n# Zürich\n".encode("latin-1"))
    [only] = complaints(file)
    assert only.startswith("2: expected UTF-8 text, found the byte 0xfc")


def test_a_file_that_is_not_there_leads_to_init(tmp_path: FilePath) -> None:
    with pytest.raises(SiteFileError) as caught:
        load(tmp_path / "none.yaml", {})
    assert "site file not found" in caught.value.message
    assert "erfailover init" in str(caught.value.hint)


def test_a_directory_is_told_as_one(tmp_path: FilePath) -> None:
    with pytest.raises(SiteFileError, match="found a directory"):
        load(tmp_path, {})


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n- b\n", "site\n"])
def test_a_file_without_keys_is_refused(tmp_path: FilePath, text: str) -> None:
    [only] = complaints(write(tmp_path, text))
    assert "expected a site: keys and their values" in only


def test_an_alias_of_itself_is_refused(tmp_path: FilePath) -> None:
    lines = complaints(
        write_edited_template(tmp_path, ("remote_prefixes: [10.5.0.0/16]", "a: &a [*a]"))
    )
    assert any("an alias of itself" in line for line in lines)


def test_flags_can_be_written_once_and_referred_to(tmp_path: FilePath) -> None:
    file = write_edited_template(
        tmp_path, ("on_ipsec: {}", "on_ipsec: &none {}"), ("on_ipsec: {}", "on_ipsec: *none")
    )
    assert load(file, {}).spokes[0].primary_to_spoke.get_flags(Path.IPSEC) == Flags()


CROSS = [
    (
        "resource_group: rg-we\n",
        "",
        "primary.virtual_network: expected a full resource id, or a name with resource_group set, "
        "found 'vnet2'",
    ),
    (
        "  virtual_network: vnet2\n  gateway: vng1",
        "  virtual_network: vnet2\n  gateway: /subscriptions/x/virtualNetworkGateways/vng1",
        "primary.gateway: expected /subscriptions/<guid>/resourceGroups/<group>/providers/"
        "Microsoft.Network/virtualNetworkGateways/<name>, found",
    ),
    (
        "  - virtual_network: vnet1\n",
        f"  - virtual_network: /subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/"
        "Microsoft.Compute/virtualMachines/vnet1\n",
        "spokes[0].virtual_network: expected /subscriptions/<guid>/",
    ),
    (
        "  - virtual_network: vnet1\n",
        "  - virtual_network: vnet1\n    name: '-x'\n",
        "spokes[0].name: expected letters, digits and ._-()/, a letter or digit first",
    ),
    (
        "resource_group: rg-we",
        "managed_by: pulumi\nresource_group: rg-we",
        "managed_by: expected 'terraform' or 'bicep' or 'network-manager', found 'pulumi'",
    ),
    (
        "on_ipsec: {}  ",
        "on_ipsec: absent  ",
        "spokes[0].spoke_to_primary.on_ipsec: expected flags, found 'absent'; "
        "the peering with the primary hub is never deleted",
    ),
    (
        "on_ipsec: {}  ",
        "on_ipsec: {allow_virtual_network_access: false}  ",
        "spokes[0].spoke_to_primary.on_ipsec.allow_virtual_network_access: expected true",
    ),
    (
        "on_ipsec: {}  ",
        "on_ipsec: {use_remote_gateways: true}  ",
        "on_ipsec.use_remote_gateways: expected false, found true; only one peering of a VNet can",
    ),
    (
        "{allow_forwarded_traffic: true, use_remote_gateways: true}",
        "{allow_forwarded_traffic: true}",
        "spoke_to_primary.on_expressroute.use_remote_gateways: expected true, found false",
    ),
    (
        "on_expressroute: {allow_forwarded_traffic: true, allow_gateway_transit: true}",
        "on_expressroute: {allow_forwarded_traffic: true}",
        "primary_to_spoke.on_expressroute.allow_gateway_transit: expected true, found false",
    ),
    (
        "name: vnet1-to-vnet3\n      on_expressroute: absent",
        "name: vnet1-to-vnet3\n      on_expressroute: {}",
        "backup_to_spoke.on_expressroute: expected flags, as in spoke_to_backup, found 'absent'",
    ),
    (
        "name: vnet1-to-vnet3",
        "name: vnet1-to-vnet2",
        "expected a name that no other peering of vnet1",
    ),
    ("gateway: vng2\n", "gateway: vng3\n", "backup.gateway: expected a gateway in vnet3"),
    ("gateway: vng2\n", "gateway: vng9\n", "expected a gateway of the topology (vng1, vng2, vng3)"),
    ("  - virtual_network: vnet1", "  - virtual_network: vnet9", "expected a VNet of the topology"),
    (
        "  - virtual_network: vnet1",
        "  - virtual_network: vnet3",
        "is neither a hub nor another",
    ),
    ("[10.5.0.0/16]\n\n", "[]\n\n", "remote_prefixes: expected at least one prefix"),
    (
        "asn: 65010",
        "asn: 65000",
        "expected a different ASN for each gateway, found 65000, the ASN of vng1",
    ),
    ("asn: 65010", "asn: 65515", "expected an ASN that a gateway may have, found 65515 (Azure's"),
    ("asn: 65010", "asn: 12076", "found 12076 (Azure's own)"),
    ("asn: 65010", "asn: 0", "found 0 (reserved by IANA)"),
    ("sku: VpnGw1AZ", "sku: VpnGw1", "vng1.sku: expected a zone-redundant SKU"),
    (
        "vnet2-sub1: {prefix: 10.2.1.0/24}",
        "vnet2-sub1: {prefix: 10.9.1.0/24}",
        "expected a prefix inside 10.2.0.0/16, found 10.9.1.0/24",
    ),
    (
        "vnet2-sub2: {prefix: 10.2.2.0/24}",
        "vnet2-sub2: {prefix: 10.2.1.0/24}",
        "expected a prefix that does not overlap vnet2-sub1, found 10.2.1.0/24",
    ),
    (
        "[10.3.0.0/16]",
        "[10.2.0.0/15]",
        "vnet3.address_space: expected prefixes that do not overlap vnet2 (10.2.0.0/16)",
    ),
    ("GatewaySubnet: {prefix: 10.3", "gateways: {prefix: 10.3", "a VNet with a GatewaySubnet"),
    ("machine: vm1", "machine: vm9", "probes.office.machine: expected a machine of the topology"),
    ("through: vm3", "through: vm9", "probes.internet.through: expected a machine"),
    ("local_network_gateway: lng1\n", "local_network_gateway: lng3\n", "of a connection of vng1"),
    (
        "    vng3-to-vng2: {gateway: vng3, far_gateway: vng2, local_network_gateway: lng4}\n",
        "",
        "vng2-to-vng3: expected a connection from vng3 to vng2 too, found none",
    ),
    (
        "local_network_gateway: lng4",
        "local_network_gateway: lng3",
        "expected a local network gateway that represents only vng2",
    ),
    (
        "flags: {allow_forwarded_traffic: true, allow_gateway_transit: true}",
        "flags: {}",
        "vnet5-to-vnet4.flags.use_remote_gateways: expected false, found true; "
        "the peering from vnet4 to vnet5 needs allow_gateway_transit",
    ),
    (
        "flags: {allow_forwarded_traffic: true, allow_gateway_transit: true}",
        "flags: {allow_forwarded_traffic: keep, allow_gateway_transit: true}",
        "vnet4-to-vnet5.flags.allow_forwarded_traffic: expected true or false, found 'keep'",
    ),
    (
        "{allow_forwarded_traffic: true, use_remote_gateways: true}",
        "{allow_forwarded_traffic: keep, use_remote_gateways: true}",
        "on_ipsec.allow_forwarded_traffic: expected keep, as in on_expressroute, found false",
    ),
    (
        "{allow_forwarded_traffic: true, use_remote_gateways: true}",
        "{allow_forwarded_traffic: maybe, use_remote_gateways: true}",
        "allow_forwarded_traffic: expected true or false or 'keep', found 'maybe'",
    ),
    (
        "vnet2-sub2: {prefix: 10.2.2.0/24",
        "vnet2-sub2: {prefix: 10.2.2.0/32",
        "vnet2-sub2.prefix: expected a /29 or larger, found 10.2.2.0/32",
    ),
    ("address: 10.5.0.4", "address: 10.5.0.3", "expected one from 10.5.0.4 to 10.5.0.254"),
    ("address: 10.5.0.4", "address: 10.1.0.4", "expected one from 10.5.0.4 to 10.5.0.254"),
    ("subnet: vnet5/vnet5-sub1", "subnet: vnet5-sub1", "write <virtual network>/<subnet>"),
    ("8.8.4.4/32: 10.2.2.4", "8.8.4.4/32: 10.2.2.5", "of an interface with forwarding: true"),
    (
        "vm3-nic2: {subnet: vnet2/vnet2-sub2, address: 10.2.2.4, forwarding: true}",
        "",
        "vm3.nat_for: expected a machine with two interfaces",
    ),
    ("address: 10.4.0.253", "address: 10.4.0.254", "expected an unused address"),
    ("failback_hold_time_s: 120", "failback_hold_time_s: -1", "expected seconds, above 0"),
    ("site: poc ", "site: ../up ", "site: expected up to 63 letters"),
]


@pytest.mark.parametrize(("old", "new", "message"), CROSS)
def test_a_site_that_cannot_work_is_refused_with_the_reason(
    tmp_path: FilePath, old: str, new: str, message: str
) -> None:
    said_all = complaints(write_edited_template(tmp_path, (old, new)))
    assert any(message in line for line in said_all), said_all
    assert all(line.split(":")[0].isdigit() for line in said_all)


HIDDEN = "a-key-nobody-may-see"
VAULT = "https://kv.vault.azure.net"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (f"{{key_vault: http://kv.vault.azure.net, secret: {HIDDEN}}}", "key_vault: expected"),
        (f"{{key_vault: kv, secret: {HIDDEN}}}", "like https://NAME.vault.azure.net"),
        (f"{{key_vault: 'https://anna:{HIDDEN}@kv.vault.azure.net', secret: a}}", "key_vault"),
        (f"{{key_vault: '{VAULT}/secrets/{HIDDEN}', secret: a}}", "'az keyvault show"),
        (f"{{key_vault: 'https://[{HIDDEN}', secret: a}}", "key_vault"),
        (f"{{key_vault: '{VAULT}', secret: '{HIDDEN}!'}}", "secret: expected a secret's name"),
        (f"{{key_vault: '{VAULT}', secret: a, version: {HIDDEN}}}", "32 hexadecimal digits"),
        (f"{{key_vault: '{VAULT}'}}", "shared_keys.secret: missing required key, expected text"),
        (HIDDEN, "shared_keys: expected keys and values (key_vault, secret), found something"),
    ],
)
def test_a_wrong_place_of_the_shared_key_is_told_without_repeating_it(
    tmp_path: FilePath, keys: str, message: str
) -> None:
    file = write_edited_template(tmp_path, ("topology:\n", f"topology:\n  shared_keys: {keys}\n"))
    [line] = complaints(file)
    assert message in line
    assert line.startswith(f"{line_of(file, '  shared_keys: ' + keys[:4])}: topology.shared_keys")
    assert HIDDEN not in line


@pytest.mark.parametrize("suffix", ["azure.net", "azure.cn", "usgovcloudapi.net/"])
def test_a_vault_of_any_cloud_is_named_by_its_url(tmp_path: FilePath, suffix: str) -> None:
    keys = f"  shared_keys: {{key_vault: 'https://kv.vault.{suffix}', secret: Tunnels}}\n"
    topology = load(
        write_edited_template(tmp_path, ("topology:\n", f"topology:\n{keys}")), {}
    ).topology
    assert topology is not None
    assert topology.shared_keys is not None
    assert topology.shared_keys.id == f"https://kv.vault.{suffix.strip('/')}/secrets/tunnels"


def test_an_ssh_key_that_azure_does_not_take_is_told_with_its_line(tmp_path: FilePath) -> None:
    file = write_edited_template(
        tmp_path, ("    vm2:\n", f"    vm2:\n      ssh_public_key: {rsa(1024)}\n")
    )
    [line] = complaints(file)
    assert line.startswith(f"{line_of(file, '      ssh_public_key: ssh-rsa')}: topology.machines")
    assert "found an RSA key of 1024 bits" in line


def test_a_site_needs_no_topology(tmp_path: FilePath) -> None:
    text = read_template().split('# What "provision" creates')[0]
    site = load(write(tmp_path, text), {})
    assert site.topology is None


DRILL = read_template()[read_template().index("drill:\n") : read_template().index("timing:")]
TOPOLOGY = read_template()[read_template().index('# What "provision" creates') :]


@pytest.mark.parametrize(
    ("drill", "text"),
    [
        ("{peering_location: 5}", "drill.peering_location: expected text, found 5"),
        ("{peering_locaton: Amsterdam}", "did you mean 'peering_location'?"),
        (
            "{local_network_gateway: lng1}",
            "drill.bgp_peering_address: missing required key, expected an IPv4 address",
        ),
        ("{}", "drill.local_network_gateway: missing required key, expected text"),
        ("5", "or keys and values (peering_location), found 5"),
    ],
)
def test_a_wrong_drill_is_told_as_the_one_that_was_meant(
    tmp_path: FilePath, drill: str, text: str
) -> None:
    file = write_edited_template(tmp_path, (DRILL, f"drill: {drill}\n"), (TOPOLOGY, ""))
    lines = complaints(file)
    assert any(text in line for line in lines), lines


def test_the_two_drills_are_told_apart_by_their_keys(tmp_path: FilePath) -> None:
    file = write_edited_template(
        tmp_path, (DRILL, "drill: {peering_location: Amsterdam}\n"), (TOPOLOGY, "")
    )
    assert load(file, {}).drill == SiteFailoverTest("Amsterdam")
    assert isinstance(load_template(tmp_path).drill, Drill)


def test_a_site_failover_test_of_a_gateway_that_provision_makes_is_refused(
    tmp_path: FilePath,
) -> None:
    file = write_edited_template(tmp_path, (DRILL, "drill: {peering_location: Amsterdam}\n"))
    (message,) = complaints(file)
    assert "provision creates a VPN gateway as the primary" in message


def full_id(name: str, kind: str = "virtualNetworks") -> str:
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other"
    return f"{group}/providers/Microsoft.Network/{kind}/{name}"


LENDS, USES = "{allow_gateway_transit: true}", "{use_remote_gateways: true}"
BY_ID = f"""\
site: ours
primary: {{virtual_network: {full_id("p")}, gateway: {full_id("gp", "virtualNetworkGateways")}}}
backup: {{virtual_network: {full_id("b")}, gateway: {full_id("gb", "virtualNetworkGateways")}}}
remote_prefixes: [10.5.0.0/16]
spokes:
  - &spoke
    virtual_network: {full_id("s")}
    spoke_to_primary: {{name: sp, on_expressroute: {USES}, on_ipsec: {{}}}}
    primary_to_spoke: {{name: ps, on_expressroute: {LENDS}, on_ipsec: {{}}}}
    spoke_to_backup: {{name: sb, on_expressroute: absent, on_ipsec: {USES}}}
    backup_to_spoke: {{name: bs, on_expressroute: absent, on_ipsec: {LENDS}}}
"""


def test_a_site_of_full_ids_needs_neither_resource_group_nor_subscription(
    tmp_path: FilePath,
) -> None:
    site = load(write(tmp_path, BY_ID), {})
    assert (site.resource_group, site.subscription) == (None, None)
    assert site.build_network_id(site.primary.virtual_network) == full_id("p")
    assert [spoke.name for spoke in site.spokes] == ["s"]


def test_two_spokes_of_one_name_are_refused_until_one_is_renamed(tmp_path: FilePath) -> None:
    twin = f"""\
  - <<: *spoke
    virtual_network: {full_id("s").replace("/other/", "/elsewhere/")}
    primary_to_spoke: {{name: ps2, on_expressroute: {LENDS}, on_ipsec: {{}}}}
    backup_to_spoke: {{name: bs2, on_expressroute: absent, on_ipsec: {LENDS}}}
"""
    (text,) = complaints(write(tmp_path, BY_ID + twin))
    assert "spokes[1].name: expected a name that no other spoke has, found 's'" in text
    site = load(write(tmp_path, BY_ID + twin + "    name: elsewhere/s\n"), {})
    assert [spoke.name for spoke in site.spokes] == ["s", "elsewhere/s"]


def write_with_probe(tmp_path: FilePath, probe: str) -> FilePath:
    """A site file with one probe more, called ``mine``."""
    return write_edited_template(tmp_path, ("probes:\n", f"probes:\n  mine: {probe}\n"))


@pytest.mark.parametrize(
    ("probe", "kind"),
    [
        ("{ping: 10.5.0.4}", LocalPing),
        ("{ping: host.example, timeout_s: 1, continuous: true, every_s: 0.5}", LocalPing),
        ("{connect: '10.5.0.4:443', continuous: true}", LocalConnect),
        ("{connect: '[2001:db8::1]:443'}", LocalConnect),
        ("{command: [curl, -fsS, x], exit_code: 22}", LocalCommand),
        ("{shell: 'a | b', timeout_s: 5}", LocalShell),
        (
            "{interface: vm1-nic1, prefix: 10.5.0.0/16, next_hop_type: VirtualNetworkGateway, "
            "next_hop: 10.3.0.254}",
            InterfaceRoute,
        ),
        ("{machine: vm1, ping: 10.5.0.4, timeout_s: 90}", MachinePing),
    ],
)
def test_the_kinds_of_probes_are_told_apart_by_their_keys(
    tmp_path: FilePath, probe: str, kind: type
) -> None:
    assert type(load(write_with_probe(tmp_path, probe), {}).probes["mine"]) is kind


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        (
            "{ping: 10.5.0}",
            "probes.mine.ping: expected an address or a host name, found '10.5.0'",
        ),
        ("{ping: -f}", "probes.mine.ping: expected an address or a host name, found '-f'"),
        ("{pings: 10.5.0.4}", "probes.mine"),
        ("{connect: 10.5.0.4}", "probes.mine.connect: expected host:port, like 10.5.0.4:443"),
        ("{connect: '10.5.0.4:99999'}", "probes.mine.connect: expected host:port"),
        ("{connect: '10.5.0.4:443', timeout_s: 0}", "probes.mine.timeout_s: expected seconds"),
        ("{connect: '10.5.0.4:443', every_s: soon}", "probes.mine.every_s: expected a number"),
        ("{command: curl -f}", "probes.mine.command: expected a list, found 'curl -f'"),
        ("{command: []}", "probes.mine.command: expected a program and its arguments"),
        (
            "{command: [x], exit_code: 300}",
            "probes.mine.exit_code: expected an exit code, 0 to 255",
        ),
        (
            "{machine: vm1, ping: 10.5.0.4, continuous: true}",
            "probes.mine.continuous: unknown key; remove it; known keys: ",
        ),
        ("{machine: vm1}", "probes.mine.ping: missing required key, expected an IPv4 address"),
        (
            "{interface: vm1-nic1, prefix: 10.5.0.0/16, next_hop_type: Gateway}",
            "probes.mine.next_hop_type: expected 'VirtualNetworkGateway' or 'VnetLocal'",
        ),
        (
            "{interface: vm9, prefix: 10.5.0.0/16, next_hop_type: Internet}",
            "probes.mine.interface: expected a network interface of the topology",
        ),
        ("{interface: vm1-nic1, prefix: 10.5.0.0}", "probes.mine.prefix: expected an IPv4 prefix"),
    ],
)
def test_a_wrong_probe_is_told_as_the_kind_that_was_meant(
    tmp_path: FilePath, probe: str, message: str
) -> None:
    said_all = complaints(write_with_probe(tmp_path, probe))
    assert any(message in line for line in said_all), said_all
    assert len(said_all) <= 2


JUNK: tuple[object, ...] = (
    None,
    True,
    5,
    1.5,
    "keep",
    "absent",
    "10.1.0.0",
    "10.1.0.1/8",
    [],
    ["x"],
    {},
    {5: 1},
    {"x": 1},
)


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The keys and positions that lead to every value below one."""
    rows = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in rows:
        yield (*above, key)
        if isinstance(item, dict | list):
            yield from places(item, (*above, key))


VALUES = yaml.safe_load(read_template())


@settings(max_examples=60, deadline=None)
@given(place=st.sampled_from(list(places(VALUES))), junk=st.sampled_from(JUNK))
def test_a_wrong_value_anywhere_is_reported_once_and_with_a_line(
    place: tuple[Any, ...], junk: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    values = deepcopy(VALUES)
    above = values
    for key in place[:-1]:
        above = above[key]
    above[place[-1]] = junk
    file = write(tmp_path_factory.mktemp("site"), yaml.safe_dump(values))
    lines = [problem.line for problem in problems(file)]
    assert all(lines)
    assert len(set(map(str, problems(file)))) == len(lines)


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        (
            "{allow_forwarded_traffic: true, use_remote_gateways: true}",
            "{allow_forwarded_traffic: true, use_remote_gateways: perhaps}",
            "spokes[0].spoke_to_primary.on_expressroute.use_remote_gateways",
            "expected true or false, found 'perhaps'",
        ),
        (
            "resource_group: rg-we",
            "resource_group: rg-we\ncloud: {endpoint: 5, authority: https://a.example}",
            "cloud.endpoint",
            "expected text, found 5; put it in quotes",
        ),
        (
            "resource_group: rg-we",
            "resource_group: rg-we\ncloud: mars",
            "cloud",
            "expected 'public' or 'usgovernment' or 'china' or keys and values (name) or keys and "
            "values (endpoint, authority), found 'mars'",
        ),
    ],
)
def test_what_is_wrong_within_a_choice_is_reported_once(
    tmp_path: FilePath, old: str, new: str, place: str, message: str
) -> None:
    file = write_edited_template(tmp_path, (old, new))
    [line] = complaints(file)
    assert line.endswith(f": {place}: {message}")


TENANT = "0f8fad5b-d9cb-469f-a165-70867728950e"
TENANTS = [f"0f8fad5b-d9cb-469f-a165-7086772895{number:02}" for number in range(4)]


def tenants(tmp_path: FilePath, *lines: str) -> FilePath:
    return write(
        tmp_path, "\n".join((read_template(), "tenants:", *(f"  {line}" for line in lines), ""))
    )


def test_further_tenants_are_named_with_their_credentials(tmp_path: FilePath) -> None:
    assert load_template(tmp_path).tenants == {}
    named = dict(
        zip(TENANTS, ("default", "azure-cli", "environment"), strict=False),
    )
    file = tenants(tmp_path, *(f"{tenant}: {kind}" for tenant, kind in named.items()))
    assert load(file, {}).tenants == named
    file = tenants(tmp_path, f"{TENANT}: workload-identity")
    assert load(file, {}).tenants == {TENANT: "workload-identity"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            [f"{TENANT}: managed-identity"],
            f"tenants.{TENANT}: expected 'default' or 'azure-cli' or 'environment' or "
            "'workload-identity', found 'managed-identity'; a managed identity gets tokens for "
            "its home tenant only",
        ),
        ([f"{TENANT}: secret"], "or 'workload-identity', found 'secret'"),
        ([f"{TENANT}:"], "'workload-identity', found nothing"),
        ([f"{TENANT}: {{client: x}}"], "'workload-identity', found keys and values"),
        (["contoso.com: default"], "expected a tenant's id (a GUID), found 'contoso.com'"),
        (["12: default"], "expected"),
        (
            [f"{TENANT}: default", f"{TENANT.upper()}: azure-cli"],
            f"expected each tenant once, found '{TENANT.upper()}'",
        ),
        (
            [f"{name}: default" for name in TENANTS],
            "tenants: expected at most 3 tenants, found 4; Azure accepts no more auxiliary tokens",
        ),
    ],
)
def test_wrong_tenants_are_told(tmp_path: FilePath, lines: list[str], message: str) -> None:
    file = tenants(tmp_path, *lines)
    rows = complaints(file)
    assert any(message in line for line in rows), rows
    assert all(line_of(file, "tenants:") <= int(line.partition(":")[0]) for line in rows)


@pytest.mark.parametrize("value", ["[a]", "default", "12"])
def test_tenants_are_a_mapping(tmp_path: FilePath, value: str) -> None:
    file = write(tmp_path, f"{read_template()}\ntenants: {value}\n")
    assert any("tenants: expected keys and values" in line for line in complaints(file))
