"""Names and numbers of what the plane builds, the same for a resource as long as it exists."""

from __future__ import annotations

import itertools
import string

_LEGAL = frozenset(string.ascii_letters + string.digits + "-_.")
_LONGEST = 60


class Names:
    """The names given so far.

    A node has the name of its resource, with a number if another one has it already. Whatever
    else needs a short name (an interface, a routing table, a tunnel) has a unique number.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, str] = {"": "internet"}
        self._numbers: dict[tuple[str, ...], int] = {}

    def name_node(self, key: str, name: str) -> str:
        """Return the name of a resource's node."""
        if key not in self._nodes:
            self._nodes[key] = self._find_free(name)
        return self._nodes[key]

    def number(self, *what: str) -> int:
        """Return the number of something that is named by a kind and by keys."""
        return self._numbers.setdefault(what, len(self._numbers) + 1)

    def _find_free(self, name: str) -> str:
        legal = "".join(character if character in _LEGAL else "-" for character in name)[:_LONGEST]
        taken = set(self._nodes.values())
        names = itertools.chain([legal], (f"{legal}-{n}" for n in itertools.count(2)))
        return next(candidate for candidate in names if candidate not in taken)
