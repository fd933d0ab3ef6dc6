"""Whatever is in place of a site file, its error is reported soon, and never a traceback."""

from __future__ import annotations

import os
import random
import secrets
import time
from pathlib import Path

import pytest

from erfailover.config.azure_names import is_name
from erfailover.config.loader import SiteFileError, load, read_template
from erfailover.config.yaml_source import (
    MOST_BYTES,
    MOST_CHARACTERS,
    MOST_DEPTH,
    MOST_ENTRIES,
    MOST_ITEMS,
)
from erfailover.model.resource_ids import GATEWAY, GROUP, MACHINE, NETWORK, PEERING

GOOD = read_template().encode()
SOON_S = 2.0


def error_of(file: Path) -> str:
    """Load what is no site file; return its error, which came soon and is short."""
    began = time.process_time()
    with pytest.raises(SiteFileError) as caught:
        load(file, {})
    assert time.process_time() - began < SOON_S
    assert caught.value.exit_code == 2
    assert len(caught.value.message) < 40_000
    return caught.value.message


def levels(count: int, form: str, first: str) -> bytes:
    """Anchors of which each refers nine times to the one before."""
    lines = [f"a0: &a0 {first}"]
    for level in range(1, count):
        nine = [f"*a{level - 1}"] * 9
        pairs = ", ".join(f"k{number}: {name}" for number, name in enumerate(nine))
        inner = form.format(list=", ".join(nine), pairs=pairs)
        lines.append(f"a{level}: &a{level} {inner}")
    return "\n".join(lines).encode()


def insert_after(line: bytes, more: bytes) -> bytes:
    assert line in GOOD
    return GOOD.replace(line, line + more, 1)


MANY = MOST_ENTRIES + 1
HOSTILE = {
    "a bomb of lists": (levels(12, "[{list}]", "[x]"), "aliases included"),
    "a bomb of mappings": (levels(12, "{{{pairs}}}", "{x: 1}"), "aliases included"),
    "a bomb of merges": (levels(12, "{{<<: [{list}]}}", "{x: 1}"), "aliases included"),
    "a chain of aliases": (
        b"a0: &a0 [1]\n" + b"".join(b"a%d: &a%d [*a%d]\n" % (i, i, i - 1) for i in range(1, 5000)),
        f"at most {MOST_DEPTH} deep",
    ),
    "an alias of itself": (b"a: &a [*a]", "an alias of itself"),
    "a merge of itself": (b"a: &a {b: {<<: *a}}", "an alias of itself"),
    "deep lists": (b"a: " + b"[" * 100_000, f"at most {MOST_DEPTH} deep"),
    "deep mappings": (b"a: " + b"{a: " * 100_000, f"at most {MOST_DEPTH} deep"),
    "deep blocks": (b"\n".join(b" " * i + b"a:" for i in range(500)), f"at most {MOST_DEPTH} deep"),
    "many keys": (GOOD + b"".join(b"k%d: 1\n" % i for i in range(100_000)), "entries"),
    "many unknown keys": (GOOD + b"".join(b"k%d: 1\n" % i for i in range(MANY - 50)), "and "),
    "many unknown keys below": (
        insert_after(b"drill:\n", b"".join(b"  lng%d: 1\n" % i for i in range(MANY - 50))),
        "and ",
    ),
    "many spokes": (insert_after(b"spokes:\n", b"  - 1\n" * 100_000), "entries"),
    "many wrong spokes": (insert_after(b"spokes:\n", b"  - {}\n" * (MOST_ITEMS - 50)), "and "),
    "many wrong prefixes": (
        GOOD.replace(b"[10.5.0.0/16]", b"[" + b"10.5.0.1/16, " * (MOST_ITEMS - 50) + b"]", 1),
        "and ",
    ),
    "more prefixes than a circuit takes": (
        GOOD.replace(b"[10.5.0.0/16]", b"[" + b"10.5.0.0/16, " * (MOST_ITEMS + 1) + b"]", 1),
        f"at most {MOST_ITEMS} entries",
    ),
    "the same key again and again": (b"a: 1\n" * 100_000, "entries"),
    "many anchors": (b"".join(b"a%d: &a%d x\n" % (i, i) for i in range(50_000)), "entries"),
    "many VNets": (
        insert_after(
            b"  virtual_networks:\n",
            b"".join(
                b"    n%d: {address_space: [10.%d.%d.0/24]}\n" % (i, i // 256, i % 256)
                for i in range(MANY - 50)
            ),
        ),
        "prefixes that do not overlap",
    ),
    "many subnets": (
        insert_after(
            b"      subnets:\n",
            b"".join(
                b"        n%d: {prefix: 10.1.%d.%d/28}\n" % (i, i // 16 % 256, i % 16 * 16)
                for i in range(MANY - 50)
            ),
        ),
        "a prefix that does not overlap",
    ),
    "a control character": (b"site: a\x07b", "printable text, found the character U+0007"),
    "NUL": (GOOD + b"\0", "printable text, found the character U+0000"),
    "ESC": (b"\x1b[2J", "printable text, found the character U+001B"),
    "an escaped control character": (b'site: "\\e[2J"', "site: expected printable text"),
    "an escaped surrogate": (b'site: "\\ud800"', "invalid YAML: while parsing a quoted scalar"),
    "a text that runs backwards": ("site: \u202eevil".encode(), "printable text"),
    "a key with a control character": (b'"a\\eb": 1', "printable text"),
    "a long decimal": (b"site: " + b"9" * 5000, "site: expected"),
    "a long hexadecimal": (
        b"site: 0x" + b"f" * 5000,
        "a number of at most 18 digits",
    ),
    "a long binary": (b"site: 0b" + b"1" * 5000, "a number of at most 18 digits"),
    "a long sexagesimal": (b"site: 1" + b":59" * 5000, "site: expected"),
    "a long key": (b"0x" + b"f" * 5000 + b": 1", "invalid YAML: mapping values are not allowed"),
    "a long text": (b"site: " + b"x" * (MOST_CHARACTERS + 1), f"at most {MOST_CHARACTERS}"),
    "a large file": (b"#" * (MOST_BYTES + 1), "a file of more than 2 MiB"),
    "a tag that fails": (b'site: !!int ""', "a value of type int"),
    "a tag that fails otherwise": (b"site: !!bool x", "a value of type bool"),
    "a tag that fails still otherwise": (b"site: !!timestamp x", "a value of type timestamp"),
    "a date that is none": (b"site: 2026-99-99", "a value of type timestamp"),
    "a tag that runs a program": (b"site: !!python/object/apply:os.system [x]", "expected"),
    "binary": (bytes(range(256)), "UTF-8 text"),
    "UTF-16": (read_template().encode("utf-16"), "UTF-8 text"),
    "two documents": (b"a: 1\n---\nb: 2\n", "a single document"),
    "a number": (b"5", "keys and their values"),
    "nothing": (b"", "found nothing"),
    "an address that is none": (
        insert_after(
            b"location: westeurope\n", b"cloud: {endpoint: 'https://[', authority: 'https://a:x'}\n"
        ),
        "cloud.endpoint: expected an https:// URL",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_site_is_an_error_of_the_site_file(tmp_path: Path, name: str) -> None:
    content, message = HOSTILE[name]
    file = tmp_path / "site.yaml"
    file.write_bytes(content)
    assert message in error_of(file)


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "a named pipe" in error_of(tmp_path / "pipe")
    assert "a device" in error_of(Path("/dev/zero"))
    assert "a directory" in error_of(tmp_path)
    assert "File name too long" in error_of(tmp_path / ("x" * 300))
    assert "site file not found" in error_of(tmp_path / "none")
    assert "a name that no file can have" in error_of(tmp_path / "a\0b")


@pytest.mark.parametrize(
    ("old", "key"),
    [
        ("rg-we", "resource_group"),
        ("virtual_network: vnet2", "primary.virtual_network"),
        ("gateway: vng2", "backup.gateway"),
        ("name: vnet1-to-vnet2", "spokes[0].spoke_to_primary.name"),
        ("name: vnet3-to-vnet1", "spokes[0].backup_to_spoke.name"),
        ("local_network_gateway: lng1", "drill.local_network_gateway"),
        ("    vnet4:", "topology.virtual_networks"),
        ("        vnet5-sub1:", "topology.virtual_networks.vnet5.subnets"),
        ("    vng3:", "topology.gateways"),
        ("    vng1-to-vng3:", "topology.connections"),
        ("    vnet4-to-vnet5:", "topology.peerings"),
        ("    vm1:", "topology.machines"),
        ("        vm1-nic1:", "topology.machines.vm1.interfaces"),
        ("sku: VpnGw1AZ", "topology.gateways.vng1.sku"),
        ("size: Standard_B2ats_v2", "topology.machines.vm3.size"),
        ("image: Canonical", "topology.machines.vm3.image"),
    ],
)
@pytest.mark.parametrize("wrong", ["x</script>", "a b", "-a", "é\u2028", "a'b", "a/b", "$(id)"])
def test_a_name_that_azure_does_not_allow_is_reported_with_its_line(
    tmp_path: Path, old: str, key: str, wrong: str
) -> None:
    text = read_template()
    assert old in text
    before, colon, _ = old.partition(": ") if ": " in old else ("", "", old)
    if old.endswith(":"):
        new = f"{old[: len(old) - len(old.lstrip())]}{wrong!r}:"
    elif key.endswith("image"):
        new = f"image: {wrong!r} # "
    else:
        new = f"{before}{colon}{wrong!r}"
    number = text[: text.index(old)].count("\n") + 1
    file = tmp_path / "site.yaml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    if key == "resource_group" and wrong == "-a":
        load(file, {})
        return
    message = error_of(file)
    assert f"site.yaml:{number}: {key}" in message or "printable text" in message


@pytest.mark.parametrize(
    ("type_", "name", "right"),
    [
        (GROUP, "rg-wé_(1).x", True),
        (GROUP, "グループ", True),
        (GROUP, "rg.", False),
        (GROUP, "", False),
        (GROUP, "x" * 90, True),
        (GROUP, "x" * 91, False),
        (GROUP, "a\u00b2", False),
        (GROUP, "a\u202eb", False),
        (NETWORK, "x" * 64, True),
        (NETWORK, "x" * 65, False),
        (NETWORK, "vnet_", True),
        (NETWORK, "vnet-", False),
        (NETWORK, "_vnet", False),
        (NETWORK, "vnété", False),
        (NETWORK, "vnet\n", False),
        (GATEWAY, "x" * 80, True),
        (PEERING, "x" * 81, False),
        (PEERING, "a.b-c_d", True),
        (MACHINE, "vm-1", True),
        (MACHINE, "vm1-", False),
        (MACHINE, "vm_1", False),
        (MACHINE, "x" * 65, False),
    ],
)
def test_names_follow_the_published_rules(type_: str, name: str, right: bool) -> None:
    assert is_name(type_, name) is right


PIECES = [
    *(b"\0", b"\x07", b"\x1b", b"\xff", b"\n", b"\t", b": ", b"- ", b"[", b"]", b"{", b"}", b'"'),
    *(b"&a ", b"*a", b"<<: *a", b"<<: ", b"!!int ", b"!!set ", b"!!binary ", b"!!null ", b"? "),
    *(b"1e999", b".nan", b".inf", b"0x" + b"f" * 99, b"9" * 4400, b"2026-01-01", b"~", b"true"),
    *("\u202e".encode(), "é".encode(), b"\\ud800", b'"\\x00"', b"--- ", b"%YAML 1.1\n", b"#"),
    *(b"<script>", b"../..", b"/subscriptions/x", b"10.0.0.0/33", b"-1", b"1:59:59", b"| ", b"'"),
]


def test_a_site_file_of_noise_is_a_site_or_an_error_of_the_site_file(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    chance = random.Random(seed)
    file = tmp_path / "site.yaml"
    until = time.monotonic() + 4.0
    while time.monotonic() < until:
        content = bytearray(GOOD)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(content))
            content[at : at + chance.choice([0, 0, 1, 5, 40])] = chance.choice(PIECES)
        file.write_bytes(content)
        began = time.process_time()
        try:
            load(file, {})
        except SiteFileError:
            pass
        except Exception as error:
            raise AssertionError(f"seed {seed}: {bytes(content)!r}") from error
        assert time.process_time() - began < SOON_S, seed
