"""BIRD's configuration for a gateway instance. Pure.

BIRD decides as Azure's gateways were observed to: what a gateway originates beats what it
learns; then the shortest AS path; an external path beats the twin instance's; then the lowest
address, which is the router's id here. Where BIRD differs, its configuration makes up for it: a
path that holds the neighbour's AS is not sent to it, since Azure's tables do not show it as
advertised.

Hold and keepalive times are those of Azure's VPN gateways (documented: 180 and 60 s) divided by the
lab's speed; a hold time cannot be below 3 s (RFC 4271).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HOLD_S, KEEPALIVE_S, CONNECT_S = 180.0, 60.0, 10.0
SHORTEST_HOLD_S, SHORTEST_S = 3, 1
FASTEST = HOLD_S / SHORTEST_HOLD_S
"""The highest speed of a lab whose gateways keep Azure's timers."""
ORIGINATED = "originated"
TUNNEL = "tunnel"
"""How the names of tunnels' devices begin."""
METRIC = 100
"""The metric of learned routes in the kernel."""


@dataclass(frozen=True, slots=True)
class Session:
    """A BGP session: own and neighbour's address, neighbour's ASN, and the device to it.

    ``withheld`` are originated prefixes that are not announced to the neighbour. A ``twin`` is
    the other instance of the same gateway.
    """

    name: str
    local: str
    neighbor: str
    asn: int
    device: str = ""
    withheld: Sequence[str] = ()
    twin: bool = False


def build_configuration(
    router_id: str, asn: int, originated: Iterable[str], sessions: Sequence[Session], speed: float
) -> str:
    """Return BIRD's configuration."""
    blocks = [
        f"router id {router_id};",
        'log "RUN/bird.log" all;',
        "timeformat protocol iso long ms;",
        "timeformat route iso long ms;",
        "ipv4 table tunnels;",
        "protocol device { scan time 1; }",
        _make_kernel(router_id),
        _make_static(
            ORIGINATED, "ipv4;", [f"route {prefix} unreachable;" for prefix in originated]
        ),
        _make_static(
            "tunnel_routes",
            "ipv4 { table tunnels; };",
            [
                f'route {session.neighbor}/32 via "{session.device}";'
                for session in {each.neighbor: each for each in sessions if each.device}.values()
            ],
        ),
        *(_make_session(session, asn, speed) for session in sessions),
    ]
    return "\n".join(blocks) + "\n"


def _make_kernel(source: str) -> str:
    # A route through a tunnel shall name its device alone: with a gateway, the kernel would refuse
    # it until it has another route to that.
    return f"""protocol kernel {{
  metric {METRIC};
  ipv4 {{
    import none;
    export filter {{
      if source != RTS_BGP then reject;
      if ifname ~ "{TUNNEL}*" then ifname = ifname;
      krt_prefsrc = {source};
      accept;
    }};
  }};
}}"""


def _make_static(name: str, channel: str, routes: Iterable[str]) -> str:
    lines = "".join(f"  {route}\n" for route in routes)
    return f"protocol static {name} {{\n  {channel}\n{lines}}}"


def _make_session(session: Session, asn: int, speed: float) -> str:
    return f"""filter export_{session.name} {{
{_make_filter(session, asn)}}}
protocol bgp {session.name} {{
  local {session.local} as {asn};
  neighbor {session.neighbor} as {session.asn};
  multihop 4;
  hold time {_scale(HOLD_S, speed, SHORTEST_HOLD_S)};
  startup hold time {_scale(HOLD_S, speed, SHORTEST_HOLD_S)};
  keepalive time {_scale(KEEPALIVE_S, speed, SHORTEST_S)};
  connect delay time {_scale(CONNECT_S, speed, SHORTEST_S)};
  connect retry time {_scale(CONNECT_S, speed, SHORTEST_S)};
  error wait time {SHORTEST_S}, {_scale(CONNECT_S, speed, SHORTEST_S)};
  graceful restart off;
  ipv4 {{
    import all;
    igp table tunnels;
    next hop self;
    export filter export_{session.name};
  }};
}}"""


def _make_filter(session: Session, asn: int) -> str:
    if session.twin:
        return "  if source = RTS_BGP then accept;\n  reject;\n"
    if session.asn == asn:
        return "  reject;\n"
    withheld = ", ".join(session.withheld)
    keep_back = f"if net ~ [ {withheld} ] then reject; " if withheld else ""
    return (
        f'  if proto = "{ORIGINATED}" then {{ {keep_back}accept; }}\n'
        "  if source != RTS_BGP then reject;\n"
        f"  if bgp_path ~ [= * {session.asn} * =] then reject;\n"
        "  accept;\n"
    )


def _scale(seconds: float, speed: float, shortest: int) -> int:
    return max(shortest, round(seconds / speed))
