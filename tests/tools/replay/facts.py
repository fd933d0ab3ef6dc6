"""What a recording says, kept as facts: what was asked, and what must come of it.

Owns the form in which facts are kept. Facts hold no text of a recording: names, addresses
and secrets in requests are the project's own; of an answer there are the status, the error
code, the message with everything particular masked, the names of headers, the state, and the
paths and JSON types of the keys.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = Any
FOLDER = Path(__file__).parent / "facts"


@dataclass(frozen=True, slots=True)
class Step:
    """One request and what Azure answered.

    ``before`` are resources that the recording presumes at this point, as (path, body).
    ``polls`` is the number of the step whose operation this one polls, ``by`` the header that
    gave the URL; ``unfinished_until`` is the last step that saw the operation which this step
    started still under way. ``keys`` names a shape; ``served`` is None where Azure's answer
    shows no key.
    """

    method: str
    path: str
    api_version: str
    status: int
    query: Mapping[str, str] = field(default_factory=dict)
    body: Json = None
    code: str | None = None
    message: str | None = None
    headers: tuple[str, ...] = ()
    state: str | None = None
    operation: str | None = None
    polls: int | None = None
    by: str | None = None
    unfinished_until: int | None = None
    keys: str | None = None
    before: tuple[tuple[str, Json], ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one recording.

    ``source`` says where the recording is published; ``skipped`` counts the requests left out,
    by why; ``shapes`` are paths and JSON types of keys. ``keeps_retry_after`` is False where
    the client that recorded drops that header.
    """

    name: str
    source: Mapping[str, str]
    date: dt.date
    keeps_retry_after: bool
    steps: tuple[Step, ...]
    skipped: Mapping[str, int]
    shapes: Mapping[str, Mapping[str, str]]


_DEFAULTS = {
    name: dataclass_field.default
    for name, dataclass_field in Step.__dataclass_fields__.items()
    if name not in {"query", "headers", "before"}
}


def _step_to_json(step: Step) -> Json:
    body: Json = {}
    for name in Step.__dataclass_fields__:
        value = getattr(step, name)
        if value in (None, (), {}) or value == _DEFAULTS.get(name, ()):
            continue
        body[name] = [list(item) for item in value] if name == "before" else value
    return body


def _step_from_json(value: Json) -> Step:
    before = tuple((path, body) for path, body in value.get("before", ()))
    return Step(**{**value, "headers": tuple(value.get("headers", ())), "before": before})


def write(facts: Facts, path: Path) -> None:
    """Write facts, one step a line."""
    top = {
        "source": facts.source,
        "date": facts.date.isoformat(),
        "keeps_retry_after": facts.keeps_retry_after,
        "skipped": facts.skipped,
    }
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in top.items()]
    steps = ",\n".join("  " + json.dumps(_step_to_json(step)) for step in facts.steps)
    shapes = ",\n".join(
        f"  {json.dumps(name)}: {json.dumps(shape)}" for name, shape in facts.shapes.items()
    )
    lines += [f' "steps": [\n{steps}\n ]', f' "shapes": {{\n{shapes}\n }}']
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def read(path: Path) -> Facts:
    """Read facts back."""
    value = json.loads(path.read_text("utf-8"))
    return Facts(
        path.stem,
        value["source"],
        dt.date.fromisoformat(value["date"]),
        value["keeps_retry_after"],
        tuple(_step_from_json(item) for item in value["steps"]),
        value["skipped"],
        value["shapes"],
    )


def every() -> list[Path]:
    """Every file of facts that the repository keeps."""
    return sorted(FOLDER.glob("*.json"))
