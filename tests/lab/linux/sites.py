"""Layouts for the agent: sites of a machine, its VNet and a gateway, joined by an 'Internet'.

Gateways of sites 1 and 2, 3 and 4, ... have a tunnel between them and BGP inside.
"""

from __future__ import annotations

from erfailover.lab.linux.layout import (
    Interface,
    Layout,
    Link,
    LinkEnd,
    Machine,
    Node,
    Route,
    Rule,
    Tunnel,
)

SECRET = "kept-to-itself-0451"
DEVICE = "tunnel1"

_BIRD = """\
router id {own};
log "RUN/bird.log" all;
timeformat protocol iso long ms;
timeformat route iso long ms;
protocol device {{ scan time 1; }}
protocol kernel k4 {{ metric 100; ipv4 {{ import none; export filter {{
  if source !~ [RTS_STATIC,RTS_BGP] then reject;
  if ifname = "{device}" then ifname = ifname;
  krt_prefsrc = {own}; accept; }}; }}; }}
ipv4 table tun4;
protocol pipe {{ table tun4; peer table master4; import none; export all; }}
protocol static tun {{ ipv4 {{ table tun4; }};
  route {far}/32 via "{device}";
}}
protocol static originated {{ ipv4;
{originated}}}
filter f_out {{ if proto = "originated" then accept; reject; }}
protocol bgp far {{ local {own} as {asn}; neighbor {far} as {far_asn}; multihop 4;
  hold time 9; keepalive time 3; connect delay time 1; connect retry time 1; error wait time 1,2;
  graceful restart off;
  ipv4 {{ import all; igp table tun4; export filter f_out; next hop self; }}; }}
"""


def make_layout(sites: int = 2, secret: str = SECRET, extra: str = "") -> Layout:
    """Return that many sites; the first has that secret, and originates that prefix besides."""
    nodes: list[Node] = []
    links: list[Link] = []
    for site in range(1, sites + 1):
        prefixes = [f"10.{site}.0.0/16", *([extra] if extra and site == 1 else [])]
        nodes += _make_nodes(site, secret if site == 1 else SECRET, prefixes)
        links += _make_links(site)
    internet = Node(
        "internet",
        "internet",
        forwarding=True,
        addresses=("203.0.113.254/32",),
        routes=tuple(Route(f"{public(site)}/32", f"g{site}") for site in range(1, sites + 1)),
        nft="""table ip counted {
  chain forward {
    type filter hook forward priority 0; policy accept;
    udp dport 4500 counter
    ip protocol != udp counter
  }
}""",
    )
    return Layout((internet, *nodes), tuple(links))


def public(site: int) -> str:
    return f"203.0.113.{site}"


def _make_nodes(site: int, secret: str, prefixes: list[str]) -> tuple[Node, ...]:
    far = site + 1 if site % 2 else site - 1
    machine = Node(
        f"vm{site}",
        "machine",
        routes=(Route("0.0.0.0/0", "eth0", f"10.{site}.0.1"),),
        machine=Machine(f"vm{site}", f"disk{site}"),
    )
    vnet = Node(
        f"vnet{site}",
        "vnet",
        forwarding=True,
        routes=(
            Route(f"10.{site}.0.4/32", "vm"),
            Route(f"10.{site}.0.254/32", "gateway"),
            Route("0.0.0.0/0", "gateway", f"10.{site}.0.254", table=100),
            Route("192.168.0.0/16", kind="blackhole", table=100),
        ),
        rules=(Rule(1000, 100, "vm"), Rule(2000, 0, "elsewhere")),
        nft="""table ip filter {
  chain forward {
    type filter hook forward priority 0; policy accept;
    ip daddr 10.99.0.0/16 drop
  }
}""",
    )
    gateway = Node(
        f"gateway{site}",
        "gateway",
        forwarding=True,
        routes=(
            Route("0.0.0.0/0", "outside", "203.0.113.254"),
            Route(f"10.{far}.99.0/24", DEVICE),
        ),
        bird=_BIRD.format(
            own=f"10.{site}.0.254",
            far=f"10.{far}.0.254",
            device=DEVICE,
            originated="".join(f"  route {each} via 10.{site}.0.1;\n" for each in prefixes),
            asn=65000 + site,
            far_asn=65000 + far,
        ),
        tunnels=(
            Tunnel(
                name="to-the-other",
                device=DEVICE,
                local_address=public(site),
                remote_address=public(far),
                secret=secret,
                port=500,
                nat_port=4500,
                remote_port=4500,
                initiates=site < far,
                local_identity=f"gateway{site}.lab",
                remote_identity=f"gateway{far}.lab",
                dead_peer_s=1,
            ),
        ),
    )
    return machine, vnet, gateway


def _make_links(site: int) -> tuple[Link, ...]:
    def end(node: str, name: str, number: int, *addresses: str, proxy: bool = False) -> LinkEnd:
        mac = f"02:00:00:00:{site:02x}:{number:02x}"
        return LinkEnd(node, Interface(name, mac, addresses, proxy=proxy))

    return (
        Link(
            f"vm{site}",
            (
                end(f"vm{site}", "eth0", 1, f"10.{site}.0.4/24"),
                end(f"vnet{site}", "vm", 2, f"10.{site}.0.1/32", proxy=True),
            ),
        ),
        Link(
            f"gateway{site}",
            (
                end(f"vnet{site}", "gateway", 3, f"10.{site}.0.1/32", proxy=True),
                end(f"gateway{site}", "inside", 4, f"10.{site}.0.254/24"),
            ),
        ),
        Link(
            f"outside{site}",
            (
                end(f"gateway{site}", "outside", 5, f"{public(site)}/32"),
                end("internet", f"g{site}", 6),
            ),
        ),
    )
