"""``erfailover doctor``: read everything without a write, judge it, show what is in the way."""

from __future__ import annotations

from dataclasses import replace

from erfailover.azure.readers.doctor import DoctorSources, read
from erfailover.commands.context import Context
from erfailover.commands.output import detect_screen
from erfailover.errors import Refused, UnknownReading
from erfailover.model.conditions import ConditionStatus
from erfailover.model.counting import format_count
from erfailover.model.state_location import parse
from erfailover.planning.doctor.check import compute_verdict
from erfailover.planning.doctor.checks import run_checks
from erfailover.planning.doctor.environment import ENDPOINT, SIGN_IN, STORE
from erfailover.reporting import doctor as told

ROWS = "checks[].[name, verdict, seen]"
"""The columns of ``-o tsv``."""


def run(context: Context) -> None:
    """Show every check.

    Raises:
        Refused: a check fails.
        UnknownReading: none fails, but the result of one that a switch requires is unknown.
    """
    site = context.site
    reader, store = context.reader, context.store
    hosts = _list_hosts(context)
    with context.show_activity(f"Checking {site.name}: rights, networks, gateways"):
        facts = read(DoctorSources(reader, hosts[ENDPOINT], store, hosts), site)
    site = context.use_names_of(facts.observed)
    facts = replace(
        facts,
        other_names=tuple(
            (other_name, context.place_of(other_name)) for other_name in context.other_names
        ),
    )
    lines = run_checks(site, facts)
    width = detect_screen(context.environment).width
    context.output.print_result(
        told.format_text(site, lines, width), told.build_data(site, lines), ROWS
    )
    status = compute_verdict(lines)
    if status is ConditionStatus.FAILS:
        names = list(dict.fromkeys(line.name for line in lines if line.fails))
        verb = "fails" if len(names) == 1 else "fail"
        raise Refused(
            f"{format_count(len(names), 'check')} {verb}: {', '.join(names)}",
            "The remedies are above.",
        )
    if status is ConditionStatus.UNKNOWN:
        unknown = (
            line for line in lines if line.required and line.verdict is ConditionStatus.UNKNOWN
        )
        names = list(dict.fromkeys(check.name for check in unknown))
        raise UnknownReading(
            f"unknown, and a switch depends on it: {', '.join(names)}", "The remedies are above."
        )


def _list_hosts(context: Context) -> dict[str, str]:
    """Return the hosts that a switch depends on, by what they are for."""
    cloud, state = context.access.cloud, context.site.state
    hosts: dict[str, str | None] = {ENDPOINT: cloud.endpoint, SIGN_IN: cloud.authority}
    if state is not None:
        text = context.environment.get("ERFAILOVER_BLOB_ENDPOINT")
        hosts[STORE] = text or cloud.build_blob_endpoint(parse(state).account)
    return {what: url for what, url in hosts.items() if url}
