"""Commands of a modelled machine that only look at text and files."""

from __future__ import annotations

import re

from erfailover.lab.machines.netfilter import Unmodelled
from erfailover.lab.machines.shell.shell import Call


def echo(call: Call) -> int:
    """Write the arguments; ``-n`` leaves the line's end out."""
    words = call.arguments[1:]
    end = "\n"
    if words[:1] == ["-n"]:
        words, end = words[1:], ""
    elif words[:1] in (["-e"], ["-E"]):
        raise Unmodelled(f"echo {words[0]}")
    call.stdout.append(" ".join(words) + end)
    return 0


def cat(call: Call) -> int:
    """Write files, or the standard input."""
    status = 0
    for name in call.arguments[1:] or ["-"]:
        text = _contents(call, name)
        if text is None:
            call.err(f"cat: {name}: No such file or directory")
            status = 1
        else:
            call.stdout.append(text)
    return status


def tee(call: Call) -> int:
    """Write the standard input to files and on."""
    names = call.arguments[1:]
    append = names[:1] in (["-a"], ["--append"])
    for name in names[append:]:
        if name.startswith("-"):
            raise Unmodelled(f"tee {name}")
        if name != "/dev/null":
            before = call.linux.files.get(name, "") if append else ""
            call.linux.files[name] = before + call.stdin
    call.stdout.append(call.stdin)
    return 0


def grep(call: Call) -> int:
    """Find lines: ``-q -E -F -i -v -c -w -o -s``; 0 where one was found, else 1."""
    options: set[str] = set()
    rest = call.arguments[1:]
    while rest and rest[0].startswith("-") and rest[0] != "-":
        option = rest.pop(0)
        if option == "--":
            break
        if option == "-e":
            break
        if set(option[1:]) - set("qEFivcwos"):
            raise Unmodelled(f"grep {option}")
        options |= set(option[1:])
    if not rest:
        call.err("Usage: grep [OPTION]... PATTERNS [FILE]...")
        return 2
    pattern = _pattern(rest.pop(0), options)
    found: list[str] = []
    for name in rest or ["-"]:
        text = _contents(call, name)
        if text is None:
            if "s" not in options:
                call.err(f"grep: {name}: No such file or directory")
            return 2
        label = f"{name}:" if len(rest) > 1 else ""
        lines = [
            line for line in text.splitlines() if bool(pattern.search(line)) != ("v" in options)
        ]
        if "c" in options:
            call.out(*([f"{label}{len(lines)}"] if "q" not in options else []))
        elif "q" not in options:
            call.out(*(label + each for line in lines for each in _shown(line, pattern, options)))
        found += lines
    return 0 if found else 1


def _shown(line: str, pattern: re.Pattern[str], options: set[str]) -> list[str]:
    return [each.group(0) for each in pattern.finditer(line)] if "o" in options else [line]


def _pattern(text: str, options: set[str]) -> re.Pattern[str]:
    """A grep pattern as Python's; basic ones have their special characters the other way."""
    if "F" in options:
        text = re.escape(text)
    elif "E" not in options:
        text = re.sub(r"\\?[+?|(){}]", _other_way, text)
    if "w" in options:
        text = rf"\b(?:{text})\b"
    return re.compile(text, re.IGNORECASE if "i" in options else 0)


def _other_way(found: re.Match[str]) -> str:
    text = found.group(0)
    return text[1:] if len(text) > 1 else f"\\{text}"


def tail(call: Call) -> int:
    """Write the end of the standard input: ``-n LINES`` or ``-c BYTES``."""
    option, count = (call.arguments[1:2] or [""])[0], (call.arguments[2:] or [""])[0]
    if option not in ("-n", "-c") or not count.isdigit() or len(call.arguments) > 3:
        raise Unmodelled(f"tail {' '.join(call.arguments[1:])}".rstrip())
    if option == "-n":
        lines = call.stdin.splitlines(keepends=True)
        call.stdout.append("".join(lines[-int(count) :] if int(count) else []))
    else:
        end = call.stdin.encode()[-int(count) :] if int(count) else b""
        call.stdout.append(end.decode(errors="replace"))
    return 0


def chmod(call: Call) -> int:
    """``chmod MODE FILE...``: what counts here is whether a file may be run."""
    mode, names = (call.arguments[1:2] or [""])[0], call.arguments[2:]
    if not re.fullmatch(r"0?[0-7]{3}|a?[+-]x", mode):
        raise Unmodelled(f"chmod {mode}".rstrip())
    runs = mode.endswith("+x") or (mode[-1].isdigit() and int(mode[-3]) % 2 == 1)
    for name in names:
        if name not in call.linux.files:
            call.err(f"chmod: cannot access '{name}': No such file or directory")
            return 1
        (call.linux.executable.add if runs else call.linux.executable.discard)(name)
    return 0


def cloud_init(call: Call) -> int:
    """``cloud-init status [--wait]``: a first start has always ended here."""
    if call.arguments[1:] not in (["status"], ["status", "--wait"]):
        raise Unmodelled(f"cloud-init {' '.join(call.arguments[1:])}".rstrip())
    call.out("status: done")
    return 0


def hostname(call: Call) -> int:
    """Write the machine's name, or with ``-I`` its addresses."""
    option = call.arguments[1:]
    if option == ["-I"]:
        call.out("".join(f"{each.address} " for each in call.linux.interfaces))
    elif option in ([], ["-s"]):
        call.out(call.linux.hostname)
    else:
        raise Unmodelled(f"hostname {' '.join(option)}")
    return 0


def true(call: Call) -> int:
    """Succeed."""
    return 0


def false(call: Call) -> int:
    """Fail."""
    return 1


def _contents(call: Call, name: str) -> str | None:
    if name == "-":
        return call.stdin
    if name == "/proc/sys/net/ipv4/ip_forward":
        return call.linux.sysctl["net.ipv4.ip_forward"] + "\n"
    return call.linux.files.get(name)
