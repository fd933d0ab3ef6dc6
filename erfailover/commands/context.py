"""What every command is given: the site, Azure, the clock, where to print, what to ask.

Standard output carries results, standard error progress.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erfailover.clock import Clock, SystemClock
from erfailover.errors import Refused, UsageFailure
from erfailover.journal import Journal
from erfailover.site import Site

if TYPE_CHECKING:
    from rich.console import Console

    from erfailover.azure.cloud import Azure

DEFAULT_SITE_FILE = "erfailover.yaml"


@dataclass
class Context:
    """One invocation of one command.

    Attributes:
        site_file: where the site file is.
        output: ``table``, ``json`` or ``yaml``.
        lab: whether the lab is used: its subscription then stands for the site file's.
        yes: whether what would be asked is answered with yes.
        clock: in whose seconds everything waits; the system's, unless a test brings another.
    """

    site_file: Path
    output: str = "table"
    yes: bool = False
    lab: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Clock = field(default_factory=lambda: SystemClock(clock_speed(os.environ)))

    @cached_property
    def site(self) -> Site:
        """The site, read from its file."""
        from erfailover.config import load

        site = load(self.site_file, self.environment)
        if self.lab:
            site = replace(site, subscription=self.environment["AZURE_SUBSCRIPTION_ID"])
        return site

    @cached_property
    def azure(self) -> Azure:
        """Azure, or the endpoint that the environment names."""
        logging.getLogger("azure").setLevel(logging.CRITICAL)
        from erfailover.azure.cloud import Azure

        if self.site.subscription is None:
            raise UsageFailure(
                f"{self.site_file} names no subscription, and AZURE_SUBSCRIPTION_ID is not set",
                "Add subscription: <id> to the site file, or export AZURE_SUBSCRIPTION_ID.",
            )
        endpoint = self.environment.get("ERFAILOVER_ENDPOINT")
        if endpoint and not endpoint.lower().startswith("https://"):
            raise UsageFailure(
                f"ERFAILOVER_ENDPOINT is {endpoint!r}; expected an https:// URL",
                "Set it to the management endpoint of your cloud, or unset it for the public one.",
            )
        return Azure(self.clock, self.site.subscription, endpoint, waiting=self._waiting)

    def close(self) -> None:
        """Close what was opened."""
        if "azure" in self.__dict__:
            self.azure.close()

    @cached_property
    def state_folder(self) -> Path:
        """Where this machine keeps what it knows of the site: journal and secrets."""
        import platformdirs

        base = self.environment.get("ERFAILOVER_STATE_DIR")
        root = Path(base) if base else platformdirs.user_state_path("erfailover")
        return root / "sites" / f"{self.site.name}-{self.site.subscription}"

    @cached_property
    def journal(self) -> Journal:
        """The site's journal, with the id of this run."""
        return Journal.open(self.state_folder)

    @cached_property
    def console(self) -> Console:
        """Standard error, for progress."""
        from rich.console import Console

        return Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, text: str = "") -> None:
        """Tell the operator something, on standard error."""
        self.console.print(text, markup=False)

    def show(self, text: str, data: Any) -> None:
        """Print a result on standard output, in the format asked for.

        Args:
            text: the result for people.
            data: the result as plain data.
        """
        if self.output == "json":
            text = json.dumps(data, indent=2)
        elif self.output == "yaml":
            import yaml

            text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True).rstrip("\n")
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def confirm(self, question: str) -> None:
        """Ask, unless ``--yes`` was given.

        Raises:
            Refused: the answer is no, or there is nobody to ask.
        """
        if self.yes:
            return
        if not sys.stdin.isatty():
            raise Refused(
                f"{question} Nobody is there to answer.", "Add --yes to go ahead without asking."
            )
        import click

        if not click.confirm(question, default=False, err=True):
            raise Refused("Nothing was changed.")

    def _waiting(self, failure: Any, seconds: float) -> None:
        self.say(f"  waiting {seconds:.0f} s: {failure.message}")


def clock_speed(environment: Mapping[str, str]) -> float:
    """How many times faster than the wall the clock runs (``ERFAILOVER_CLOCK_SPEED``)."""
    text = environment.get("ERFAILOVER_CLOCK_SPEED", "1")
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed < 1e6:
        raise UsageFailure(
            f"ERFAILOVER_CLOCK_SPEED is {text!r}; expected a number above 0",
            "Unset it, or take the value that `erfailover lab env` prints.",
        )
    return speed
