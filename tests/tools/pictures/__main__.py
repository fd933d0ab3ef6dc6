"""Makes the pictures of ``docs/images``: the topology through a failure, the
procedure, and the page of a watch.

The topology's come from ``erfailover diagram`` itself, on a lab in this process, on the stepped
clock: the same every time but for the moment at which they were read, which is taken out.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from erfailover.cli.main import invoke
from erfailover.lab.auth import identity
from tests.support.stage import lab_in
from tests.tools.pictures import procedure, watch_page

STORY: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    ("before", (("init",), ("provision", "--yes"))),
    ("failed", (("drill", "start", "--yes"),)),
    ("prepared", (("prestage", "--yes"),)),
    ("after", (("switch", "--to", "ipsec", "--yes", "--planned"),)),
)
"""What is done before each picture. ``prestage`` is steps 1 and 2 of a switch: half way."""
READ = re.compile(r", read [0-9]{4}-[0-9:. -]+ UTC")


def main(folder: Path) -> None:
    """Write every picture into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "procedure.svg").write_text(procedure.draw_switch(), encoding="utf-8")
    watch_page.take(folder)
    with tempfile.TemporaryDirectory() as work, pytest.MonkeyPatch.context() as patch:
        with lab_in(Path(work), identity.make_identity(), patch) as (_, clock, _environment):
            for name, commands in STORY:
                _do([*commands, ("diagram", "--output-file", f"{name}.svg")], clock)
        for name, _ in STORY:
            text = (Path(work) / f"{name}.svg").read_text(encoding="utf-8")
            (folder / f"topology-{name}.svg").write_text(READ.sub("", text), encoding="utf-8")


def _do(commands: Iterable[tuple[str, ...]], clock: object) -> None:
    for command in commands:
        code = invoke(list(command), clock)  # type: ignore[arg-type]
        if code:
            sys.exit(f"erfailover {' '.join(command)}: exit code {code}")
        clock.sleep(60.0)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(Path("docs/images").absolute())
