"""The syntax of a modelled machine's shell: a script as pipelines of simple commands.

Pure. Owns words, quotes, lists (``;``, ``&&``, ``||``, ``!``), pipes and redirections. What it
does not know (loops, substitutions, functions, here-documents) raises ``Unmodelled``, so that
such a script is refused before its first command runs; it never guesses. Running is ``shell``'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from erfailover.lab.machines.netfilter import UnmodelledError

RESERVED = frozenset(
    ("if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac")
) | {"function", "{", "}", "[["}
"""Words that begin what this shell does not know."""
_OPERATORS = ("&&", "||", "|", ";", "\n", "&", "(", ")")
_REDIRECTION = re.compile(r"(?P<from>[012]?)(?P<how>>>|>&|>|<<|<)(?P<to>[12-]?)")


@dataclass(frozen=True, slots=True)
class Word:
    """A word or an operator; ``literal`` parts are not searched for variables."""

    parts: tuple[tuple[str, bool], ...]
    operator: str = ""

    def expand(self, variables: Mapping[str, str]) -> str:
        """Return the text with its variables replaced."""
        return "".join(
            text if literal else _VARIABLE.sub(lambda match: _get_value(match, variables), text)
            for text, literal in self.parts
        )

    @property
    def raw(self) -> str:
        """The text as written, without quotes."""
        return "".join(text for text, _ in self.parts)


_VARIABLE = re.compile(r"\$(?:(\w+|\?)|\{(\w+)\})")


def _get_value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    return variables.get(match.group(1) or match.group(2), "")


@dataclass(frozen=True, slots=True)
class Redirection:
    """The redirection of a stream: 0 to 2, ``how`` as written, and a file's word."""

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
    """Commands joined by pipes; ``after`` is the operator before the pipeline."""

    commands: tuple[Command, ...]
    negated: bool
    after: str


def parse(script: str) -> list[Pipeline]:
    """Parse a script.

    Raises:
        Unmodelled: syntax that this shell does not know.
    """
    pipelines: list[Pipeline] = []
    commands: list[Command] = []
    words: list[Word] = []
    redirections: list[Redirection] = []
    pending: Redirection | None = None
    after, negated, line = ";", False, 1
    for word in [*_split_words(script), Word((), "\n")]:
        if not word.operator:
            if pending is not None:
                redirections.append(Redirection(pending.stream, pending.how, word))
                pending = None
            elif word.raw == "!" and not words and not commands:
                negated = not negated
            elif not words and word.raw in RESERVED:
                raise UnmodelledError(f"the shell's {word.raw!r} (line {line})")
            else:
                words.append(word)
            continue
        redirection = _REDIRECTION.fullmatch(word.operator)
        if redirection is not None:
            parsed = _parse_redirection(redirection)
            if parsed.how == ">&":
                redirections.append(parsed)
            else:
                pending = parsed
            continue
        if word.operator in ("&", "(", ")"):
            raise UnmodelledError(f"the shell's {word.operator!r} (line {line})")
        if word.operator == "\n" and not words and (commands or after in ("&&", "||")):
            line += 1
            continue
        if words or redirections:
            commands.append(Command(tuple(words), tuple(redirections), line))
        elif word.operator != "\n":
            raise UnmodelledError(f"a command missing before {word.operator!r} (line {line})")
        words, redirections = [], []
        if word.operator != "|" and commands:
            pipelines.append(Pipeline(tuple(commands), negated, after))
            commands, negated, after = [], False, word.operator
        line += word.operator == "\n"
    if pending is not None or commands or after in ("&&", "||"):
        raise UnmodelledError("a script that ends in the middle of a command")
    return pipelines


def _parse_redirection(match: re.Match[str]) -> Redirection:
    how, target = match["how"], match["to"]
    if how == "<<":
        raise UnmodelledError("the shell's here-documents")
    stream = int(match["from"]) if match["from"] else (0 if how == "<" else 1)
    if how == ">&":
        if target not in ("1", "2"):
            raise UnmodelledError(f"the shell's redirection {match.group(0)!r}")
        return Redirection(stream, ">&", Word(((target, True),)))
    return Redirection(stream, how)


def _split_words(script: str) -> list[Word]:
    """Return the words and operators of a script, without comments."""
    words: list[Word] = []
    parts: list[tuple[str, bool]] = []
    at = 0

    def end_word() -> None:
        if parts:
            words.append(Word(tuple(parts)))
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
            close = _find_closing_quote(script, at)
            parts.append((script[at + 1 : close], True))
            at = close + 1
        elif char == '"':
            close = _find_closing_quote(script, at)
            _refuse_substitution(script[at + 1 : close])
            parts.extend(_parse_double_quoted(script[at + 1 : close]))
            at = close + 1
        elif char == "\\":
            parts.append((script[at + 1 : at + 2], True))
            at += 2
        elif (operator := _find_operator(script, at, bool(parts))) is not None:
            end_word()
            words.append(Word((), operator))
            at += len(operator)
        else:
            _refuse_substitution(script[at : at + 2])
            parts.append((char, False))
            at += 1
    end_word()
    return [_join_parts(word) for word in words]


def _join_parts(word: Word) -> Word:
    """Return a word with its neighbouring unquoted characters joined into one part."""
    parts: list[tuple[str, bool]] = []
    for text, literal in word.parts:
        if parts and parts[-1][1] == literal:
            parts[-1] = (parts[-1][0] + text, literal)
        else:
            parts.append((text, literal))
    return Word(tuple(parts), word.operator)


def _find_operator(script: str, at: int, in_word: bool) -> str | None:
    redirection = _REDIRECTION.match(script, at)
    if redirection is not None and not (in_word and redirection["from"]):
        text = redirection.group(0)
        return text if redirection["how"] == ">&" else text.removesuffix(redirection["to"])
    return next((operator for operator in _OPERATORS if script.startswith(operator, at)), None)


def _find_closing_quote(script: str, at: int) -> int:
    quote, close = script[at], at + 1
    while close < len(script) and script[close] != quote:
        close += 2 if quote == '"' and script[close] == "\\" else 1
    if close >= len(script):
        raise UnmodelledError("a quote that is not closed")
    return close


def _parse_double_quoted(text: str) -> list[tuple[str, bool]]:
    """Return the parts of a double-quoted text; a backslash makes a character literal."""
    parts: list[tuple[str, bool]] = [("", True)]
    for part in re.findall(r'\\[\\"$`]|\\?[^\\]+|\\', text, re.DOTALL):
        protected = part[0] == "\\" and part[1:] in ("\\", '"', "$", "`")
        parts.append((part[1:], True) if protected else (part, False))
    return parts


def _refuse_substitution(text: str) -> None:
    if "$(" in text or "`" in text:
        raise UnmodelledError("the shell's command substitution")
