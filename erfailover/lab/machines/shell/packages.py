"""The commands ``apt`` and ``apt-get`` of a modelled machine, and what they can install.

Installing needs the Internet, over port 80 by the machine's own effective routes. How long it
takes is assumed.
"""

from __future__ import annotations

from erfailover.lab.machines.netfilter import UnmodelledError
from erfailover.lab.machines.shell.shell import Call, Running

ARCHIVE = "91.189.91.81"
"""An address of Ubuntu's package archive."""
UPDATE_S, INSTALL_S, UNREACHABLE_S = 6.0, 5.0, 30.0

VERSIONS = {
    "conntrack": "1:1.4.8-1ubuntu1",
    "iptables": "1.8.10-3ubuntu2",
    "iptables-persistent": "1.0.20",
    "netfilter-persistent": "1.0.20",
}
"""The packages there are, and their versions on Ubuntu 24.04."""
PREINSTALLED = frozenset(("iptables",))
BRINGS = {"iptables-persistent": ("netfilter-persistent",)}


def apt(call: Call) -> Running:
    """Run ``apt|apt-get [-y] [-q|-qq] update|install PACKAGE...``; 100 if it failed."""
    words, quiet = _parse_words(call)
    if call.arguments[0].endswith("apt"):
        call.print_error(
            "",
            "WARNING: apt does not have a stable CLI interface. Use with caution in scripts.",
            "",
        )
    if words[:1] == ["update"]:
        return (yield from _update(call, quiet))
    if words[:1] != ["install"]:
        raise UnmodelledError(f"{call.arguments[0]} {' '.join(words)}".rstrip())
    for name in words[1:]:
        if name not in VERSIONS:
            raise UnmodelledError(f"the package {name}")
    return (yield from _install(call, words[1:], quiet))


def _parse_words(call: Call) -> tuple[list[str], bool]:
    words, quiet = [], False
    rest = call.arguments[1:]
    while rest:
        word = rest.pop(0)
        if word == "-o" and rest:
            rest.pop(0)
        elif word in ("-q", "-qq", "-yqq", "-qqy", "-yq", "-qy", "--quiet"):
            quiet = True
        elif word in ("-y", "--yes", "--assume-yes", "--no-install-recommends"):
            continue
        elif word.startswith("-") and not word.startswith("-o"):
            raise UnmodelledError(f"{call.arguments[0]} {word}")
        elif not word.startswith("-o"):
            words.append(word)
    return words, quiet


def _can_reach_archive(call: Call) -> bool:
    return call.outside.send(call.linux, ARCHIVE, "tcp", 80).reached


def _update(call: Call, quiet: bool) -> Running:
    """Update the lists; real apt warns if it cannot fetch, and exits 0 all the same."""
    if not _can_reach_archive(call):
        yield UNREACHABLE_S
        call.print_error(
            f"W: Failed to fetch http://azure.archive.ubuntu.com/ubuntu/dists/noble/InRelease  "
            f"Could not connect to azure.archive.ubuntu.com:80 ({ARCHIVE}), connection timed out",
            "W: Some index files failed to download. They have been ignored, or old ones used "
            "instead.",
        )
        return 0
    yield UPDATE_S
    if not quiet:
        call.print_out("Reading package lists...")
    return 0


def _install(call: Call, names: list[str], quiet: bool) -> Running:
    missing = [name for name in names if name not in call.linux.packages]
    if not quiet:
        call.print_out("Reading package lists...", "Building dependency tree...")
        call.print_out("Reading state information...")
        for name in names:
            if name not in missing:
                call.print_out(f"{name} is already the newest version ({VERSIONS[name]}).")
    if not missing:
        if not quiet:
            call.print_out("0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.")
        return 0
    if not _can_reach_archive(call):
        yield UNREACHABLE_S
        call.print_error(
            *(
                f"E: Failed to fetch http://azure.archive.ubuntu.com/ubuntu/pool/main/{name}  "
                f"Could not connect to azure.archive.ubuntu.com:80 ({ARCHIVE}), "
                "connection timed out"
                for name in missing
            ),
            "E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?",
        )
        return 100
    yield INSTALL_S
    if not quiet:
        call.print_out("The following NEW packages will be installed:", f"  {' '.join(missing)}")
        call.print_out(
            f"0 upgraded, {len(missing)} newly installed, 0 to remove and 0 not upgraded."
        )
    for name in missing:
        if not quiet:
            call.print_out(f"Setting up {name} ({VERSIONS[name]}) ...")
        call.linux.packages |= {name, *BRINGS.get(name, ())}
    return 0
