"""What is printed as JSON, held against the published schemas."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

from jsonschema import Draft202012Validator

from erfailover.cli.main import cli
from erfailover.reporting import schemas

DRY_RUNS = {
    "switch": "plan",
    "prestage": "plan",
    "unprestage": "plan",
    "provision": "provision-plan",
    "destroy": "destroy-plan",
}
OUTCOMES = {
    "switch": "report",
    "prestage": "prestage-report",
    "unprestage": "prestage-report",
    "provision": "provision-report",
    "destroy": "destroy-report",
    "drill start": "drill",
    "drill stop": "drill",
    "drill run": "drill-run",
    "drill show-circuit-test": "circuit-test",
    "drill --show-circuit-test": "circuit-test",
}


def schema_of(arguments: Sequence[str]) -> str:
    """The name of the schema of what a command line prints with ``-o json``."""
    words = list(arguments)
    command = " ".join(words[:2]) if words[0] == "drill" else words[0]
    assert words[0] in cli.commands, arguments
    if "--dry-run" in words:
        return DRY_RUNS[command]
    if command == "permissions" and "--role-definition" in words:
        return "role"
    if command == "history" and words[1:2] and not words[1].startswith("-"):
        return "run"
    return OUTCOMES.get(command, command)


def prints_json(arguments: Sequence[str]) -> bool:
    """Whether a command line prints its whole result as JSON."""
    words = list(arguments)
    requested = any(pair in pairwise(words) for pair in PAIRS)
    return requested and "--query" not in words and words[0] not in ("schema", "lab")


PAIRS = (("-o", "json"), ("--output", "json"))


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(
        schemas.load_schema(name), format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def hold(name: str, printed: str) -> None:
    """Fail where what was printed is not as its schema says."""
    problems = [
        f"{'/'.join(map(str, error.absolute_path)) or 'the whole'}: {error.message[:300]}"
        for error in _validator(name).iter_errors(json.loads(printed))
    ]
    assert not problems, f"not as erfailover/data/schemas/{name}.json says: " + "\n".join(
        problems[:8]
    )
