"""Run random sites on both data planes: ``python -m tests.tools.planes --sites 20 --writes 5``.

Exits 1 if the planes disagree on anything; prints the seed and the write that led there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from random import SystemRandom

from erfailover.lab.machines.model_plane import ModelPlane
from tests.tools.planes.site import draw_site
from tests.tools.planes.trial import Second, open_trial, start_linux


def try_site(seed: int, writes: int, start: Second) -> int:
    """Run one site; print and count the disagreements."""
    count = 0
    began = time.monotonic()
    site = draw_site(seed)
    with tempfile.TemporaryDirectory() as folder, open_trial(site, Path(folder), start) as trial:
        done = trial.log[-1]
        for number in range(writes + 1):
            if number:
                done = trial.write()
            for each in trial.settle():
                count += 1
                print(f"seed {seed}, write {number} ({done}): {each}", flush=True)
        print(
            f"seed {seed}: {len(site.gateways)} gateways, {len(site.vnets)} VNets, "
            f"{len(site.machines)} machines, {writes} writes; {trial.rows} rows, "
            f"{trial.packets[True]} answered packets and {trial.packets[False]} lost ones, "
            f"{time.monotonic() - began:.1f} s: "
            + (f"{count} disagreements" if count else "agreed"),
            flush=True,
        )
    return count


def main(arguments: list[str]) -> int:
    """Run the sites, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.planes")
    parser.add_argument("--sites", type=int, default=10, help="how many sites (10)")
    parser.add_argument("--writes", type=int, default=5, help="how many writes to each (5)")
    parser.add_argument("--seed", type=int, help="repeat this one; a new one by default")
    parser.add_argument("--model", action="store_true", help="the model against itself")
    options = parser.parse_args(arguments)
    seed = SystemRandom().randrange(10**9) if options.seed is None else options.seed
    print(f"seed {seed}; a site is repeated by --sites 1 --seed with its own", flush=True)
    start: Second = (lambda _: ModelPlane()) if options.model else start_linux
    sites = range(seed, seed + options.sites)
    count = sum(try_site(each, options.writes, start) for each in sites)
    print(f"{options.sites} sites, {count} disagreements")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
