"""How long Azure takes: durations of operations, first answers, and poll intervals.

Owns the table of durations and the draw from it; it must never read a clock. All figures are
modelled (Azure's) seconds, taken from some 400,000 recorded interactions of public Azure
client repositories, 2019 and later: the exact durations where the operation's body carries
its start and end, else the maximum-likelihood estimate between the last unfinished poll and
the first finished one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Spread:
    """The 10th, 50th and 90th percentile of a duration, in seconds."""

    p10: float
    p50: float
    p90: float

    def draw(self, quantile: float) -> float:
        """The duration at a quantile, log-linear through the three percentiles.

        Beyond the 10th and 90th the outer lines go on, to the 1st and the 99th.
        """
        q = min(max(quantile, 0.01), 0.99)
        low, middle, high = (math.log(max(each, 0.1)) for each in (self.p10, self.p50, self.p90))
        if q < 0.5:
            return math.exp(low + (middle - low) * (q - 0.1) / 0.4)
        return math.exp(middle + (high - middle) * (q - 0.5) / 0.4)


_NETWORK = "microsoft.network/"
_COMPUTE = "microsoft.compute/virtualmachines"
_GATEWAYS = _NETWORK + "virtualnetworkgateways"
_CIRCUIT_TABLES = _NETWORK + "expressroutecircuits/peerings/routetablessummary"
_SHARED_KEY = _NETWORK + "connections/sharedkey"

DURATIONS: Mapping[str, Spread] = MappingProxyType(
    {
        f"{_COMPUTE} delete": Spread(0.5, 40.1, 121.2),
        f"{_COMPUTE} create": Spread(43.6, 71.5, 128.1),
        f"{_COMPUTE} update": Spread(0.8, 7.4, 24.3),
        f"{_COMPUTE}/runcommand post": Spread(13.4, 17.3, 52.0),
        f"{_NETWORK}azurefirewalls delete": Spread(240, 300, 600),
        f"{_NETWORK}azurefirewalls create": Spread(299, 305, 600),
        f"{_NETWORK}azurefirewalls update": Spread(30, 150, 310),
        f"{_NETWORK}connections delete": Spread(3, 10, 141),
        f"{_NETWORK}connections create": Spread(3, 7, 21),
        f"{_NETWORK}connections update": Spread(4, 22, 92),
        f"{_SHARED_KEY} post": Spread(3, 12, 38),
        f"{_SHARED_KEY} update": Spread(4, 11, 36),
        f"{_NETWORK}localnetworkgateways delete": Spread(2, 6, 9),
        f"{_NETWORK}localnetworkgateways create": Spread(2, 6, 9),
        f"{_NETWORK}localnetworkgateways update": Spread(2, 6, 10),
        f"{_NETWORK}networkinterfaces delete": Spread(1, 1, 1),
        f"{_NETWORK}networkinterfaces create": Spread(1, 1, 21),
        f"{_NETWORK}networkinterfaces update": Spread(4, 8, 44),
        f"{_NETWORK}networkinterfaces/effectiveroutetable post": Spread(2, 6, 10),
        f"{_NETWORK}publicipaddresses delete": Spread(1, 9, 15),
        f"{_NETWORK}publicipaddresses create": Spread(0, 1, 1),
        f"{_NETWORK}publicipaddresses update": Spread(1, 1, 3),
        f"{_NETWORK}routetables delete": Spread(1, 1, 1),
        f"{_NETWORK}routetables create": Spread(1, 2, 2),
        f"{_NETWORK}routetables update": Spread(1, 1, 1),
        f"{_NETWORK}routetables/routes delete": Spread(1, 1, 1),
        f"{_NETWORK}routetables/routes create": Spread(1, 1, 1),
        f"{_NETWORK}routetables/routes update": Spread(0, 1, 1),
        f"{_GATEWAYS} delete": Spread(87, 404, 595),
        f"{_GATEWAYS} patch": Spread(97, 108, 118),
        f"{_GATEWAYS} create": Spread(266, 1239, 2184),
        f"{_GATEWAYS} create expressroute": Spread(696, 748, 2564),
        f"{_GATEWAYS} create basic": Spread(172, 264, 2252),
        f"{_GATEWAYS} create standard": Spread(1744, 2000, 2380),
        f"{_GATEWAYS} create highperformance": Spread(1197, 1365, 1632),
        f"{_GATEWAYS} create vpngw1": Spread(1001, 1085, 1323),
        f"{_GATEWAYS} create vpngw2": Spread(788, 978, 1190),
        f"{_GATEWAYS} update": Spread(100, 110, 1390),
        f"{_GATEWAYS} update expressroute": Spread(57, 73, 89),
        f"{_GATEWAYS} update vpngw1": Spread(103, 106, 144),
        f"{_GATEWAYS} update vpngw2": Spread(100, 110, 150),
        f"{_GATEWAYS}/getadvertisedroutes post": Spread(2, 6, 10),
        f"{_GATEWAYS}/getbgppeerstatus post": Spread(1, 5, 9),
        f"{_GATEWAYS}/getlearnedroutes post": Spread(1, 5, 9),
        f"{_CIRCUIT_TABLES}/primary post": Spread(2, 6, 10),
        f"{_CIRCUIT_TABLES}/secondary post": Spread(2, 6, 10),
        f"{_GATEWAYS}/reset post": Spread(424, 784, 822),
        f"{_NETWORK}virtualhubs/ipconfigurations create": Spread(600, 900, 1800),
        f"{_NETWORK}virtualhubs/bgpconnections/learnedroutes post": Spread(2, 6, 10),
        f"{_NETWORK}virtualnetworks delete": Spread(0, 1, 4),
        f"{_NETWORK}virtualnetworks create": Spread(1, 2, 3),
        f"{_NETWORK}virtualnetworks update": Spread(1, 1, 1),
        f"{_NETWORK}virtualnetworks/subnets delete": Spread(1, 1, 1),
        f"{_NETWORK}virtualnetworks/subnets create": Spread(0, 1, 1),
        f"{_NETWORK}virtualnetworks/subnets update": Spread(0, 1, 1),
        f"{_NETWORK}virtualnetworks/virtualnetworkpeerings delete": Spread(1, 4, 10),
        f"{_NETWORK}virtualnetworks/virtualnetworkpeerings create": Spread(1, 2, 13),
        f"{_NETWORK}virtualnetworks/virtualnetworkpeerings update": Spread(1, 2, 12),
        "microsoft.resources/resourcegroups delete": Spread(44, 220, 688),
    }
)
"""Seconds by ``type verb``, types in lower case; gateways also by size. A Route Server was not
measured: up to 30 minutes are documented, the rest is assumed. A firewall's first IP configuration
took 299 to 310 s in the one recording, its second more than 140 s; the rest is assumed. A circuit's
route table summary was not measured: assumed like the routes that a gateway advertises."""

_SECURITY_GROUPS = Spread(1, 1, 2)
"""Security groups were not measured; assumed like route tables."""

_FIRST_ANSWER_S: Mapping[str, float] = MappingProxyType(
    {
        f"{_GATEWAYS} put": 7.0,
        f"{_NETWORK}connections put": 5.0,
        f"{_NETWORK}virtualnetworks/virtualnetworkpeerings put": 1.0,
    }
)
"""How long the first answer itself takes (recorded: 6 to 8 s, 5 s, 1 s); others assumed 0."""

_FIRST_RETRY_AFTER_S: Mapping[str, int] = MappingProxyType(
    {
        f"{_NETWORK}virtualnetworks/virtualnetworkpeerings": 10,
        f"{_NETWORK}virtualnetworks": 3,
        f"{_NETWORK}virtualnetworks/subnets": 3,
        f"{_NETWORK}routetables": 2,
        f"{_NETWORK}routetables/routes": 2,
        f"{_NETWORK}publicipaddresses": 1,
        f"{_NETWORK}networksecuritygroups": 1,
        f"{_NETWORK}networksecuritygroups/securityrules": 1,
        "microsoft.resources/resourcegroups": 15,
    }
)
_SLOWER_DELETIONS = frozenset(
    {
        f"{_NETWORK}virtualnetworks",
        f"{_NETWORK}virtualnetworks/subnets",
        f"{_NETWORK}publicipaddresses",
    }
)
"""Types whose deletion answers with the usual ``Retry-After`` (recorded)."""
_GATEWAY_POLLS_S = (10, 10, 20, 20, 40, 40, 80, 160)

MACHINE_ESTIMATE_S = 30
"""``Retry-After`` of the first poll of a machine's creation or deletion (recorded: 30 to 70)."""
RETRY_AFTER_S = 10
"""``Retry-After`` where no other one was recorded."""


def first_answer_s(type_: str, method: str) -> float:
    """Seconds until the first answer to a write."""
    return _FIRST_ANSWER_S.get(f"{type_.lower()} {method.lower()}", 0.0)


def first_retry_after_s(type_: str, effect: str = "write") -> int:
    """``Retry-After`` of the answer that accepts a write, or a deletion (recorded)."""
    if effect == "delete" and type_.lower() in _SLOWER_DELETIONS:
        return RETRY_AFTER_S
    return _FIRST_RETRY_AFTER_S.get(type_.lower(), RETRY_AFTER_S)


def poll_retry_after_s(type_: str, poll: int) -> int:
    """``Retry-After`` of a poll, the first being 0; a gateway's grow longer (recorded)."""
    if type_.lower() == _GATEWAYS:
        return _GATEWAY_POLLS_S[poll] if poll < len(_GATEWAY_POLLS_S) else 100
    return first_retry_after_s(type_)


class Durations:
    """Seconds an operation takes: the median, or a draw where a seed is given.

    A draw depends on the seed, the resource, what is done to it and how often that was done
    before, never on what else is asked for or in which order: two clients that do the same
    things to the same resources meet the same durations, however they interleave them.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._seed = seed
        self._counts: dict[tuple[str, str, str], int] = {}

    def seconds(self, type_: str, verb: str, size: str = "", resource: str = "") -> float:
        """How long the next such operation takes; it then counts as done.

        ``verb`` is create, update, delete, patch or post; an action's name belongs to the
        type. ``size`` is a gateway's SKU, AZ or not: VpnGw1AZ is today's VpnGw1. ``resource``
        is the id of what it is done to.
        """
        key = type_.lower(), verb, resource.lower()
        number = self._counts.get(key, 0)
        self._counts[key] = number + 1
        return self.foretold(type_, verb, size, resource, number)

    def foretold(self, type_: str, verb: str, size: str, resource: str, number: int) -> float:
        """How long an operation takes that was done ``number`` times before; counts nothing."""
        spread = spread_of(type_, verb, size)
        if self._seed is None:
            return spread.p50
        return spread.draw(_quantile(self._seed, type_, verb, resource, number))


def _quantile(seed: int, type_: str, verb: str, resource: str, number: int) -> float:
    """A number in [0, 1) that depends on nothing but its arguments, in every process alike."""
    text = "\n".join((str(seed), type_.lower(), verb, resource.lower(), str(number)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2.0**64


def spread_of(type_: str, verb: str, size: str = "") -> Spread:
    """The percentiles of an operation; an unmeasured type counts as 1 to 2 s (assumed)."""
    name = f"{type_.lower()} {verb}"
    sku = size.lower().removesuffix("az")
    if sku.startswith("ergw"):
        sku = "expressroute"
    elif sku.startswith("vpngw") and sku != "vpngw1":
        sku = "vpngw2"
    return DURATIONS.get(f"{name} {sku}") or DURATIONS.get(name) or _SECURITY_GROUPS
