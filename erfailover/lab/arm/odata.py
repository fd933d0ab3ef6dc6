"""Lists page by page: ``$top``, ``$skiptoken`` and ``nextLink``.

Owns the cutting of a list's answer. A ``nextLink`` repeats the request's query. How many rows
Azure puts on a page is not published for these lists; the lab's size is an option.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from erfailover.lab.answers import Answer, Request

PAGE_SIZE = 1000


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
        text = "&".join(f"{quote(name)}={quote(value)}" for name, value in query.items())
        page["nextLink"] = f"{request.base}{quote(request.path)}?{text}"
    return replace(answer, body=page)
