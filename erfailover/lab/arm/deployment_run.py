"""A deployment in progress: its resources are written in the order of their dependsOn.

Owns the clock's events that advance a deployment. Everything is kept in the deployment's
resource as text, so that a deployment in progress can be saved and restored. It writes
through ``writes`` alone: what ARM refuses is refused to a deployment too.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any

from erfailover.lab.arm import template, writes
from erfailover.lab.core import ids
from erfailover.lab.core.arm_url import parse
from erfailover.lab.core.errors import Refusal, RefusalError
from erfailover.lab.core.operations import Operation
from erfailover.lab.core.protocol import Request
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.providers import presentation
from erfailover.lab.providers.registry import PROVIDERS

LOOK_AGAIN_S = 60.0
"""The longest interval between a deployment's checks of its active writes."""
FAILED = (
    "At least one resource deployment operation failed. Please list deployment operations for "
    "details. Please see https://aka.ms/DeployOperations for usage details."
)
"""Recorded."""


@dataclass(slots=True)
class DeploymentStep:
    """A resource of a deployment: waiting, running, done or failed.

    ``depends_on`` are keys of other steps; ``operation`` is the active write.
    """

    id: str
    api_version: str
    body: Body = field(repr=False)
    depends_on: tuple[str, ...] = ()
    state: str = "waiting"
    operation: str = ""
    status: str = ""
    error: Any = None


def write_steps(steps: list[DeploymentStep]) -> str:
    """Return the steps as text."""
    return json.dumps([asdict(step) for step in steps])


def read_steps(deployment: Resource) -> list[DeploymentStep]:
    """Return the steps of a deployment."""
    return [DeploymentStep(**values) for values in json.loads(deployment.hidden["steps"])]


@dataclass(frozen=True, slots=True)
class DeploymentProgress:
    """The event that advances a deployment as far as possible."""

    lab: Cloud
    deployment: str

    def __call__(self) -> None:
        """Check running writes, start the ones that are ready, and end when none is left."""
        deployment = self.lab.world.get(self.deployment)
        if deployment is None:
            return
        operation = self.lab.operations.get(deployment.hidden["operation"])
        if operation is None or operation.is_done:
            return
        again_s = _advance(self.lab, deployment, operation)
        if again_s is not None:
            self.lab.world.schedule(again_s, self)


def _advance(lab: Cloud, deployment: Resource, operation: Operation) -> float | None:
    """Advance a deployment; return when to check again, None at the end."""
    steps = read_steps(deployment)
    for step in steps:
        if step.state == "running":
            _update_step(lab, step)
    retry_s = 0.0
    failed = any(step.state == "failed" for step in steps)
    while not failed:
        done = {ids.to_key(step.id) for step in steps if step.state == "done"}
        ready = [step for step in steps if step.state == "waiting" and done >= {*step.depends_on}]
        ready = [step for step in ready if not step.status]
        if not ready:
            break
        for step in ready:
            retry_s = max(retry_s, _start_step(lab, deployment, step))
        failed = any(step.state == "failed" for step in steps)
    for step in steps:
        if step.state == "waiting":
            step.status = ""
    deployment.hidden["steps"] = write_steps(steps)
    running = [step for step in steps if step.state == "running"]
    remaining = running or (not failed and [step for step in steps if step.state == "waiting"])
    if not remaining:
        _end_deployment(lab, deployment, operation, steps)
        return None
    ends = [lab.world.now + (retry_s or LOOK_AGAIN_S)]
    for step in running:
        active = lab.operations.get(step.operation)
        ends += [active.ends] if active is not None else []
    return min(ends)


def _update_step(lab: Cloud, step: DeploymentStep) -> None:
    operation = lab.operations.get(step.operation)
    if operation is None or operation.status == "Succeeded":
        step.state = "done"
    elif operation.is_done:
        _fail_step(step, HTTPStatus.CONFLICT, {"error": operation.error})


def _fail_step(step: DeploymentStep, status: int, error: Body) -> None:
    step.state = "failed"
    step.status = HTTPStatus(status).phrase.replace(" ", "")
    step.error = error


def _start_step(lab: Cloud, deployment: Resource, step: DeploymentStep) -> float:
    """Write a resource; return the seconds until the next attempt, 0 if none is needed.

    A 429 is tried again after its Retry-After (assumed); any other refusal is final.
    """
    request = Request(
        "PUT",
        step.id,
        {"api-version": step.api_version},
        deployment.hidden["base"],
        json.dumps(step.body).encode(),
    )
    try:
        writes.put(lab, request, parse(step.id, PROVIDERS))
    except RefusalError as error:
        refusal: Refusal = error.refusal
        if refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
            step.status = "again"
            return float(refusal.retry_after_s or 10)
        _fail_step(step, refusal.status, refusal.to_body())
        return 0.0
    under_way = lab.operations.find_holder(ids.to_key(step.id))
    step.state = "done" if under_way is None else "running"
    step.operation = "" if under_way is None else under_way.id
    step.body = {}  # it may hold secrets, and is no longer needed
    return 0.0


def _end_deployment(
    lab: Cloud, deployment: Resource, operation: Operation, steps: list[DeploymentStep]
) -> None:
    lab.operations.end(operation.id)
    request: Body = json.loads(deployment.hidden.pop("properties"))
    bad = [step for step in steps if step.state == "failed"]
    if bad and operation.error is None:
        operation.status = "Failed"
        operation.error = {
            "code": "DeploymentFailed",
            "message": FAILED,
            "details": [
                {"code": step.status, "message": json.dumps(step.error, indent=2)} for step in bad
            ],
        }
    if operation.status != "Succeeded":
        return
    resource_ids = sorted(step.id for step in steps)
    properties = deployment.properties
    try:
        properties["outputs"] = _read_outputs(lab, deployment, request)
    except (template.NotModelledError, template.InvalidTemplateError) as problem:
        operation.status = "Failed"
        operation.error = {"code": "DeploymentOutputEvaluationFailed", "message": str(problem)}
        return
    properties["outputResources"] = [{"id": resource_id} for resource_id in resource_ids]


def _read_outputs(lab: Cloud, deployment: Resource, request: Body) -> Body:
    names = {ids.to_key(step.id): step.id for step in read_steps(deployment)}
    names |= {key.rsplit("/", 1)[1]: key for key in list(names)}

    def reference(which: str) -> Any:
        """Return the properties of a resource, by its id or by its name in the template."""
        resource = lab.world.get(names.get(which.lower(), which))
        if resource is None:
            raise template.InvalidTemplateError(
                f"the resource '{which}' is not defined in the template"
            )
        return presentation.present_resource(lab.context, lab.plane, resource)["properties"]

    group = deployment.id.group
    location = str((lab.world.get(group) or deployment).body.get("location", ""))
    return template.evaluate_outputs(
        request, template.make_scope(request, group, location, reference)
    )
