"""What is missing is named, with what to do."""

from __future__ import annotations

import shutil
import sys

import pytest

from erfailover.lab.linux import requirements
from erfailover.lab.linux.encryption import KERNEL, LIBIPSEC, VARIABLE
from erfailover.lab.linux.launch import AgentError


def test_missing_programs_are_one_line_of_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {"bird", "birdc", "swanctl", "unshare"}
    monkeypatch.setattr(
        shutil, "which", lambda name, path: None if name in absent else f"/usr/sbin/{name}"
    )
    monkeypatch.setattr(requirements, "PLUGINS", {})
    monkeypatch.setattr(requirements, "LIBIPSEC_PLUGINS", {})
    (line,) = requirements.list_missing()
    assert line == (
        "Not installed: bird, birdc, swanctl, unshare. "
        "On Debian: apt-get install bird2 strongswan-swanctl util-linux"
    )


def test_a_kernel_that_refuses_namespaces_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> tuple[str, ...]:
        raise AgentError("unshare: unshare failed: Operation not permitted")

    monkeypatch.setattr(shutil, "which", lambda name, path: name)
    monkeypatch.setattr(requirements, "PLUGINS", {})
    monkeypatch.setattr(requirements, "LIBIPSEC_PLUGINS", {})
    monkeypatch.setattr(requirements, "find_unshare", refuse)
    (line,) = requirements.list_missing()
    assert "Operation not permitted" in line
    assert "user.max_user_namespaces" in line


def test_a_device_that_cannot_be_opened_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(command: tuple[str, ...]) -> None:
        raise AgentError("/dev/net/tun: Permission denied")

    monkeypatch.setattr(shutil, "which", lambda name, path: name)
    monkeypatch.setattr(requirements, "PLUGINS", {})
    monkeypatch.setattr(requirements, "LIBIPSEC_PLUGINS", {})
    monkeypatch.setattr(requirements, "find_unshare", lambda: ("unshare",))
    monkeypatch.setattr(requirements, "run_probe", refuse)
    (line,) = requirements.list_missing()
    assert "chmod 666 /dev/net/tun" in line


def test_where_the_kernel_encrypts_neither_libipsec_nor_its_device_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse_tun(command: tuple[str, ...]) -> None:
        if any("/dev/net/tun" in word for word in command):
            raise AgentError("/dev/net/tun: Permission denied")

    monkeypatch.setattr(shutil, "which", lambda name, path: name)
    monkeypatch.setattr(requirements, "PLUGINS", {})
    monkeypatch.setattr(requirements, "LIBIPSEC_PLUGINS", {"absent.so": "libcharon-extra-plugins"})
    monkeypatch.setattr(requirements, "find_unshare", lambda: ("unshare",))
    monkeypatch.setattr(requirements, "run_probe", refuse_tun)
    assert requirements.list_missing() == []
    monkeypatch.setenv(VARIABLE, LIBIPSEC)
    package, device = requirements.list_missing()
    assert package.endswith("apt-get install libcharon-extra-plugins")
    assert "chmod 666 /dev/net/tun" in device


def test_a_kernel_without_esp_is_named_if_it_is_demanded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(command: tuple[str, ...]) -> None:
        raise AgentError("Error: Unknown device type.")

    monkeypatch.setattr(shutil, "which", lambda name, path: name)
    monkeypatch.setattr(requirements, "PLUGINS", {})
    monkeypatch.setattr(requirements, "LIBIPSEC_PLUGINS", {})
    monkeypatch.setattr(requirements, "find_unshare", lambda: ("unshare",))
    monkeypatch.setattr(requirements, "run_probe", refuse)
    monkeypatch.setenv(VARIABLE, KERNEL)
    (line,) = requirements.list_missing()
    assert "Unknown device type" in line
    assert f"{VARIABLE} is {KERNEL}" in line


def test_another_system_than_linux_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert requirements.list_missing() == ["The Linux data plane needs Linux; this is darwin."]
