"""OData options of ARM's reads: pages of a list, and expanded references.

Owns ``$top``, ``$skiptoken`` and ``nextLink``, which repeats the request's query, and ``$expand``,
which replaces references by what they refer to. It changes no resource. How many rows Azure puts
on a page is not published for these lists; the lab's page size is an option. A path of ``$expand``
that a body does not have is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote, urlencode

from erfailover.lab.core import ids
from erfailover.lab.core.protocol import Answer, Request
from erfailover.lab.core.world import Body, World

Show = Callable[[str], Body | None]


def paged(request: Request, answer: Answer, size: int) -> Answer:
    """The page of a list that a request asks for."""
    body = answer.body
    if (
        answer.status != 200
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


def expand(body: Body, wanted: str, show: Show) -> None:
    """Expand the references that a ``$expand`` names, in an answer.

    Args:
        body: the answer; changed in place, nested values are copied first.
        wanted: paths, separated by commas.
        show: gives the answer that shows a resource or a part of one, by its id.
    """
    for path in wanted.split(","):
        parts = [part for part in path.strip().split("/") if part]
        if parts:
            _follow(body, parts, show)


def _follow(body: Body, parts: list[str], show: Show) -> None:
    properties = dict(body.get("properties") or {})
    name = next((each for each in properties if each.lower() == parts[0].lower()), None)
    if name is None:
        return
    value = properties[name]
    if isinstance(value, list):
        properties[name] = [_shown(each, parts[1:], show) for each in value]
    elif isinstance(value, dict):
        properties[name] = _shown(value, parts[1:], show)
    body["properties"] = properties


def _shown(value: object, rest: list[str], show: Show) -> object:
    if not isinstance(value, dict):
        return value
    found = dict(value)
    if set(value) == {"id"}:
        found = show(str(value["id"])) or found
    if rest:
        _follow(found, rest, show)
    return found


def ip_configuration(world: World, resource_id: str) -> Body | None:
    """An IP configuration by its id: a part of its owner's body."""
    owner, separator, _ = ids.key(resource_id).partition("/ipconfigurations/")
    resource = world.get(owner) if separator else None
    if resource is None:
        return None
    rows = resource.properties.get("ipConfigurations") or ()
    return next((dict(row) for row in rows if ids.key(row["id"]) == ids.key(resource_id)), None)
