"""What a command that knows a site is given: the site, its reader and state, and the output.

Everything is made when it is first used. Nothing here can write to Azure: for that a command
holds the lease (``commands.lease``).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erfailover import __version__
from erfailover.commands.activity import Activities, Activity
from erfailover.commands.chosen_spokes import resolve_spokes
from erfailover.commands.hints import SUGGEST_PROVISION
from erfailover.commands.output import Output
from erfailover.commands.site_file import SiteFile
from erfailover.commands.state_store import get_state_folder, open_store, open_watch_store
from erfailover.config.subscription import AZ_CLOUDS, AzNames, read_az_names
from erfailover.errors import AzureErrorKind, AzureFailure, Failure, UsageFailure
from erfailover.model.azure_context import AzureContext, find_identity, to_one_line
from erfailover.model.durations import format_duration
from erfailover.model.journal_lines import Record
from erfailover.model.observed import SiteSnapshot
from erfailover.model.site import CloudEndpoint, Site
from erfailover.planning.peering_names import RenamedPeering, resolve_names
from erfailover.reporting import misplaced
from erfailover.reporting.azure_context import format_heading
from erfailover.reporting.screen import Screen
from erfailover.runtime import logs, memory, waits
from erfailover.runtime.clock import Clock, SystemClock
from erfailover.runtime.journal import Journal
from erfailover.runtime.state.documents import Documents
from erfailover.runtime.state.store import Store

if TYPE_CHECKING:
    from erfailover.azure.client.access import Access
    from erfailover.azure.reader import Reader
    from erfailover.azure.session import Session
    from erfailover.azure.signed_in import SignedIn

FASTEST = 1e6
"""A clock that runs faster than this is a mistake."""

log = logging.getLogger("erfailover.commands.context")


@dataclass
class Context:
    """One invocation of one command.

    Attributes:
        site_file: the site file.
        output: shows results and messages, and asks questions.
        take_over: take over the live lease of another run.
        break_glass: continue with this machine's own state if the shared store fails.
        report: the file for the report of the run; None for none.
        reason: why the run is made, in the operator's words; None for none.
        ticket: the change or incident that it belongs to; None for none.
        reported: whether that file was written.
        told_of_damage: whether the damage to the journal was reported.
        other_names: the peerings that the last observation found under other names.
        spokes: the names of the spokes to act on; empty for the whole site.
        lease: the site's write lease while this command holds it: a ``commands.lease.Lease``.
        drill: the id of the run of the drill that the next runs belong to; None if they do not.
        clock: measures every wait; the system's, unless a test brings another.
    """

    site_file: SiteFile
    output: Output = field(default_factory=Output)
    take_over: bool = False
    break_glass: bool = False
    report: Path | None = None
    reason: str | None = None
    ticket: str | None = None
    reported: bool = False
    told_of_damage: bool = False
    other_names: tuple[RenamedPeering, ...] = ()
    spokes: tuple[str, ...] = ()
    lease: Any = None
    drill: str | None = None
    clock: Clock = field(default_factory=lambda: SystemClock(read_clock_speed(os.environ)))
    _observed_site: Site | None = None
    _chosen_site: Site | None = None
    _signed_in: SignedIn | None = None

    @property
    def site(self) -> Site:
        """The site, in the chosen subscription, with the names that its peerings have.

        Of the chosen spokes alone, if ``--spoke`` chose some.
        """
        return self._chosen_site or self._choose()

    @property
    def whole_site(self) -> Site:
        """The site with every spoke, chosen or not."""
        return self._observed_site or self.site_file.site

    def use_names_of(self, observed: SiteSnapshot) -> Site:
        """Use the names that the site's peerings have in Azure from now on; return that site."""
        self._observed_site, self.other_names = resolve_names(self.site_file.site, observed)
        self._chosen_site = None
        return self.site

    def choose_spokes(self, names: Sequence[str]) -> Site:
        """Act on these spokes from now on, or on the whole site if none is named; return that."""
        self.spokes, self._chosen_site = tuple(names), None
        return self.site

    @contextmanager
    def limit_to_spokes(self, names: Sequence[str]) -> Iterator[Site]:
        """Act on these spokes for a while, instead of the chosen ones."""
        before = self.spokes
        try:
            yield self.choose_spokes(names)
        finally:
            self.choose_spokes(before)

    def _choose(self) -> Site:
        whole = self.whole_site
        if not self.spokes:
            return whole
        self._chosen_site = whole.select_spokes(resolve_spokes(whole, self.spokes))
        return self._chosen_site

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the site file says otherwise than Azure, with the line to change."""
        return tuple(
            f"{self.place_of(other_name)}: {other_name.description}: {other_name.remedy}"
            for other_name in self.other_names
        )

    def place_of(self, name: RenamedPeering) -> str:
        """Return the line of the site file that names a peering."""
        line = self.site_file.find_line(name.keys)
        return f"{self.site_file}:{line}" if line else str(self.site_file)

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment variables."""
        return self.site_file.environment

    @cached_property
    def activities(self) -> Activities:
        """What is going on, for people who wait."""
        output = self.output
        return Activities(output.console, self.clock, output.print_info, is_quiet=output.quiet)

    def show_activity(
        self, text: str, *, announced: bool = False
    ) -> AbstractContextManager[Activity]:
        """Show what the body of a ``with`` does, if that takes long (``commands.activity``)."""
        return self.activities.show_activity(text, announced=announced)

    def show_reading(self) -> AbstractContextManager[Activity]:
        """Show that the site is read."""
        return self.show_activity(f"Reading {self.site_file.site.name}: VNets, gateways, routes")

    @cached_property
    def access(self) -> Access:
        """The credentials and the connections of this invocation."""
        logs.silence_libraries()
        from erfailover.azure.client.access import Access, build_user_agent
        from erfailover.azure.client.clouds import resolve

        folder = self.site_file.path.parent
        described = self.site_file.described
        cloud = resolve(described.cloud, self.environment, folder)
        return Access(cloud, described.tenants, build_user_agent(self.ticket))

    @cached_property
    def session(self) -> Session:
        """The connections to the cloud that the site file and the environment name."""
        from erfailover.azure.client.lab_endpoint import insist_on_answer
        from erfailover.azure.session import Session
        from erfailover.azure.signed_in import SignedIn

        memory.restore_gc()
        subscription, access = self.site_file.subscription, self.access
        insist_on_answer(access.cloud.endpoint)
        log.info("%s; cloud %s", subscription.description, access.cloud.description)
        self.output.heads_data = subscription.may_change
        if not self.lab_address:
            asks_name = not self._names_in_az.subscription
            self._signed_in = SignedIn(access, subscription.id or "", asks_name=asks_name)
        return Session(self.clock, subscription.id or "", access, self._show_wait)

    def format_heading(self, on: Screen) -> str:
        """Return the first line of what people are shown; it waits a moment for the identity."""
        if self._signed_in is not None:
            self._signed_in.wait()
        return format_heading(self.azure_context, on)

    def print_failure_heading(self) -> None:
        """Say where the command worked before its failure is shown, unless that was shown."""
        if "session" in self.__dict__:
            self.output.print_heading()

    def explain_failure(self, failure: Failure, command: str) -> Failure:
        """Return a failure that names the place that was wrong, and who named it.

        Args:
            failure: how the command failed.
            command: its name.
        """
        if "session" not in self.__dict__:
            return failure
        from erfailover.azure.signed_in import list_subscriptions

        session = self.session
        failures = misplaced.select_causes(failure, session.misplaced, session.subscription)
        if failures:
            asks = any(
                azure_failure.kind is not AzureErrorKind.NOT_OFFERED for azure_failure in failures
            )
            facts = misplaced.Facts(
                self.azure_context,
                list_subscriptions(self.access) if asks else None,
                self.site_file.find_origin,
                self.site_file.api_versions_from,
                self.site.topology is not None and command in SUGGEST_PROVISION,
            )
            return misplaced.explain_failure(failure, failures, facts)
        return misplaced.add_missing(failure, tuple(session.missing), self.site_file.find_origin)

    @property
    def azure_context(self) -> AzureContext:
        """Where this command works and as whom, as far as it is known by now."""
        chosen, az_names, signed_in = (
            self.site_file.subscription,
            self._names_in_az,
            self._signed_in,
        )
        claims = signed_in.claims if signed_in else self._get_cached_claims()
        tenant = to_one_line(claims.get("tid") or az_names.tenant)
        named = az_names.subscription or (signed_in.subscription_name if signed_in else "")
        return AzureContext(
            site=self.site.name,
            lab=self.lab_address,
            speed=getattr(self.clock, "speed", 1.0),
            subscription=chosen.id or "",
            subscription_from=chosen.origin,
            subscription_name=to_one_line(named),
            tenant=tenant,
            tenant_name=to_one_line(az_names.domain) if tenant == az_names.tenant else "",
            cloud=self._cloud_name,
            identity=find_identity(claims),
            version=__version__,
        )

    @cached_property
    def lab_address(self) -> str:
        """``host:port`` of the lab that the command works on; empty on Azure."""
        from erfailover.azure.client.lab_endpoint import get_lab_address

        return get_lab_address(self._endpoint)

    @property
    def _endpoint(self) -> str:
        """The management endpoint that the environment or the site file names; often neither."""
        cloud = self.site_file.described.cloud
        of_site = cloud.endpoint if isinstance(cloud, CloudEndpoint) else ""
        return self.environment.get("ERFAILOVER_ENDPOINT") or of_site

    @cached_property
    def _cloud_name(self) -> str:
        named = self.site_file.described.cloud_name
        if not self._endpoint and named is not None:
            return AZ_CLOUDS[named]
        name = self.access.cloud.name
        return AZ_CLOUDS.get(name, name)

    @cached_property
    def _names_in_az(self) -> AzNames:
        identifier = self.site_file.subscription.id
        if not identifier or self._endpoint:
            return AzNames()
        return read_az_names(identifier, self.environment)

    def _get_cached_claims(self) -> Mapping[str, Any]:
        """Return the claims of a token that is in memory; on a lab none is asked for."""
        if "session" not in self.__dict__:
            return {}
        from erfailover.azure.client.raw_request import parse_claims

        token = self.access.credential.get_cached_token(self.access.cloud.scope)
        return parse_claims(token.token) if token else {}

    def connect(self) -> None:
        """Begin to use Azure before the first message, which then says who is signed in."""
        _ = self.session

    @cached_property
    def reader(self) -> Reader:
        """Azure, for reading."""
        from erfailover.azure.reader import Reader

        return Reader(self.session)

    @cached_property
    def store(self) -> Store:
        """The store of the site's journal and lease."""
        return open_store(
            self.site_file, lambda: self.access, self.output.warn, break_glass=self.break_glass
        )

    @cached_property
    def watch_store(self) -> Documents:
        """The documents that the replicas of the site's watch and its operators share."""
        return open_watch_store(self.site_file, lambda: self.access)

    @cached_property
    def journal(self) -> Journal:
        """The site's journal, with the id of this run."""
        return Journal.open(self.store)

    def read_records(self) -> tuple[Record, ...]:
        """Return the records of the site's journal; say so, once, if some cannot be read.

        Raises:
            StateFailure: the store cannot be read.
        """
        lines = self.journal.read()
        if lines.damage and not self.told_of_damage:
            self.told_of_damage = True
            self.output.warn(
                f"!! {lines.describe_damage(self.store.name)}. Continuing with what can be read."
            )
        return lines.records

    @property
    def state_folder(self) -> Path:
        """The folder of this machine that keeps the site's journal and secrets."""
        return get_state_folder(self.site_file)

    def close(self) -> None:
        """Close what was opened, and say so if a report was requested and none was written."""
        if self.report is not None and not self.reported:
            self.output.warn(f"No report was written to {self.report}: the run did not start.")
            self.reported = True
        for name in ("session", "store", "watch_store", "access"):
            if name in self.__dict__:
                self.__dict__[name].close()

    def _show_wait(self, failure: AzureFailure, seconds: float) -> None:
        if waits.get_listener() is None:  # otherwise the line of the step that waits shows it
            self.output.print_info(f"  waiting {format_duration(seconds)}: {failure.message}")


def read_clock_speed(environment: Mapping[str, str]) -> float:
    """How many times faster than the wall the clock runs (``ERFAILOVER_CLOCK_SPEED``)."""
    text = environment.get("ERFAILOVER_CLOCK_SPEED", "1")
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed < FASTEST:
        raise UsageFailure(
            f"ERFAILOVER_CLOCK_SPEED is {text!r}; expected a number above 0",
            "Unset it, or use the value that `erfailover lab env` prints.",
        )
    return speed
