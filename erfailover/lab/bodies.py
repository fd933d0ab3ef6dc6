"""The JSON object that a request carries; what is none is refused as ARM does."""

from __future__ import annotations

import json

from erfailover.lab import errors
from erfailover.lab.answers import Request
from erfailover.lab.errors import Refused
from erfailover.lab.world import Body


def parse_body(request: Request) -> Body:
    """The JSON object of a request; refuses what is none."""
    if not request.body:
        raise Refused(errors.content_invalid("The request body is empty"))
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        reason = f"Error parsing JSON: {type(error).__name__}"
        raise Refused(errors.content_invalid(reason)) from None
    if not isinstance(found, dict):
        raise Refused(errors.content_invalid("The request body must be a JSON object"))
    return found
