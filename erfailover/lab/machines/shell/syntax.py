"""The syntax of a modelled machine's shell: a script as pipelines of simple commands.

Pure. Owns words, quotes, lists (``;``, ``&&``, ``||``, ``!``), pipes and redirections. What it
does not know (loops, substitutions, functions, here-documents) raises ``Unmodelled``, so that
such a script is refused before its first command runs; it never guesses. Running is ``shell``'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from erfailover.lab.machines.netfilter import Unmodelled

RESERVED = frozenset(
    ("if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac")
) | {"function", "{", "}", "[["}
"""Words that begin what this shell does not know."""
_OPERATORS = ("&&", "||", "|", ";", "\n", "&", "(", ")")
_REDIRECTION = re.compile(r"(?P<from>[012]?)(?P<how>>>|>&|>|<<|<)(?P<to>[12-]?)")


@dataclass(frozen=True, slots=True)
class Word:
    """A word or an operator; ``literal`` parts are not looked at for variables."""

    parts: tuple[tuple[str, bool], ...]
    operator: str = ""

    def expand(self, variables: Mapping[str, str]) -> str:
        """The text, variables put in."""
        return "".join(
            text if literal else _VARIABLE.sub(lambda found: _value(found, variables), text)
            for text, literal in self.parts
        )

    @property
    def raw(self) -> str:
        """The text as written, without quotes."""
        return "".join(text for text, _ in self.parts)


_VARIABLE = re.compile(r"\$(?:(\w+|\?)|\{(\w+)\})")


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    return variables.get(found.group(1) or found.group(2), "")


@dataclass(frozen=True, slots=True)
class Redirection:
    """Where a stream goes: ``stream`` 0 to 2, ``how`` as written, and a file's word."""

    stream: int
    how: str
    file: Word | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command of a line."""

    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands joined by pipes; ``after`` is what joins it to the pipeline before."""

    commands: tuple[Command, ...]
    negated: bool
    after: str


def parse(script: str) -> list[Pipeline]:
    """Take a script apart.

    Raises:
        Unmodelled: syntax that this shell does not know.
    """
    pipelines: list[Pipeline] = []
    commands: list[Command] = []
    words: list[Word] = []
    redirections: list[Redirection] = []
    pending: Redirection | None = None
    after, negated, line = ";", False, 1
    for word in [*_words(script), Word((), "\n")]:
        if not word.operator:
            if pending is not None:
                redirections.append(Redirection(pending.stream, pending.how, word))
                pending = None
            elif word.raw == "!" and not words and not commands:
                negated = not negated
            elif not words and word.raw in RESERVED:
                raise Unmodelled(f"the shell's {word.raw!r} (line {line})")
            else:
                words.append(word)
            continue
        redirection = _REDIRECTION.fullmatch(word.operator)
        if redirection is not None:
            found = _redirection(redirection)
            if found.how == ">&":
                redirections.append(found)
            else:
                pending = found
            continue
        if word.operator in ("&", "(", ")"):
            raise Unmodelled(f"the shell's {word.operator!r} (line {line})")
        if word.operator == "\n" and not words and (commands or after in ("&&", "||")):
            line += 1
            continue
        if words or redirections:
            commands.append(Command(tuple(words), tuple(redirections), line))
        elif word.operator != "\n":
            raise Unmodelled(f"a command missing before {word.operator!r} (line {line})")
        words, redirections = [], []
        if word.operator != "|" and commands:
            pipelines.append(Pipeline(tuple(commands), negated, after))
            commands, negated, after = [], False, word.operator
        line += word.operator == "\n"
    if pending is not None or commands or after in ("&&", "||"):
        raise Unmodelled("a script that ends in the middle of a command")
    return pipelines


def _redirection(found: re.Match[str]) -> Redirection:
    how, target = found["how"], found["to"]
    if how == "<<":
        raise Unmodelled("the shell's here-documents")
    stream = int(found["from"]) if found["from"] else (0 if how == "<" else 1)
    if how == ">&":
        if target not in ("1", "2"):
            raise Unmodelled(f"the shell's redirection {found.group(0)!r}")
        return Redirection(stream, ">&", Word(((target, True),)))
    return Redirection(stream, how)


def _words(script: str) -> list[Word]:
    """The words and operators of a script, comments left out."""
    found: list[Word] = []
    parts: list[tuple[str, bool]] = []
    at = 0

    def end_word() -> None:
        if parts:
            found.append(Word(tuple(parts)))
            parts.clear()

    while at < len(script):
        char = script[at]
        if script.startswith("\\\n", at):
            at += 2
        elif char in " \t\r":
            end_word()
            at += 1
        elif char == "#" and not parts:
            at = (script.find("\n", at) + len(script) + 1) % (len(script) + 1)
        elif char == "'":
            close = _closing(script, at)
            parts.append((script[at + 1 : close], True))
            at = close + 1
        elif char == '"':
            close = _closing(script, at)
            _no_substitution(script[at + 1 : close])
            parts.extend(_double_quoted(script[at + 1 : close]))
            at = close + 1
        elif char == "\\":
            parts.append((script[at + 1 : at + 2], True))
            at += 2
        elif (operator := _operator(script, at, bool(parts))) is not None:
            end_word()
            found.append(Word((), operator))
            at += len(operator)
        else:
            _no_substitution(script[at : at + 2])
            parts.append((char, False))
            at += 1
    end_word()
    return [_joined(word) for word in found]


def _joined(word: Word) -> Word:
    """A word whose neighbouring unquoted characters are one part again."""
    parts: list[tuple[str, bool]] = []
    for text, literal in word.parts:
        if parts and parts[-1][1] == literal:
            parts[-1] = (parts[-1][0] + text, literal)
        else:
            parts.append((text, literal))
    return Word(tuple(parts), word.operator)


def _operator(script: str, at: int, in_word: bool) -> str | None:
    redirection = _REDIRECTION.match(script, at)
    if redirection is not None and not (in_word and redirection["from"]):
        text = redirection.group(0)
        return text if redirection["how"] == ">&" else text.removesuffix(redirection["to"])
    return next((each for each in _OPERATORS if script.startswith(each, at)), None)


def _closing(script: str, at: int) -> int:
    quote, close = script[at], at + 1
    while close < len(script) and script[close] != quote:
        close += 2 if quote == '"' and script[close] == "\\" else 1
    if close >= len(script):
        raise Unmodelled("a quote that is not closed")
    return close


def _double_quoted(text: str) -> list[tuple[str, bool]]:
    """The parts of a double-quoted text: what a backslash protects is literal."""
    found: list[tuple[str, bool]] = [("", True)]
    for part in re.findall(r'\\[\\"$`]|\\?[^\\]+|\\', text, re.DOTALL):
        protected = part[0] == "\\" and part[1:] in ("\\", '"', "$", "`")
        found.append((part[1:], True) if protected else (part, False))
    return found


def _no_substitution(text: str) -> None:
    if "$(" in text or "`" in text:
        raise Unmodelled("the shell's command substitution")
