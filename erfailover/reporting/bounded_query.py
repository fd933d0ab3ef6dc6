"""Evaluate a JMESPath expression within limits of work, size and depth. Pure.

A few characters can ask for more than any machine has: ``[@,@]|[@,@]|...`` doubles its result with
every step, although the doubled parts are shared until they are printed. So everything counts with
the size that it has in print.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from jmespath.visitor import Options, TreeInterpreter

MOST_DEPTH = 100
SIZE, TIMES_LARGER = 1_000_000, 10
"""How large a result may be: this many characters and values, plus a multiple of the input."""
WORK, TIMES_LOOKED_AT = 10_000_000, 100
"""How much may be visited in all, and how often."""


PLAIN = (str, int, float, list, dict, type(None))
NO_VALUE = "an expression that begins with & is not a value; only a function accepts it"


class QueryTooLarge(ValueError):
    """The expression produces or visits too much."""


def search(expression: Any, data: Any) -> Any:
    """Return what an expression selects from plain data.

    Args:
        expression: parsed by jmespath.
        data: plain data.

    Raises:
        QueryTooLarge: it produces or visits too much.
        JMESPathError: a function is given what it does not accept.
    """
    interpreter = _Bounded(Options(dict_cls=OrderedDict), data)
    result = interpreter.visit(expression, data)
    if not isinstance(result, PLAIN):
        raise ValueError(NO_VALUE)
    return result


class _Bounded(TreeInterpreter):
    """Interprets an expression, and measures each intermediate result."""

    def __init__(self, options: Options, data: Any) -> None:
        super().__init__(options)
        self._known: dict[int, tuple[Any, int, int]] = {}
        size, _ = self._measure(data)
        self._most_size = SIZE + TIMES_LARGER * size
        self._work_left = WORK + TIMES_LOOKED_AT * size

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        """Interpret a node, unless the limits are exceeded by then."""
        result = super().visit(node, *args, **kwargs)
        size, depth = self._measure(result)
        self._work_left -= 1 + size
        if size > self._most_size or depth > MOST_DEPTH or self._work_left < 0:
            raise QueryTooLarge("its result is too large")
        return result

    def _measure(self, value: Any) -> tuple[int, int]:
        """Return how many values and characters a value has in print, and how deep it is."""
        if isinstance(value, str):
            return 1 + len(value), 0
        if not isinstance(value, list | dict):
            return 1, 0
        items = self._known.get(id(value))
        if items is None:
            keys = sum(map(len, value)) if isinstance(value, dict) else 0
            inner = list(value.values() if isinstance(value, dict) else value)
            if not all(isinstance(item, PLAIN) for item in inner):
                raise ValueError(NO_VALUE)
            rows = [self._measure(item) for item in inner]
            size = 1 + keys + sum(size for size, _ in rows)
            depth = 1 + max((depth for _, depth in rows), default=0)
            items = self._known[id(value)] = value, size, depth
        return items[1:]
