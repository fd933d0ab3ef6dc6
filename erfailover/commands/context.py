"""What every command is given: the site, Azure, the clock, where to print, what to ask.

Standard output carries results, standard error progress.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erfailover.commands import output as commands_output
from erfailover.config.subscription import Subscription, choose
from erfailover.errors import Refused, UsageFailure
from erfailover.model.lease import Standing, Taken
from erfailover.model.site import Site
from erfailover.model.state_location import parse
from erfailover.runtime import logs, memory, waits
from erfailover.runtime.clock import Clock, SystemClock
from erfailover.runtime.journal import Journal
from erfailover.runtime.state.lease_keeper import HeldLease
from erfailover.runtime.state.local import LocalStore
from erfailover.runtime.state.process import this_process
from erfailover.runtime.state.shared import SharedStore
from erfailover.runtime.state.store import Store

if TYPE_CHECKING:
    from rich.console import Console

    from erfailover.azure.arm import Azure
    from erfailover.azure.client.access import Access
    from erfailover.reporting.formats import Query

log = logging.getLogger(__name__)


@dataclass
class Context:
    """One invocation of one command.

    Attributes:
        site_file: where the site file is.
        output: ``table``, ``json``, ``yaml``, ``tsv`` or ``none``.
        query: what to select from a result.
        lab: whether the lab is used: its subscription then stands for the site file's.
        yes: whether what would be asked is answered with yes.
        take_over: whether somebody else's live lease is taken over.
        break_glass: whether to go on with this machine's own state where the shared one fails.
        json_log: whether what is said on standard error is logged as JSON.
        query_failure: why the query could not be put to the result.
        report: the file that the report of the run is written to; None for none.
        reported: whether that file was written.
        clock: in whose seconds everything waits; the system's, unless a test brings another.
    """

    site_file: Path
    output: str = "table"
    query: Query | None = None
    yes: bool = False
    lab: bool = False
    take_over: bool = False
    break_glass: bool = False
    json_log: bool = False
    query_failure: UsageFailure | None = None
    report: Path | None = None
    reported: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Clock = field(default_factory=lambda: SystemClock(clock_speed(os.environ)))

    @cached_property
    def site(self) -> Site:
        """The site, read from its file, in the subscription that was chosen."""
        return replace(self._site_of_file, subscription=self.subscription.id)

    @cached_property
    def subscription(self) -> Subscription:
        """The site's subscription, and where it comes from.

        Raises:
            UsageFailure: the site needs one, and nothing names it.
        """
        if self.lab:
            return Subscription(self.environment["AZURE_SUBSCRIPTION_ID"], "the lab")
        return choose(self._site_of_file, str(self.site_file), self.environment)

    @cached_property
    def _site_of_file(self) -> Site:
        from erfailover.config.loader import load

        return load(self.site_file, {})

    def without_file(self, site: Site) -> None:
        """Work on a site that has no file yet."""
        self.__dict__["_site_of_file"] = site

    @cached_property
    def azure(self) -> Azure:
        """The cloud that site file and environment name."""
        from erfailover.azure.arm import Azure

        memory.while_working()
        subscription, access = self.subscription, self.access
        log.info("%s; cloud %s", subscription.told, access.cloud.told)
        if subscription.may_change:
            self.say(f"{subscription.told}.")
        return Azure(self.clock, subscription.id or "", access=access, waiting=self._waiting)

    @cached_property
    def access(self) -> Access:
        """The credential and the connections that all of this invocation's clients share."""
        logs.quiet_libraries()
        from erfailover.azure.client.clouds import resolve
        from erfailover.azure.client.access import Access

        folder = Path(self.site_file).parent
        return Access(resolve(self._site_of_file.cloud, self.environment, folder))

    def close(self) -> None:
        """Close what was opened, and say so where the report that was wanted is not there."""
        if self.report is not None and not self.reported:
            self.say(f"No report was written to {self.report}: nothing was begun.")
            self.reported = True
        if "azure" in self.__dict__:
            self.azure.close()
        if "store" in self.__dict__:
            self.store.close()
        if "access" in self.__dict__:
            self.access.close()

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
        location, access = parse(self.site.state), self.access
        endpoint = self.environment.get("ERFAILOVER_BLOB_ENDPOINT")
        if endpoint and not endpoint.lower().startswith("https://"):
            raise UsageFailure(
                f"ERFAILOVER_BLOB_ENDPOINT is {endpoint!r}; expected an https:// URL",
                "Set it to the account's blob endpoint, or unset it for your cloud's.",
            )
        endpoint = endpoint or access.cloud.blob_endpoint(location.account)
        if endpoint is None:
            raise UsageFailure(
                f"{self.site_file} keeps its state in {location}, and where storage accounts of "
                f"the cloud {access.cloud.name} are is not known",
                "Set ERFAILOVER_BLOB_ENDPOINT to the account's blob endpoint.",
            )
        remote = BlobStore(
            location,
            endpoint,
            say=self.say,
            make_credential=lambda: access.credential,
            renew_credential=access.credential.renew,
            transport=access.transport,
        )
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

        if self.json_log:
            return Console(file=logs.ToLog(), highlight=False, soft_wrap=True, color_system=None)
        return Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, text: str = "") -> None:
        """Tell the operator something, on standard error."""
        self.console.print(text, markup=False)

    def log_line(self, line: str) -> None:
        """Write a line of the log, above what is shown live."""
        self.console.print(line, markup=False, style="dim")

    def show(self, text: str, data: Any) -> None:
        """Print a result on standard output, in the format asked for.

        Args:
            text: the result for people.
            data: the result as plain data.
        """
        try:
            commands_output.show(text, data, self.output, self.query)
        except UsageFailure as failure:
            # What was done is done: it is told and judged as such, and only then the query.
            self.query_failure = failure
            self.say(f"{text}\nerfailover: {failure.message}")

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

    def confirm_by_name(self, question: str, name: str, given: str | None, option: str) -> None:
        """Have a name typed, where ``--yes`` would be too easy.

        Args:
            question: what is about to be done.
            name: what must be typed.
            given: what was typed on the command line; None for nothing.
            option: with which option that is done.

        Raises:
            Refused: another name was typed, or there is nobody to ask.
        """
        if given is None:
            if not sys.stdin.isatty():
                raise Refused(
                    f"{question} Nobody is there to type the name.",
                    f"To go ahead without being asked: {option} {name} (--yes is not enough).",
                )
            import click

            self.say(question)
            given = click.prompt(
                f"To go ahead, type {name}", err=True, default="", show_default=False
            ).strip()
        if given != name:
            raise Refused(
                f"expected the name {name}, found {given!r}. Nothing was changed.",
                "Type the name exactly as it stands in Azure.",
            )

    def _waiting(self, failure: Any, seconds: float) -> None:
        if not waits.heard():  # else it stands in the line of the step that waits
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
