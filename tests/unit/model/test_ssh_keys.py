"""The public keys of SSH: which Azure takes, and what is said about the others."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from erfailover.commands.provision.keys import read_ssh_keys
from erfailover.config.loader import load, read_template
from erfailover.errors import UsageFailure
from erfailover.model.site import Site
from erfailover.model.ssh_keys import find_fault, is_key, is_same_key
from tests.support.public_keys import ECDSA, ED25519, PRIVATE, RFC_4716, encode_key, rsa

ID = "11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize("key", [ED25519, f"{ED25519} anna@ops1\n", rsa(2048), rsa(4096)])
def test_azure_takes_ed25519_and_rsa_from_2048_bits_on(key: str) -> None:
    assert is_key(key)
    assert find_fault(key) is None


@pytest.mark.parametrize(
    ("key", "actual"),
    [
        (rsa(1024), "an RSA key of 1024 bits"),
        (rsa(2047), "an RSA key of 2047 bits"),
        (ECDSA, "the type 'ecdsa-sha2-nistp256'"),
        ("ssh-dss AAAAB3NzaC1kc3MAAACBAP0x", "the type 'ssh-dss'"),
        (PRIVATE, "a private key"),
        (RFC_4716, "a key that is not in OpenSSH format"),
        (ED25519.split()[1], "no key"),
        (ED25519[:-8], "a damaged ssh-ed25519 key"),
        (ED25519.replace("ssh-ed25519", "ssh-rsa"), "a damaged ssh-rsa key"),
        (encode_key(b"ssh-ed25519", b"short"), "a damaged ssh-ed25519 key"),
        (f"{ED25519}\n{ED25519}", "2 lines"),
    ],
)
def test_any_other_key_is_told_without_showing_it(key: str, actual: str) -> None:
    assert is_key(key)
    fault = find_fault(key)
    assert fault is not None
    assert actual in fault.found
    assert not any(len(word) > 20 and word in f"{fault}" for word in key.split())


@pytest.mark.parametrize("path", ["~/.ssh/id_ed25519.pub", "ssh-keys/me.pub", "/a b/key", "key"])
def test_what_is_no_key_is_a_path(path: str) -> None:
    assert not is_key(path)


def test_a_comment_makes_no_other_key() -> None:
    assert is_same_key(f"{ED25519} anna", f"{ED25519} bert")
    assert not is_same_key(ED25519, rsa(2048))


def site_with(folder: Path, key: str) -> tuple[Site, Path]:
    file = folder / "erfailover.yaml"
    file.write_text(
        read_template().replace("    vm2:\n", f"    vm2:\n      ssh_public_key: {key}\n")
    )
    return replace(load(file, {}), subscription=ID), file


def key_of(site: Site) -> str | None:
    assert site.topology is not None
    return site.topology.machines["vm2"].ssh_public_key


def test_a_path_starts_from_the_site_file_s_folder(tmp_path: Path) -> None:
    (tmp_path / "me.pub").write_text(f"{ED25519} anna@ops1\n")
    site, file = site_with(tmp_path, "me.pub")
    assert key_of(read_ssh_keys(site, file)) == f"{ED25519} anna@ops1"


def test_a_file_that_is_not_there_keeps_nobody_from_switching(tmp_path: Path) -> None:
    site, _ = site_with(tmp_path, "elsewhere.pub")
    assert key_of(site) == "elsewhere.pub"


@pytest.mark.parametrize(
    ("content", "actual"),
    [
        (None, "no such file"),
        (PRIVATE.encode(), "a private key"),
        (rsa(1024).encode(), "1024 bits"),
        (b"", "nothing"),
        (b"\xff\xfe\x00", "not text"),
        (b"x" * 20000, "more than"),
    ],
)
def test_a_file_without_such_a_key_is_told_with_the_machine(
    tmp_path: Path, content: bytes | None, actual: str
) -> None:
    if content is not None:
        (tmp_path / "me.pub").write_bytes(content)
    site, file = site_with(tmp_path, "me.pub")
    with pytest.raises(
        UsageFailure, match=r"topology\.machines\.vm2\.ssh_public_key"
    ) as exception_info:
        read_ssh_keys(site, file)
    assert actual in exception_info.value.message
    assert exception_info.value.hint
    assert (
        base64.b64encode(b"hidden").decode()
        not in f"{exception_info.value.message}{exception_info.value.hint}"
    )
