"""A YAML text as plain values, with the line of every key.

Owns what is wrong with a text before it is a site: its encoding, its YAML, keys that appear
twice. Never decides what a key means; that is ``config``'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

FAST = hasattr(yaml, "CSafeLoader")
"""Whether PyYAML was built with libyaml, which reads a text ten times as fast."""
LOADER: Any = yaml.CSafeLoader if FAST else yaml.SafeLoader
MOST_BYTES = 1 << 21
MOST_DEPTH, MOST_VALUES, MOST_CHARACTERS = 20, 100_000, 20_000
"""A site of 1,000 spokes has 0.7 MiB and 60,000 values, 7 deep; the longest text is an SSH key or a
line for a shell."""
MOST_ENTRIES, MOST_ITEMS = 3_000, 10_000
"""The longest mapping is that of the subnets of a VNet, of which Azure allows 3,000; the longest
list that of the remote prefixes, of which ExpressRoute Premium takes 10,000 (published)."""
DEEP = f"values nested at most {MOST_DEPTH} deep"
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, what changes the direction of text, and halves of surrogate pairs."""
SHOWN = 60
"""How many characters of a value are repeated in a message."""

Keys = tuple[str | int, ...]
"""Where a value is: the keys and list positions that lead to it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a site file.

    Attributes:
        keys: where; empty for the file as a whole.
        expected: what should be there.
        found: what is in its place.
        remedy: what to change.
        line: counted from 1; None if it is not known.
        summary: what to print in place of ``expected`` and ``found``, if they would not read well.
    """

    keys: Keys
    expected: str
    found: str
    remedy: str | None = None
    line: int | None = None
    summary: str | None = None

    def format_line(self, file: str) -> str:
        """Return the problem in one line, beginning with ``file:line:``."""
        where = f"{file}:{self.line}: " if self.line else f"{file}: "
        path = f"{format_keys(self.keys)}: " if self.keys else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        what = self.summary or f"expected {self.expected}, found {self.found}"
        return f"{where}{path}{what}{remedy}"

    def to_data(self) -> dict[str, Any]:
        """Return the problem as plain data."""
        return {
            "line": self.line,
            "key": format_keys(self.keys) or None,
            "expected": self.expected,
            "found": self.found,
            "remedy": self.remedy,
        }


def build_missing(keys: Keys, expected: str, remedy: str, line: int | None = None) -> Problem:
    """Return the problem of a required key that a file does not have."""
    summary = f"missing required key, expected {expected}"
    return Problem(keys, expected, "no key", remedy, line, summary)


def format_keys(keys: Keys) -> str:
    """Return a key path as people write it: ``spokes[0].spoke_to_primary.name``."""
    text = ""
    for key in keys:
        name = shorten(str(key))
        text += f"[{key}]" if isinstance(key, int) else f".{name}" if text else name
    return text


@dataclass(frozen=True, slots=True)
class Source:
    """The values of a YAML text and where they are."""

    values: Any
    lines: Mapping[Keys, int]

    def find_line(self, keys: Keys) -> int | None:
        """Return the line of a key, or of the nearest key above it that is there."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys)


class UnreadableYaml(Exception):
    """The text is not YAML, or cannot be a site."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(*problems)
        self.problems = problems


def parse(content: bytes) -> Source:
    """Read a YAML text.

    Raises:
        Unreadable: it is not UTF-8, not YAML, has a key twice, refers to itself, or is larger,
            deeper or longer than a site needs.
    """
    text = _decode(content)
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return Source(None, {})
        reader = _Reader(loader, {}, [])
        values = reader.read_value(node, (), ())
    except yaml.MarkedYAMLError as error:
        raise UnreadableYaml([_to_problem(error, text)]) from error
    except ReaderError as error:
        line = text[: error.position].count("\n") + 1
        actual = f"the character U+{error.character:04X}"
        remedy = "remove it, or write it as an escape in double quotes"
        raise UnreadableYaml([Problem((), "printable text", actual, remedy, line)]) from error
    except (yaml.YAMLError, ValueError) as error:
        raise UnreadableYaml([_build_yaml_problem(str(error).splitlines()[0])]) from error
    finally:
        if loader is not None:
            loader.dispose()
    if reader.problems:
        raise UnreadableYaml(reader.problems)
    return Source(values, reader.lines)


_Base: Any = type("_Base", (Composer, LOADER) if FAST else (LOADER,), {})


class _Loader(_Base):  # type: ignore[misc]
    """Composes nodes; raises as soon as a text is deeper or longer than a site needs.

    Aliases count with everything that they expand to, so a few lines cannot become millions of
    values.
    """

    def __init__(self, text: str) -> None:
        LOADER.__init__(self, text)
        Composer.__init__(self)
        self._depth = 0
        self._entries = [0] * (MOST_DEPTH + 2)
        self._sizes: dict[int, tuple[int, int]] = {}

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """Compose a node, unless the limits are exceeded by then."""
        line = self.peek_event().start_mark.line + 1
        self._depth += 1
        _insist(self._depth <= MOST_DEPTH, DEEP, line)
        self._entries[self._depth : self._depth + 2] = self._entries[self._depth] + 1, 0
        _insist(self._entries[self._depth] <= MOST_ITEMS, _format_limit(MOST_ITEMS), line)
        node: Node | None = super().compose_node(parent, index)
        self._depth -= 1
        if node is not None and id(node) not in self._sizes:
            entries = len(node.value) if isinstance(node, CollectionNode) else 0
            most = MOST_ITEMS if isinstance(node, SequenceNode) else MOST_ENTRIES
            _insist(entries <= most, _format_limit(most), line)
            size, depth = self._compute_size(node)
            _insist(depth <= MOST_DEPTH, DEEP, line)
            _insist(size <= MOST_VALUES, f"at most {MOST_VALUES} values, aliases included", line)
            self._sizes[id(node)] = size, depth
        return node

    def _compute_size(self, node: Node) -> tuple[int, int]:
        """Return the values in a node, and how deep they are nested; 1 of one still composed."""
        inner = [
            self._sizes.get(id(value), (1, 1))
            for item in (node.value if isinstance(node, CollectionNode) else ())
            for value in (item if isinstance(item, tuple) else (item,))
        ]
        return 1 + sum(size for size, _ in inner), 1 + max((depth for _, depth in inner), default=0)


def _format_limit(most: int) -> str:
    return f"at most {most} entries"


def _insist(holds: bool, expected: str, line: int) -> None:
    if not holds:
        raise UnreadableYaml([Problem((), expected, "more", None, line)])


@dataclass(slots=True)
class _Reader:
    """Turns nodes into values, keeping lines and what is wrong."""

    loader: _Loader
    lines: dict[Keys, int]
    problems: list[Problem]

    def read_value(self, node: Node, keys: Keys, above: tuple[Node, ...]) -> Any:
        """Return the plain value of a node."""
        line = node.start_mark.line + 1
        self.lines.setdefault(keys, line)
        if node in above:
            self.problems.append(
                Problem(keys, "a value", "an alias of itself", "write the value out", line)
            )
            return None
        above = (*above, node)
        if isinstance(node, MappingNode):
            return self._read_mapping(node, keys, above)
        if isinstance(node, SequenceNode):
            return [self.read_value(item, (*keys, i), above) for i, item in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return self._read_scalar(node, keys)
        raise ValueError(f"a node of an unknown kind in line {line}")

    def _read_scalar(self, node: ScalarNode, keys: Keys) -> Any:
        """Return the value of a scalar; None, with a problem, if no site could have it."""
        line, text = node.start_mark.line + 1, node.value
        if len(text) > MOST_CHARACTERS:
            expected, actual = f"at most {MOST_CHARACTERS} characters", str(len(text))
            self.problems.append(Problem(keys, expected, actual, None, line))
            return None
        try:
            value = self.loader.construct_object(node)
            hash(value)  # !!set "x" is a set
        except yaml.MarkedYAMLError:
            raise
        except Exception:  # PyYAML trusts explicit tags: !!int "" is an IndexError
            kind = node.tag.rpartition(":")[2]
            self.problems.append(Problem(keys, f"a value of type {kind}", _quote(text), None, line))
            return None
        if isinstance(value, int) and abs(value) >= 1 << 63:
            remedy = "put it in quotes if it is a name"
            problem = Problem(keys, "a number of at most 18 digits", _quote(text), remedy, line)
        elif isinstance(value, str) and (bad := UNPRINTABLE.search(value)):
            actual = f"the character U+{ord(bad[0]):04X}"
            problem = Problem(keys, "printable text", actual, "remove it", line)
        else:
            return value
        self.problems.append(problem)
        return None

    def _read_mapping(
        self, node: MappingNode, keys: Keys, above: tuple[Node, ...]
    ) -> dict[Any, Any]:
        self._find_duplicates(node, keys)
        self.loader.flatten_mapping(node)
        values: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                line = key_node.start_mark.line + 1
                self.problems.append(
                    Problem(keys, "a name as key", "a list or mapping as key", line=line)
                )
                continue
            key = self._read_scalar(key_node, keys)
            inner = (*keys, key if isinstance(key, str | int) else str(key))
            self.lines[inner] = key_node.start_mark.line + 1
            values[key] = self.read_value(value_node, inner, above)
        return values

    def _find_duplicates(self, node: MappingNode, keys: Keys) -> None:
        first: dict[str, int] = {}
        for key_node, _ in node.value:
            if not isinstance(key_node, ScalarNode) or key_node.value == "<<":
                continue
            line = key_node.start_mark.line + 1
            if key_node.value in first:
                self.problems.append(
                    Problem(
                        (*keys, shorten(key_node.value)),
                        "each key once",
                        f"a duplicate of line {first[key_node.value]}",
                        "remove one of the two",
                        line,
                    )
                )
            first.setdefault(key_node.value, line)


def shorten(text: str) -> str:
    """Return a text, or its beginning if it is long."""
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _quote(text: str) -> str:
    return repr(shorten(text))


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        actual = f"the byte 0x{content[error.start]:02x}"
        problem = Problem((), "UTF-8 text", actual, "save the file as UTF-8", line)
        raise UnreadableYaml([problem]) from error


def _to_problem(error: yaml.MarkedYAMLError, text: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else None
    lines = text.splitlines()
    written = lines[line - 1] if line and line <= len(lines) else ""
    if "\t" in written:
        return Problem((), "spaces", "a tab", "YAML does not allow tabs: indent with spaces", line)
    actual = ", ".join(part for part in (error.context, error.problem) if part)
    remedy = "check indentation, colons and quotes on this line and on the one before"
    return _build_yaml_problem(actual, remedy, line)


def _build_yaml_problem(actual: str, remedy: str | None = None, line: int | None = None) -> Problem:
    return Problem((), "valid YAML", actual, remedy, line, f"invalid YAML: {actual}")
