"""Read a site again and again, with as few requests as the decisions need.

A reading of a gateway's table by POST counts as a write of Microsoft.Network, of which Azure
allows 1,000 in five minutes for a subscription and region (published: Azure Resource Manager and
Microsoft.Network throttling limits). So the primary gateway is read every time, the backup gateway
and the circuit's edge in turn; everything is read if a signal is down. What probes that Azure runs
have answered is collected at the end: they take longer than all else (``probing``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from erfailover.azure.readers.cache import ReadingCache
from erfailover.azure.readers.circuits import read_edge_sessions
from erfailover.azure.readers.network import add_advertised_if_needed, add_other_gateways, observe
from erfailover.azure.readers.places import read_probe_networks
from erfailover.commands.context import Context
from erfailover.commands.probes import runner
from erfailover.commands.watch.probing import ProbeAsker
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.model.edge_sessions import EdgeSessions
from erfailover.model.observed import Gateway, SiteSnapshot
from erfailover.model.probes import LocalConnect
from erfailover.model.site import Path, Role, Site
from erfailover.model.watch import Observation, Signal, SignalStatus, SpokeState, WatchReading
from erfailover.planning.health import Health, judge
from erfailover.planning.probes.results import ProbeResult
from erfailover.planning.watch import signals
from erfailover.reporting.topology.build import build_picture
from erfailover.reporting.topology.model import Picture
from erfailover.runtime.clock import run_all

WITNESS_S = 5.0
"""How long a connection to the witness may take, in seconds."""


@dataclass(frozen=True)
class SiteReading:
    """A reading, and what the page shows of it.

    Attributes:
        picture: the site; None if nothing of it could be read.
        health: the verdict on it; None if there is no picture.
        gateways: the gateways of the hubs, tables included, that were read this time.
    """

    reading: WatchReading
    picture: Picture | None = None
    health: Health | None = None
    gateways: Mapping[Role, Gateway] = field(default_factory=dict)


@dataclass(frozen=True)
class _Networks:
    """The VNets and gateways of one reading, or why Azure could not be read."""

    observed: SiteSnapshot | None
    failure: AzureFailure | None = None


class SiteReader:
    """Reads one site for the detector.

    Args:
        context: the site; its reader is used for the whole life of the watch.
        wall: wall time, in seconds since 1970.
    """

    def __init__(self, context: Context, wall: Callable[[], float]) -> None:
        self._context, self._wall = context, wall
        self._probes = ProbeAsker(context)
        self._backup: Gateway | None = None
        self._edges: tuple[EdgeSessions, ...] = ()
        self._turn = 0

    def read(self, *, thorough: bool) -> SiteReading:
        """Read the site once. Never raises a failure of Azure: what is not known is UNKNOWN.

        Args:
            thorough: read everything, not in turns.
        """
        self._turn += 1
        watch = self._context.site_file.site.watch
        of_backup = thorough or self._backup is None or self._turn % 2 == 1
        of_edges = watch.edge_sessions and (thorough or not self._edges or self._turn % 2 == 0)
        roles = tuple(Role) if of_backup else (Role.PRIMARY,)
        reads: list[Callable[[], Any]] = [
            partial(self._read_networks, roles),
            self._probes.ask_here,
            self._read_witness,
            self._read_edges if of_edges else lambda: self._edges,
        ]
        self._probes.begin()
        networks, results, witness, self._edges = run_all(self._context.clock, reads)
        if networks.observed is None:
            results += self._collect_probes()
            return SiteReading(self._build_unreadable(networks.failure, results, witness))
        self._backup = networks.observed.gateways.get(Role.BACKUP)
        gateway = signals.judge_gateway(self._context.site, networks.observed)
        if watch.edge_sessions and not of_edges and gateway.status is not SignalStatus.UP:
            self._edges = self._read_edges()
        results += self._collect_probes(gateway)
        reading = self._build_reading(networks.observed, gateway, results, witness)
        gateways = networks.observed.gateways
        return replace(
            reading, gateways={role: gateways[role] for role in roles if role in gateways}
        )

    def forget_probes(self) -> None:
        """Use no result of a probe that was asked for before now: the paths have changed."""
        self._probes.forget()

    def _collect_probes(self, gateway: Observation | None = None) -> list[ProbeResult]:
        """Return the results of the probes that do not run here; new ones if a signal is down."""
        others = [gateway] if gateway is not None else []
        if self._context.site_file.site.watch.edge_sessions:
            others.append(signals.judge_edge(self._edges))
        is_needed = any(signal.status is SignalStatus.DOWN for signal in others)
        return self._probes.collect(is_needed=is_needed, waits=gateway is not None)

    def _read_networks(self, roles: Sequence[Role]) -> _Networks:
        context = self._context
        site = context.site_file.site
        try:
            reader = context.reader
            reads: list[Callable[[], SiteSnapshot]] = [
                partial(ReadingCache(reader, site).observe, site.list_network_names()),
                partial(observe, reader, site, roles, networks=()),
            ]
            spokes, gateways = run_all(context.clock, reads)
            observed = SiteSnapshot(
                gateways.taken_at,
                spokes.networks,
                gateways.gateways,
                {**spokes.unknown, **gateways.unknown},
                route_tables=spokes.route_tables,
            )
            if Role.BACKUP not in roles and self._backup is not None:
                both = {**observed.gateways, Role.BACKUP: self._backup}
                observed = replace(observed, gateways=both)
            observed = add_other_gateways(reader, site, observed)
            observed = add_advertised_if_needed(reader, observed)
        except AzureFailure as failure:
            return _Networks(None, failure)
        context.use_names_of(observed)
        return _Networks(observed)

    def _read_witness(self) -> Observation | None:
        """Return whether the witness can be reached; None if Azure itself is the witness."""
        address = self._context.site_file.site.watch.witness
        if address is None:
            return None
        answer = runner.build_here(self._context).ask(LocalConnect(address, WITNESS_S))
        status = SignalStatus.UP if answer.up else SignalStatus.DOWN
        return Observation(status, f"witness {address}: {answer.observation or answer.output}")

    def _read_edges(self) -> tuple[EdgeSessions, ...]:
        site = self._context.site_file.site
        gateway_id = site.build_gateway_id(site.primary.gateway)
        try:
            return read_edge_sessions(self._context.reader, gateway_id)
        except AzureFailure:
            return ()

    def _find_probes_on_backup(
        self, site: Site, observed: SiteSnapshot, spokes: Sequence[SpokeState]
    ) -> dict[str, str]:
        """Return the probes that say nothing about the primary path, if the site is split.

        Only then is it read where the probes' machines are.
        """
        if not {Path.EXPRESSROUTE, Path.IPSEC} <= {spoke.path for spoke in spokes}:
            return {}
        probes = {name: site.probes[name] for name in site.watch.probes}
        networks = read_probe_networks(self._context.reader, site, probes)
        return signals.find_probes_on_backup(site, observed, spokes, networks)

    def _judge_others(
        self,
        site: Site,
        results: Sequence[ProbeResult],
        elsewhere: Mapping[str, str] | None = None,
    ) -> dict[Signal, Observation]:
        """Return the signals other than the gateway that the site file enables."""
        judged = {}
        if site.watch.edge_sessions:
            judged[Signal.EDGE] = signals.judge_edge(self._edges)
        if site.watch.probes:
            judged[Signal.PROBES] = signals.judge_probes(results, elsewhere)
        return judged

    def _build_reading(
        self,
        observed: SiteSnapshot,
        gateway: Observation,
        results: Sequence[ProbeResult],
        witness: Observation | None,
    ) -> SiteReading:
        site = self._context.site
        health = judge(site, observed)
        spokes = signals.list_spoke_states(health)
        elsewhere = self._find_probes_on_backup(site, observed, spokes)
        reading = WatchReading(
            at=self._wall(),
            signals={Signal.GATEWAY: gateway, **self._judge_others(site, results, elsewhere)},
            backup=signals.judge_backup(site, observed, health),
            spokes=spokes,
            warnings=signals.list_warnings(health, self._edges, results),
            witness=witness or Observation(SignalStatus.UP, "Azure answers"),
        )
        return SiteReading(reading, build_picture(site, observed, health, {}), health)

    def _build_unreadable(
        self,
        failure: AzureFailure | None,
        results: Sequence[ProbeResult],
        witness: Observation | None,
    ) -> WatchReading:
        """Return the reading of a site of which Azure tells nothing."""
        reason = failure.message if failure is not None else "nothing of it could be read"
        unknown = Observation(SignalStatus.UNKNOWN, reason)
        is_cut_off = failure is not None and failure.kind is AzureErrorKind.CONNECTION
        of_azure = SignalStatus.DOWN if is_cut_off else SignalStatus.UP
        return WatchReading(
            at=self._wall(),
            signals={
                Signal.GATEWAY: unknown,
                **self._judge_others(self._context.site_file.site, results),
            },
            backup=unknown,
            witness=witness or Observation(of_azure, reason),
        )
