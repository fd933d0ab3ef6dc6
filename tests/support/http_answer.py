"""An HTTP answer as azure-core's exceptions carry it, without HTTP."""

from __future__ import annotations

import json
from typing import Any


class Answer:
    """An HTTP answer as azure-core's exceptions carry it."""

    reason = ""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.status_code = status
        self.headers = headers or {}
        self._text = body if isinstance(body, str) else json.dumps(body)

    def text(self) -> str:
        return self._text
