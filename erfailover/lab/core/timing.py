"""How long Azure takes: durations of operations, first answers, and poll intervals.

Owns the table of durations and the draw from it; it must never read a clock. All figures are
modelled (Azure's) seconds, taken from some 400,000 recorded interactions of public Azure
client repositories, 2019 and later: the exact durations if the operation's body carries
its start and end, else the maximum-likelihood estimate between the last unfinished poll and
the first finished one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

MEDIAN = 0.5


@dataclass(frozen=True, slots=True)
class Percentiles:
    """The 10th, 50th and 90th percentile of a duration, in seconds."""

    p10: float
    p50: float
    p90: float

    def draw(self, quantile: float) -> float:
        """Return the duration at a quantile, log-linear through the three percentiles.

        The outer lines extend beyond the 10th and 90th, to the 1st and the 99th.
        """
        q = min(max(quantile, 0.01), 0.99)
        low, middle, high = (
            math.log(max(seconds, 0.1)) for seconds in (self.p10, self.p50, self.p90)
        )
        if q < MEDIAN:
            return math.exp(low + (middle - low) * (q - 0.1) / 0.4)
        return math.exp(middle + (high - middle) * (q - MEDIAN) / 0.4)


_NETWORK = "microsoft.network/"
_COMPUTE = "microsoft.compute/virtualmachines"
_GATEWAYS = _NETWORK + "virtualnetworkgateways"
_CIRCUIT_TABLES = _NETWORK + "expressroutecircuits/peerings/routetablessummary"
_SHARED_KEY = _NETWORK + "connections/sharedkey"

DURATIONS: Mapping[str, Percentiles] = MappingProxyType(
    {
        f"{_COMPUTE} delete": Percentiles(0.5, 40.1, 121.2),
        f"{_COMPUTE} create": Percentiles(43.6, 71.5, 128.1),
        f"{_COMPUTE} update": Percentiles(0.8, 7.4, 24.3),
        f"{_COMPUTE}/runcommand post": Percentiles(13.4, 17.3, 52.0),
        f"{_NETWORK}azurefirewalls delete": Percentiles(240, 300, 600),
        f"{_NETWORK}azurefirewalls create": Percentiles(299, 305, 600),
        f"{_NETWORK}azurefirewalls update": Percentiles(30, 150, 310),
        f"{_NETWORK}connections delete": Percentiles(3, 10, 141),
        f"{_NETWORK}connections create": Percentiles(3, 7, 21),
        f"{_NETWORK}connections update": Percentiles(4, 22, 92),
        f"{_SHARED_KEY} post": Percentiles(3, 12, 38),
        f"{_SHARED_KEY} update": Percentiles(4, 11, 36),
        f"{_NETWORK}localnetworkgateways delete": Percentiles(2, 6, 9),
        f"{_NETWORK}localnetworkgateways create": Percentiles(2, 6, 9),
        f"{_NETWORK}localnetworkgateways update": Percentiles(2, 6, 10),
        f"{_NETWORK}networkinterfaces delete": Percentiles(1, 1, 1),
        f"{_NETWORK}networkinterfaces create": Percentiles(1, 1, 21),
        f"{_NETWORK}networkinterfaces update": Percentiles(4, 8, 44),
        f"{_NETWORK}networkinterfaces/effectiveroutetable post": Percentiles(2, 6, 10),
        f"{_NETWORK}publicipaddresses delete": Percentiles(1, 9, 15),
        f"{_NETWORK}publicipaddresses create": Percentiles(0, 1, 1),
        f"{_NETWORK}publicipaddresses update": Percentiles(1, 1, 3),
        f"{_NETWORK}routetables delete": Percentiles(1, 1, 1),
        f"{_NETWORK}routetables create": Percentiles(1, 2, 2),
        f"{_NETWORK}routetables update": Percentiles(1, 1, 1),
        f"{_NETWORK}routetables/routes delete": Percentiles(1, 1, 1),
        f"{_NETWORK}routetables/routes create": Percentiles(1, 1, 1),
        f"{_NETWORK}routetables/routes update": Percentiles(0, 1, 1),
        f"{_GATEWAYS} delete": Percentiles(87, 404, 595),
        f"{_GATEWAYS} patch": Percentiles(97, 108, 118),
        f"{_GATEWAYS} create": Percentiles(266, 1239, 2184),
        f"{_GATEWAYS} create expressroute": Percentiles(696, 748, 2564),
        f"{_GATEWAYS} create basic": Percentiles(172, 264, 2252),
        f"{_GATEWAYS} create standard": Percentiles(1744, 2000, 2380),
        f"{_GATEWAYS} create highperformance": Percentiles(1197, 1365, 1632),
        f"{_GATEWAYS} create vpngw1": Percentiles(1001, 1085, 1323),
        f"{_GATEWAYS} create vpngw2": Percentiles(788, 978, 1190),
        f"{_GATEWAYS} update": Percentiles(100, 110, 1390),
        f"{_GATEWAYS} update expressroute": Percentiles(57, 73, 89),
        f"{_GATEWAYS} update vpngw1": Percentiles(103, 106, 144),
        f"{_GATEWAYS} update vpngw2": Percentiles(100, 110, 150),
        f"{_GATEWAYS}/getadvertisedroutes post": Percentiles(2, 6, 10),
        f"{_GATEWAYS}/getbgppeerstatus post": Percentiles(1, 5, 9),
        f"{_GATEWAYS}/getlearnedroutes post": Percentiles(1, 5, 9),
        f"{_CIRCUIT_TABLES}/primary post": Percentiles(2, 6, 10),
        f"{_CIRCUIT_TABLES}/secondary post": Percentiles(2, 6, 10),
        f"{_GATEWAYS}/reset post": Percentiles(424, 784, 822),
        f"{_NETWORK}virtualhubs/ipconfigurations create": Percentiles(600, 900, 1800),
        f"{_NETWORK}virtualhubs/bgpconnections/learnedroutes post": Percentiles(2, 6, 10),
        f"{_NETWORK}virtualnetworks delete": Percentiles(0, 1, 4),
        f"{_NETWORK}virtualnetworks create": Percentiles(1, 2, 3),
        f"{_NETWORK}virtualnetworks update": Percentiles(1, 1, 1),
        f"{_NETWORK}virtualnetworks/subnets delete": Percentiles(1, 1, 1),
        f"{_NETWORK}virtualnetworks/subnets create": Percentiles(0, 1, 1),
        f"{_NETWORK}virtualnetworks/subnets update": Percentiles(0, 1, 1),
        f"{_NETWORK}virtualnetworks/virtualnetworkpeerings delete": Percentiles(1, 4, 10),
        f"{_NETWORK}virtualnetworks/virtualnetworkpeerings create": Percentiles(1, 2, 13),
        f"{_NETWORK}virtualnetworks/virtualnetworkpeerings update": Percentiles(1, 2, 12),
        "microsoft.resources/resourcegroups delete": Percentiles(44, 220, 688),
    }
)
"""Seconds by ``type verb``, types in lower case; gateways also by size. A Route Server was not
measured: up to 30 minutes are documented, the rest is assumed. A firewall's first IP configuration
took 299 to 310 s in the one recording, its second more than 140 s; the rest is assumed. A circuit's
route table summary was not measured: assumed like the routes that a gateway advertises."""

_SECURITY_GROUPS = Percentiles(1, 1, 2)
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
"""``Retry-After`` if no other one was recorded."""


def get_first_answer_s(type_: str, method: str) -> float:
    """Return the seconds until the first answer to a write."""
    return _FIRST_ANSWER_S.get(f"{type_.lower()} {method.lower()}", 0.0)


def get_first_retry_after_s(type_: str, effect: str = "write") -> int:
    """Return the ``Retry-After`` of the answer that accepts a write or a deletion (recorded)."""
    if effect == "delete" and type_.lower() in _SLOWER_DELETIONS:
        return RETRY_AFTER_S
    return _FIRST_RETRY_AFTER_S.get(type_.lower(), RETRY_AFTER_S)


def get_poll_retry_after_s(type_: str, poll: int) -> int:
    """Return the ``Retry-After`` of a poll, 0 being the first; a gateway's grows (recorded)."""
    if type_.lower() == _GATEWAYS:
        return _GATEWAY_POLLS_S[poll] if poll < len(_GATEWAY_POLLS_S) else 100
    return get_first_retry_after_s(type_)


class Durations:
    """Durations of operations: medians, or draws if a seed is given.

    A draw depends on the seed, the resource, what is done to it and how often that was done
    before, never on other requests or their order: two clients that do the same
    things to the same resources meet the same durations, however they interleave them.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._seed = seed
        self._counts: dict[tuple[str, str, str], int] = {}

    def draw_seconds(self, type_: str, verb: str, size: str = "", resource: str = "") -> float:
        """Return how long the next such operation takes, and count it as done.

        ``verb`` is create, update, delete, patch or post; an action's name belongs to the
        type. ``size`` is a gateway's SKU, AZ or not: VpnGw1AZ is today's VpnGw1. ``resource``
        is the id of what it is done to.
        """
        key = type_.lower(), verb, resource.lower()
        number = self._counts.get(key, 0)
        self._counts[key] = number + 1
        return self.predict_seconds(type_, verb, size, resource, number)

    def predict_seconds(
        self, type_: str, verb: str, size: str, resource: str, number: int
    ) -> float:
        """Return how long an operation takes after ``number`` earlier ones, without counting it."""
        spread = get_percentiles(type_, verb, size)
        if self._seed is None:
            return spread.p50
        return spread.draw(_draw_quantile(self._seed, type_, verb, resource, number))


def _draw_quantile(seed: int, type_: str, verb: str, resource: str, number: int) -> float:
    """Return a number in [0, 1) that depends only on the arguments, in every process."""
    text = "\n".join((str(seed), type_.lower(), verb, resource.lower(), str(number)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2.0**64


def get_percentiles(type_: str, verb: str, size: str = "") -> Percentiles:
    """Return the percentiles of an operation; an unmeasured type counts as 1 to 2 s (assumed)."""
    name = f"{type_.lower()} {verb}"
    sku = size.lower().removesuffix("az")
    if sku.startswith("ergw"):
        sku = "expressroute"
    elif sku.startswith("vpngw") and sku != "vpngw1":
        sku = "vpngw2"
    return DURATIONS.get(f"{name} {sku}") or DURATIONS.get(name) or _SECURITY_GROUPS
