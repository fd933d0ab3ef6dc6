"""Checks of what a switch relies on: Azure's limits, clocks, the path to Azure, the lease. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.durations import format_duration
from erfailover.model.lease import TAKE_OVER, LeaseStanding
from erfailover.model.observed import SiteSnapshot
from erfailover.model.probes import NextHop
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import Role, Site
from erfailover.planning.api_versions import PROVIDERS, TESTED, format_yaml
from erfailover.planning.conditions import select_learned_routes
from erfailover.planning.doctor.check import Check, CheckBuilder, CheckName, Group, explain_unread
from erfailover.planning.doctor.facts import DoctorFacts, HostReachability

SKEW_WARNS_S, SKEW_FAILS_S = 30.0, 300.0
"""Entra takes tokens up to five minutes beside its own clock (published)."""

POLLS = 10
"""Requests beside the writes themselves that one write costs, reads and polls (estimated)."""

ENDPOINT = "the management endpoint"
SIGN_IN = "the sign-in endpoint"
STORE = "the store for journal and lease"
"""What hosts are for."""


def check_network_watchers(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Each machine of a next hop probe has a Network Watcher in its region."""
    line = CheckBuilder(CheckName.NETWORK_WATCHER, Group.AZURE, required=False)
    machines = {
        site.build_machine_id(probe.machine).lower(): get_last_name(probe.machine)
        for probe in site.probes.values()
        if isinstance(probe, NextHop)
    }
    for machine_id, machine in machines.items():
        reading = facts.watchers.get(machine_id)
        if reading is None or reading.value is None:
            yield line.report_unknown(
                f"Network Watcher for {machine}: {explain_unread(reading)}",
                "Its next hop probes are unknown.",
            )
        elif not reading.value.watcher:
            yield line.report_failure(
                f"no Network Watcher that this identity can read serves {machine} in "
                f"{reading.value.region}: its next hop probes are unknown",
                f"Run az network watcher configure --locations {reading.value.region} --enabled "
                "--resource-group NetworkWatcherRG, or assign the role there.",
            )
        else:
            yield line.report_ok(f"{get_last_name(reading.value.watcher)} serves {machine}")
    if not machines:
        yield line.report_ok("the site has no next hop probe")


def check_api_versions(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Check that the api-versions that requests carry are offered in every region of the site."""
    line = CheckBuilder(CheckName.API_VERSIONS, Group.AZURE, required=False)
    api_versions = facts.api_versions.value
    if api_versions is None:
        yield line.report_unknown(
            f"the API versions that Azure offers: {explain_unread(facts.api_versions)}", CHOOSE
        )
        return
    best = api_versions.choose_versions()
    write = f"Add to the site file: {format_yaml(site.cloud_name, best)}" if best else CHOOSE
    for provider, used in api_versions.used.items():
        message = f"{PROVIDERS[provider]} {used}"
        if problem := api_versions.find_problem(provider):
            yield line.report_failure(f"{message}: {problem}", write)
        elif api_versions.pinned.get(provider) is None:
            yield line.report_unknown(
                f"{message}: the SDK's default, offered in all regions today; another version of "
                "the SDK may use another one",
                write,
            )
        elif used not in TESTED[provider]:
            yield line.report_unknown(
                f"{message} is offered, but erfailover was not tested with it", write
            )
        else:
            yield line.report_ok(f"{message} is offered in all regions of the site")


CHOOSE = "az provider show --namespace Microsoft.Network lists the versions of each type."


def check_throttling(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Azure's limits leave room for the requests of a switch."""
    line = CheckBuilder(CheckName.THROTTLING, Group.AZURE, required=False)
    writes = 7 * len(site.spokes) + 2 * len(site.probes) + 4
    need = {"writes": writes, "reads": writes * POLLS}
    for (subscription, kind), reading in facts.remaining.items():
        if reading.value is None:
            yield line.report_unknown(
                f"{subscription}: remaining {kind} unknown: {reading.unknown}",
                "No action needed: a switch waits and retries.",
            )
        elif reading.value < min(need[kind], FULL[kind]):
            yield line.report_failure(
                f"{subscription}: {reading.value} {kind} remaining, about {need[kind]} needed",
                "Another client uses Azure's API heavily: stop it, or use a separate identity.",
            )
        else:
            yield line.report_ok(
                f"{subscription}: {reading.value} {kind} remaining, about {need[kind]} needed"
            )


FULL = {"reads": 150, "writes": 100}
"""Of a full bucket (250 and 200, published), which refills while a switch runs: what must be left
even for a site that needs more than a bucket holds."""


def check_clock(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Check that this machine's clock agrees with Azure's: tokens and leases run on it."""
    line = CheckBuilder(CheckName.CLOCK, Group.AZURE, required=False)
    if facts.date.value is None:
        yield line.report_unknown(
            f"Azure's time: {facts.date.unknown}", "Check this machine's clock."
        )
        return
    ahead = (facts.now - facts.date.value).total_seconds()
    side = "ahead of" if ahead > 0 else "behind"
    message = f"this machine's clock is {format_duration(abs(ahead))} {side} Azure's"
    if abs(ahead) >= SKEW_FAILS_S:
        yield line.report_failure(message, "Azure will reject tokens: set the clock (NTP).")
    elif abs(ahead) >= SKEW_WARNS_S:
        message = f"{message}; expected at most {format_duration(SKEW_WARNS_S)}"
        yield line.report_unknown(message, "Set the clock (NTP).")
    else:
        yield line.report_ok(message)


def check_endpoint_path(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Check that the management endpoint and the sign-in are reached without the circuit."""
    line = CheckBuilder(CheckName.ENDPOINT_PATH, Group.AZURE, required=False)
    remedy = (
        "While the circuit is down, Azure cannot be managed from here: keep a machine with "
        "Internet access, and these credentials, for the switch."
    )
    for host in facts.hosts:
        if host.what != STORE:
            verdict, message = check_host_path(site, facts.observed, host)
            yield line.report_condition(Condition(line.name, verdict, message), remedy)


def check_store_path(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Check that the store of journal and lease is reached without the circuit."""
    line = CheckBuilder(CheckName.STORE_PATH, Group.AZURE, required=False)
    remedy = (
        "While the circuit is down, --break-glass continues with this machine's own state. Better: "
        "give the account a separate path, or keep the state on one machine."
    )
    stores = [
        host_reachability for host_reachability in facts.hosts if host_reachability.what == STORE
    ]
    for host in stores:
        verdict, message = check_host_path(site, facts.observed, host)
        yield line.report_condition(Condition(line.name, verdict, message), remedy)
    if not stores:
        yield line.report_ok("journal and lease are kept on this machine")


def check_lease(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Check that no other run writes to the site."""
    line = CheckBuilder(CheckName.LEASE, Group.RUN)
    held = facts.lease.value
    if held is None:
        yield line.report_unknown(
            f"the holder of the lease is unknown: {facts.lease.unknown}",
            f"Fix the store. If it cannot wait, and no other run writes: {TAKE_OVER} replaces a "
            "damaged lease, --break-glass works without an unreachable store.",
        )
        return
    who = held.record.describe(facts.now.timestamp()) if held.record else "an unknown holder"
    match held.standing:
        case LeaseStanding.LIVE:
            yield line.report_failure(
                f"another run is changing the site: {who}",
                f"Wait until it ends. If that run is lost, {TAKE_OVER} takes over the lease.",
            )
        case LeaseStanding.FREE:
            yield line.report_ok("the lease is free")
        case standing:
            yield line.report_ok(f"the lease of {who} is {standing}: the next run takes it over")


JOURNAL_REMEDY = (
    "The next command that writes keeps a copy and continues with the readable records."
)


def check_journal(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Check that the journal can be read."""
    line = CheckBuilder(CheckName.JOURNAL, Group.RUN)
    damage = facts.journal.value
    if damage is None:
        yield line.report_unknown(
            f"the journal cannot be read: {facts.journal.unknown}",
            "Fix the store. If it cannot wait, use --break-glass while no other run changes the "
            "site.",
        )
    elif damage:
        yield line.report_failure(
            damage, f"{JOURNAL_REMEDY} Until then switch --undo may be refused."
        )
    else:
        yield line.report_ok("the journal can be read")


def check_host_path(
    site: Site, observed: SiteSnapshot, host: HostReachability
) -> tuple[ConditionStatus, str]:
    """Whether a host can be reached without the circuit, as far as its addresses show.

    An address in a prefix that the primary's gateway has learned lies behind the circuit; another
    private one may; a public one is reached by the Internet, unless routing says otherwise.
    """
    at = host.proxy or host.host
    message = f"{host.what} ({host.host}{f' through the proxy {host.proxy}' if host.proxy else ''})"
    addresses = host.addresses.value
    if not addresses:
        why = host.addresses.unknown or f"{at} has no IPv4 address"
        return ConditionStatus.UNKNOWN, f"{message}: {why}"
    behind = _list_circuit_prefixes(site, observed)
    for address in addresses:
        for prefix in behind:
            if address in prefix:
                return (
                    ConditionStatus.FAILS,
                    f"{message} has the address {address}, in {prefix}, behind the circuit",
                )
    private = next((item for item in addresses if item.is_private and not item.is_loopback), None)
    if private is not None:
        return (
            ConditionStatus.UNKNOWN,
            f"{message} has the private address {private}: the path to it is unknown",
        )
    kind = "loopback" if addresses[0].is_loopback else "public"
    return ConditionStatus.HOLDS, f"{message} has the {kind} address {addresses[0]}"


def _list_circuit_prefixes(site: Site, observed: SiteSnapshot) -> list[IPv4Network]:
    """Return the remote prefixes and what the primary has learned, without a default route."""
    gateway = observed.gateways.get(Role.PRIMARY)
    learned = select_learned_routes(gateway).prefixes if gateway else ()
    by_name = dict.fromkeys(
        (*site.remote_prefixes, *sorted(prefix for prefix in learned if prefix.prefixlen))
    )
    own = {space for network in observed.networks.values() for space in network.address_space}
    return [prefix for prefix in by_name if prefix not in own]
