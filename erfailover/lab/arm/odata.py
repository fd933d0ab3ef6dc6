"""OData options of ARM's reads: pages of a list, and expanded references.

Owns ``$top``, ``$skiptoken`` and ``nextLink``, which repeats the request's query, and ``$expand``,
which replaces references by what they refer to. It changes no resource. How many rows Azure puts
on a page is not published for these lists; the lab's page size is an option. A path of ``$expand``
that a body does not have is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import quote, urlencode

from erfailover.lab.core import ids
from erfailover.lab.core.protocol import Answer, Request
from erfailover.lab.core.world import Body, World

Show = Callable[[str], Body | None]


def select_page(request: Request, answer: Answer, size: int) -> Answer:
    """Return the requested page of a list."""
    body = answer.body
    if (
        answer.status != HTTPStatus.OK
        or not isinstance(body, dict)
        or not isinstance(body.get("value"), list)
    ):
        return answer
    top, token = request.query.get("$top", ""), request.query.get("$skiptoken", "")
    skip = int(token) if token.isdecimal() else 0
    length = min(size, int(top)) if top.isdecimal() and int(top) > 0 else size
    rows = body["value"]
    if not skip and len(rows) <= length:
        return answer
    page = {**body, "value": rows[skip : skip + length]}
    if skip + length < len(rows):
        query = {**request.query, "$skiptoken": str(skip + length)}
        text = urlencode(query, safe="/", quote_via=quote)
        page["nextLink"] = f"{request.base}{quote(request.path)}?{text}"
    return replace(answer, body=page)


def expand(body: Body, paths: str, show: Show) -> None:
    """Expand the references that a ``$expand`` names, in an answer.

    Args:
        body: the answer; changed in place, nested values are copied first.
        paths: paths, separated by commas.
        show: gives the answer that shows a resource or a part of one, by its id.
    """
    for path in paths.split(","):
        parts = [part for part in path.strip().split("/") if part]
        if parts:
            _expand_path(body, parts, show)


def _expand_path(body: Body, parts: list[str], show: Show) -> None:
    properties = dict(body.get("properties") or {})
    name = next((key for key in properties if key.lower() == parts[0].lower()), None)
    if name is None:
        return
    value = properties[name]
    if isinstance(value, list):
        properties[name] = [_expand_value(item, parts[1:], show) for item in value]
    elif isinstance(value, dict):
        properties[name] = _expand_value(value, parts[1:], show)
    body["properties"] = properties


def _expand_value(value: object, rest: list[str], show: Show) -> object:
    if not isinstance(value, dict):
        return value
    expanded = dict(value)
    if set(value) == {"id"}:
        expanded = show(str(value["id"])) or expanded
    if rest:
        _expand_path(expanded, rest, show)
    return expanded


def find_ip_configuration(world: World, resource_id: str) -> Body | None:
    """Return an IP configuration by its id: a part of its owner's body."""
    owner, separator, _ = ids.to_key(resource_id).partition("/ipconfigurations/")
    resource = world.get(owner) if separator else None
    if resource is None:
        return None
    rows = resource.properties.get("ipConfigurations") or ()
    return next(
        (dict(row) for row in rows if ids.to_key(row["id"]) == ids.to_key(resource_id)), None
    )
