"""Shell completion: the script for a shell, and the names in site file and journal.

It reads files of this machine, never Azure and never a shared store. It fails silently, because an
error would disturb the line that is being typed. The gateway's name of ``drill start`` is
not completed: it is typed for confirmation.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class, shell_complete

from erfailover.model.resource_ids import get_last_name

Item = CompletionItem[str]
PROGRAM, VARIABLE = "erfailover", "_ERFAILOVER_COMPLETE"
RUNS = 30
"""How many runs are offered, the newest first."""


def build_script(root: click.Command, shell: str) -> str:
    """Return what a shell must evaluate once, to ask for completions from then on."""
    completion_class = get_completion_class(shell)
    assert completion_class is not None, shell
    return completion_class(root, {}, PROGRAM, VARIABLE).source()


def answer(root: click.Command) -> None:
    """Answer a shell that asks for completions, and exit."""
    try:
        _hand_over_to_lab()
        code = shell_complete(root, {}, PROGRAM, VARIABLE, os.environ[VARIABLE])
    except Exception:
        code = 1
    sys.stdout.flush()
    sys.exit(code)


def _hand_over_to_lab() -> None:
    """Let the lab's own command line complete what follows ``erfailover lab``."""
    line, at = os.environ.get("COMP_WORDS", ""), os.environ.get("COMP_CWORD", "")
    words = line.split()
    counted = not os.environ[VARIABLE].startswith("fish")  # fish gives the word, not its place
    if words[1:2] != ["lab"] or at in ("1", "lab") or (counted and not at.isdigit()):
        return
    requested = dict(os.environ)
    requested["_ERFAILOVER LAB_COMPLETE"] = requested.pop(VARIABLE)
    requested["COMP_WORDS"] = line.split(None, 1)[1]
    requested["COMP_CWORD"] = str(int(at) - 1) if counted else at
    os.execve(sys.executable, [sys.executable, "-m", "erfailover.lab"], requested)


def find_items(what: str, ctx: click.Context, incomplete: str) -> list[Item]:
    """Return the completions of a value; none if anything is wrong.

    Args:
        what: ``spokes``, ``expectations``, ``runs``, ``approvals``, ``schemas`` or ``commands``.
        ctx: what was typed before.
        incomplete: what was typed of the value.
    """
    sources = {
        "spokes": _iter_spokes,
        "expectations": _iter_expectations,
        "runs": _iter_runs,
        "approvals": _iter_approvals,
        "schemas": _iter_schemas,
        "commands": _iter_commands,
    }
    try:
        items = list(sources[what](ctx, incomplete))
    except Exception:
        return []
    return [item for item in items if item.value.startswith(incomplete)]


def _iter_spokes(ctx: click.Context, _: str) -> Iterator[Item]:
    for spoke in _load_site(ctx)["spokes"]:
        yield CompletionItem(str(spoke.get("name") or get_last_name(spoke["virtual_network"])))


def _iter_expectations(ctx: click.Context, incomplete: str) -> Iterator[Item]:
    """``office=up`` and the like, also after a comma."""
    before = incomplete.rpartition(",")
    for name in _load_site(ctx)["probes"]:
        for state in ("up", "down"):
            yield CompletionItem(f"{before[0]}{before[1]}{name}={state}")


def _iter_schemas(_: click.Context, __: str) -> Iterator[Item]:
    from erfailover.reporting import schemas

    for name in schemas.list_names():
        yield CompletionItem(name, help=schemas.load_schema(name)["title"])


def _iter_commands(ctx: click.Context, _: str) -> Iterator[Item]:
    within: click.Command | None = ctx.find_root().command
    for word in ctx.params.get("command") or ():
        within = within.commands.get(word) if isinstance(within, click.Group) else None
    if isinstance(within, click.Group):
        for name, command in within.commands.items():
            yield CompletionItem(name, help=command.get_short_help_str())


def _iter_runs(ctx: click.Context, _: str) -> Iterator[Item]:
    """Yield the runs in this machine's journals of the site, the newest first."""
    begun = [run for folder in _iter_folders(ctx) for run in _iter_begun(folder)]
    begun.sort(key=lambda run: str(run.get("at")), reverse=True)
    for run in islice(begun, RUNS):
        command = " ".join(filter(None, (run.get("command"), run.get("to"))))
        yield CompletionItem(str(run["run"]), help=f"{command}, {str(run.get('at'))[:16]}")


def _iter_approvals(ctx: click.Context, _: str) -> Iterator[Item]:
    """Yield the approvals that were requested on this machine and not given."""
    for folder in _iter_folders(ctx):
        with suppress(OSError, ValueError, KeyError):
            approval = json.loads((folder / "watch/documents/approval.json").read_bytes())
            if approval["approved_by"] is None:
                yield CompletionItem(str(approval["id"]), help=f"switch to {approval['target']}")


def _iter_folders(ctx: click.Context) -> Iterator[Path]:
    """Yield a site's state: of whatever subscription it may be in, the lab's included."""
    import platformdirs

    base = os.environ.get("ERFAILOVER_STATE_DIR")
    root = Path(base) if base else platformdirs.user_state_path("erfailover")
    name = str(_load_site(ctx)["site"])
    for folder in (root / "sites").iterdir():
        if folder.name.startswith(f"{name}-"):
            yield folder


def _iter_begun(folder: Path) -> Iterator[Mapping[str, Any]]:
    with (folder / "journal.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            if '"begun"' not in line:
                continue
            with suppress(ValueError):  # the last line of a writer that died
                record = json.loads(line)
                if record.get("event") == "begun":
                    yield record


def _load_site(ctx: click.Context) -> Any:
    """Return the site file as it is, without validating it."""
    import yaml

    from erfailover.config.yaml_source import MOST_BYTES
    from erfailover.runtime import input_file

    file = ctx.params.get("site_file") or os.environ.get("ERFAILOVER_SITE") or "erfailover.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(input_file.read(Path(file), MOST_BYTES), Loader=loader)
