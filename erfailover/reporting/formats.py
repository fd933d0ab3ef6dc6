"""Results as JSON, YAML, TSV and tables, and JMESPath queries on them, as az does it. Pure.

What az does was read in knack's ``output.py`` and ``query.py`` (0.14) and in its output: a query
that comes to null prints nothing; TSV sorts the columns of plain objects by key, keeps the order
of those that a query makes, shows null as ``None``, a list by its length and an object as
nothing. A table of a query keeps ``id``, which az leaves out.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from erfailover.model.counting import join_names

if TYPE_CHECKING:
    from jmespath.parser import ParsedResult

    from erfailover.reporting.screen import Screen

TABLE, JSON, YAML, TSV, NONE = FORMATS = ("table", "json", "yaml", "tsv", "none")
MOST_CHARACTERS, MOST_SHOWN = 10_000, 200
SYNTAX = "Text goes in single quotes: gateways[?role=='backup'].name; see https://jmespath.org."


class QueryProblem(ValueError):
    """A query that is no JMESPath, or that does not suit the result; the text says where."""


@dataclass(frozen=True)
class Query:
    """A JMESPath expression that was understood."""

    text: str
    expression: ParsedResult

    @property
    def shortened(self) -> str:
        """The text, or its beginning if it is long."""
        return self.text if len(self.text) <= MOST_SHOWN else self.text[:MOST_SHOWN] + "..."

    def select(self, data: Any) -> Any:
        """Return what it selects from plain data.

        Raises:
            QueryProblem: a function is given what it cannot take, or it makes too much of it.
        """
        from erfailover.reporting import bounded_query

        try:
            return bounded_query.search(self.expression.parsed, data)
        except RecursionError:
            raise QueryProblem(f"{self.shortened}: it is nested too deeply") from None
        except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
            raise QueryProblem(f"{self.shortened}: {error}") from None


def parse_query(text: str) -> Query:
    """Understand a query, before anything is done.

    Raises:
        QueryProblem: with the place at which it is wrong.
    """
    import jmespath
    from jmespath.exceptions import JMESPathError
    from jmespath.functions import Functions

    if len(text) > MOST_CHARACTERS:
        raise QueryProblem(f"it is longer than {MOST_CHARACTERS} characters")
    try:
        expression = jmespath.compile(text)
        called = list(_iter_functions(expression.parsed))
    except RecursionError:
        raise QueryProblem("it is nested too deeply") from None
    except (JMESPathError, ValueError, KeyError) as error:
        at = getattr(error, "lex_position", getattr(error, "lexer_position", None))
        raise _build_problem(
            text, _describe_error(error), len(text) if at is None else at
        ) from None
    for name in called:
        if name not in Functions.FUNCTION_TABLE:
            raise _build_problem(text, f"unknown function {name}()", text.find(name))
    return Query(text, expression)


def _describe_error(error: Exception) -> str:
    """Return what is wrong, in a few words."""
    kind = type(error).__name__
    if kind == "EmptyExpressionError":
        return "it is empty"
    if kind == "IncompleteExpressionError":
        return "it ends too early"
    token = getattr(error, "token_value", getattr(error, "lexer_value", None))
    return f"unexpected {token!r}" if token else "it ends too early"


def _build_problem(text: str, what: str, at: int) -> QueryProblem:
    at = max(0, min(at, len(text)))
    if len(text) > MOST_SHOWN:
        return QueryProblem(f"{what} (character {at + 1})\n{SYNTAX}")
    return QueryProblem(f"{what} (character {at + 1})\n  {text}\n  {' ' * at}^\n{SYNTAX}")


def _iter_functions(node: Any) -> Iterator[str]:
    """Yield the functions that an expression calls."""
    if isinstance(node, dict):
        if node.get("type") == "function_expression":
            yield str(node["value"])
        for item in node.get("children", ()):
            yield from _iter_functions(item)


def format_result(
    text: str,
    data: Any,
    format_: str,
    query_: Query | None = None,
    screen: Screen | None = None,
    rows: str = "",
) -> str:
    """Return a result in the format asked for; empty if nothing is to be printed.

    Args:
        text: the result for people, the table of a result without a query.
        data: the result as data.
        format_: one of ``FORMATS``.
        query_: what to select from ``data``.
        screen: what the table of a query is shown on; by default a file.
        rows: the query whose result ``tsv`` prints if there is no other; empty for none.

    Raises:
        QueryProblem: the query does not suit this result.
    """
    if format_ == NONE:
        return ""
    if format_ == TABLE and query_ is None:
        return f"{text}\n"
    plain = json.loads(json.dumps(data))  # enumerations become their words
    if format_ == TSV and query_ is None and rows:
        query_ = parse_query(rows)
    if query_ is not None:
        plain = query_.select(plain)
        if plain is None:
            return ""
    if format_ == JSON:
        return json.dumps(plain, indent=2) + "\n"
    if format_ == YAML:
        return format_yaml(plain)
    return format_tsv(plain) if format_ == TSV else format_table(plain, screen)


def format_yaml(plain: Any) -> str:
    """Plain data as YAML, keys in their order."""
    from yaml import safe_dump

    unordered = json.loads(json.dumps(plain))  # what a query makes is an OrderedDict
    text: str = safe_dump(unordered, sort_keys=False, allow_unicode=True)
    return text.removesuffix("...\n")


def format_tsv(plain: Any) -> str:
    """Plain data as lines of values between tabs."""
    rows = plain if isinstance(plain, list) else [plain]
    return "".join(f"{_format_tsv_row(row)}\n" for row in rows)


def _format_tsv_row(row: Any) -> str:
    if isinstance(row, OrderedDict):
        return "\t".join(map(_format_tsv_cell, row.values()))
    if isinstance(row, dict):
        return "\t".join(_format_tsv_cell(row[key]) for key in sorted(row))
    if isinstance(row, list):
        return "\t".join(map(_format_tsv_cell, row))
    return str(row).lower() if isinstance(row, bool) else _format_tsv_cell(row)


def _format_tsv_cell(value: Any) -> str:
    if isinstance(value, list):
        return str(len(value))
    return "" if isinstance(value, dict) else str(value)


def format_table(plain: Any, screen: Screen | None = None) -> str:
    """Return what a query selected, as a table: a column a key, nested values left out."""
    from rich import box
    from rich.text import Text

    from erfailover.errors import escape_controls
    from erfailover.reporting import tables
    from erfailover.reporting.screen import PLAIN

    screen = screen or PLAIN
    rows = [_build_table_row(row) for row in (plain if isinstance(plain, list) else [plain])]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    if not columns:
        return ""
    headings = [escape_controls(column[:1].upper() + column[1:]) for column in columns]
    cells = [
        [Text(escape_controls(_format_table_cell(row.get(key)))) for key in columns] for row in rows
    ]
    fitted = tables.fit(headings, cells, screen.width)
    drawn = tables.draw(headings, cells, fitted, screen, box.SIMPLE_HEAD, edge=False)
    left_out = [column for column in columns[len(fitted.columns) :]]
    more = f"No room for {join_names(left_out)}: use -o json or select fewer.\n"
    return f"{drawn}\n{more if left_out else ''}"


def _build_table_row(row: Any) -> dict[str, Any]:
    if isinstance(row, dict):
        return {key: value for key, value in row.items() if not isinstance(value, list | dict)}
    if isinstance(row, list):
        return {f"Column{number}": value for number, value in enumerate(row, 1)}
    return {"Result": row}


def _format_table_cell(value: Any) -> str:
    if isinstance(value, list | dict):
        return json.dumps(value)
    return "" if value is None else str(value)
