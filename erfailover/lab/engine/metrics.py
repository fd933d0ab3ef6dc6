"""Azure Monitor's metrics of a gateway: what a test or a person has set, and nothing else.

Owns the values. The lab carries no traffic, so a metric that was never set has no
values in its series, as Azure answers for a resource that reports none. Published: REST spec
monitor 2018-01-01, ``Metrics_List``; supported metrics of virtualNetworkGateways. Split by its
dimension (``$filter=roleInstance eq '*'``) a metric has a series for each instance, otherwise one
with their average; each instance has the value that was set (assumed: the load is even).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from erfailover.lab.core import errors
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal, RefusalError
from erfailover.lab.core.protocol import Answer, Request
from erfailover.lab.core.world import Body, Resource

UNITS = {
    "AverageBandwidth": "BytesPerSecond",
    "ExpressRouteGatewayBitsPerSecond": "BitsPerSecond",
    "ScalableExpressRouteGatewayBitsPerSecond": "BitsPerSecond",
}
"""The metrics that are modelled, and their units."""
DIMENSIONS = {"AverageBandwidth": "Instance", "ExpressRouteGatewayBitsPerSecond": "roleInstance"}
SPLIT = re.compile(r"(\w+) eq '\*'")
POINTS = 12
STEP = dt.timedelta(minutes=5)


@dataclass(slots=True)
class Metrics:
    """Values by resource id and metric, both in lower case."""

    values: dict[tuple[str, str], float] = field(default_factory=dict)

    def set(self, resource_id: str, metric: str, value: float) -> None:
        """Set a metric's value from now on.

        Raises:
            ValueError: the metric is not modelled, or the value below 0.
        """
        if metric not in UNITS or value < 0:
            known_names = ", ".join(UNITS)
            raise ValueError(f"The metric must be one of {known_names}, and its value 0 or more.")
        self.values[resource_id.rstrip("/").lower(), metric.lower()] = value

    def answer(self, request: Request, resource: Resource, end: dt.datetime) -> Answer:
        """Answer ``GET {resource}/providers/Microsoft.Insights/metrics``."""
        if request.method != "GET":
            raise RefusalError(
                errors.method_not_allowed(request.method, "Microsoft.Insights/metrics")
            )
        if resource.id.type != rt.GATEWAY:
            raise RefusalError(errors.not_modelled(f"metrics of {resource.id.type}"))
        names = [name for name in request.query.get("metricnames", "").split(",") if name]
        spelled = {metric.lower(): metric for metric in UNITS}
        wrong = [name for name in names if name.lower() not in spelled]
        if wrong or not names:
            raise RefusalError(_refuse_metric(resource.id.type, ",".join(wrong), UNITS))
        split = SPLIT.fullmatch(request.query.get("$filter", ""))
        dimension = split[1].lower() if split else ""
        dimensions = {DIMENSIONS.get(spelled[name.lower()], "").lower() for name in names}
        if request.query.get("$filter") and dimensions != {dimension}:
            raise RefusalError(errors.not_modelled(f"the filter {request.query['$filter']}"))
        began = end - POINTS * STEP
        return Answer(
            200,
            {
                "cost": 0,
                "timespan": f"{_format_time(began)}/{_format_time(end)}",
                "interval": "PT5M",
                "value": [
                    self._build_series(resource, spelled[name.lower()], began, split=bool(split))
                    for name in names
                ],
                "namespace": rt.GATEWAY,
                "resourceregion": resource.body.get("location", ""),
            },
        )

    def _build_series(
        self, resource: Resource, metric: str, began: dt.datetime, *, split: bool
    ) -> Body:
        value = self.values.get((str(resource.id).lower(), metric.lower()))
        rows: list[Body] = [
            {"timeStamp": _format_time(began + point * STEP)} for point in range(POINTS)
        ]
        if value is not None:
            rows = [{**row, "average": value} for row in rows]
        return {
            "id": f"{resource.id}/providers/Microsoft.Insights/metrics/{metric}",
            "type": "Microsoft.Insights/metrics",
            "name": {"value": metric, "localizedValue": metric},
            "unit": UNITS[metric],
            "timeseries": [
                {"metadatavalues": _build_labels(metric, instance), "data": rows}
                for instance in (_list_instances(resource) if split else ("",))
            ],
            "errorCode": "Success",
        }


def _list_instances(resource: Resource) -> tuple[str, ...]:
    """Return the instances of a gateway: two if both are active, or of ExpressRoute (published)."""
    express = str(resource.properties.get("gatewayType")).lower() == "expressroute"
    result = express or bool(resource.properties.get("activeActive"))
    return ("GatewayTenantWorker_IN_0", "GatewayTenantWorker_IN_1")[: 2 if result else 1]


def _build_labels(metric: str, instance: str) -> list[Body]:
    if not instance:
        return []
    name = DIMENSIONS[metric].lower()
    return [{"name": {"value": name, "localizedValue": name}, "value": instance}]


def _format_time(when: dt.datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _refuse_metric(type_: str, names: str, known_names: Iterable[str]) -> Refusal:
    """Return the 400 for a metric that a type does not have (seen in public)."""
    provider, _, kind = type_.partition("/")
    return Refusal(
        400,
        "BadRequest",
        f"Failed to find metric configuration for provider: {provider}, resource Type: {kind}, "
        f"metric: {names}, Valid metrics: {','.join(known_names)}",
    )
