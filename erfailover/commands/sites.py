"""``erfailover sites FOLDER``: one line for each site file of a folder, all read at once.

It only reads. A site that cannot be read has its line with the reason, and holds up no other.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from erfailover.commands import output_file
from erfailover.commands.activity import Activities
from erfailover.commands.context import Context, read_clock_speed
from erfailover.commands.output import Output, detect_screen
from erfailover.commands.site_file import SiteFile
from erfailover.config.loader import SiteFileError
from erfailover.config.yaml_source import MOST_BYTES
from erfailover.errors import (
    Failure,
    UnknownReading,
    UsageFailure,
    VerificationFailed,
    escape_controls,
)
from erfailover.model.counting import format_count, join_names
from erfailover.model.history import RunRecord, collect_runs
from erfailover.reporting import sites
from erfailover.reporting.sites import SiteLine
from erfailover.runtime import input_file
from erfailover.runtime.clock import Clock, SystemClock, run_all
from erfailover.runtime.state.process import is_alive

AT_ONCE = 8
"""So many sites are read at the same time."""
SUFFIXES = (".yaml", ".yml")


def run(folder: Path, output: Output, clock: Clock | None, *, lab: bool = False) -> None:
    """Show every site of a folder in a line.

    Args:
        folder: where the site files are; folders below it are not looked into.
        output: where the lines are shown.
        clock: whose seconds count; None for the machine's own.
        lab: whether the sites are looked for on the lab.

    Raises:
        UsageFailure: there is no site file.
        Failure: a site is not healthy, or could not be read; the exit code is the highest of all.
    """
    try:
        files = list(_iter_site_files(folder, output))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a valid folder name"
        raise UsageFailure(
            f"{folder}: expected a folder with site files, found: {why}",
            "Name a folder that has site files.",
        ) from None
    if not files:
        raise UsageFailure(
            f"{folder} has no site file: expected files that end in .yaml and have the key site",
            "'erfailover init' writes one.",
        )
    clock = clock or SystemClock(read_clock_speed(os.environ))
    activities = Activities(output.console, clock, output.print_info)
    with activities.show_activity(f"Reading {format_count(len(files), 'site')}", announced=True):
        lines = _read_all(files, clock, lab=lab)
    on = detect_screen(os.environ)
    width = on.width if output.is_terminal else None
    output.print_result(
        sites.format_text(lines, is_alive, width), sites.build_data(lines, is_alive)
    )
    _raise_worst(lines)


def _iter_site_files(folder: Path, output: Output) -> Iterator[Path]:
    """Yield the site files of a folder, by name; say which files are skipped."""
    others = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith(".") or path.is_dir():
            continue
        try:
            is_one = output_file.SITE.is_one(input_file.read(path, MOST_BYTES))
        except (OSError, ValueError):
            is_one = True  # its line says why it cannot be read
        if is_one:
            yield path
        else:
            others.append(path.name)
    if others:
        output.print_info(
            escape_controls(f"Skipped, because they have no key site: {join_names(others, 5)}")
        )


def _read_all(files: list[Path], clock: Clock, *, lab: bool) -> list[SiteLine]:
    """Read every site, several at once; the lines are in the order of the files.

    Quietly: a message would not name its site.
    """
    contexts = [
        Context(SiteFile(file, os.environ, lab), Output(quiet=True), clock=clock) for file in files
    ]
    accesses = _Accesses()
    pending, site_lines = deque(contexts), dict[Path, SiteLine]()

    def read_pending() -> None:
        while True:
            try:
                context = pending.popleft()
            except IndexError:
                return
            site_lines[context.site_file.path] = _build_line(context, accesses)

    try:
        run_all(clock, [read_pending for _ in range(min(AT_ONCE, len(contexts)))])
    finally:
        for context in contexts:
            context.close()
    return [site_lines[file] for file in files]


class _Accesses:
    """One credential and one pool of connections for all sites of a cloud and its tenants.

    Else each site would sign in by itself, and start az for that.
    """

    def __init__(self) -> None:
        self._first: dict[str, Context] = {}
        self._lock = threading.Lock()

    def share(self, context: Context) -> None:
        """Give a context the access of the first of its kind."""
        site = context.site_file.described
        key = f"{site.cloud!r} {sorted(site.tenants.items())!r} {context.site_file.path.parent}"
        with self._lock:
            first = self._first.setdefault(key, context)
            context.__dict__["access"] = first.access


def _build_line(context: Context, accesses: _Accesses) -> SiteLine:
    """Return what is known of a site; whatever goes wrong is that site's alone."""
    from erfailover.commands.status import snapshot

    file, name = context.site_file.path.name, None
    try:
        name = context.site_file.described.name
        accesses.share(context)
        reading = snapshot.read(context)
    except SiteFileError as failure:
        return SiteLine(file, None, failure.exit_code, problem=_format_first_problem(failure))
    except Failure as failure:
        return SiteLine(file, name, failure.exit_code, problem=failure.message.splitlines()[0])
    except Exception as error:
        text = escape_controls(f"a bug in erfailover: {type(error).__name__}: {error}")
        return SiteLine(file, name, Failure.exit_code, problem=text.splitlines()[0])
    last, problem = _find_last_run(context)
    if reading.health.healthy is None:
        problem = next(iter(reading.observed.unknown.values()), problem)
    codes = {True: 0, False: VerificationFailed.exit_code, None: UnknownReading.exit_code}
    return SiteLine(
        file,
        name,
        codes[reading.health.healthy],
        reading.health,
        reading.picture.drill_runs,
        last,
        problem,
    )


def _format_first_problem(failure: SiteFileError) -> str:
    """Return the first problem of a site file; `validate` has the others."""
    first = failure.problems[0]
    place = f"line {first.line}: " if first.line else ""
    return escape_controls(place + replace(first, line=None).format_line("").removeprefix(": "))


def _find_last_run(context: Context) -> tuple[RunRecord | None, str | None]:
    """Return the last run of a site, or None and why it is not known."""
    try:
        every = collect_runs(context.read_records())
    except Failure as failure:
        return None, failure.message.splitlines()[0]
    return (every[-1] if every else None), None


def _raise_worst(lines: list[SiteLine]) -> None:
    """Raise for the highest exit code, with how many sites it concerns; nothing if all is well."""
    worst = max(line.exit_code for line in lines)
    if worst == 0:
        return
    bad = [line.site or line.file for line in lines if line.exit_code]
    verb = "is" if len(bad) == 1 else "are"
    failure = Failure(
        f"{len(bad)} of {format_count(len(lines), 'site')} {verb} not healthy or could not be "
        f"read: {join_names(bad, 5)}",
        "For details: erfailover status --site FILE",
    )
    failure.exit_code = worst
    raise failure
