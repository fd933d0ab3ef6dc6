"""For how long the primary path has been healthy, before a switch back. Pure.

An ExpressRoute gateway's BGP peers are Microsoft's edge routers in its own subnet: those sessions
stay up while a circuit, its provider or the customer edge fails. So the hold time is measured by
the shorter of two durations:

- the *session*: the longest uptime among the circuits' sessions with the customer edge, as the
  route table summaries of both device paths list them;
- the *count*: how long erfailover itself has seen every remote prefix in the gateway's table.

If the session is not known, the count alone decides. A VPN gateway that stands in for ExpressRoute
has its session with the far device: that session's ``connectedDuration`` decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.durations import format_duration
from erfailover.model.edge_sessions import EdgeNeighbor, EdgeSessions, parse_uptime_s
from erfailover.model.observed import EXPRESSROUTE, Gateway
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import Role, Site

NAME = "gateway_has_been_healthy_for_the_hold_time"
READING_COUNTS_S = 15.0
"""A reading vouches for at most this long before it: readings must not be further apart."""
LONGEST_GAP_S = 60.0
"""After so long without a reading that shows every prefix, the count starts again."""


@dataclass(frozen=True, slots=True)
class HoldTimeCount:
    """How long every remote prefix has been seen, from one reading to the next.

    Attributes:
        seen_s: the duration counted, in seconds.
        last_s: when every prefix was last seen, by the caller's clock; None if the count has not
            started.
        restarts: how often a count that had started began again.
        why: why it last did.
    """

    seen_s: float = 0.0
    last_s: float | None = None
    restarts: int = 0
    why: str = ""

    def add_reading(self, at_s: float, learned: Condition) -> HoldTimeCount:
        """Return the count after one more reading.

        Args:
            at_s: when the reading was answered.
            learned: whether the gateway has learned every remote prefix. FAILS restarts the
                count; UNKNOWN leaves it as it is.
        """
        if learned.status is ConditionStatus.UNKNOWN:
            return self
        if learned.status is ConditionStatus.FAILS:
            return (
                self
                if self.last_s is None
                else HoldTimeCount(0.0, None, self.restarts + 1, learned.message)
            )
        if self.last_s is None:
            return HoldTimeCount(0.0, at_s, self.restarts, self.why)
        gap_s = at_s - self.last_s
        if gap_s >= LONGEST_GAP_S:
            why = f"no reading for {format_duration(gap_s)}"
            return HoldTimeCount(0.0, at_s, self.restarts + 1, why)
        seen_s = self.seen_s + min(gap_s, READING_COUNTS_S)
        return HoldTimeCount(seen_s, at_s, self.restarts, self.why)


@dataclass(frozen=True, slots=True)
class SessionUptime:
    """The longest uptime among the circuits' sessions with the customer edge.

    Attributes:
        up_s: in seconds; 0 if no session is up; None if it is not known.
        circuit: the circuit with that session, with its ASN, in words.
        unknown: what could not be read or parsed.
    """

    up_s: float | None
    circuit: str = ""
    unknown: tuple[str, ...] = ()

    def add_seconds(self, seconds: float) -> SessionUptime:
        """Return the uptime some seconds later, if the session stays up."""
        if not self.up_s:
            return self
        return SessionUptime(self.up_s + seconds, self.circuit, self.unknown)


def find_longest_session(circuits: Sequence[EdgeSessions], hold_s: float) -> SessionUptime:
    """Return the longest uptime among all circuits, device paths and neighbors.

    Args:
        circuits: the sessions of the gateway's circuits.
        hold_s: the hold time: if what is known reaches it, what is unknown does not matter.
    """
    best, named = 0.0, ""
    unknown: list[str] = [] if circuits else ["the gateway lists no circuit"]
    for circuit in circuits:
        customer = f"circuit {circuit.circuit} with AS {circuit.peer_asn}"
        if circuit.unknown is not None:
            unknown.append(f"circuit {circuit.circuit}: {circuit.unknown}")
        for path, reading in circuit.neighbors.items():
            where = f"circuit {circuit.circuit}, {path} path"
            rows = [row for row in reading.value or () if row.asn == circuit.peer_asn is not None]
            if not rows:
                no_row = f"no neighbor with AS {circuit.peer_asn} is listed"
                unknown.append(f"{where}: {reading.unknown or no_row}")
            for row in rows:
                up_s = _parse_up_s(row)
                if up_s is None:
                    text = f"upDown {row.up_down!r}, statePfxRcd {row.state!r}"
                    unknown.append(f"{where}: {row.neighbor} has {text}, which cannot be parsed")
                elif not named or up_s > best:
                    best, named = up_s, customer
    if unknown and best < hold_s:
        return SessionUptime(None, "", tuple(unknown))
    return SessionUptime(best, named, tuple(unknown))


def _parse_up_s(row: EdgeNeighbor) -> float | None:
    """Return for how long a session has been up; 0 if it is down.

    ``upDown`` of a session that is not Established is how long it has been *down*.
    """
    established = row.is_established
    if established is False:
        return 0.0
    return None if established is None else parse_uptime_s(row.up_down)


def compute_left_s(count: HoldTimeCount, session: SessionUptime, hold_s: float) -> float:
    """Return how much of the hold time is left, in seconds; 0 when it is over."""
    shorter = count.seen_s if session.up_s is None else min(count.seen_s, session.up_s)
    return max(0.0, hold_s - shorter)


def check_expressroute(
    gateway: Gateway | None,
    learned: Condition,
    count: HoldTimeCount,
    session: SessionUptime,
    hold_s: float,
) -> Condition:
    """Return whether an ExpressRoute primary has been healthy for the hold time.

    Args:
        gateway: the primary's gateway, as last read.
        learned: whether that reading shows every remote prefix.
        count: how long erfailover has seen every prefix, that reading included.
        session: the longest session with the customer edge.
        hold_s: the hold time, in seconds.
    """
    if gateway is None or learned.status is not ConditionStatus.HOLDS:
        return Condition(NAME, learned.status, learned.message)
    over = compute_left_s(count, session, hold_s) <= 0
    hold = format_duration(hold_s)
    message = (
        f"{gateway.name}: every remote prefix seen for {format_duration(count.seen_s)} of {hold}"
    )
    if not over and count.restarts:
        times = "once" if count.restarts == 1 else f"{count.restarts} times"
        message += f" (the count restarted {times}: {count.why})"
    if session.up_s is None:
        message += f"; {_explain_unknown(session)}"
    elif session.up_s > 0:
        up = format_duration(session.up_s)
        message += f"; the BGP session of {session.circuit} has been up for {up}"
    else:
        message += f"; the BGP session of {session.circuit} is down"
    return Condition(NAME, ConditionStatus.HOLDS if over else ConditionStatus.FAILS, message)


def _explain_unknown(session: SessionUptime) -> str:
    return (
        "the uptime of the circuits' BGP sessions with the customer edge is unknown "
        f"({'; '.join(session.unknown)}), so only erfailover's own readings count"
    )


def describe_basis(site: Site, type_: str, session: SessionUptime | None = None) -> str:
    """Return how the hold time is measured, in words.

    Args:
        site: the site.
        type_: the type of the primary's gateway.
        session: the longest session with the customer edge; None if it was not read.
    """
    gateway = get_last_name(site.get_hub(Role.PRIMARY).gateway)
    hold = f"hold time before a switch back: {format_duration(site.timing.failback_hold_time_s)}"
    if type_ != EXPRESSROUTE:
        return f"{hold}, measured by the connected duration of {gateway}'s BGP session"
    message = f"how long erfailover itself has seen every remote prefix in the table of {gateway}"
    if session is not None and session.up_s is None:
        return f"{hold}, measured by {message}; {_explain_unknown(session)}"
    uptime = "the uptime of the circuits' BGP sessions with the customer edge"
    if session is None:
        uptime += " (if their route table summaries can be read)"
    elif session.up_s:
        uptime += f" ({session.circuit}: up for {format_duration(session.up_s)})"
    else:
        uptime += f" ({session.circuit}: down)"
    return f"{hold}, measured by the shorter of {uptime} and {message}"
