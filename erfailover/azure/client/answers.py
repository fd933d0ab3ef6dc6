"""What Azure answered, as JSON that the rest of the controller can rely on.

A proxy, a captive portal or a fault of Azure may answer anything. Whatever is not the JSON that
Azure's API describes becomes one failure here, of the kind that a server error has: a read is
repeated, and the outcome of a write is unknown.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure.core.exceptions import AzureError

from erfailover.errors import AzureErrorKind, AzureFailure, Failure
from erfailover.runtime.logs import redact

log = logging.getLogger("erfailover.azure.answers")


@contextmanager
def wrap_parse_errors(what: str) -> Iterator[None]:
    """Turn every error of Python in reading an answer into a server error; also a decorator.

    Args:
        what: what was asked for, for the message.

    Raises:
        AzureFailure: kind SERVER.
    """
    try:
        yield
    except (Failure, AzureError):
        raise
    except Exception as error:
        log.debug("%s: not understood", what, exc_info=True)
        message = redact(f"{type(error).__name__}: {error}".splitlines()[0][:200])
        raise AzureFailure(
            AzureErrorKind.SERVER,
            f"{what}: the answer is not what Azure's API describes ({message})",
            "A proxy or a sign-in page may have answered instead of Azure, or Azure failed. "
            "Run the command again.",
        ) from error


def parse(content: bytes) -> Any:
    """Return the JSON of a body.

    Raises:
        ValueError: it is no JSON, holds a number that is not finite or text that is not Unicode.
        RecursionError: it is nested too deeply.
    """
    value = json.loads(content, parse_constant=_refuse, parse_float=_parse_finite)
    if b"\\ud" in content.lower():  # half of a surrogate pair could not be printed
        json.dumps(value, ensure_ascii=False).encode()
    return value


def parse_object(response: Any) -> dict[str, Any]:
    """Return the JSON object that an answer of the SDK holds; empty if it has no body.

    Raises:
        ValueError: it holds something else.
    """
    return require_object(parse_body(response))


def require_object(value: Any) -> dict[str, Any]:
    """Return JSON that is an object.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, found {type(value).__name__}")
    return value


def parse_resource(response: Any) -> dict[str, Any]:
    """Return the resource that an answer of the SDK holds.

    Raises:
        ValueError: it has no id, no name, or no object of properties.
    """
    body = parse_object(response)
    texts = body.get("id"), body.get("name")
    if not all(isinstance(text, str) and text for text in texts):
        raise ValueError("expected a resource with an id and a name")
    if not isinstance(body.get("properties", {}), dict):
        raise ValueError("expected an object under 'properties'")
    return body


def parse_rows(value: Any) -> list[dict[str, Any]]:
    """Return the rows of JSON: an array, or what an object has under ``value``.

    Raises:
        ValueError: there is no array of objects in it.
    """
    rows = value.get("value") if isinstance(value, dict) else value
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("expected an array of objects")
    return rows


def parse_body(response: Any) -> Any:
    """Return the object or array that an answer of the SDK holds; an empty object for no body.

    Raises:
        ValueError: it holds something else.
    """
    content: bytes = response.content
    result = parse(content) if content.strip() else {}
    if not isinstance(result, dict | list):
        raise ValueError(f"expected an object, found {type(result).__name__}")
    return result


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _parse_finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is not finite")
    return number
