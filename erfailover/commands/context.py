"""What every command is given: the site, Azure, the clock, where to print, what to ask.

Standard output carries results, standard error progress.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erfailover.clock import Clock, SystemClock
from erfailover.errors import Refused, UsageFailure
from erfailover.journal import Journal
from erfailover.lease import Standing
from erfailover.site import Site
from erfailover.state.held import HeldLease
from erfailover.state.local import LocalStore
from erfailover.state.location import parse
from erfailover.state.process import this_process
from erfailover.state.shared import SharedStore
from erfailover.state.store import Store, Taken

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
        take_over: whether somebody else's live lease is taken over.
        break_glass: whether to go on with this machine's own state where the shared one fails.
        clock: in whose seconds everything waits; the system's, unless a test brings another.
    """

    site_file: Path
    output: str = "table"
    yes: bool = False
    lab: bool = False
    take_over: bool = False
    break_glass: bool = False
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
        for chatty in ("azure", "urllib3"):
            logging.getLogger(chatty).setLevel(logging.CRITICAL)
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
        if "store" in self.__dict__:
            self.store.close()

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
        return Journal.open(self.store)

    @cached_property
    def store(self) -> Store:
        """Where the site's journal and lease are: on this machine, or where the site says."""
        local = LocalStore(self.state_folder)
        if self.site.state is None:
            return local
        for chatty in ("azure", "urllib3"):
            logging.getLogger(chatty).setLevel(logging.CRITICAL)
        try:
            from erfailover.azure.blob_store import BlobStore
        except ModuleNotFoundError as error:
            if not str(error.name).startswith("azure.storage"):
                raise
            raise UsageFailure(
                f"{self.site_file} keeps its state in {self.site.state}, and the package for "
                "that is not installed",
                "Install it: pip install 'erfailover[blob]'",
            ) from None
        endpoint = self.environment.get("ERFAILOVER_BLOB_ENDPOINT")
        if endpoint and not endpoint.lower().startswith("https://"):
            raise UsageFailure(
                f"ERFAILOVER_BLOB_ENDPOINT is {endpoint!r}; expected an https:// URL",
                "Set it to the account's blob endpoint, or unset it for the public cloud's.",
            )
        remote = BlobStore(parse(self.site.state), endpoint, say=self.say)
        return SharedStore(remote, local, self.break_glass, self.say)

    @contextmanager
    def lease(self, command: str) -> Iterator[None]:
        """Be the site's one writer for a while: before every write the lease is checked.

        Args:
            command: what is done, as others are told: ``switch --to ipsec``.

        Raises:
            Refused: somebody else writes to the site; or did take the lease over meanwhile.
            StateFailure: the store of the lease cannot be reached.
        """
        azure = self.azure
        taken = self.store.acquire(this_process(command), take_over=self.take_over)
        with HeldLease(self.store) as held:
            if taken.standing is not Standing.FREE:
                self._tell_take_over(taken)
            azure.guard = held.check
            yield

    def _tell_take_over(self, taken: Taken) -> None:
        """Say, and record, whose lease was taken over."""
        previous = taken.previous
        who = previous.told(taken.record.since) if previous else "somebody unknown"
        self.say(f"Took over the {taken.standing} lease of {who}")
        self.journal.write(
            "took-over",
            standing=str(taken.standing),
            holder=previous.holder.name if previous else "somebody unknown",
            command=previous.holder.command if previous else None,
            since=previous.since_text if previous else None,
        )

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

            plain = json.loads(json.dumps(data))  # enumerations become their words
            text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True).rstrip("\n")
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
