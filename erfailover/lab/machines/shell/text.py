"""Commands of a modelled machine that only read text and files."""

from __future__ import annotations

import re

from erfailover.lab.machines.netfilter import UnmodelledError
from erfailover.lab.machines.shell.shell import Call


def echo(call: Call) -> int:
    """Write the arguments; ``-n`` omits the newline."""
    words = call.arguments[1:]
    end = "\n"
    if words[:1] == ["-n"]:
        words, end = words[1:], ""
    elif words[:1] in (["-e"], ["-E"]):
        raise UnmodelledError(f"echo {words[0]}")
    call.stdout.append(" ".join(words) + end)
    return 0


def cat(call: Call) -> int:
    """Write files, or the standard input."""
    status = 0
    for name in call.arguments[1:] or ["-"]:
        text = _read_contents(call, name)
        if text is None:
            call.print_error(f"cat: {name}: No such file or directory")
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
            raise UnmodelledError(f"tee {name}")
        if name != "/dev/null":
            before = call.linux.files.get(name, "") if append else ""
            call.linux.files[name] = before + call.stdin
    call.stdout.append(call.stdin)
    return 0


def grep(call: Call) -> int:
    """Find lines: ``-q -E -F -i -v -c -w -o -s``; 0 if one was found, else 1."""
    options: set[str] = set()
    rest = call.arguments[1:]
    while rest and rest[0].startswith("-") and rest[0] != "-":
        option = rest.pop(0)
        if option == "--":
            break
        if option == "-e":
            break
        if set(option[1:]) - set("qEFivcwos"):
            raise UnmodelledError(f"grep {option}")
        options |= set(option[1:])
    if not rest:
        call.print_error("Usage: grep [OPTION]... PATTERNS [FILE]...")
        return 2
    pattern = _compile_pattern(rest.pop(0), options)
    matches: list[str] = []
    for name in rest or ["-"]:
        text = _read_contents(call, name)
        if text is None:
            if "s" not in options:
                call.print_error(f"grep: {name}: No such file or directory")
            return 2
        label = f"{name}:" if len(rest) > 1 else ""
        lines = [
            line for line in text.splitlines() if bool(pattern.search(line)) != ("v" in options)
        ]
        if "c" in options:
            call.print_out(*([f"{label}{len(lines)}"] if "q" not in options else []))
        elif "q" not in options:
            call.print_out(
                *(
                    label + matched
                    for line in lines
                    for matched in _format_matches(line, pattern, options)
                )
            )
        matches += lines
    return 0 if matches else 1


def _format_matches(line: str, pattern: re.Pattern[str], options: set[str]) -> list[str]:
    return [match.group(0) for match in pattern.finditer(line)] if "o" in options else [line]


def _compile_pattern(text: str, options: set[str]) -> re.Pattern[str]:
    """Return a grep pattern as Python's; basic ones invert the special characters."""
    if "F" in options:
        text = re.escape(text)
    elif "E" not in options:
        text = re.sub(r"\\?[+?|(){}]", _swap_escape, text)
    if "w" in options:
        text = rf"\b(?:{text})\b"
    return re.compile(text, re.IGNORECASE if "i" in options else 0)


def _swap_escape(match: re.Match[str]) -> str:
    text = match.group(0)
    return text[1:] if len(text) > 1 else f"\\{text}"


def tail(call: Call) -> int:
    """Write the end of the standard input: ``-n LINES`` or ``-c BYTES``."""
    option, count = (call.arguments[1:2] or [""])[0], (call.arguments[2:] or [""])[0]
    if option not in ("-n", "-c") or not count.isdigit() or call.arguments[3:]:
        raise UnmodelledError(f"tail {' '.join(call.arguments[1:])}".rstrip())
    if option == "-n":
        lines = call.stdin.splitlines(keepends=True)
        call.stdout.append("".join(lines[-int(count) :] if int(count) else []))
    else:
        end = call.stdin.encode()[-int(count) :] if int(count) else b""
        call.stdout.append(end.decode(errors="replace"))
    return 0


def chmod(call: Call) -> int:
    """Run ``chmod MODE FILE...``; only the execute permission matters here."""
    mode, names = (call.arguments[1:2] or [""])[0], call.arguments[2:]
    if not re.fullmatch(r"0?[0-7]{3}|a?[+-]x", mode):
        raise UnmodelledError(f"chmod {mode}".rstrip())
    runs = mode.endswith("+x") or (mode[-1].isdigit() and int(mode[-3]) % 2 == 1)
    for name in names:
        if name not in call.linux.files:
            call.print_error(f"chmod: cannot access '{name}': No such file or directory")
            return 1
        (call.linux.executable.add if runs else call.linux.executable.discard)(name)
    return 0


def cloud_init(call: Call) -> int:
    """Run ``cloud-init status [--wait]``: the first start has always ended here."""
    if call.arguments[1:] not in (["status"], ["status", "--wait"]):
        raise UnmodelledError(f"cloud-init {' '.join(call.arguments[1:])}".rstrip())
    call.print_out("status: done")
    return 0


def hostname(call: Call) -> int:
    """Write the machine's name, or with ``-I`` its addresses."""
    option = call.arguments[1:]
    if option == ["-I"]:
        call.print_out("".join(f"{interface.address} " for interface in call.linux.interfaces))
    elif option in ([], ["-s"]):
        call.print_out(call.linux.hostname)
    else:
        raise UnmodelledError(f"hostname {' '.join(option)}")
    return 0


def true(call: Call) -> int:
    """Succeed."""
    return 0


def false(call: Call) -> int:
    """Fail."""
    return 1


def _read_contents(call: Call, name: str) -> str | None:
    if name == "-":
        return call.stdin
    if name == "/proc/sys/net/ipv4/ip_forward":
        return call.linux.sysctl["net.ipv4.ip_forward"] + "\n"
    return call.linux.files.get(name)
