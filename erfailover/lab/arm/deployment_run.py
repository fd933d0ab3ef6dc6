"""A deployment under way: its resources written one after the other, as dependsOn asks.

Owns the clock's events that carry a deployment on. Everything is kept in the deployment's
resource as text, so that a deployment can be written down half-way and read back. It writes
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
from erfailover.lab.core.errors import Refusal, Refused
from erfailover.lab.core.operations import Operation
from erfailover.lab.core.protocol import Request
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.providers import presentation
from erfailover.lab.providers.registry import PROVIDERS

LOOK_AGAIN_S = 60.0
"""How long at most until a deployment looks again at what it waits for."""
FAILED = (
    "At least one resource deployment operation failed. Please list deployment operations for "
    "details. Please see https://aka.ms/DeployOperations for usage details."
)
"""Recorded."""


@dataclass(slots=True)
class Step:
    """One resource of a deployment: waiting, running, done or failed.

    ``depends_on`` are keys of other steps; ``operation`` is the write under way.
    """

    id: str
    api_version: str
    body: Body = field(repr=False)
    depends_on: tuple[str, ...] = ()
    state: str = "waiting"
    operation: str = ""
    status: str = ""
    error: Any = None


def write_steps(steps: list[Step]) -> str:
    """The steps as text."""
    return json.dumps([asdict(each) for each in steps])


def read_steps(deployment: Resource) -> list[Step]:
    """The steps of a deployment."""
    return [Step(**each) for each in json.loads(deployment.hidden["steps"])]


@dataclass(frozen=True, slots=True)
class Advance:
    """The clock's event that carries a deployment on as far as it goes now."""

    lab: Cloud
    deployment: str

    def __call__(self) -> None:
        """Look at what runs, start what may start, end when nothing is left."""
        deployment = self.lab.world.get(self.deployment)
        if deployment is None:
            return
        operation = self.lab.operations.get(deployment.hidden["operation"])
        if operation is None or operation.done:
            return
        again_s = _carry_on(self.lab, deployment, operation)
        if again_s is not None:
            self.lab.world.at(again_s, self)


def _carry_on(lab: Cloud, deployment: Resource, operation: Operation) -> float | None:
    """Carry on; gives back when to look again, None at the end."""
    steps = read_steps(deployment)
    for step in steps:
        if step.state == "running":
            _look(lab, step)
    retry_s = 0.0
    failed = any(each.state == "failed" for each in steps)
    while not failed:
        done = {ids.key(each.id) for each in steps if each.state == "done"}
        ready = [each for each in steps if each.state == "waiting" and done >= {*each.depends_on}]
        ready = [each for each in ready if not each.status]
        if not ready:
            break
        for step in ready:
            retry_s = max(retry_s, _start(lab, deployment, step))
        failed = any(each.state == "failed" for each in steps)
    for step in steps:
        if step.state == "waiting":
            step.status = ""
    deployment.hidden["steps"] = write_steps(steps)
    running = [each for each in steps if each.state == "running"]
    left = running or (not failed and [each for each in steps if each.state == "waiting"])
    if not left:
        _end(lab, deployment, operation, steps)
        return None
    ends = [lab.world.now + (retry_s or LOOK_AGAIN_S)]
    for step in running:
        found = lab.operations.get(step.operation)
        ends += [found.ends] if found is not None else []
    return min(ends)


def _look(lab: Cloud, step: Step) -> None:
    found = lab.operations.get(step.operation)
    if found is None or found.status == "Succeeded":
        step.state = "done"
    elif found.done:
        _fail(step, HTTPStatus.CONFLICT, {"error": found.error})


def _fail(step: Step, status: int, error: Body) -> None:
    step.state = "failed"
    step.status = HTTPStatus(status).phrase.replace(" ", "")
    step.error = error


def _start(lab: Cloud, deployment: Resource, step: Step) -> float:
    """Write one resource; gives back the seconds until another attempt, 0 where none is due.

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
    except Refused as found:
        refusal: Refusal = found.refusal
        if refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
            step.status = "again"
            return float(refusal.retry_after_s or 10)
        _fail(step, refusal.status, refusal.body())
        return 0.0
    under_way = lab.operations.holder(ids.key(step.id))
    step.state = "done" if under_way is None else "running"
    step.operation = "" if under_way is None else under_way.id
    step.body = {}  # it may hold secrets, and nobody needs it any more
    return 0.0


def _end(lab: Cloud, deployment: Resource, operation: Operation, steps: list[Step]) -> None:
    lab.operations.end(operation.id)
    asked: Body = json.loads(deployment.hidden.pop("properties"))
    bad = [each for each in steps if each.state == "failed"]
    if bad and operation.error is None:
        operation.status = "Failed"
        operation.error = {
            "code": "DeploymentFailed",
            "message": FAILED,
            "details": [
                {"code": each.status, "message": json.dumps(each.error, indent=2)} for each in bad
            ],
        }
    if operation.status != "Succeeded":
        return
    made = sorted(each.id for each in steps)
    properties = deployment.properties
    try:
        properties["outputs"] = _outputs(lab, deployment, asked)
    except (template.NotModelled, template.Invalid) as problem:
        operation.status = "Failed"
        operation.error = {"code": "DeploymentOutputEvaluationFailed", "message": str(problem)}
        return
    properties["outputResources"] = [{"id": each} for each in made]


def _outputs(lab: Cloud, deployment: Resource, asked: Body) -> Body:
    names = {ids.key(each.id): each.id for each in read_steps(deployment)}
    names |= {each.rsplit("/", 1)[1]: each for each in list(names)}

    def reference(which: str) -> Any:
        """The properties of a resource, by its id or by its name in the template."""
        resource = lab.world.get(names.get(which.lower(), which))
        if resource is None:
            raise template.Invalid(f"the resource '{which}' is not defined in the template")
        return presentation.shown(lab.scene, lab.bgp, resource)["properties"]

    group = deployment.id.group
    location = str((lab.world.get(group) or deployment).body.get("location", ""))
    return template.outputs(asked, template.scope_of(asked, group, location, reference))
